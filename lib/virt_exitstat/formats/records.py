"""Flat records, one for each domain, vCPU and reason: as CSV and as one wide table. Adds nothing up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ..counts.details import Detail, Kind
from ..reports.report import STOPPED, DetailRow, Report, Row
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
    writer.writerows([field.replace("\0", "") for field in record] for record in _records(report, "csv", style))
    return text.getvalue()


def render_wide(report: Report, style: Style) -> str:
    """The same records for the eye: aligned, with a dash where there is nothing to say."""
    rows = [[escape(field) or "-" for field in record] for record in _records(report, "wide", style)]
    numbers = [column.align for column in columns_of("wide", timed=report.timed)]
    alignment = (*_OF_WHAT.values(), *numbers, *(["left"] * len(_OF_DETAIL) if report.detailed else ()))
    return set_apart(style.lay_out(Grid(_headings("wide", report) if style.header else (), alignment, rows)), style)


def iso_time(time: datetime) -> str:
    """A time in UTC, as in `2026-11-22T20:53:01.250Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: Of a detail, behind the numbers, where details are wanted.
_OF_DETAIL = ("kind", "access", "number", "by", "detail")


def _headings(how: str, report: Report) -> tuple[str, ...]:
    numbers = [column.key for column in columns_of(how, timed=report.timed)]
    return (*_OF_WHAT, *numbers, *(_OF_DETAIL if report.detailed else ()))


def words_of(detail: Detail) -> dict[str, Any]:
    """What a detail is, in words of programs. None: it has no such thing."""
    return {
        "kind": detail.kind.name.lower(),
        "access": detail.access.value or None,
        "number": None if detail.kind in (Kind.NOTHING, Kind.PAGE_FAULT) else detail.number,
        "size": detail.size or None,
        "mark": detail.mark.value or None,
        "by": "qemu" if detail.by_qemu else "kvm",
    }


def _records(report: Report, how: str, style: Style) -> Iterator[tuple[str, ...]]:
    columns = columns_of(how, timed=report.timed)
    no_detail = [""] * len(_OF_DETAIL) if report.detailed else []

    def of_rows(rows: Iterable[Row], *whose: str) -> Iterator[tuple[str, ...]]:
        # The lines of a reason's details stand for it: a column of exits adds up to all.
        for row in rows:
            yield from [of_detail(line, *whose) for line in row.details] or [of_row(row, *whose)]

    def of_detail(line: DetailRow, *whose: str) -> tuple[str, ...]:
        numbers = (column.write_detail(line, how) for column in columns)
        words = words_of(line.detail) if line.detail else {}
        words["detail"] = style.describe(line.detail) if style.describe and line.detail else line.label
        about = ("" if words.get(word) is None else str(words[word]) for word in _OF_DETAIL)
        return (*run, *whose, line.row.reason_name, str(line.row.reason), *numbers, *about)

    def of_row(row: Row, *whose: str) -> tuple[str, ...]:
        code = "" if row.reason is None else str(row.reason)
        # Stops are no exits: whoever adds up a column of exits must not count them.
        numbers = (
            "" if row.reason_name == STOPPED and not column.timed else column.write(row, how) for column in columns
        )
        return (*run, *whose, row.reason_name, code, *numbers, *no_detail)

    run = (iso_time(report.time), f"{report.seconds:.3f}")
    for shown in report.targets:
        domain = shown.target.domain
        who = (domain.name, domain.uuid) if domain else ("", "")
        for vcpu in shown.per_vcpu:
            number = "" if vcpu.vcpu is None else str(vcpu.vcpu)
            rows = (*vcpu.table.shown, *vcpu.table.stops)
            yield from of_rows(rows, *who, str(shown.target.pid), number, str(vcpu.thread.tid))
    if report.total:
        yield from of_rows((*report.total.shown, *report.total.stops), report.label_of_total, "", "", "", "")
    # In parentheses, as no reason's name is; these exits belong to no domain.
    for why, count in report.lost._asdict().items():
        if count:
            numbers = {"count": str(count)}
            of_columns = (numbers.get(column.key, "") for column in columns)
            yield (*run, "", "", "", "", "", f"(lost: {why})", "", *of_columns, *no_detail)


WIDE = Format("wide", "a line for each vCPU and reason", render_wide)
CSV = Format("csv", "the lines of wide for programs", render_csv)
