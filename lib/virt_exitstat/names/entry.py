"""What a table of names is made of: numbers, or ranges of them, each with a name and perhaps a word about its use."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..counts.details import Kind


class Named(NamedTuple):
    """The numbers from `first` to `last`, both included, and what they are called.

    `about` says in plain English what it is and when a guest uses it; "" where the name says enough.
    """

    first: int
    last: int
    name: str
    about: str = ""


@dataclass(frozen=True)
class Table:
    """The names of one subject. `entries` are sorted by their numbers and do not overlap.

    `source` is where the facts come from. Tables of one `kind` may overlap: the first one in the registry is the more
    precise. With `isas`, names of instruction sets, the numbers mean this only there.
    """

    kind: Kind
    heading: str
    source: str
    entries: tuple[Named, ...]
    isas: tuple[str, ...] = ()

    def find(self, number: int) -> Named | None:
        """The entry that has this number."""
        place = bisect_right(self._firsts, number) - 1
        if place < 0 or number > self.entries[place].last:
            return None
        return self.entries[place]

    # Made when first asked: most runs look into few tables.
    @cached_property
    def _firsts(self) -> tuple[int, ...]:
        return tuple(entry.first for entry in self.entries)


def one(number: int, name: str, about: str = "") -> Named:
    """An entry of one number."""
    return Named(number, number, name, about)


def in_a_row(first: int, names: str, step: int = 1) -> tuple[Named, ...]:
    """Entries of one number each: the names, which stand between spaces, from `first` on in steps."""
    return tuple(one(first + index * step, name) for index, name in enumerate(names.split()))


def in_order(*entries: Named) -> tuple[Named, ...]:
    """The entries by their numbers, for tables that are written by subject."""
    return tuple(sorted(entries))
