"""Counts per thread at a time, and between two times. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Thread(NamedTuple):
    """A thread's identity: a tid alone may be used again by another process."""

    tgid: int
    tid: int


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
    counts: Mapping[Thread, Mapping[int, int]]
    lost: Lost = Lost()  # noqa: RUF009  (a NamedTuple is as immutable as a number)

    def since(self, earlier: CountSnapshot) -> CountSnapshot:
        """What was counted after `earlier`, of threads that took exits; its `time_s` is the seconds between the two."""
        delta: dict[Thread, dict[int, int]] = {}
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
