"""Accounts of time: what vCPU threads did with the time that a report is of. Values and pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..counts.snapshot import State
from ..counts.tally import NOTHING, Tally, add_up


@dataclass(frozen=True)
class Account:
    """Where the time of one or several vCPU threads went, in ns.

    `wall_ns` is the time that passed, for each of them. In it, the guest ran (`guest_ns`), KVM and QEMU worked on exits
    (`kvm_ns`, `qemu_ns`), the guest was halted (`idle_ns`), QEMU held the thread (`stopped_ns`); what is left was not
    seen (`unseen_ns`). `waited_ns` is the part of all of this for which the thread could have run but had no CPU, by
    the scheduler's own account; None where that is not known.
    """

    wall_ns: int = 0
    guest_ns: int = 0
    kvm_ns: int = 0
    qemu_ns: int = 0
    idle_ns: int = 0
    stopped_ns: int = 0
    waited_ns: int | None = 0

    @property
    def exits_ns(self) -> int:
        """The time spent in exits, the idle ones left out."""
        return self.kvm_ns + self.qemu_ns

    @property
    def unseen_ns(self) -> int:
        """What the others do not add up to: a vCPU that has not run since counting began, an event that was missed."""
        return self.wall_ns - self.guest_ns - self.exits_ns - self.idle_ns - self.stopped_ns

    def __add__(self, other: Account) -> Account:
        known = self.waited_ns is not None and other.waited_ns is not None
        return Account(
            self.wall_ns + other.wall_ns,
            self.guest_ns + other.guest_ns,
            self.kvm_ns + other.kvm_ns,
            self.qemu_ns + other.qemu_ns,
            self.idle_ns + other.idle_ns,
            self.stopped_ns + other.stopped_ns,
            (self.waited_ns or 0) + (other.waited_ns or 0) if known else None,
        )


def account_for(tallies: Mapping[int, Tally], seconds: float, idle: Collection[int], waited_ns: int | None) -> Account:
    """The account of one thread from its {raw reason or State: tally} of so many seconds; `idle` are raw reasons."""
    states = (State.GUEST, State.STOPPED, State.AHEAD)
    busy = add_up(tally for reason, tally in tallies.items() if reason not in idle and reason not in states)
    halted = add_up(tally for reason, tally in tallies.items() if reason in idle)
    guest, stopped, ahead = (_total_ns(tallies.get(state, NOTHING)) for state in states)
    qemu_ns = busy.time.qemu_ns if busy.time else 0
    return Account(
        wall_ns=round(seconds * 1e9) + ahead,
        guest_ns=guest,
        kvm_ns=_total_ns(busy) - qemu_ns,
        qemu_ns=qemu_ns,
        idle_ns=_total_ns(halted),
        stopped_ns=stopped,
        waited_ns=waited_ns,
    )


def _total_ns(tally: Tally) -> int:
    return tally.time.total_ns if tally.time else 0
