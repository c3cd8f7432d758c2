"""Targets and counts to a report: whose thread it is, which vCPU, the reason's name, in order. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Optional

from ..counts.details import Cost, Detail, Kind
from ..counts.durations import NO_TIME, Durations
from ..counts.origin import Provenance
from ..counts.snapshot import AnyThread, CountSnapshot, EndedThread, State, Thread
from ..counts.tally import NOTHING, Tally, add_up, add_up_by_reason
from ..targets.target import Target, Targets
from .account import Account, account_for
from .report import OTHERS, Report, Row, Table, TargetReport, VCpuReport, add_up_busy

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
    waited_ns: Mapping[Thread, int] | None = None,
    detailed: bool = False,
) -> Report:
    """Join what was to be counted with what was counted.

    `targets` carry the vCPUs known at the end of the run as well as at its start. `delta.time_s` is the run's length in
    seconds. `ended` are the processes (Target.process) that are gone, whose threads are EndedThreads in `delta`. A
    target whose threads took no exits is there with a total of 0. `waited_ns` is None unless exits are timed, else for
    how long threads waited for a CPU; those that are missing are not known.
    """
    gone = frozenset(ended)
    counted = _by_process(delta.counts)
    # JSON has whole nanoseconds, and a rate that is made of it again is to be the same.
    seconds = round(delta.time_s, 9)
    tables = _TableMaker(seconds, reason_name, provenance.isa.idle, waited_ns)
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
    return Report(
        tuple(reports),
        seconds,
        delta.lost,
        time,
        provenance,
        timed=waited_ns is not None,
        no_block=delta.no_block,
        detailed=detailed,
        no_detail=delta.no_detail,
        missed_events=delta.missed_events,
    )


def sum_targets(report: Report) -> Table:
    """All targets' exits as one table.

    Of a recording, tables may have left something out. A reason then has a row only where each of these shows it, and
    so has a detail: a sum that lacks a part would be none.
    """
    tables = [shown.table for shown in report.targets]
    names = {row.reason: row.reason_name for table in tables for row in table.rows if row.reason is not None}
    tallies: list[Mapping[int, Tally]] = []
    left_out = [row.tally for table in tables for row in table.left_out]
    known = set(names).intersection(*({row.reason for row in table.rows} for table in tables if table.left_out))
    for table in tables:
        rows = {row.reason: row for row in table.rows if row.reason is not None}
        tallies.append({reason: row.tally for reason, row in rows.items() if reason in known})
        left_out += [
            replace(row.tally, time=None) if row.is_idle else row.tally
            for row in rows.values()
            if row.reason not in known
        ]
    idle = report.provenance.isa.idle
    whole = make_table(
        [
            Counted(reason, names[reason], tally, is_idle=reason in idle)
            for reason, tally in _add_up_known(tallies).items()
        ],
        report.seconds,
        left_out=[add_up(left_out)] if left_out else [],
    )
    if not report.timed:
        return whole
    return replace(
        whole,
        account=sum([one.account for one in tables if one.account], Account()),
        stopped=sum([one.stopped for one in tables], NO_TIME),
    )


def _add_up_known(of_tables: Sequence[Mapping[int, Tally]]) -> Mapping[int, Tally]:
    """{reason: tally}, summed; details that a table with more of them does not show become more of the sum."""
    summed = dict(add_up_by_reason(of_tables))
    for reason, tally in summed.items():
        parts = [of[reason].details or {} for of in of_tables if reason in of]
        cut = [part for part in parts if any(detail.kind is Kind.MORE for detail in part)]
        if not cut or len(parts) == 1:
            continue
        details = tally.details or {}
        known = {detail for detail in details if all(detail in part for part in cut)}
        known = {detail for detail in known if detail.kind is not Kind.MORE}
        costs = [cost for detail, cost in details.items() if detail not in known]
        more = {Detail(Kind.MORE): Cost(sum([cost.exits for cost in costs]), sum([cost.ns for cost in costs]))}
        shown = {detail: cost for detail, cost in details.items() if detail in known}
        summed[reason] = replace(tally, details={**shown, **more})
    return summed


class Counted(NamedTuple):
    """A reason with what was counted of it, before it is a row of a table."""

    reason: int
    reason_name: str
    tally: Tally
    is_idle: bool


def make_table(
    counted: Iterable[Counted],
    seconds: float,
    *,
    left_out: Iterable[Tally] = (),
    account: Account | None = None,
    stopped: Durations = NO_TIME,
) -> Table:
    """A table of reasons, and of sums of those that are `left_out`, whose times are without idle ones."""
    parts, sums = list(counted), list(left_out)
    total = add_up_busy([*((part.tally, part.is_idle) for part in parts), *((tally, False) for tally in sums)])
    rows = [Row(part.reason_name, part.tally, total, seconds, part.reason, is_idle=part.is_idle) for part in parts]
    rows.sort(key=lambda row: (-row.tally.exits, row.reason_name))
    others = tuple(Row(OTHERS, tally, total, seconds) for tally in sums)
    return Table(tuple(rows), total, seconds, left_out=others, account=account, stopped=stopped)


class _TableMaker:
    """Makes tables of what was counted in `seconds`."""

    def __init__(
        self,
        seconds: float,
        reason_name: Callable[[int], str],
        idle: frozenset[int],
        waited_ns: Mapping[Thread, int] | None = None,
    ) -> None:
        self._seconds, self._reason_name, self._idle, self._waited_ns = seconds, reason_name, idle, waited_ns

    def make(self, tallies: Mapping[int, Tally]) -> Table:
        """A table of {raw reason or State: tally}."""
        counted = [
            Counted(reason, self._reason_name(reason), tally, is_idle=reason in self._idle)
            for reason, tally in tallies.items()
            if tally and not isinstance(reason, State)
        ]
        return make_table(counted, self._seconds, stopped=tallies.get(State.STOPPED, NOTHING).time or NO_TIME)

    @property
    def timed(self) -> bool:
        """Whether exits are timed."""
        return self._waited_ns is not None

    def account(self, thread: Thread, tallies: Mapping[int, Tally]) -> Account | None:
        """Where a thread's time went; None unless exits are timed."""
        if self._waited_ns is None:
            return None
        return account_for(tallies, self._seconds, self._idle, self._waited_ns.get(thread))


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
    per_vcpu = []
    of_all: list[tuple[int | None, Thread, list[Mapping[int, Tally]]]] = [
        *((number, Thread(target.pid, tid_of[number]), parts) for number, parts in of_vcpu.items()),
        *((None, thread, [tallies]) for thread, tallies in unnamed.items()),
    ]
    for number, thread, parts in of_all:
        tallies = add_up_by_reason(parts)
        # When one thread took all exits, its table is the target's.
        of_one = table if len(counted) == len(parts) == 1 and parts[0] else tables.make(tallies)
        account = tables.account(thread, tallies)
        per_vcpu.append(VCpuReport(number, thread, replace(of_one, account=account) if account else of_one))
    if tables.timed:
        table = replace(table, account=sum([one.table.account for one in per_vcpu if one.table.account], Account()))
    per_vcpu.sort(key=lambda one: (-one.table.total.exits, one.vcpu is None, one.vcpu or 0, one.thread))
    return TargetReport(
        target=target,
        ended=ended,
        vcpus=tuple(sorted(of_vcpu)),
        unnamed=tuple(sorted(unnamed)),
        table=table,
        per_vcpu=tuple(per_vcpu),
    )
