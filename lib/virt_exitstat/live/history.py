"""The live view's memory: counts since the start and the last rates, per domain, vCPU and reason."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..counts.details import Cost, Detail
from ..counts.tally import NOTHING, Tally
from ..reports.report import UNTOLD, DetailRow, Report, Row, Table, TargetReport
from ..targets.target import describe_vcpus

#: Intervals that are remembered; no column for them is wider.
INTERVALS = 60


class Key(NamedTuple):
    """Whose track it is: a process, or one of its vCPUs by number, or one of its threads that has no number."""

    pid: int
    vcpu: int | None = None
    tid: int | None = None

    @property
    def process(self) -> Key:
        """The key of the whole domain."""
        return Key(self.pid)


@dataclass
class Series:
    """The counts of one line: since the start, in the newest interval, and exits per second in the last ones.

    An `is_idle` one is of a reason that is the guest's idle time.
    """

    is_idle: bool = False
    total: Tally = NOTHING
    newest: Tally = NOTHING
    seconds: float = 0.0
    # Four bytes a value: a host may have thousands of vCPUs with a dozen reasons each.
    rates: array[float] = field(default_factory=lambda: array("f"))

    def append(self, tally: Tally, seconds: float) -> None:
        """One more interval, of so many seconds."""
        self.total += tally
        self.newest, self.seconds = tally, seconds
        self.rates.append(self.row(self).per_second)
        del self.rates[:-INTERVALS]

    def row(self, whole: Series, *, since_start: bool = False) -> Row:
        """The newest interval as a row of the table whose sum is `whole`; or all intervals, which have no rate."""
        if since_start:
            return Row("", self.total, whole=whole.total, seconds=0.0, is_idle=self.is_idle)
        return Row("", self.newest, whole=whole.newest, seconds=self.seconds, is_idle=self.is_idle)

    @property
    def costs(self) -> tuple[float, int, int]:
        """What lines are sorted by: exits per second in the newest interval, exits since the start, newest ns."""
        newest = self.row(self)
        return newest.per_second, self.total.exits, newest.time.total_ns

    def details(self) -> list[DetailSeries]:
        """The lines below it: what caused its exits, and those that no detail holds."""
        lines = [DetailSeries(self, detail) for detail in {**(self.total.details or {}), **(self.newest.details or {})}]
        return [*lines, *[DetailSeries(self, None)] * bool(self.total.untold or self.newest.untold)]

    def freeze(self) -> Series:
        """A copy that no later interval changes. Tallies never change: both have the same."""
        return replace(self, rates=self.rates[:])


class DetailSeries(NamedTuple):
    """The counts of one detail of a reason; `detail` is None for the exits that no detail holds. It has no history."""

    reason: Series
    detail: Detail | None

    @property
    def is_idle(self) -> bool:
        """As the reason's."""
        return self.reason.is_idle

    @property
    def costs(self) -> tuple[float, int, int]:
        """As Series.costs."""
        newest = self.row(self.reason)
        return newest.per_second, self.row(self.reason, since_start=True).exits, newest.ns

    def row(self, whole: Series, *, since_start: bool = False) -> DetailRow:
        """As Series.row()."""
        row = self.reason.row(whole, since_start=since_start)
        if self.detail is None:
            return DetailRow(row, None, UNTOLD, row.tally.untold, 0)
        return DetailRow(row, self.detail, "", *(row.tally.details or {}).get(self.detail, Cost()))


@dataclass
class Track:
    """All that is known of one domain or vCPU. `label` is foreign text; `vcpus` are libvirt's numbers."""

    key: Key
    label: str
    vcpus: tuple[int, ...]
    total: Series = field(default_factory=Series)
    reasons: dict[str, Series] = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, int, int]:
        """The order of a domain's vCPUs, and of domains of one name."""
        return self.key.pid, -1 if self.key.vcpu is None else self.key.vcpu, self.key.tid or 0

    @property
    def description(self) -> str:
        """`guest01: vCPUs 0-3`, `guest01: vCPU 2`, `guest01: thread 4242/4250`."""
        thread = f"thread {self.key.pid}/{self.key.tid}"
        return f"{self.label}: {thread if self.key.tid else describe_vcpus(self.vcpus)}"

    def append(self, table: Table) -> None:
        """One more interval, for every reason that was ever seen."""
        self.total.append(table.total, table.seconds)
        rows = {row.reason_name: row for row in table.rows}
        for name in {**self.reasons, **rows}:
            row = rows.get(name)
            series = self.reasons.setdefault(name, Series(is_idle=bool(row and row.is_idle)))
            series.append(row.tally if row else NOTHING, table.seconds)

    def freeze(self) -> Track:
        """A copy that no later interval changes."""
        reasons = {name: series.freeze() for name, series in self.reasons.items()}
        return replace(self, total=self.total.freeze(), reasons=reasons)


def add_up_series(several: Iterable[Series]) -> Series:
    """The sum of lines of one time, without their histories."""
    total = Series()
    for series in several:
        total.total += series.total
        total.newest += series.newest
        total.seconds = series.seconds
    return total


@dataclass
class History:
    """Every domain and vCPU of the newest report. `lost` are the exits since the start that belong to nobody."""

    tracks: dict[Key, Track] = field(default_factory=dict)
    lost: int = 0

    def add(self, report: Report) -> None:
        """Take one interval in. A domain that has ended, or is no longer reported, is forgotten."""
        self.lost += sum(report.lost)
        former, self.tracks = self.tracks, {}
        for shown in report.targets:
            if shown.ended:
                continue
            for key, vcpus, table in _parts(shown):
                track = former.get(key) or Track(key, shown.target.label, vcpus)
                track.label, track.vcpus = shown.target.label, vcpus
                track.append(table)
                self.tracks[key] = track

    def reset(self) -> None:
        """Count from 0 again; the last intervals stay."""
        self.lost = 0
        for track in self.tracks.values():
            for series in (track.total, *track.reasons.values()):
                series.total = NOTHING

    def freeze(self) -> History:
        """A copy that no later interval changes."""
        return History({key: track.freeze() for key, track in self.tracks.items()}, self.lost)

    def domains(self) -> list[Track]:
        """The domains, all vCPUs as one."""
        return [track for key, track in self.tracks.items() if key == key.process]

    def vcpus(self) -> list[Track]:
        """The vCPUs, and the threads that could not be named."""
        return [track for key, track in self.tracks.items() if key != key.process]


def _parts(shown: TargetReport) -> Iterator[tuple[Key, tuple[int, ...], Table]]:
    pid = shown.target.pid
    yield Key(pid), shown.vcpus, shown.table
    for one in shown.per_vcpu:
        if one.vcpu is None:
            yield Key(pid, None, one.thread.tid), (), one.table
        else:
            yield Key(pid, one.vcpu), (one.vcpu,), one.table
