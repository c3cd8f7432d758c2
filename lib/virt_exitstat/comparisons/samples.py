"""Samples of one side of a comparison: the numbers of each interval, collected report by report."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from ..reports.report import Row, Table
from .measures import MEASURES, Measure

#: The name of the row of all reasons, as in reports.
TOTAL = "total"

#: Intervals whose length is so far from the median's, as a part of it, are left out.
_TOLERANCE = 0.1

#: A domain keeps so many intervals at least. Two sides of 256 show a change by a quarter of the standard deviation.
LEAST_KEPT = 256

#: What a row of a domain takes beside its numbers, in numbers.
OVERHEAD = 32


class Span(NamedTuple):
    """From when to when a recording lasts, by the clock of a host, in seconds."""

    host: str
    begins: float
    ends: float


@dataclass
class Samples:
    """The intervals of one domain: how long each was, in which recording, and its numbers, {(row, measure): values}.

    Of each `stride` neighbouring intervals one is here, by chance; `exits` by row, and `all_seconds`, are of all
    `intervals`. A number that is not known is NaN. `came_and_went` intervals are in none of this: the domain began or
    ended in them. `partial`: some reasons were left out of some reports. `spans` are those of the recordings,
    `vcpus` the numbers of those that were counted.
    """

    label: str
    seconds: array[float] = field(default_factory=lambda: array("d"))
    recordings: array[int] = field(default_factory=lambda: array("L"))
    values: dict[tuple[str, str], array[float]] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    all_seconds: float = 0.0
    intervals: int = 0
    stride: int = 1
    came_and_went: int = 0
    spans: dict[int, Span] = field(default_factory=dict)
    vcpus: set[int] = field(default_factory=set)
    partial: bool = False
    timed: bool = True
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    _wanted: int = 0

    def add(self, table: Table, recording: int) -> None:
        """Take one interval."""
        self.all_seconds += table.seconds
        self.partial = self.partial or bool(table.left_out)
        self.timed = self.timed and table.account is not None
        rows = _rows_by_name(table)
        for name, row in rows.items():
            self.exits[name] = self.exits.get(name, 0) + row.tally.exits
        place = self.intervals % self.stride
        self.intervals += 1
        if not place:
            self._wanted = self.chance.randrange(self.stride)
        if place == self._wanted:
            self._keep(table, rows, recording)

    def note_time(self, recording: int, span: Span) -> None:
        """Note that an interval of the recording lasted so."""
        known = self.spans.setdefault(recording, span)
        self.spans[recording] = Span(known.host, min(known.begins, span.begins), max(known.ends, span.ends))

    def _keep(self, table: Table, rows: Mapping[str, Row], recording: int) -> None:
        before = len(self.seconds)
        self.seconds.append(table.seconds)
        self.recordings.append(recording)
        numbers: dict[tuple[str, str], float] = {}
        for name, row in rows.items():
            for measure in _measures(timed=self.timed):
                numbers[name, measure.key] = measure.value(row, table)
        absent = {measure.key: math.nan if table.left_out else measure.absent for measure in MEASURES}
        for key in numbers:
            if key not in self.values:
                # What was not there before did not occur, unless it may have been left out.
                first = math.nan if self.partial else _MEASURE[key[1]].absent
                self.values[key] = array("d", [first]) * before
        for key, values in self.values.items():
            values.append(numbers.get(key, absent[key[1]]))

    @property
    def size(self) -> int:
        """What is in memory, in numbers."""
        return (len(self.values) + 2) * (len(self.seconds) + OVERHEAD)

    def thin(self) -> None:
        """Keep one of each two intervals, by chance; nothing is done where there are few."""
        if len(self.seconds) < 2 * LEAST_KEPT:
            return
        whole = self.intervals // (2 * self.stride) * 2
        kept = [at + self.chance.randrange(2) for at in range(0, whole, 2)]
        # One of the group that goes on, if there is one, stands for it.
        kept += range(whole, len(self.seconds))[:1]
        self.stride *= 2
        begun = self.intervals % self.stride
        self._wanted = -1 if len(self.seconds) > whole else self.chance.randrange(begun, self.stride)
        self.seconds = array("d", [self.seconds[at] for at in kept])
        self.recordings = array("L", [self.recordings[at] for at in kept])
        self.values = {key: array("d", [values[at] for at in kept]) for key, values in self.values.items()}

    def has(self, row: str) -> bool:
        """Whether it occurred at all."""
        return bool(self.exits.get(row))

    def rate(self, row: str) -> float:
        """Its exits per second, over all intervals."""
        return self.exits.get(row, 0) / self.all_seconds if self.all_seconds else 0.0

    @property
    def length(self) -> float:
        """The median length of an interval, in seconds; 0 without any."""
        return median(self.seconds) if self.seconds else 0.0

    @property
    def kept(self) -> list[int]:
        """The intervals that are compared, by number: those of about the median's length."""
        length = self.length
        return [at for at, seconds in enumerate(self.seconds) if abs(seconds - length) <= _TOLERANCE * length]

    @property
    def rows(self) -> list[str]:
        """The names of its rows, but for the total."""
        return [name for name in self.exits if name != TOTAL]

    def numbers(self, row: str, measure: Measure, kept: Sequence[int]) -> list[float]:
        """The number of a row in each of the intervals that are kept; NaN where it is not known."""
        values = self.values.get((row, measure.key))
        if values is None:
            return [math.nan if self.partial else measure.absent] * len(kept)
        return [values[at] for at in kept]

    def runs(self, row: str, measure: Measure, kept: Sequence[int]) -> list[list[float]]:
        """The known numbers of a row in the intervals that are kept, a list for each recording."""
        found: dict[int, list[float]] = {}
        for at, number in zip(kept, self.numbers(row, measure, kept)):
            if not math.isnan(number):
                found.setdefault(self.recordings[at], []).append(number)
        return list(found.values())


_MEASURE = {measure.key: measure for measure in MEASURES}


def _rows_by_name(table: Table) -> Mapping[str, Row]:
    """The rows and their sum, {name: row}. A kernel may have one name for two raw reasons, which are one row here."""
    rows = {row.reason_name: row for row in table.rows}
    if len(rows) < len(table.rows):
        for name in rows:
            rows[name] = table.add_up((row for row in table.rows if row.reason_name == name), name)
    return {**rows, TOTAL: table.sum}


def _measures(*, timed: bool) -> Iterator[Measure]:
    return (measure for measure in MEASURES if measure.timed <= timed)
