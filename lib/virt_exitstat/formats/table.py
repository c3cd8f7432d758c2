"""The format for the eye: a table for each domain, or for each vCPU. Adds nothing up."""

from __future__ import annotations

from ..counts.snapshot import WHY_LOST
from ..reports.report import Report, Table, TargetReport, VCpuReport
from ..targets.target import describe_vcpus
from ..text import escape
from .columns import columns_of
from .format import Format, Grid, Style, set_apart


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
    lost = [f"lost: {count} exits {WHY_LOST[why]}" for why, count in report.lost._asdict().items() if count]
    if lost:
        parts.append("\n".join(lost))
    return set_apart("\n\n".join(parts), style)


def _heading_of_target(shown: TargetReport) -> str:
    counted = describe_vcpus(shown.vcpus)
    if shown.unnamed:
        counted += f", {len(shown.unnamed)} unnamed thread{'s' if len(shown.unnamed) > 1 else ''}"
    return f"{escape(shown.target.label)}: {counted}"


def _heading_of_vcpu(shown: TargetReport, vcpu: VCpuReport) -> str:
    thread = f"thread {vcpu.thread.tgid}/{vcpu.thread.tid}"
    return f"{escape(shown.target.label)}: {thread if vcpu.vcpu is None else describe_vcpus([vcpu.vcpu])}"


def _render_table(table: Table, heading: str, style: Style) -> str:
    columns = columns_of("table")
    rows = [[row.reason_name, *(column.write(row, "table") for column in columns)] for row in (*table.shown, table.sum)]
    headings = ["reason", *(column.heading for column in columns)] if style.header else []
    text = style.lay_out(Grid(headings, ["left", *(column.align for column in columns)], rows))
    return f"{heading}\n{text}" if style.header else text


TABLE = Format("table", "a table for each domain", render_tables)
