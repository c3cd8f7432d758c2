"""Counts per thread at a time, and between two times. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Thread(NamedTuple):
    """A thread's identity: a tid alone may be used again by another process."""

    tgid: int
    tid: int


@dataclass(frozen=True)
class CountSnapshot:
    """All counts, read once.

    `counts` maps each counted thread to {raw exit reason: exits}, zeros left out. `lost` is how many exits were seen
    and could not be stored. `time_s` is CLOCK_MONOTONIC, in seconds.
    """

    time_s: float
    counts: Mapping[Thread, Mapping[int, int]]
    lost: int = 0

    def since(self, earlier: CountSnapshot) -> CountSnapshot:
        """What was counted after `earlier`; its `time_s` is the seconds between the two."""
        delta: dict[Thread, dict[int, int]] = {}
        for thread, counts in self.counts.items():
            before = earlier.counts.get(thread, {})
            delta[thread] = {
                reason: count - before.get(reason, 0)
                for reason, count in counts.items()
                if count != before.get(reason, 0)
            }
        return CountSnapshot(self.time_s - earlier.time_s, delta, self.lost - earlier.lost)
