"""Reports as flat records, one for each domain, vCPU and reason: as CSV and as one wide table. Adds nothing up."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from ..reports.report import Report, Row, Table
from ..text import escape
from .table import label_of_total, tabulate_rows

#: The columns of a record. They only grow, at the end.
COLUMNS = ("time", "seconds", "domain", "uuid", "pid", "vcpu", "tid", "reason", "code", "count", "per_second")

_RIGHT = frozenset({"seconds", "pid", "vcpu", "tid", "code", "count", "per_second"})


def render_csv(report: Report, *, header: bool) -> str:
    """RFC 4180: lines end in CR LF; fields with a comma, a quote or a line's end are quoted. Names are as they are."""
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(COLUMNS)
    # NUL cannot stand in a field: not all readers take it.
    writer.writerows([field.replace("\0", "") for field in record] for record in _records(report))
    return text.getvalue()


def render_wide(report: Report, *, header: bool) -> str:
    """The same records for the eye: aligned, with a dash where there is nothing to say."""
    rows = [[escape(field) or "-" for field in record] for record in _records(report)]
    alignment = ["right" if column in _RIGHT else "left" for column in COLUMNS]
    return tabulate_rows(rows, COLUMNS if header else (), alignment)


def iso_time(time: datetime) -> str:
    """A time in UTC, as in `2026-11-22T20:53:01.250Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _records(report: Report) -> Iterator[tuple[str, ...]]:
    run = (iso_time(report.time), f"{report.seconds:.3f}")
    for target in report.targets:
        domain = target.target.domain
        who = (domain.name, domain.uuid) if domain else ("", "")
        for vcpu in target.per_vcpu:
            number = "" if vcpu.vcpu is None else str(vcpu.vcpu)
            for row in _rows(vcpu.table):
                yield (*run, *who, str(target.target.pid), number, str(vcpu.thread.tid), *_counted(row))
    if report.total:
        for row in _rows(report.total):
            yield (*run, label_of_total(report), "", "", "", "", *_counted(row))
    # A name that no reason can have, and no domain: these exits are in no domain's count.
    for why, count in report.lost._asdict().items():
        if count:
            yield (*run, "", "", "", "", "", f"(lost: {why})", "", str(count), "")


def _rows(table: Table) -> tuple[Row, ...]:
    return (*table.rows, table.others) if table.others else table.rows


def _counted(row: Row) -> tuple[str, ...]:
    code = "" if row.reason is None else str(row.reason)
    return (row.reason_name, code, str(row.count), f"{row.per_second:.3f}")
