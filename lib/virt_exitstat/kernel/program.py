"""The kernel program, loaded and attached in the cheapest way that this kernel accepts. The door to bcc."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..counts.layout import details_for
from ..counts.origin import Attachment
from ..errors import ExitStatError
from ..host.files import fdinfo
from ..host.limits import raise_memory_limit
from ..host.needs.foreign import importing
from ..host.needs.headers import HeadersError
from ..host.needs.packages import Need, install_hint
from ..host.quiet_stderr import quiet_stderr
from ..targets.thread_filter import ThreadFilter
from .attach_plan import AttachPlan, AttachPlans
from .events import DetailEvents
from .maps.detail_map import DetailMap
from .maps.rows import Rows
from .maps.shared_maps import DirectMaps, Maps
from .prerequisites import explain_attach, explain_load
from .source import find_program, program_macros

# bcc takes bytes for names; text makes it warn.
_EVENT = b"kvm_exit"
_FUNCTION = b"count_exit"

#: {event: function} of those that time and details need. They are attached before kvm_exit, and always raw: counting
#: begins with the last one, so that each exit that is counted can be timed.
WINDOW = {b"kvm_entry": b"enter_guest", b"kvm_userspace_exit": b"leave_kernel"}

# A map's type and flag: BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE (include/uapi/linux/bpf.h).
_ARRAY, _MMAPABLE = 2, 1 << 10

# An instruction's first byte and the register in its second one.
_CALL, _KERNEL_FUNCTION = 0x85, 2


class Program:
    """bpf/exitstat.bpf.c for a filter and `max_vcpus` threads, loaded but not attached.

    `timed` exits have times, and details by `events`, which is None where they are not wanted.

    The plans are tried one after the other; `note` is told which is taken and why others are not. Raises ExitStatError
    when none is left.
    """

    def __init__(
        self,
        thread_filter: ThreadFilter,
        plans: AttachPlans,
        *,
        max_vcpus: int,
        timed: bool,
        events: DetailEvents | None,
        root: Path,
        debug: bool,
        note: Callable[[str], None],
    ) -> None:
        self._filter, self._plans, self._max_vcpus, self._timed = thread_filter, plans, max_vcpus, timed
        self._events, self._root, self._debug, self._note = events, root, debug, note
        self._bcc = _import_bcc()
        self._left = list(plans.plans)
        # What ends each attachment, the last one first.
        self._attached = contextlib.ExitStack()
        self._bpf: Any = None
        self._functions: dict[bytes, Any] = {}
        self._maps: Maps | None = None
        self._rows: Rows | None = None
        self._load_cheapest()

    @property
    def rows(self) -> Rows:
        """Those of the program that is loaded."""
        assert self._rows, "nothing is loaded"
        return self._rows

    @property
    def maps(self) -> Maps:
        """Those of the program that is loaded."""
        assert self._maps, "nothing is loaded"
        return self._maps

    @property
    def fds(self) -> dict[str, int]:
        """{event: file descriptor of the function that is for it}, kvm_exit first."""
        return {event.decode(): int(function.fd) for event, function in self._functions.items()}

    @property
    def attachment(self) -> Attachment:
        """The attachment in use, or the one to be tried next."""
        return self._left[0].attachment

    def recursion_misses(self) -> int:
        """The number of times that the kernel skipped it because another program was running on that CPU."""
        return fdinfo(self.fds[_EVENT.decode()], "recursion_misses")

    def missed_events(self) -> int:
        """The same of the other events, each of which may have told a detail."""
        functions = {function.fd for event, function in self._functions.items() if event != _EVENT}
        return sum(fdinfo(fd, "recursion_misses") for fd in functions) if self._events else 0

    def attach(self) -> None:
        """Have it run at each exit, in the cheapest way that this kernel accepts."""
        while True:
            try:
                self._attach(self._left[0])
                break
            except ExitStatError as error:
                self._fall_back(error)
                self.unload()
                self._load_cheapest()
        not_raw = f"; not raw: {self._plans.not_raw}" if self._plans.not_raw else ""
        self._note(f"attached to the {_describe(_EVENT, self.attachment)} ({self._left[0].why}{not_raw})")

    def detach(self) -> None:
        """Have it run no more; its maps stay. Does nothing unless attached."""
        self._attached.close()

    def unload(self) -> None:
        """Let the program and its maps go."""
        if self._rows:
            self._rows.release()
            self._rows = None
        if self._maps:
            self._maps.release()
            self._maps = None
        if self._bpf:
            self._bpf.cleanup()
            self._bpf = None

    def _load_cheapest(self) -> None:
        """Load it for the first plan left that compiler and verifier accept."""
        raise_memory_limit()
        while not self._bpf:
            try:
                with quiet_stderr(self._debug, lambda said: explain_load(said, self._root)):
                    self._load(self._left[0])
            except HeadersError:
                raise  # every other way needs them too
            except ExitStatError as error:
                self._fall_back(error)

    def _fall_back(self, error: ExitStatError) -> None:
        if len(self._left) == 1:
            raise error
        self._note(f"{error}; falling back")
        del self._left[0]

    def _load(self, plan: AttachPlan) -> None:
        kind = self._bcc.BPF.RAW_TRACEPOINT if plan.attachment is Attachment.RAW else self._bcc.BPF.TRACEPOINT
        table = self._plans.isa.reasons
        macros = program_macros(
            self._filter, self._plans.isa, plan, self._max_vcpus, timed=self._timed, events=self._events
        )
        with contextlib.ExitStack() as undo:
            # bcc's own list of CPUs; not all of them need be online.
            cpus = max(importlib.import_module("bcc.utils").get_possible_cpus()) + 1
            direct = DirectMaps(
                table.slots,
                self._max_vcpus,
                timed=self._timed,
                detailed=bool(self._events),
                cpus=cpus,
                create=_create_array,
            )
            undo.callback(direct.close)
            if not direct.fds:
                self._note(f"maps are looked up: this kernel takes no value of {max(direct.sizes.values())} bytes")
            self._bpf = self._bcc.BPF(src_file=bytes(find_program()), cflags=[*macros, *direct.macros()])
            undo.callback(self.unload)
            if plan.cast:
                mark_kernel_calls(self._compiled_code(), plan.cast.function)
            self._functions = {_EVENT: self._bpf.load_func(_FUNCTION, kind)}
            for event, function in self._others():
                self._functions[event] = self._bpf.load_func(function, self._bcc.BPF.RAW_TRACEPOINT)
            self._maps = Maps(self._bpf, direct)
            details = None
            if self._events:
                room, fault = details_for(self._max_vcpus), self._plans.isa.fault
                details = DetailMap(self._maps["details"], room, fault, _read_all)
            self._rows = Rows(self._maps, table, self._max_vcpus, self._filter, timed=self._timed, details=details)
            undo.pop_all()

    def _others(self) -> list[tuple[bytes, bytes]]:
        """(event, function) of what is attached beside kvm_exit, always raw."""
        details = (
            [(event.name.encode(), event.function.encode()) for event in self._events.events] if self._events else []
        )
        return [*details, *(WINDOW.items() if self._timed or self._events else ())]

    def _compiled_code(self) -> Any:
        """The program's bytes, as bcc will load them."""
        lib = importlib.import_module("bcc.libbcc").lib
        start, size = (ask(self._bpf.module, _FUNCTION) for ask in (lib.bpf_function_start, lib.bpf_function_size))
        return (ctypes.c_uint8 * size).from_address(start)

    def _attach(self, plan: AttachPlan) -> None:
        with contextlib.ExitStack() as undo:
            for event, function in self._others():
                self._attach_to(event, function, Attachment.RAW, undo)
            self._attach_to(_EVENT, _FUNCTION, plan.attachment, undo)
            self._attached = undo.pop_all()

    def _attach_to(self, event: bytes, function: bytes, how: Attachment, undo: contextlib.ExitStack) -> None:
        with quiet_stderr(self._debug, lambda said: explain_attach(said, _describe(event, how))):
            if how is Attachment.RAW:
                self._bpf.attach_raw_tracepoint(tp=event, fn_name=function)
                undo.callback(self._bpf.detach_raw_tracepoint, tp=event)
            else:
                self._bpf.attach_tracepoint(tp=b"kvm:" + event, fn_name=function)
                undo.callback(self._bpf.detach_tracepoint, tp=b"kvm:" + event)


