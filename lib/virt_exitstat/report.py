"""Targets and counts to rows: collapse, name, sort, share, rate. Computes; formats nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .snapshot import CountSnapshot, Lost, Thread
from .targets import Target, Targets, VCpu


@dataclass(frozen=True)
class Row:
    """One reason's line: exits counted, exits per second, and the part of the table's total (0 .. 1)."""

    reason_name: str
    count: int
    per_second: float
    share: float


@dataclass(frozen=True)
class Table:
    """Rows sorted by count, descending (then by name), and their sum."""

    rows: tuple[Row, ...]
    total: int
    total_per_second: float


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
    """All targets, by total, descending. `seconds` is the measured time; `lost` exits belong to no table."""

    targets: tuple[TargetReport, ...]
    seconds: float
    lost: Lost


def make_report(
    targets: Targets, delta: CountSnapshot, reason_name: Callable[[int], str], ended: Iterable[int] = ()
) -> Report:
    """Join what was to be counted with what was counted.

    `targets` carry the vCPUs known at the end of the run as well as at its start. `delta.time_s` is the run's length in
    seconds. `ended` are the pids that are gone. A target whose threads took no exits is there with a total of 0.
    """
    gone = frozenset(ended)
    reports = [_report_target(target, delta, reason_name, target.pid in gone) for target in targets.targets]
    if targets.everything:
        listed = {target.pid for target in targets.targets}
        for pid in sorted({thread.tgid for thread in delta.counts} - listed):
            reports.append(_report_target(Target(pid=pid, vcpus=()), delta, reason_name, pid in gone))
    reports.sort(key=lambda report: (-report.table.total, report.target.label))
    return Report(tuple(reports), delta.time_s, delta.lost)


def _report_target(
    target: Target, delta: CountSnapshot, reason_name: Callable[[int], str], ended: bool
) -> TargetReport:
    wanted = [vcpu for vcpu in target.vcpus if target.tids is None or vcpu.tid in target.tids]
    number_of = {vcpu.tid: vcpu.number for vcpu in wanted}
    counted = {thread: counts for thread, counts in delta.counts.items() if thread.tgid == target.pid}
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
    collapsed: Counter[int] = sum((Counter(counts) for counts in counted.values()), Counter())
    return TargetReport(
        target=target,
        ended=ended,
        vcpus=tuple(sorted(of_vcpu)),
        unnamed=tuple(sorted(unnamed)),
        table=_make_table(collapsed, delta.time_s, reason_name),
        per_vcpu=tuple(per_vcpu),
    )


def _tid_of(vcpus: Iterable[VCpu], number: int) -> int:
    return next(vcpu.tid for vcpu in vcpus if vcpu.number == number)


def _make_table(counts: Mapping[int, int], seconds: float, reason_name: Callable[[int], str]) -> Table:
    total = sum(counts.values())
    rows = [
        Row(reason_name(reason), count, count / seconds, count / total) for reason, count in counts.items() if count
    ]
    rows.sort(key=lambda row: (-row.count, row.reason_name))
    return Table(tuple(rows), total, total / seconds)
