"""Tallies: all that is counted of a reason, as one value. A number that every row shows is a field here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .details import Cost, Detail, add_up_costs
from .durations import NO_TIME, Durations


@dataclass(frozen=True)
class Tally:
    """The tally of one reason, or of several.

    `exits` is their number, `time` what they took, None where that is not measured; `untimed` of them took a time that
    is not known. As a difference between two times that may be below 0: one exit was read while it began or ended, and
    its time is known by now. `details` are what caused them, of those that have ended; None where that is not wanted.
    """

    exits: int = 0
    time: Durations | None = None
    untimed: int = 0
    details: Mapping[Detail, Cost] | None = None

    @property
    def untold(self) -> int:
        """The number of exits that no detail holds: those in flight, and those that found no room. 0 without details.

        As a difference between two times it may be below 0: exits that were in flight have ended.
        """
        return 0 if self.details is None else self.exits - sum([cost.exits for cost in self.details.values()])

    def __add__(self, other: Tally) -> Tally:
        return add_up((self, other))

    def __sub__(self, earlier: Tally) -> Tally:
        time = None if self.time is None else self.time - (earlier.time or NO_TIME)
        exits, untimed = self.exits - earlier.exits, self.untimed - earlier.untimed
        if self.details is None:
            return Tally(exits, time, untimed)
        before = earlier.details or {}
        grown = {
            detail: Cost(cost.exits - before[detail].exits, cost.ns - before[detail].ns) if detail in before else cost
            for detail, cost in self.details.items()
            if cost != before.get(detail)
        }
        return Tally(exits, time, untimed, grown)

    def __bool__(self) -> bool:
        return self.exits != 0 or bool(self.time) or bool(self.details)


#: The tally of a reason that did not occur.
NOTHING = Tally()


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Their sum."""
    parts = list(tallies)
    times = [tally.time for tally in parts if tally.time is not None]
    time = sum(times, NO_TIME) if times else None
    details = add_up_costs(tally.details for tally in parts if tally.details is not None)
    return Tally(sum([tally.exits for tally in parts]), time, sum([tally.untimed for tally in parts]), details)


def add_up_by_reason(of_several: Iterable[Mapping[int, Tally]]) -> Mapping[int, Tally]:
    """{raw reason: tally} of several threads, as one."""
    parts = list(of_several)
    if len(parts) == 1:
        return parts[0]
    grouped: dict[int, list[Tally]] = {}
    for tallies in parts:
        for reason, tally in tallies.items():
            grouped.setdefault(reason, []).append(tally)
    return {reason: add_up(tallies) for reason, tallies in grouped.items()}
