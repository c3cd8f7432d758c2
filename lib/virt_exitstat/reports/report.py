"""Targets and counts to rows: collapse, name, sort, share, rate. Computes; formats nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..counts.origin import Provenance
from ..counts.snapshot import AnyThread, CountSnapshot, Lost, Thread
from ..targets.target import Target, Targets, VCpu

#: The name of the row that sums up what is not shown. No reason's name begins with a parenthesis.
OTHERS = "(others)"


@dataclass(frozen=True)
class Row:
    """One reason's line: exits counted, exits per second, and the part of the table's total (0 .. 1).

    `reason` is the raw reason; None for a sum of several.
    """

    reason_name: str
    count: int
    per_second: float
    share: float
    reason: int | None = None


@dataclass(frozen=True)
class Table:
    """Rows sorted by count, descending (then by name), and their sum.

    `others` sums up rows that were taken out (choose_rows()); the total holds them.
    """

    rows: tuple[Row, ...]
    total: int
    total_per_second: float
    others: Row | None = None


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
    `total` is all targets as one, where that is wanted (choose_rows()).
    """

    targets: tuple[TargetReport, ...]
    seconds: float
    lost: Lost
    time: datetime
    provenance: Provenance
    total: Table | None = None


def make_report(
    targets: Targets,
    delta: CountSnapshot,
    reason_name: Callable[[int], str],
    ended: Iterable[tuple[int, int]] = (),
    *,
    time: datetime,
    provenance: Provenance,
) -> Report:
    """Join what was to be counted with what was counted.

    `targets` carry the vCPUs known at the end of the run as well as at its start. `delta.time_s` is the run's length in
    seconds. `ended` are the processes (Target.process) that are gone, whose threads are EndedThreads in `delta`. A
    target whose threads took no exits is there with a total of 0.
    """
    gone = frozenset(ended)
    reports = [_report_target(target, delta, reason_name, ended=target.process in gone) for target in targets.targets]
    if targets.everything:
        listed = {target.pid for target in targets.targets if target.process not in gone}
        for pid in sorted({thread.tgid for thread in delta.counts if isinstance(thread, Thread)} - listed):
            reports.append(_report_target(Target(pid=pid, vcpus=()), delta, reason_name, ended=False))
    reports.sort(key=lambda report: (-report.table.total, report.target.label))
    return Report(tuple(reports), delta.time_s, delta.lost, time, provenance)


def sum_targets(report: Report) -> Table:
    """All targets' exits as one table."""
    rows = [row for target in report.targets for row in target.table.rows]
    names = {row.reason: row.reason_name for row in rows if row.reason is not None}
    counts = _sum({row.reason: row.count} for row in rows if row.reason is not None)
    return _make_table(counts, report.seconds, names.__getitem__)


def _report_target(
    target: Target, delta: CountSnapshot, reason_name: Callable[[int], str], *, ended: bool
) -> TargetReport:
    wanted = [vcpu for vcpu in target.vcpus if target.tids is None or vcpu.tid in target.tids]
    number_of = {vcpu.tid: vcpu.number for vcpu in wanted}
    counted = {
        Thread(thread.tgid, thread.tid): counts
        for thread, counts in delta.counts.items()
        if _is_of(thread, target, ended=ended)
    }
    for tid in target.tids or ():
        counted.setdefault(Thread(target.pid, tid), {})

    # A vCPU that was unplugged and plugged in again has two threads and is one vCPU.
    of_vcpu: dict[int, Counter[int]] = {vcpu.number: Counter() for vcpu in wanted}
    unnamed: dict[Thread, Counter[int]] = {}
    for thread, counts in counted.items():
        number = number_of.get(thread.tid)
        if number is None:
            unnamed[thread] = Counter(counts)
        else:
            of_vcpu[number].update(counts)

    per_vcpu = [
        VCpuReport(number, Thread(target.pid, _tid_of(wanted, number)), _make_table(counts, delta.time_s, reason_name))
        for number, counts in of_vcpu.items()
    ] + [VCpuReport(None, thread, _make_table(counts, delta.time_s, reason_name)) for thread, counts in unnamed.items()]
    per_vcpu.sort(key=lambda one: (-one.table.total, one.vcpu is None, one.vcpu or 0, one.thread))
    return TargetReport(
        target=target,
        ended=ended,
        vcpus=tuple(sorted(of_vcpu)),
        unnamed=tuple(sorted(unnamed)),
        table=_make_table(_sum(counted.values()), delta.time_s, reason_name),
        per_vcpu=tuple(per_vcpu),
    )


def _is_of(thread: AnyThread, target: Target, *, ended: bool) -> bool:
    if isinstance(thread, Thread):
        return not ended and thread.tgid == target.pid
    return ended and (thread.tgid, thread.started) == target.process


def _tid_of(vcpus: Iterable[VCpu], number: int) -> int:
    return next(vcpu.tid for vcpu in vcpus if vcpu.number == number)


def _sum(counts_of_threads: Iterable[Mapping[int, int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for counts in counts_of_threads:
        total.update(counts)
    return total


def _make_table(counts: Mapping[int, int], seconds: float, reason_name: Callable[[int], str]) -> Table:
    total = sum(counts.values())
    if seconds <= 0:  # Ctrl-C may come as soon as a report is out
        seconds = math.inf
    rows = [
        Row(reason_name(reason), count, count / seconds, count / total, reason)
        for reason, count in counts.items()
        if count
    ]
    rows.sort(key=lambda row: (-row.count, row.reason_name))
    return Table(tuple(rows), total, total / seconds)
