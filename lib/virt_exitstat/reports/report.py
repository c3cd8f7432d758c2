"""Reports: the counts of a time as rows of tables, collapsed, named and sorted. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from ..counts.details import Detail, Kind
from ..counts.durations import NO_TIME, Durations
from ..counts.origin import Provenance
from ..counts.snapshot import Lost, Thread
from ..counts.tally import Tally, add_up
from ..targets.target import Target
from .account import Account

#: The name of the row that sums up what is not shown. No reason's name begins with a parenthesis.
OTHERS = "(others)"

#: The name of the row that sums up idle reasons that are not shown, where those stand apart.
OTHERS_IDLE = "(idle)"

#: The names of the row of exits that no detail holds, and of that of details that are of no exit of this report: these
#: exits had begun before it.
UNTOLD, BEGUN_BEFORE = "(not told yet)", "(begun before)"

#: The name of the row for vCPUs that QEMU held.
STOPPED = "(stopped)"


class Row(NamedTuple):
    """One reason's line in a table whose total is `whole`, counted in `seconds`.

    `reason` is the raw reason; None for a sum of several. An `is_idle` one is the guest's idle time: no sum has it.
    Of its details so many are shown by themselves as `most_details` says; None: all.
    """

    reason_name: str
    tally: Tally
    whole: Tally
    seconds: float
    reason: int | None = None
    is_idle: bool = False
    most_details: int | None = None

    @property
    def time(self) -> Durations:
        """What the exits took; nothing where that was not measured."""
        return self.tally.time or NO_TIME

    @property
    def time_share(self) -> float | None:
        """The part of the time of the table's exits that these took, 0 .. 1; None for idle ones."""
        if self.is_idle:
            return None
        whole = self.whole.time.total_ns if self.whole.time else 0
        return self.time.total_ns / whole if whole else 0.0

    @property
    def qemu_share(self) -> float | None:
        """The part of their time that they spent in QEMU, 0 .. 1; None without any time."""
        return self.time.qemu_ns / self.time.total_ns if self.time.total_ns else None

    @property
    def per_second(self) -> float:
        """Exits per second."""
        # Ctrl-C may come as soon as a report is out.
        return self.tally.exits / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float:
        """The part of the table's exits that are of this reason, 0 .. 1."""
        return self.tally.exits / self.whole.exits if self.whole.exits else 0.0

    @property
    def details(self) -> tuple[DetailRow, ...]:
        """The lines below it, by exits, descending; together they are its exits. None where details were not wanted."""
        found = sorted((self.tally.details or {}).items(), key=lambda item: (-item[1].exits, item[0].order))
        sums = [item for item in found if item[0].kind is Kind.MORE]
        found = [item for item in found if item[0].kind is not Kind.MORE]
        most = len(found) if self.most_details is None else self.most_details
        shown, more = found[:most], found[most:] + sums
        rows = [DetailRow(self, detail, "", *cost) for detail, cost in shown]
        if more:
            left_out = (sum([cost.exits for _, cost in more]), sum([cost.ns for _, cost in more]))
            parts = [detail.number if detail.kind is Kind.MORE else 1 for detail, _ in more]
            rows.append(DetailRow(self, None, f"({sum(parts)} more)" if all(parts) else "(more)", *left_out))
        if self.tally.untold:
            label = UNTOLD if self.tally.untold > 0 else BEGUN_BEFORE
            rows.append(DetailRow(self, None, label, self.tally.untold, 0))
        return tuple(rows)


class DetailRow(NamedTuple):
    """One line below a reason's: what exactly caused so many of its exits, and the ns that these took.

    `detail` is None for a sum, which `label` names. Exits that had begun before are below 0: their details are here,
    and they are not.
    """

    row: Row
    detail: Detail | None
    label: str
    exits: int
    ns: int

    @property
    def per_second(self) -> float:
        """Exits per second."""
        return self.exits / self.row.seconds if self.row.seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """The part of the table's exits; None for those that are below 0."""
        if self.exits < 0:
            return None
        return self.exits / self.row.whole.exits if self.row.whole.exits else 0.0

    @property
    def time_share(self) -> float | None:
        """The part of the time of the table's exits; None for idle ones."""
        whole = self.row.whole.time.total_ns if self.row.whole.time else 0
        return None if self.row.is_idle else self.ns / whole if whole else 0.0

    @property
    def mean_ns(self) -> float | None:
        """What one of them took; None where that is not known."""
        return self.ns / self.exits if self.ns and self.exits else None


@dataclass(frozen=True)
class Table:
    """Rows sorted by exits, descending (then by name), and their sum.

    `left_out` are rows that are not shown by themselves (choose_rows()); the total holds them. Where exits are timed,
    no sum has the time of idle ones, and there are an `account` and the times of `stopped` vCPUs.
    """

    rows: tuple[Row, ...]
    total: Tally
    seconds: float
    left_out: tuple[Row, ...] = ()
    account: Account | None = None
    stopped: Durations = NO_TIME

    @property
    def others(self) -> Row | None:
        """The sum of what was left out; None where nothing was."""
        return self.add_up(self.left_out, OTHERS) if self.left_out else None

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows with that of the others."""
        others = self.others
        return (*self.rows, others) if others else self.rows

    @property
    def sum(self) -> Row:
        """All rows as one."""
        return Row("total", self.total, whole=self.total, seconds=self.seconds)

    @property
    def stops(self) -> tuple[Row, ...]:
        """How often and for how long QEMU held the vCPUs, as a row; none where it did not. These are no exits."""
        times = self.stopped.finished + self.stopped.in_flight
        row = Row(STOPPED, Tally(times, self.stopped), self.total, self.seconds, is_idle=True)
        return (row,) if self.stopped else ()

    @property
    def untimed(self) -> int:
        """The number of exits that were counted, but not timed."""
        return sum(row.tally.untimed for row in self.shown)

    def add_up(self, rows: Iterable[Row], name: str) -> Row:
        """Some of the rows as one."""
        tallies = [(row.tally, row.is_idle) for row in rows]
        return Row(name, add_up_busy(tallies), whole=self.total, seconds=self.seconds)

    def add_up_idle(self, rows: Iterable[Row]) -> Row:
        """Idle rows as one, with their time."""
        tally = replace(add_up(row.tally for row in rows), details=None)
        return Row(OTHERS_IDLE, tally, whole=self.total, seconds=self.seconds, is_idle=True)


def add_up_busy(tallies: Iterable[tuple[Tally, bool]]) -> Tally:
    """The sum of (tally, whether it is idle): the exits of all, the time of those that are not idle."""
    # Details of several reasons are no detail of the sum.
    return add_up(replace(tally, time=None if is_idle else tally.time, details=None) for tally, is_idle in tallies)


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
    `total` is all targets as one, where that is wanted (choose()). `timed`: exits were timed; `no_block` of them found
    no room for that. `detailed`: details were wanted; those of `no_detail` exits found no room, and `missed_events`
    events were not seen that may have told one.
    """

    targets: tuple[TargetReport, ...]
    seconds: float
    lost: Lost
    time: datetime
    provenance: Provenance
    total: Table | None = None
    timed: bool = False
    no_block: int = 0
    detailed: bool = False
    no_detail: int = 0
    missed_events: int = 0

    @property
    def untimed(self) -> int:
        """The number of exits in the tables whose time is not known."""
        return sum(shown.table.untimed for shown in self.targets)

    @property
    def label_of_total(self) -> str:
        """The heading of the table of all targets."""
        return "all processes" if any(not shown.target.domain for shown in self.targets) else "all domains"
