"""Counts per thread at a time, and between two times. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Union

from .tally import NOTHING, Tally, add_up_by_reason


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


#: {cause of loss: how a report words it}.
WHY_LOST = {
    "no_row": "of vCPUs above --max-vcpus; raise it",
    "no_reason": "whose reason could not be stored",
    "recursion": "while another BPF program was running on their CPU",
}

#: A thread that exits are counted for.
AnyThread = Union[Thread, EndedThread]


class Lost(NamedTuple):
    """Exits that were seen and are in no table, by cause."""

    #: More threads than rows.
    no_row: int = 0
    #: The reason could not be read; or it had no slot, and the room beside the slots was full.
    no_reason: int = 0
    #: The kernel skipped our program because another one was running on that CPU.
    recursion: int = 0


@dataclass(frozen=True)
class CountSnapshot:
    """All counts, read once.

    `counts` maps each counted thread to {raw exit reason: tally} since counting began, zeros left out. `gone` has what
    is told of a thread for the last time: its row was taken back after the snapshot before, and its later snapshots
    begin from nothing. `time_s` is CLOCK_MONOTONIC, in seconds.
    """

    time_s: float
    counts: Mapping[AnyThread, Mapping[int, Tally]]
    lost: Lost = Lost()  # noqa: RUF009  (a NamedTuple is as immutable as a number)
    gone: Mapping[AnyThread, Mapping[int, Tally]] = field(default_factory=dict)

    def ended(self, tgid: int, started: int) -> CountSnapshot:
        """The same when that process has ended: its threads are EndedThreads."""
        counts = {
            EndedThread(*thread, started) if isinstance(thread, Thread) and thread.tgid == tgid else thread: tallies
            for thread, tallies in self.counts.items()
        }
        return replace(self, counts=counts)

    def since(self, earlier: CountSnapshot) -> CountSnapshot:
        """The counts of threads that took exits after `earlier`, the snapshot before.

        Its `time_s` is the seconds between the two.
        """
        delta: dict[AnyThread, dict[int, Tally]] = {}
        for thread in {**self.counts, **self.gone}:
            now, before = self.counts.get(thread, {}), earlier.counts.get(thread, {})
            if thread in self.gone:
                now = add_up_by_reason((now, self.gone[thread]))
            if now != before:
                grown = {reason: tally - before.get(reason, NOTHING) for reason, tally in now.items()}
                delta[thread] = {reason: tally for reason, tally in grown.items() if tally}
        lost = Lost(*(now - before for now, before in zip(self.lost, earlier.lost)))
        return CountSnapshot(self.time_s - earlier.time_s, delta, lost)
