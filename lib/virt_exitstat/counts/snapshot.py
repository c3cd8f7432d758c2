"""Counts per thread at a time, and between two times. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Union


class Thread(NamedTuple):
    """A thread's identity: a tid alone may be used again by another process."""

    tgid: int
    tid: int


class EndedThread(NamedTuple):
    """A thread of a process that has ended: its ids may be another's by now, `started` tells them apart.

    `started` is the process's (targets.target.Target).
    """

    tgid: int
    tid: int
    started: int


#: Whom exits are counted for.
AnyThread = Union[Thread, EndedThread]


class Lost(NamedTuple):
    """Exits that were seen and are in no table, by why not."""

    #: More threads than rows.
    no_row: int = 0
    #: The reason could not be read, or had no slot and there was no room for it beside the slots.
    no_reason: int = 0
    #: The kernel skipped our program because another one was running on that CPU.
    recursion: int = 0


@dataclass(frozen=True)
class CountSnapshot:
    """All counts, read once.

    `counts` maps each counted thread to {raw exit reason: exits}, zeros left out. `time_s` is CLOCK_MONOTONIC, in
    seconds.
    """

    time_s: float
    counts: Mapping[AnyThread, Mapping[int, int]]
    lost: Lost = Lost()  # noqa: RUF009  (a NamedTuple is as immutable as a number)

    def ended(self, tgid: int, started: int) -> CountSnapshot:
        """The same when that process has ended: its threads are EndedThreads."""
        counts = {
            EndedThread(*thread, started) if isinstance(thread, Thread) and thread.tgid == tgid else thread: counted
            for thread, counted in self.counts.items()
        }
        return replace(self, counts=counts)

    def since(self, earlier: CountSnapshot) -> CountSnapshot:
        """What was counted after `earlier`, of threads that took exits; its `time_s` is the seconds between the two."""
        delta: dict[AnyThread, dict[int, int]] = {}
        for thread, counts in self.counts.items():
            before = earlier.counts.get(thread, {})
            if counts != before:
                delta[thread] = {
                    reason: count - before.get(reason, 0)
                    for reason, count in counts.items()
                    if count != before.get(reason, 0)
                }
        lost = Lost(*(now - before for now, before in zip(self.lost, earlier.lost)))
        return CountSnapshot(self.time_s - earlier.time_s, delta, lost)
