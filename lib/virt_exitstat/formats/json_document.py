"""Reports as JSON, described by report.schema.json. Adds nothing up."""

from __future__ import annotations

from typing import Any

from ..counts.details import Detail, Kind
from ..reports.report import DetailRow, Report, Row, Table, TargetReport
from .columns import columns_of
from .format import Format, Style
from .records import iso_time, words_of

#: Changes when a field changes its meaning or goes; fields that come do not change it.
FORMAT_VERSION = 1

#: Numbers that a table's sum has not: they are the sums of its reasons' own.
_OF_PARTS = ("finished_ns", "histogram")

#: Numbers that only exits have, and stops have not.
_OF_EXITS = ("share", "time_share", "untimed")

#: What a sum of several details is, in words.
_NO_WORDS = dict.fromkeys(words_of(Detail(Kind.NOTHING)))


def render_json(report: Report, style: Style) -> str:
    """The report as one document: indented, or on one line where more may come (JSON Lines). Pure ASCII."""
    return write_document(make_document(report, style), indented=not style.repeats)


def write_document(document: dict[str, Any], *, indented: bool) -> str:
    """A document as text."""
    import json  # only here: other formats need not wait for it

    return json.dumps(document, indent=2 if indented else None) + "\n"


def make_document(report: Report, style: Style) -> dict[str, Any]:
    """The report as values of JSON."""
    of_details = style if report.detailed else None
    return {
        "format_version": FORMAT_VERSION,
        "time": iso_time(report.time),
        "host": report.provenance.host,
        "kernel": report.provenance.kernel,
        "isa": report.provenance.isa.name.lower(),
        "attachment": report.provenance.attachment.value,
        # Whole nanoseconds, as the report itself has them: rates made again from them are the same.
        "seconds": round(report.seconds, 9),
        "lost": report.lost._asdict(),
        **({"no_room_for_time": report.no_block} if report.timed else {}),
        **({"no_room_for_details": report.no_detail, "missed_events": report.missed_events} if report.detailed else {}),
        "domains": [_target(shown, of_details) for shown in report.targets],
        "all_domains": _table(report.total, of_details) if report.total else None,
    }


def _target(shown: TargetReport, of_details: Style | None) -> dict[str, Any]:
    domain = shown.target.domain
    return {
        "name": domain.name if domain else None,
        "uuid": domain.uuid if domain else None,
        "pid": shown.target.pid,
        "ended": shown.ended,
        **_table(shown.table, of_details),
        "vcpus": [
            {"vcpu": vcpu.vcpu, "tid": vcpu.thread.tid, **_table(vcpu.table, of_details)} for vcpu in shown.per_vcpu
        ],
    }


def _detail(line: DetailRow, style: Style) -> dict[str, Any]:
    """One of a reason's details; a sum of several has a name and no kind."""
    detail, timed = line.detail, line.row.tally.time is not None
    words = words_of(detail) if detail else _NO_WORDS
    name = style.name_of(detail) if detail else line.label
    numbers = {
        column.key: column.write_detail(line, "json") for column in columns_of("json", timed=timed) if column.of_detail
    }
    return {**words, "name": name or None, **numbers}


def _table(table: Table, of_details: Style | None) -> dict[str, Any]:
    """Its numbers and its reasons. `of_details` is how their details are worded, None where none are wanted."""
    timed = table.account is not None
    numbers = _numbers(table.sum, timed=timed)
    # A table's count is called its total, and its share would be 1.
    total = {"total": numbers.pop("count")}
    for key in ("share", *_OF_PARTS):
        numbers.pop(key, None)
    return {
        **total,
        **numbers,
        **_times(table),
        "reasons": [
            {
                "name": row.reason_name,
                "code": row.reason,
                **({"idle": row.is_idle} if timed else {}),
                **_numbers(row, timed=timed),
                **({"details": [_detail(line, of_details) for line in row.details]} if of_details else {}),
            }
            for row in table.rows
        ],
        "others": _numbers(table.others, timed=timed) if table.others else None,
    }


def _times(table: Table) -> dict[str, Any]:
    """Where the time went; nothing unless exits are timed."""
    if not table.account:
        return {}
    account = table.account
    columns = columns_of("json", timed=True)
    stopped = [
        {column.key: column.write(row, "json") for column in columns if column.key not in _OF_EXITS}
        for row in table.stops
    ]
    return {
        "time": {
            "wall_ns": account.wall_ns,
            "guest_ns": account.guest_ns,
            "kvm_ns": account.kvm_ns,
            "qemu_ns": account.qemu_ns,
            "idle_ns": account.idle_ns,
            "stopped_ns": account.stopped_ns,
            "unseen_ns": account.unseen_ns,
            "waited_ns": account.waited_ns,
        },
        "stopped": stopped[0] if stopped else None,
    }


def _numbers(row: Row, *, timed: bool) -> dict[str, Any]:
    return {column.key: column.write(row, "json") for column in columns_of("json", timed=timed)}


JSON = Format("json", "a document for programs", render_json)
