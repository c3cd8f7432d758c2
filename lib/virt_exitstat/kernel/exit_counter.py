"""Count exits in the kernel: compile, attach, snapshot, detach. The door to bcc."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ..counts.origin import Attachment
from ..counts.snapshot import CountSnapshot, Thread
from ..errors import ExitStatError
from ..host.files import fdinfo
from ..host.foreign import importing
from ..host.limits import raise_memory_limit
from ..host.packages import Need, install_hint
from ..host.quiet_stderr import quiet_stderr
from ..host.streams import say
from ..isa.instruction_set import Isa
from ..targets.thread_filter import ThreadFilter
from .attach_plan import AttachPlan, AttachPlans
from .headers import HeadersError
from .maps import CountMaps
from .prerequisites import check_privileges, explain_attach, explain_load
from .program import find_program, program_macros

# bcc takes bytes for names; text makes it warn.
_EVENT = b"kvm_exit"
_FUNCTION = b"count_exit"


class ExitCounter:
    """Counts the exits of the threads that a filter lets through, per thread and reason.

    Creating one checks the host and compiles; nothing is attached yet. `plans` are the ways to attach, `max_vcpus` is
    how many threads there is room for. Raises ExitStatError when the host lacks root's rights, bcc or kernel headers.
    """

    def __init__(
        self,
        thread_filter: ThreadFilter,
        plans: AttachPlans,
        *,
        max_vcpus: int,
        root: Path = Path("/"),
        debug: bool = False,
    ) -> None:
        check_privileges(root)
        self._plans = plans
        self._table = plans.isa.reasons
        self._bcc = _import_bcc()
        self._filter, self._threads, self._root, self._debug = thread_filter, max_vcpus, root, debug
        self._detach: Callable[[], None] | None = None
        self._left = list(plans.plans)
        self._bpf: Any = None
        self._maps: CountMaps | None = None
        self._load_cheapest()

    def __enter__(self) -> ExitCounter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
        self._unload()

    def attach(self) -> None:
        """Start counting, in the cheapest way that this kernel accepts."""
        while True:
            try:
                self._attach(self._left[0])
                break
            except ExitStatError as error:
                self._fall_back(error)
                self._unload()
                self._load_cheapest()
        not_raw = f"; not raw: {self._plans.not_raw}" if self._plans.not_raw else ""
        self._note(f"attached to the {_describe(self._left[0])} ({self._left[0].why}{not_raw})")

    def detach(self) -> None:
        """Stop counting; the counts stay readable. Does nothing when not attached."""
        if self._detach:
            self._detach()
            self._detach = None

    def snapshot(self) -> CountSnapshot:
        """Read all counts since attach(); may be called while attached."""
        return self._loaded_maps.snapshot(fdinfo(self._program.fd, "recursion_misses"))

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Give the rows of threads that are gone to new threads, when room gets scarce; their counts are kept."""
        self._loaded_maps.free_rows(is_gone)

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads, and give its rows to new threads."""
        self._loaded_maps.end(tgid, started)

    def follow(self, thread_filter: ThreadFilter) -> None:
        """Count other threads from now on; those that are no longer wanted keep their counts."""
        self._loaded_maps.follow(thread_filter)

    def map_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        return self._loaded_maps.memory_bytes()

    @property
    def program_fd(self) -> int:
        """The loaded program's file descriptor, for tests that run it without KVM (BPF_PROG_TEST_RUN)."""
        return int(self._program.fd)

    @property
    def isa(self) -> Isa:
        """Whose exit reasons are counted."""
        return self._plans.isa

    @property
    def attachment(self) -> Attachment:
        """How it is attached, or will be if the kernel accepts it."""
        return self._left[0].attachment

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._table.name_of(reason)

    @property
    def _loaded_maps(self) -> CountMaps:
        assert self._maps, "nothing is loaded"
        return self._maps

    def _load_cheapest(self) -> None:
        """Load the program for the first plan left that compiler and verifier accept."""
        raise_memory_limit()
        while not self._bpf:
            try:
                with quiet_stderr(self._debug, lambda said: explain_load(said, self._root)):
                    self._load(self._left[0])
            except HeadersError:
                raise  # no other way does without them
            except ExitStatError as error:
                self._fall_back(error)

    def _fall_back(self, error: ExitStatError) -> None:
        if len(self._left) == 1:
            raise error
        self._note(f"{error}; falling back")
        del self._left[0]

    def _load(self, plan: AttachPlan) -> None:
        kind = self._bcc.BPF.RAW_TRACEPOINT if plan.attachment is Attachment.RAW else self._bcc.BPF.TRACEPOINT
        macros = program_macros(self._filter, self._table, plan, self._threads)
        with contextlib.ExitStack() as undo:
            self._bpf = self._bcc.BPF(src_file=bytes(find_program()), cflags=macros)
            undo.callback(self._unload)
            self._program = self._bpf.load_func(_FUNCTION, kind)
            self._maps = CountMaps(self._bpf, self._table, self._threads, self._filter)
            undo.pop_all()

    def _unload(self) -> None:
        if self._maps:
            self._maps.release()
            self._maps = None
        if self._bpf:
            self._bpf.cleanup()
            self._bpf = None

    def _attach(self, plan: AttachPlan) -> None:
        bpf = self._bpf
        with quiet_stderr(self._debug, lambda said: explain_attach(said, _describe(plan))):
            if plan.attachment is Attachment.RAW:
                bpf.attach_raw_tracepoint(tp=_EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_raw_tracepoint(tp=_EVENT)
            else:
                bpf.attach_tracepoint(tp=b"kvm:" + _EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_tracepoint(tp=b"kvm:" + _EVENT)

    def _note(self, text: str) -> None:
        if self._debug:
            say(f"virt-exitstat: {text}")


def _describe(plan: AttachPlan) -> str:
    return f"{'raw tracepoint' if plan.attachment is Attachment.RAW else 'tracepoint'} kvm:{_EVENT.decode()}"


def _import_bcc() -> Any:
    missing = f"{sys.executable} finds no BPF compiler collection (module bcc)"
    hint = "the bcc on PyPI is something else"
    with importing("bcc", Need.BCC, missing=missing, hint=hint):
        bcc = importlib.import_module("bcc")
    if not hasattr(bcc, "BPF"):  # PyPI's, a crystal lattice
        raise ExitStatError(missing, f"{install_hint(Need.BCC)}; {hint}")
    return bcc
