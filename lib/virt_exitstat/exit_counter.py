"""Count exits in the kernel: compile, attach, snapshot, detach. The door to bcc."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from .attach_plan import AttachPlan, plan_attachment
from .errors import ExitStatError
from .exit_reasons import ReasonTable
from .snapshot import CountSnapshot, Thread
from .targets import ThreadFilter

#: Threads that one run can count; each takes a row of 0.8 (VMX) or 1.9 KB (SVM) of kernel memory.
MAX_THREADS = 4096

_TRACEPOINT = "kvm:kvm_exit"
_FUNCTION = "count_exit"
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39


class Counter(Protocol):
    """What counts exits: ExitCounter, or a stand-in that is handed to `cli.main`.

    Counting starts with attach() and ends with detach(), which leaving the context does too.
    """

    def __enter__(self) -> Counter: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def attach(self) -> None:
        """Start counting."""

    def snapshot(self) -> CountSnapshot:
        """Read all counts since attach()."""

    def detach(self) -> None:
        """Stop counting. Does nothing when not attached."""

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""


class ExitCounter:
    """Counts the exits of the threads that a filter lets through, per thread and reason.

    Creating one checks the host and compiles; nothing is attached yet. Raises ExitStatError when the host lacks what
    is needed: root, bcc, kernel headers, KVM.
    """

    def __init__(self, thread_filter: ThreadFilter, *, root: Path = Path("/"), debug: bool = False) -> None:
        _check_privileges(root)
        self._plan = plan_attachment(root)
        bcc = _import_bcc()
        _check_headers(root)
        self._debug = debug
        with _quiet_stderr(debug, "bcc could not compile or load the kernel program"):
            self._bpf = bcc.BPF(src_file=str(_find_program()), cflags=_macros(thread_filter, self._plan))
            self._program = self._bpf.load_func(_FUNCTION, bcc.BPF.TRACEPOINT)
            free_rows = self._bpf["free_rows"]
            for row in range(MAX_THREADS):
                free_rows.push(ctypes.c_uint32(row))
        self._attached = False

    def __enter__(self) -> ExitCounter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
        self._bpf.cleanup()

    def attach(self) -> None:
        """Start counting."""
        with _quiet_stderr(self._debug, f"could not attach to the tracepoint {_TRACEPOINT}"):
            self._bpf.attach_tracepoint(tp=_TRACEPOINT, fn_name=_FUNCTION)
        self._attached = True

    def detach(self) -> None:
        """Stop counting; the counts stay readable. Does nothing when not attached."""
        if self._attached:
            self._bpf.detach_tracepoint(tp=_TRACEPOINT)
            self._attached = False

    def snapshot(self) -> CountSnapshot:
        """Read all counts. May be called while attached: each counter is one word that only its thread writes."""
        now = time.monotonic()
        table = self._plan.table
        reasons = [table.reason_of(slot) for slot in range(table.slots)]
        rows = self._bpf["rows"]
        counts: dict[Thread, dict[int, int]] = {}
        for identity, row in self._bpf["row_of"].items():
            words = list(rows[ctypes.c_uint32(row.value)].count)
            counts[_thread_of(identity.value)] = {reason: count for reason, count in zip(reasons, words) if count}
        for key, count in self._bpf["unslotted"].items():
            counts.setdefault(_thread_of(key.identity), {})[key.reason] = count.value
        lost = self._bpf["lost"].sum(0).value + _recursion_misses(self._program.fd)
        return CountSnapshot(now, counts, lost)

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._plan.table.name_of(reason, self._plan.kernel_names)


def _thread_of(identity: int) -> Thread:
    # The layout of `identity` in bpf/exitstat.bpf.c: tgid 22 bits, tid 22 bits, 20 bits for the row.
    return Thread(tgid=identity >> 42, tid=identity >> 20 & 0x3FFFFF)


def _macros(thread_filter: ThreadFilter, plan: AttachPlan) -> list[str]:
    table: ReasonTable = plan.table
    ranges = " ".join(f"RANGE({run.first:#x}, {run.count}, {slot})" for run, slot in table.first_slots())
    return [
        # bcc's own headers warn, in the thousands with older clangs.
        "-w",
        f"-DTHREAD_FILTER={thread_filter.skip_expression()}",
        f"-DTHREADS={MAX_THREADS}",
        f"-DSLOTS={table.slots}",
        f"-DSLOT_RANGES={ranges}",
        f"-DREASON_MASK={table.mask:#x}",
        f"-DREASON_OFFSET={plan.reason_offset}",
    ]


def _find_program() -> Path:
    # In a checkout and below PREFIX/share/virt-exitstat, bpf/ stands beside lib/; pip puts it below sys.prefix.
    for home in (Path(__file__).resolve().parents[2], Path(sys.prefix, "share/virt-exitstat")):
        program = home / "bpf/exitstat.bpf.c"
        if program.exists():
            return program
    raise ExitStatError("bpf/exitstat.bpf.c is missing", "install virt-exitstat again, completely")


def _check_privileges(root: Path) -> None:
    status = (root / "proc/self/status").read_text()
    effective = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    # CAP_BPF and CAP_PERFMON exist since Linux 5.8; before, CAP_SYS_ADMIN is needed.
    if not effective >> _CAP_SYS_ADMIN & 1 and not (effective >> _CAP_BPF & 1 and effective >> _CAP_PERFMON & 1):
        raise ExitStatError("counting exits needs root", "run with sudo; '--list' shows what would be counted")


def _check_headers(root: Path) -> None:
    # The places where bcc looks, in its order (src/cc/frontends/clang/kbuild_helper.cc, loader.cc).
    release = os.uname().release
    modules = root / "lib/modules" / release
    if "BCC_KERNEL_SOURCE" in os.environ or (root / "sys/kernel/kheaders.tar.xz").exists():
        return
    if not any((modules / name).is_dir() for name in ("build", "source")):
        raise ExitStatError(
            f"no headers of the running kernel {release} in {modules}",
            f"install them with 'apt install linux-headers-{release}', then try again",
        )


def _import_bcc() -> Any:
    try:
        bcc = importlib.import_module("bcc")
        bcc.BPF.TRACEPOINT  # noqa: B018  (PyPI's `bcc`, a crystal lattice, has no BPF)
    except (ImportError, AttributeError):
        raise ExitStatError(
            f"{sys.executable} finds no BPF compiler collection (module bcc)",
            "install it with 'apt install python3-bpfcc'; the bcc on PyPI is something else",
        ) from None
    return bcc


def _recursion_misses(fd: int) -> int:
    """Events the kernel skipped because a program was already running on that CPU. In fdinfo since Linux 5.12."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith("recursion_misses:"):
            return int(line.split()[1])
    return 0


@contextlib.contextmanager
def _quiet_stderr(debug: bool, failure: str) -> Iterator[None]:
    """Turn what bcc raises into one of our errors, and keep what it and clang print from the user's screen."""
    if debug:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except ExitStatError:
            raise
        except Exception as error:
            said.seek(0)
            first = (said.read().decode(errors="replace").strip() or str(error)).splitlines()[0]
            raise ExitStatError(f"{failure}: {first}", "the whole output is shown with --debug") from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
