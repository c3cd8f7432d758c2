"""Flat records, one for each domain, vCPU and reason: as CSV and as one wide table. Adds nothing up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..reports.report import STOPPED, Report, Row
from ..text import escape
from .columns import columns_of
from .format import Format, Grid, Style, set_apart

#: Of what a record is: {column: alignment}. The rows' numbers follow. Columns only grow, at the end.
_OF_WHAT = {
    "time": "left",
    "seconds": "right",
    "domain": "left",
    "uuid": "left",
    "pid": "right",
    "vcpu": "right",
    "tid": "right",
    "reason": "left",
    "code": "right",
}


def render_csv(report: Report, style: Style) -> str:
    """RFC 4180: lines end in CR LF; fields with a comma, a quote or a line's end are quoted. Names are as they are."""
    import csv  # only here: other formats need not wait for them
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    # The header stands once in a stream, and once in a file that several runs append to.
    if style.header and style.is_first:
        writer.writerow(_headings("csv", report))
    # NUL cannot stand in a field: not all readers take it.
    writer.writerows([field.replace("\0", "") for field in record] for record in _records(report, "csv"))
    return text.getvalue()


def render_wide(report: Report, style: Style) -> str:
    """The same records for the eye: aligned, with a dash where there is nothing to say."""
    rows = [[escape(field) or "-" for field in record] for record in _records(report, "wide")]
    alignment = (*_OF_WHAT.values(), *(column.align for column in columns_of("wide", timed=report.timed)))
    return set_apart(style.lay_out(Grid(_headings("wide", report) if style.header else (), alignment, rows)), style)


def iso_time(time: datetime) -> str:
    """A time in UTC, as in `2026-11-22T20:53:01.250Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _headings(how: str, report: Report) -> tuple[str, ...]:
    return (*_OF_WHAT, *(column.key for column in columns_of(how, timed=report.timed)))


def _records(report: Report, how: str) -> Iterator[tuple[str, ...]]:
    columns = columns_of(how, timed=report.timed)

    def of_row(row: Row, *whose: str) -> tuple[str, ...]:
        code = "" if row.reason is None else str(row.reason)
        # Stops are no exits: whoever adds up a column of exits must not count them.
        numbers = (
            "" if row.reason_name == STOPPED and not column.timed else column.write(row, how) for column in columns
        )
        return (*run, *whose, row.reason_name, code, *numbers)

    run = (iso_time(report.time), f"{report.seconds:.3f}")
    for shown in report.targets:
        domain = shown.target.domain
        who = (domain.name, domain.uuid) if domain else ("", "")
        for vcpu in shown.per_vcpu:
            number = "" if vcpu.vcpu is None else str(vcpu.vcpu)
            for row in (*vcpu.table.shown, *vcpu.table.stops):
                yield of_row(row, *who, str(shown.target.pid), number, str(vcpu.thread.tid))
    for row in (*report.total.shown, *report.total.stops) if report.total else ():
        yield of_row(row, report.label_of_total, "", "", "", "")
    # In parentheses, as no reason's name is; these exits belong to no domain.
    for why, count in report.lost._asdict().items():
        if count:
            numbers = {"count": str(count)}
            yield (*run, "", "", "", "", "", f"(lost: {why})", "", *(numbers.get(column.key, "") for column in columns))


WIDE = Format("wide", "a line for each vCPU and reason", render_wide)
CSV = Format("csv", "the lines of wide for programs", render_csv)
