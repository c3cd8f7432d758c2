"""Reports as JSON, described by report.schema.json. Adds nothing up."""

from __future__ import annotations

import json
from typing import Any

from ..reports.report import Report, Row, Table, TargetReport
from .records import iso_time

#: Changes when a field changes its meaning or goes; fields that come do not change it.
FORMAT_VERSION = 1


def render_json(report: Report, *, one_line: bool) -> str:
    """The report as one document, on one line (JSON Lines) or indented. Pure ASCII, whatever the locale."""
    document = {
        "format_version": FORMAT_VERSION,
        "time": iso_time(report.time),
        "host": report.provenance.host,
        "kernel": report.provenance.kernel,
        "isa": report.provenance.isa.name.lower(),
        "attachment": report.provenance.attachment.value,
        "seconds": round(report.seconds, 6),
        "lost": report.lost._asdict(),
        "domains": [_target(target) for target in report.targets],
        "all_domains": _table(report.total) if report.total else None,
    }
    return json.dumps(document, indent=None if one_line else 2)


def _target(target: TargetReport) -> dict[str, Any]:
    domain = target.target.domain
    return {
        "name": domain.name if domain else None,
        "uuid": domain.uuid if domain else None,
        "pid": target.target.pid,
        "ended": target.ended,
        **_table(target.table),
        "vcpus": [{"vcpu": vcpu.vcpu, "tid": vcpu.thread.tid, **_table(vcpu.table)} for vcpu in target.per_vcpu],
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "total": table.total,
        "per_second": round(table.total_per_second, 3),
        "reasons": [{"name": row.reason_name, "code": row.reason, **_counted(row)} for row in table.rows],
        "others": _counted(table.others) if table.others else None,
    }


def _counted(row: Row) -> dict[str, Any]:
    return {"count": row.count, "per_second": round(row.per_second, 3), "share": round(row.share, 6)}
