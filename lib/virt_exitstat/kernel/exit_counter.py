"""The counter: the kernel program and its rows, as the rest of the program sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ..counts.origin import Attachment
from ..counts.snapshot import CountSnapshot, Thread
from ..isa.instruction_set import Isa
from ..targets.thread_filter import ThreadFilter
from .attach_plan import AttachPlans
from .events import find_events
from .prerequisites import check_events, check_privileges
from .program import WINDOW, Program


class ExitCounter:
    """Counts the exits of the threads that a filter lets through, per thread and reason.

    Creating one checks the host and compiles; nothing is attached yet. `plans` are the ways to attach, `max_vcpus` is
    how many threads there is room for; `timed` exits have times as well, `detailed` ones what caused them. With
    `debug`, what bcc says is shown and `note` is told what is tried; `warn` is told what this kernel lacks. Raises
    ExitStatError when the host lacks root's rights, bcc or kernel headers.
    """

    def __init__(
        self,
        thread_filter: ThreadFilter,
        plans: AttachPlans,
        *,
        max_vcpus: int,
        timed: bool = False,
        detailed: bool = False,
        root: Path = Path("/"),
        debug: bool = False,
        note: Callable[[str], None] = lambda _text: None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        check_privileges(root)
        self._isa = plans.isa
        if timed or detailed:
            check_events(root, [event.decode() for event in WINDOW], "--time" if timed else "--detail")
        events = find_events(root) if detailed else None
        if events and events.unknown:
            warn(
                f"this kernel's {', '.join(events.unknown)} cannot be read, so what they tell is missing\n"
                "hint: please report this with the kernel's version and the format of that event"
            )
        self._program = Program(
            thread_filter,
            plans,
            max_vcpus=max_vcpus,
            timed=timed,
            events=events,
            root=root,
            debug=debug,
            note=note,
        )

    def __enter__(self) -> ExitCounter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
        self._program.unload()

    def attach(self) -> None:
        """Start counting, in the cheapest way that this kernel accepts."""
        self._program.attach()

    def detach(self) -> None:
        """Stop counting; the counts stay readable. Does nothing unless attached."""
        self._program.detach()

    def snapshot(self, is_gone: Callable[[Thread], bool] = lambda _thread: False) -> CountSnapshot:
        """Read all counts since attach(); may be called while attached.

        An exit that has not ended has its time up to now, unless its thread is gone. What it says of rows that were
        taken back is said once: the next snapshot has it no more.
        """
        program = self._program
        return program.rows.snapshot(program.recursion_misses(), program.missed_events(), is_gone)

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Give the rows of threads that are gone to new threads, when room gets scarce; their counts are kept."""
        self._program.rows.free_rows(is_gone)

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads, and give its rows to new threads."""
        self._program.rows.end(tgid, started)

    def follow(self, thread_filter: ThreadFilter) -> None:
        """Count other threads from now on; those that are no longer wanted keep their counts."""
        self._program.rows.follow(thread_filter)

    def map_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        return self._program.maps.memory_bytes()

    @property
    def program_fds(self) -> dict[str, int]:
        """{KVM's event: file descriptor of what is loaded for it}, kvm_exit first, for tests that run it without KVM
        (BPF_PROG_TEST_RUN).
        """
        return self._program.fds

    @property
    def isa(self) -> Isa:
        """The instruction set whose exit reasons are counted."""
        return self._isa

    @property
    def attachment(self) -> Attachment:
        """The attachment in use, or the one to be tried next."""
        return self._program.attachment

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._isa.reasons.name_of(reason)