def mark_kernel_calls(code: Any, function: int) -> None:
    """Make calls of the kernel function with that BTF id of what was compiled as calls of a helper of that number.

    bcc's compiler cannot write them: src_reg is 2 (BPF_PSEUDO_KFUNC_CALL in include/uapi/linux/bpf.h). `code` is a
    mutable sequence of bytes.
    """
    call = bytes([_CALL, 0, 0, 0]) + function.to_bytes(4, sys.byteorder)
    for at in range(0, len(code), 8):
        if bytes(code[at : at + 8]) == call:
            code[at + 1] = _KERNEL_FUNCTION << 4


def _create_array(name: str, size: int) -> int:
    # Part of libbcc, but not among what its Python side declares.
    lib = importlib.import_module("bcc.libbcc").lib
    return int(lib.bcc_create_map(_ARRAY, name.encode(), 4, size, 1, _MMAPABLE))


def _read_all(fd: int, keys: Any, values: Any, most: int) -> int | None:
    """Copy a hash map as a whole: how many entries it had; None where libbcc (before 0.19) or the kernel cannot."""
    lib = importlib.import_module("bcc.libbcc").lib
    if not hasattr(lib, "bpf_lookup_batch"):
        return None
    count, position = ctypes.c_uint32(most), ctypes.c_uint32(0)
    arguments = (ctypes.byref(position), ctypes.byref(keys), ctypes.byref(values), ctypes.byref(count))
    status = lib.bpf_lookup_batch(ctypes.c_int(fd), None, *arguments)
    # The end of the map is told as an error; libbpf gives its number, or -1 and errno, by its version.
    number = -status if status < -1 else ctypes.get_errno() if status else errno.ENOENT
    return count.value if number == errno.ENOENT else None


def _describe(event: bytes, how: Attachment) -> str:
    return f"{'raw tracepoint' if how is Attachment.RAW else 'tracepoint'} kvm:{event.decode()}"


def _import_bcc() -> Any:
    missing = f"{sys.executable} finds no BPF compiler collection (module bcc)"
    hint = "the bcc on PyPI is something else"
    with importing("bcc", Need.BCC, missing=missing, hint=hint):
        bcc = importlib.import_module("bcc")
    if not hasattr(bcc, "BPF"):  # PyPI's, a crystal lattice
        raise ExitStatError(missing, f"{install_hint(Need.BCC)}; {hint}")
    return bcc
