"""Tallies: all that is counted of a reason, as one value. A number that every row shows is a field here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .details import Cost, Detail
from .durations import NO_TIME, Durations


@dataclass(frozen=True)
class Tally:
    """The tally of one reason, or of several.

    `exits` is their number, `time` what they took, None where that is not measured; `untimed` of them took a time that
    is not known. `details` are what caused them, where that is wanted: those of exits that have ended.
    """

    exits: int = 0
    time: Durations | None = None
    untimed: int = 0
    details: Mapping[Detail, Cost] = field(default_factory=dict)

    @property
    def untold(self) -> int:
        """The number of exits that no detail holds: those in flight, and those that found no room.

        As a difference between two times it may be below 0: exits that were in flight have ended.
        """
        return self.exits - sum([cost.exits for cost in self.details.values()])

    def __add__(self, other: Tally) -> Tally:
        return add_up((self, other))

    def __sub__(self, earlier: Tally) -> Tally:
        time = None if self.time is None else self.time - (earlier.time or NO_TIME)
        exits, untimed = self.exits - earlier.exits, self.untimed - earlier.untimed
        if not self.details:
            return Tally(exits, time, untimed)
        before = earlier.details
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
    details: dict[Detail, Cost] = {}
    for tally in parts:
        for detail, cost in tally.details.items():
            before = details.get(detail)
            details[detail] = Cost(before.exits + cost.exits, before.ns + cost.ns) if before else cost
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
