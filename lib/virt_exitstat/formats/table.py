"""The format for the eye: a table for each domain, or for each vCPU. Adds nothing up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..counts.snapshot import WHY_LOST
from ..reports.account import Account
from ..reports.report import OTHERS, DetailRow, Report, Row, Table, TargetReport, VCpuReport
from ..targets.target import describe_vcpus
from ..text import cut, escape, plural
from .columns import columns_of, format_share
from .format import Format, Grid, Style, set_apart

#: Letters that a detail's words have at most.
_WORDS = 38


def render_tables(report: Report, style: Style) -> str:
    """The report as tables below 80 columns: one per domain, or one per vCPU of each domain.

    With a header, a heading and the columns' names stand over each; where reports repeat, the heading has the local
    time.
    """
    when = report.time.astimezone().strftime("%Y-%m-%dT%H:%M:%S%z ") if style.repeats else ""
    length = f"{report.seconds:.3f} s"
    tables = []
    for shown in report.targets:
        ended = ", ended while counting" * shown.ended
        if style.per_vcpu and shown.per_vcpu:
            tables += [(f"{_heading_of_vcpu(shown, vcpu)}, {length}{ended}", vcpu.table) for vcpu in shown.per_vcpu]
        else:
            tables.append((f"{_heading_of_target(shown)}, {length}{ended}", shown.table))
    if report.total:
        tables.append((f"{report.label_of_total}: {length}", report.total))
    parts = [_render_table(table, f"{when}{heading}", style) for heading, table in tables]
    if not tables and style.header:
        parts.append(f"{when}nothing to count, {length}")
    lost = [f"lost: {plural(count, 'exit')} {WHY_LOST[why]}" for why, count in report.lost._asdict().items() if count]
    lost += [*_not_timed(report), *_not_told(report)]
    if lost:
        parts.append("\n".join(lost))
    return set_apart("\n\n".join(parts), style)


def _heading_of_target(shown: TargetReport) -> str:
    counted = describe_vcpus(shown.vcpus)
    if shown.unnamed:
        counted += f", {plural(len(shown.unnamed), 'unnamed thread')}"
    return f"{escape(shown.target.label)}: {counted}"


def _heading_of_vcpu(shown: TargetReport, vcpu: VCpuReport) -> str:
    thread = f"thread {vcpu.thread.tgid}/{vcpu.thread.tid}"
    return f"{escape(shown.target.label)}: {thread if vcpu.vcpu is None else describe_vcpus([vcpu.vcpu])}"


def _render_table(table: Table, heading: str, style: Style) -> str:
    if table.account:
        heading += "\n" + describe_account(table.account)
        # With details, their words take the place of percentiles.
        return _lay_out(_timed_rows(table), "detailed" if style.describe else "timed", heading, style)
    return _lay_out([*table.shown, table.sum], "table", heading, style)


def _timed_rows(table: Table) -> list[Row]:
    """Idle reasons and stops stand below the total, which is without them, be they shown by themselves or not."""
    busy, idle = ([row for row in table.rows if row.is_idle is apart] for apart in (False, True))
    others, others_idle = ([row for row in table.left_out if row.is_idle is apart] for apart in (False, True))
    if others:
        busy.append(table.add_up(others, OTHERS))
    if others_idle:
        idle.append(table.add_up_idle(others_idle))
    # The exits of idle ones are not in it, and no total has their time.
    total = table.add_up(busy, "total")
    total = total._replace(tally=replace(total.tally, time=table.total.time))
    return [*busy, total, *idle, *table.stops]


def _lay_out(rows: Sequence[Row], how: str, heading: str, style: Style) -> str:
    columns = columns_of(how, timed=how != "table")
    grid = []
    for row in rows:
        grid.append([row.reason_name, *(column.write(row, how) for column in columns)])
        for detail in row.details if style.describe else ():
            words = cut(_word_detail(detail, style), _WORDS)
            grid.append([f"  {words}", *(column.write_detail(detail, how) for column in columns)])
    names = [(column.brief if how != "table" else "") or column.heading for column in columns]
    headings = ["reason", *names] if style.header else []
    text = style.lay_out(Grid(headings, ["left", *(column.align for column in columns)], grid))
    return f"{heading}\n{text}" if style.header else text


def _word_detail(line: DetailRow, style: Style) -> str:
    return escape(style.describe(line.detail)) if style.describe and line.detail else line.label


def describe_account(account: Account) -> str:
    """Where the time went, in two lines below 80 columns."""
    wall = account.wall_ns or 1
    guest, exits, kvm, qemu, idle, stopped, unseen = (
        format_share(max(ns, 0) / wall)
        for ns in (
            account.guest_ns,
            account.exits_ns,
            account.kvm_ns,
            account.qemu_ns,
            account.idle_ns,
            account.stopped_ns,
            account.unseen_ns,
        )
    )
    waited = "not known" if account.waited_ns is None else format_share(account.waited_ns / wall)
    return (
        f"guest {guest}, exits {exits} (KVM {kvm}, QEMU {qemu}), idle {idle}, stopped {stopped}\n"
        f"not seen {unseen}; in any of these, waiting for a CPU: {waited}"
    )


def _not_timed(report: Report) -> list[str]:
    if report.untimed <= 0:
        return []
    lines = [f"not timed: {plural(report.untimed, 'exit')}, whose end was not seen"]
    if report.no_block:
        # Stops want room as well.
        lines.append(f"no room: {report.no_block} times of exits or stops; raise --max-vcpus")
    return lines


def _not_told(report: Report) -> list[str]:
    lines = []
    if report.no_detail:
        lines.append(
            f"no room: details of {plural(report.no_detail, 'exit')}, shown as not told yet; raise --max-vcpus"
        )
    if report.missed_events:
        times = plural(report.missed_events, "event")
        lines.append(f"lost: {times} that may have told a detail, while another one was told on their CPU")
    return lines


TABLE = Format("table", "a table for each domain", render_tables)
