"""Count exits in the kernel: compile, attach, snapshot, detach. The door to bcc."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import sys
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from .attach_plan import Attachment, AttachPlan, AttachPlans
from .count_rows import CountRows, thread_of
from .errors import ExitStatError
from .exit_reasons import Isa
from .foreign import importing
from .host_files import fdinfo
from .kernel_program import find_program, program_macros
from .packages import Need, install_hint
from .prerequisites import attach_hint, check_headers, check_privileges, raise_memory_limit
from .quiet_stderr import quiet_stderr
from .snapshot import AnyThread, CountSnapshot, EndedThread, Lost, Thread
from .standard_streams import say
from .targets import ThreadFilter

# bcc takes bytes for names; text makes it warn.
_EVENT = b"kvm_exit"
_FUNCTION = b"count_exit"
_MAPS = (b"rows", b"cache", b"row_of", b"free_rows", b"unslotted", b"lost")


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
        self._table = plans.table
        self._bcc = _import_bcc()
        check_headers(root)
        self._filter, self._threads, self._debug = thread_filter, max_vcpus, debug
        self._clear_again = False
        self._gone: dict[AnyThread, Counts[int]] = {}
        self._detach: Callable[[], None] | None = None
        self._left = list(plans.plans)
        self._bpf: Any = None
        self._rows: Any = None
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
        """Read all counts. May be called while attached: each counter is one word that only its thread writes."""
        now = time.monotonic()
        counts = {thread: Counts(gone) for thread, gone in self._gone.items()}
        for identity, row in self._rows.taken():
            counts.setdefault(thread_of(identity), Counts()).update(self._rows.read(row))
        for key, count in self._bpf[b"unslotted"].items():
            counts.setdefault(thread_of(key.identity), Counts())[key.reason] += count.value
        no_row, no_reason = (self._bpf[b"lost"].sum(index).value for index in (0, 1))
        return CountSnapshot(now, counts, Lost(no_row, no_reason, fdinfo(self._program.fd, "recursion_misses")))

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Keep the counts of threads that are gone and give their rows to new threads.

        Looks at the threads only when half of the rows are taken. Each CPU's cache is cleared before a row is read for
        the last time: from then on a thread that comes with the same identity misses and gets a row of its own.
        """
        if self._clear_again:
            self._clear_again = False
            self._clear_cache()
        taken = self._rows.taken()
        if len(taken) * 2 >= self._threads:
            self._take_back([(identity, row) for identity, row in taken if is_gone(thread_of(identity))])

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads, and give its rows to new threads."""
        self._take_back([(identity, row) for identity, row in self._rows.taken() if thread_of(identity).tgid == tgid])
        unslotted = self._bpf[b"unslotted"]
        for key, count in unslotted.items():
            if thread_of(key.identity).tgid == tgid:
                self._gone.setdefault(thread_of(key.identity), Counts())[key.reason] += count.value
                del unslotted[key]
        for thread in [thread for thread in self._gone if isinstance(thread, Thread) and thread.tgid == tgid]:
            self._gone[EndedThread(*thread, started)] = self._gone.pop(thread)

    def follow(self, thread_filter: ThreadFilter) -> None:
        """Count other threads from now on; those that are no longer wanted keep their counts.

        Whoever the old filter skipped is cached as skipped, so each CPU's cache is cleared behind the change, and once
        more at the next housekeeping: a miss that was under way may have cached what the old filter said.
        """
        before, after = self._filter.keys(), thread_filter.keys()
        self._filter = thread_filter
        if before != after:
            self._want(after - before, before - after)
            self._clear_cache()
            self._clear_again = True

    def map_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        return sum(fdinfo(self._bpf[name].map_fd, "memlock") for name in _MAPS)

    @property
    def program_fd(self) -> int:
        """The loaded program's file descriptor, for tests that run it without KVM (BPF_PROG_TEST_RUN)."""
        return int(self._program.fd)

    @property
    def isa(self) -> Isa:
        """Whose exit reasons are counted."""
        return self._table.isa

    @property
    def attachment(self) -> Attachment:
        """How it is attached, or will be if the kernel accepts it."""
        return self._left[0].attachment

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._table.name_of(reason, self._plans.kernel_names)

    def _load_cheapest(self) -> None:
        """Load the program for the first plan left that compiler and verifier accept."""
        hint = "" if raise_memory_limit() else "if it lacks memory, 'ulimit -l unlimited' first; "
        while not self._bpf:
            try:
                with quiet_stderr(self._debug, "bcc could not compile or load the kernel program", hint):
                    self._load(self._left[0])
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
            for row in range(self._threads):
                self._bpf[b"free_rows"].push(ctypes.c_uint32(row))
            if self._filter.changes:
                self._want(self._filter.keys(), ())
            self._rows = CountRows(self._bpf[b"rows"].map_fd, self._threads, self._table)
            undo.pop_all()

    def _unload(self) -> None:
        if self._rows:
            self._rows.release()
            self._rows = None
        if self._bpf:
            self._bpf.cleanup()
            self._bpf = None

    def _attach(self, plan: AttachPlan) -> None:
        bpf = self._bpf
        with quiet_stderr(self._debug, f"could not attach to the {_describe(plan)}", attach_hint()):
            if plan.attachment is Attachment.RAW:
                bpf.attach_raw_tracepoint(tp=_EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_raw_tracepoint(tp=_EVENT)
            else:
                bpf.attach_tracepoint(tp=b"kvm:" + _EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_tracepoint(tp=b"kvm:" + _EVENT)

    def _want(self, more: Iterable[int], fewer: Iterable[int]) -> None:
        wanted = self._bpf[b"wanted"]
        for key in fewer:
            del wanted[ctypes.c_uint64(key)]
        try:
            for key in more:
                wanted[ctypes.c_uint64(key)] = ctypes.c_uint32(1)
        except Exception:  # bcc raises nothing more special when a map is full
            raise ExitStatError(
                f"more domains and vCPUs are to be counted than there is room for ({self._threads})",
                "raise --max-vcpus",
            ) from None

    def _take_back(self, gone: list[tuple[int, int]]) -> None:
        # Keep the counts of (identity, row) of threads that are gone.
        if not gone:
            return
        row_of = self._bpf[b"row_of"]
        # Its keys are ids of the first pid namespace, which those in the rows need not be.
        key_of = {row.value: key for key, row in row_of.items()}
        for _, row in gone:
            del row_of[key_of[row]]
        self._clear_cache()
        for identity, row in gone:
            self._gone.setdefault(thread_of(identity), Counts()).update(self._rows.read(row))
            self._rows.clear(row)
            self._bpf[b"free_rows"].push(ctypes.c_uint32(row))

    def _clear_cache(self) -> None:
        cache = self._bpf[b"cache"]
        cache[ctypes.c_uint32(0)] = cache.Leaf()

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
