"""Count exits in the kernel: compile, attach, snapshot, detach. The door to bcc."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import mmap
import os
import sys
import tempfile
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from .attach_plan import Attachment, AttachPlan, AttachPlans
from .errors import ExitStatError, install_hint
from .kernel_program import find_program, program_macros
from .prerequisites import check_headers, check_privileges, raise_memory_limit
from .snapshot import CountSnapshot, Lost, Thread
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
        self._gone: dict[Thread, Counts[int]] = {}
        self._detach: Callable[[], None] | None = None
        self._left = list(plans.plans)
        self._bpf: Any = None
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
        for identity, row in self._taken_rows():
            counts.setdefault(_thread_of(identity), Counts()).update(self._read_row(row))
        for key, count in self._bpf[b"unslotted"].items():
            counts.setdefault(_thread_of(key.identity), Counts())[key.reason] += count.value
        no_row, no_reason = (self._bpf[b"lost"].sum(index).value for index in (0, 1))
        return CountSnapshot(now, counts, Lost(no_row, no_reason, _fdinfo(self._program.fd, "recursion_misses")))

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Keep the counts of threads that are gone and give their rows to new threads.

        Looks at the threads only when half of the rows are taken. Each CPU's cache is cleared before a row is read for
        the last time: from then on a thread that comes with the same identity misses and gets a row of its own.
        """
        taken = self._taken_rows()
        if len(taken) * 2 < self._threads:
            return
        gone = [(identity, row) for identity, row in taken if is_gone(_thread_of(identity))]
        for identity, _ in gone:
            del self._bpf[b"row_of"][ctypes.c_uint64(identity)]
        if gone:
            cache = self._bpf[b"cache"]
            cache[ctypes.c_uint32(0)] = cache.Leaf()
        for identity, row in gone:
            self._gone.setdefault(_thread_of(identity), Counts()).update(self._read_row(row))
            start = row * self._row_words
            self._words[start : start + self._row_words] = memoryview(bytes(8 * self._row_words)).cast("Q")
            self._bpf[b"free_rows"].push(ctypes.c_uint32(row))

    def map_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        return sum(_fdinfo(self._bpf[name].map_fd, "memlock") for name in _MAPS)

    @property
    def program_fd(self) -> int:
        """The loaded program's file descriptor, for tests that run it without KVM (BPF_PROG_TEST_RUN)."""
        return int(self._program.fd)

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._table.name_of(reason, self._plans.kernel_names)

    def _load_cheapest(self) -> None:
        """Load the program for the first plan left that compiler and verifier accept."""
        hint = "" if raise_memory_limit() else "if it lacks memory, 'ulimit -l unlimited' first; "
        while not self._bpf:
            try:
                with _quiet_stderr(self._debug, "bcc could not compile or load the kernel program", hint):
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
            bpf = self._bcc.BPF(src_file=bytes(find_program()), cflags=macros)
            undo.callback(bpf.cleanup)
            self._program = bpf.load_func(_FUNCTION, kind)
            for row in range(self._threads):
                bpf[b"free_rows"].push(ctypes.c_uint32(row))
            self._row_words = 1 + self._table.slots
            size = _whole_pages(8 * self._row_words * self._threads)
            self._words = memoryview(mmap.mmap(bpf[b"rows"].map_fd, size, mmap.MAP_SHARED)).cast("Q")
            self._bpf = bpf
            undo.pop_all()

    def _unload(self) -> None:
        if self._bpf:
            self._words.release()
            self._bpf.cleanup()
            self._bpf = None

    def _attach(self, plan: AttachPlan) -> None:
        bpf = self._bpf
        with _quiet_stderr(self._debug, f"could not attach to the {_describe(plan)}"):
            if plan.attachment is Attachment.RAW:
                bpf.attach_raw_tracepoint(tp=_EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_raw_tracepoint(tp=_EVENT)
            else:
                bpf.attach_tracepoint(tp=b"kvm:" + _EVENT, fn_name=_FUNCTION)
                self._detach = lambda: bpf.detach_tracepoint(tp=b"kvm:" + _EVENT)

    def _taken_rows(self) -> list[tuple[int, int]]:
        """(identity, row) of each row that belongs to a thread. A row's first word is its identity."""
        used = self._words[: self._threads * self._row_words]
        return [(identity, row) for row, identity in enumerate(used[:: self._row_words].tolist()) if identity]

    def _read_row(self, row: int) -> dict[int, int]:
        start = row * self._row_words + 1
        counts = self._words[start : start + self._table.slots].tolist()
        return {self._table.reason_of(slot): count for slot, count in enumerate(counts) if count}

    def _note(self, text: str) -> None:
        if self._debug:
            print(f"virt-exitstat: {text}", file=sys.stderr)


def _describe(plan: AttachPlan) -> str:
    return f"{'raw tracepoint' if plan.attachment is Attachment.RAW else 'tracepoint'} kvm:{_EVENT.decode()}"


def _thread_of(identity: int) -> Thread:
    # The layout of `identity` in bpf/exitstat.bpf.c: tid 22 bits, tgid 22 bits, 20 bits for the row.
    return Thread(tgid=identity >> 20 & 0x3FFFFF, tid=identity >> 42)


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def _import_bcc() -> Any:
    try:
        bcc = importlib.import_module("bcc")
        bcc.BPF.TRACEPOINT  # noqa: B018  (PyPI's `bcc`, a crystal lattice, has no BPF)
    except (ImportError, AttributeError):
        raise ExitStatError(
            f"{sys.executable} finds no BPF compiler collection (module bcc)",
            f"{install_hint('python3-bpfcc')}; the bcc on PyPI is something else",
        ) from None
    return bcc


def _fdinfo(fd: int, name: str) -> int:
    """A number that the kernel tells of one of our descriptors; 0 when it does not (recursion_misses: since 5.12)."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


@contextlib.contextmanager
def _quiet_stderr(debug: bool, failure: str, hint: str = "") -> Iterator[None]:
    """Turn what bcc raises into one of our errors; keep what it and clang print from the screen, unless `debug`."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as said:
        if not debug:
            os.dup2(said.fileno(), 2)
        try:
            yield
        except ExitStatError:
            raise
        except Exception as error:
            said.seek(0)
            first = (said.read().decode(errors="replace").strip() or str(error)).splitlines()[0]
            raise ExitStatError(f"{failure}: {first}", f"{hint}--debug shows the whole output") from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
