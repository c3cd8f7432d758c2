"""Targets and counts to a report: whose thread it is, which vCPU, the reason's name, in order. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Optional

from ..counts.origin import Provenance
from ..counts.snapshot import AnyThread, CountSnapshot, EndedThread, Thread
from ..counts.tally import Tally, add_up, add_up_by_reason
from ..targets.target import Target, Targets
from .report import Report, Row, Table, TargetReport, VCpuReport

#: (pid, when it started): None while the process runs, as its threads then are known by their ids alone.
_Process = tuple[int, Optional[int]]


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
    counted = _by_process(delta.counts)
    tables = _TableMaker(delta.time_s, reason_name)
    reports = []
    for target in targets.targets:
        has_ended = target.process in gone
        process = target.process if has_ended else (target.pid, None)
        reports.append(_report_target(target, counted.get(process, {}), tables, ended=has_ended))
    if targets.everything:
        listed = {target.pid for target in targets.targets if target.process not in gone}
        for (pid, started), threads in sorted(counted.items(), key=lambda item: item[0][0]):
            if started is None and pid not in listed:
                reports.append(_report_target(Target(pid=pid, vcpus=()), threads, tables, ended=False))
    reports.sort(key=lambda report: (-report.table.total.exits, report.target.label))
    return Report(tuple(reports), delta.time_s, delta.lost, time, provenance)


def sum_targets(report: Report) -> Table:
    """All targets' exits as one table."""
    rows = [row for shown in report.targets for row in shown.table.rows]
    names = {row.reason: row.reason_name for row in rows if row.reason is not None}
    tallies = add_up_by_reason({row.reason: row.tally} for row in rows if row.reason is not None)
    return _TableMaker(report.seconds, names.__getitem__).make(tallies)


class _TableMaker:
    """Makes tables of what was counted in `seconds`."""

    def __init__(self, seconds: float, reason_name: Callable[[int], str]) -> None:
        self._seconds, self._reason_name = seconds, reason_name

    def make(self, tallies: Mapping[int, Tally]) -> Table:
        """A table of {raw reason: tally}."""
        total = add_up(tallies.values())
        rows = [
            Row(self._reason_name(reason), tally, whole=total, seconds=self._seconds, reason=reason)
            for reason, tally in tallies.items()
            if tally
        ]
        rows.sort(key=lambda row: (-row.tally.exits, row.reason_name))
        return Table(tuple(rows), total, self._seconds)


def _by_process(
    counts: Mapping[AnyThread, Mapping[int, Tally]],
) -> dict[_Process, dict[Thread, Mapping[int, Tally]]]:
    """{process: {thread: {raw reason: tally}}}."""
    found: dict[_Process, dict[Thread, Mapping[int, Tally]]] = {}
    for thread, tallies in counts.items():
        started = thread.started if isinstance(thread, EndedThread) else None
        found.setdefault((thread.tgid, started), {})[Thread(thread.tgid, thread.tid)] = tallies
    return found


def _report_target(
    target: Target, counted: Mapping[Thread, Mapping[int, Tally]], tables: _TableMaker, *, ended: bool
) -> TargetReport:
    wanted = [vcpu for vcpu in target.vcpus if target.tids is None or vcpu.tid in target.tids]
    number_of = {vcpu.tid: vcpu.number for vcpu in wanted}
    quiet: dict[Thread, Mapping[int, Tally]] = {Thread(target.pid, tid): {} for tid in target.tids or ()}

    # A vCPU that was unplugged and plugged in again has two threads and is one vCPU.
    of_vcpu: dict[int, list[Mapping[int, Tally]]] = {vcpu.number: [] for vcpu in wanted}
    tid_of = {vcpu.number: vcpu.tid for vcpu in reversed(wanted)}
    unnamed: dict[Thread, Mapping[int, Tally]] = {}
    for thread, tallies in {**quiet, **counted}.items():
        number = number_of.get(thread.tid)
        if number is None:
            unnamed[thread] = tallies
        else:
            of_vcpu[number].append(tallies)

    table = tables.make(add_up_by_reason(counted.values()))
    per_vcpu = [
        # When one thread took all exits, its table is the target's.
        VCpuReport(
            number,
            Thread(target.pid, tid_of[number]),
            table if len(counted) == len(parts) == 1 else tables.make(add_up_by_reason(parts)),
        )
        for number, parts in of_vcpu.items()
    ] + [VCpuReport(None, thread, tables.make(tallies)) for thread, tallies in unnamed.items()]
    per_vcpu.sort(key=lambda one: (-one.table.total.exits, one.vcpu is None, one.vcpu or 0, one.thread))
    return TargetReport(
        target=target,
        ended=ended,
        vcpus=tuple(sorted(of_vcpu)),
        unnamed=tuple(sorted(unnamed)),
        table=table,
        per_vcpu=tuple(per_vcpu),
    )
