"""Counts per thread at a time, and between two times. Values only."""

from __future__ import annotations

import enum
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


class State(enum.IntEnum):
    """What a thread does outside of exits: keys beside raw reasons, which are never below 0. Each has times only."""

    #: It runs the guest.
    GUEST = -1
    #: QEMU holds it: KVM_RUN returned because of a signal.
    STOPPED = -2
    #: The reading is later than the snapshot's time by so much: the sum of all times of a thread includes it.
    AHEAD = -3
    #: Exits without a slot, when there are several such reasons: their times are told together.
    UNSLOTTED = -4


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

    `counts` maps each counted thread to {raw exit reason: tally} since counting began, zeros left out; where exits are
    timed, a State has a tally too. `no_block` is the number of exits whose time found no room, `no_detail` of those
    whose detail found none, `missed_events` of events that the kernel skipped, which may have told a detail. `gone` has
    what is told of a thread for the last time: its row was taken back after the snapshot before, and its later
    snapshots begin from nothing. `time_s` is in seconds, on a clock that never goes back.
    """

    time_s: float
    counts: Mapping[AnyThread, Mapping[int, Tally]]
    lost: Lost = Lost()  # noqa: RUF009  (a NamedTuple is as immutable as a number)
    gone: Mapping[AnyThread, Mapping[int, Tally]] = field(default_factory=dict)
    no_block: int = 0
    no_detail: int = 0
    missed_events: int = 0

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
            grown = {
                reason: tally - before.get(reason, NOTHING)
                for reason, tally in now.items()
                if tally != before.get(reason, NOTHING)
            }
            if grown:
                delta[thread] = {reason: tally for reason, tally in grown.items() if tally}
        lost = Lost(*(now - before for now, before in zip(self.lost, earlier.lost)))
        return CountSnapshot(
            self.time_s - earlier.time_s,
            delta,
            lost,
            no_block=self.no_block - earlier.no_block,
            no_detail=self.no_detail - earlier.no_detail,
            missed_events=self.missed_events - earlier.missed_events,
        )
