"""Tallies: all that is counted of a reason, as one value. A number that every row shows is a field here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .durations import NO_TIME, Durations


@dataclass(frozen=True)
class Tally:
    """The tally of one reason, or of several.

    `exits` is their number, `time` what they took, None where that is not measured; `untimed` of them took a time that
    is not known.
    """

    exits: int = 0
    time: Durations | None = None
    untimed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return add_up((self, other))

    def __sub__(self, earlier: Tally) -> Tally:
        time = None if self.time is None else self.time - (earlier.time or NO_TIME)
        return Tally(self.exits - earlier.exits, time, self.untimed - earlier.untimed)

    def __bool__(self) -> bool:
        return self.exits != 0 or bool(self.time)


#: The tally of a reason that did not occur.
NOTHING = Tally()


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Their sum."""
    parts = list(tallies)
    times = [tally.time for tally in parts if tally.time is not None]
    time = sum(times, NO_TIME) if times else None
    return Tally(sum([tally.exits for tally in parts]), time, sum([tally.untimed for tally in parts]))


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
