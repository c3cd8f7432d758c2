"""Reports as JSON, described by report.schema.json. Adds nothing up."""

from __future__ import annotations

from typing import Any

from ..reports.report import Report, Row, Table, TargetReport
from .columns import columns_of
from .format import Format, Style
from .records import iso_time

#: Changes when a field changes its meaning or goes; fields that come do not change it.
FORMAT_VERSION = 1


def render_json(report: Report, style: Style) -> str:
    """The report as one document: indented, or on one line where more may come (JSON Lines). Pure ASCII."""
    import json  # only here: other formats need not wait for it

    document = {
        "format_version": FORMAT_VERSION,
        "time": iso_time(report.time),
        "host": report.provenance.host,
        "kernel": report.provenance.kernel,
        "isa": report.provenance.isa.name.lower(),
        "attachment": report.provenance.attachment.value,
        "seconds": round(report.seconds, 6),
        "lost": report.lost._asdict(),
        "domains": [_target(shown) for shown in report.targets],
        "all_domains": _table(report.total) if report.total else None,
    }
    return json.dumps(document, indent=None if style.repeats else 2) + "\n"


def _target(shown: TargetReport) -> dict[str, Any]:
    domain = shown.target.domain
    return {
        "name": domain.name if domain else None,
        "uuid": domain.uuid if domain else None,
        "pid": shown.target.pid,
        "ended": shown.ended,
        **_table(shown.table),
        "vcpus": [{"vcpu": vcpu.vcpu, "tid": vcpu.thread.tid, **_table(vcpu.table)} for vcpu in shown.per_vcpu],
    }


def _table(table: Table) -> dict[str, Any]:
    numbers = _numbers(table.sum)
    # A table's count is called its total, and its share would be 1.
    total = {"total": numbers.pop("count")}
    del numbers["share"]
    return {
        **total,
        **numbers,
        "reasons": [{"name": row.reason_name, "code": row.reason, **_numbers(row)} for row in table.rows],
        "others": _numbers(table.others) if table.others else None,
    }


def _numbers(row: Row) -> dict[str, Any]:
    return {column.key: column.write(row, "json") for column in columns_of("json")}


JSON = Format("json", "a document for programs", render_json)
