"""Tallies: all that is counted of a reason, as one value. A number that every row shows is a field here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """The tally of one reason, or of several. `exits` is their number."""

    exits: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(exits=self.exits + other.exits)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(exits=self.exits - other.exits)

    def __bool__(self) -> bool:
        return self.exits != 0


#: The tally of a reason that did not occur.
NOTHING = Tally()


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Their sum."""
    return Tally(exits=sum([tally.exits for tally in tallies]))


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
