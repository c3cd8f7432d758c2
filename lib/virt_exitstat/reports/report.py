"""Reports: the counts of a time as rows of tables, collapsed, named and sorted. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ..counts.origin import Provenance
from ..counts.snapshot import Lost, Thread
from ..counts.tally import Tally, add_up
from ..targets.target import Target

#: The name of the row that sums up what is not shown. No reason's name begins with a parenthesis.
OTHERS = "(others)"


class Row(NamedTuple):
    """One reason's line in a table whose total is `whole`, counted in `seconds`.

    `reason` is the raw reason; None for a sum of several.
    """

    reason_name: str
    tally: Tally
    whole: Tally
    seconds: float
    reason: int | None = None

    @property
    def per_second(self) -> float:
        """Exits per second."""
        # Ctrl-C may come as soon as a report is out.
        return self.tally.exits / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float:
        """The part of the table's exits that are of this reason, 0 .. 1."""
        return self.tally.exits / self.whole.exits if self.whole else 0.0


@dataclass(frozen=True)
class Table:
    """Rows sorted by exits, descending (then by name), and their sum.

    `others` sums up rows that were taken out (choose_rows()); the total holds them.
    """

    rows: tuple[Row, ...]
    total: Tally
    seconds: float
    others: Row | None = None

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows with that of the others."""
        return (*self.rows, self.others) if self.others else self.rows

    @property
    def sum(self) -> Row:
        """All rows as one."""
        return self.add_up(self.shown, "total")

    def add_up(self, rows: Iterable[Row], name: str) -> Row:
        """Some of the rows as one."""
        return Row(name, add_up(row.tally for row in rows), whole=self.total, seconds=self.seconds)


@dataclass(frozen=True)
class VCpuReport:
    """One vCPU's exits. `vcpu` is None for a thread that could not be named; it is shown by its ids."""

    vcpu: int | None
    thread: Thread
    table: Table


@dataclass(frozen=True)
class TargetReport:
    """One domain's (or process's) exits: collapsed, and per vCPU, both with the busiest first."""

    target: Target
    ended: bool
    vcpus: tuple[int, ...]
    unnamed: tuple[Thread, ...]
    table: Table
    per_vcpu: tuple[VCpuReport, ...]


@dataclass(frozen=True)
class Report:
    """All targets, by total, descending.

    `time` (UTC) is when the counts were read, `seconds` the measured time up to then; `lost` exits belong to no table.
    `total` is all targets as one, where that is wanted (choose()).
    """

    targets: tuple[TargetReport, ...]
    seconds: float
    lost: Lost
    time: datetime
    provenance: Provenance
    total: Table | None = None

    @property
    def label_of_total(self) -> str:
        """The heading of the table of all targets."""
        return "all processes" if any(not shown.target.domain for shown in self.targets) else "all domains"
