"""The interface of a counter, as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from ..isa.instruction_set import Isa
from ..targets.thread_filter import ThreadFilter
from .origin import Attachment
from .snapshot import CountSnapshot, Thread


class Counter(Protocol):
    """Counts exits: ExitCounter, or a stand-in that a test's World makes.

    Counting starts with attach() and ends with detach(), which leaving the context does too.
    """

    def __enter__(self) -> Counter: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def attach(self) -> None:
        """Start counting."""

    def snapshot(self, is_gone: Callable[[Thread], bool] = ...) -> CountSnapshot:
        """Read all counts since attach(). An exit that has not ended has its time so far, unless its thread is gone."""

    def detach(self) -> None:
        """Stop counting. Does nothing unless attached."""

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Make room for new threads when it gets scarce: threads that are gone keep their counts but not their rows."""

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads: its ids may be another's soon."""

    def follow(self, thread_filter: ThreadFilter) -> None:
        """Count other threads from now on. Only for a counter whose first filter said that it changes."""

    @property
    def isa(self) -> Isa:
        """The instruction set whose exit reasons are counted."""

    @property
    def attachment(self) -> Attachment:
        """The attachment: RAW or TRACEPOINT."""

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
