"""A document's tables as the values that they were written from: tallies, details, times. Pure functions."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from ..counts.details import Access, Cost, Detail, Kind, Mark
from ..counts.durations import BUCKETS, Durations, Told, bucket_of
from ..counts.tally import Tally
from ..reports.account import Account
from ..reports.collapse import Counted, make_table
from ..reports.report import Table
from .fields import Fields

_Enum = TypeVar("_Enum", bound=enum.Enum)

#: {part: the field that has it}: what a document of before there were histograms tells of a distribution.
_PERCENTILES = {0.5: "p50_ns", 0.9: "p90_ns", 0.99: "p99_ns", 0.999: "p99_9_ns"}

#: Powers of two of microseconds, which a wake-up's number is.
_POWERS = 64

_MORE = re.compile(r"\(([0-9]+) more\)")


def read_table(fields: Fields, seconds: float, idle: Collection[int]) -> Table:
    """A table of so many seconds; `idle` are raw reasons. Raises MisfitError."""
    counted = [
        Counted(row.whole("code"), row.text("name"), read_tally(row), is_idle=row.whole("code") in idle)
        for row in fields.parts("reasons")
    ]
    others = fields.part_or_none("others")
    stopped = fields.part_or_none("stopped")
    table = make_table(
        counted,
        seconds,
        left_out=[read_tally(others)] if others else [],
        account=_read_account(fields.part("time")) if "time" in fields else None,
        **({"stopped": _read_stopped(stopped)} if stopped else {}),
    )
    if not isinstance(table.total.time, Told):
        return table
    # Of a sum without histograms, the document's own figures are all that is known.
    total = Tally(table.total.exits, _read_durations(fields), table.total.untimed)
    return _with_total(table, total)


def _with_total(table: Table, total: Tally) -> Table:
    rows, left_out = (tuple(row._replace(whole=total) for row in some) for some in (table.rows, table.left_out))
    return replace(table, rows=rows, total=total, left_out=left_out)


def read_tally(fields: Fields) -> Tally:
    """What was counted of a reason, or of several. Raises MisfitError."""
    details = None
    if "details" in fields:
        details = {detail: cost for detail, cost in map(_read_line, fields.parts("details")) if detail}
    if "total_ns" not in fields:
        return Tally(fields.whole("count"), details=details)
    return Tally(fields.whole("count"), _read_durations(fields), fields.whole("untimed", negative=True), details)


def read_names(fields: Fields) -> dict[Detail, str]:
    """{detail: its name}, as the document has them. Raises MisfitError."""
    names = {}
    for row in fields.parts("reasons"):
        for line in row.parts("details"):
            detail, _ = _read_line(line)
            if detail and detail.kind is not Kind.MORE:
                names[detail] = line.text_or_none("name") or ""
    return names


def _read_line(fields: Fields) -> tuple[Detail | None, Cost]:
    """A detail; None for the line of exits that no detail holds, which follows from the others."""
    cost = Cost(fields.whole("count", negative=True), fields.whole("total_ns") if "total_ns" in fields else 0)
    if fields.text_or_none("kind") is not None:
        return read_detail(fields), cost
    more = _MORE.fullmatch(fields.text("name"))
    known = more or fields.text("name") == "(more)"
    return (Detail(Kind.MORE, int(more[1]) if more else 0) if known else None), cost


def read_detail(fields: Fields) -> Detail:
    """What words_of() has made words of. Raises MisfitError."""
    kind = fields.text("kind").upper()
    if kind not in Kind.__members__ or Kind[kind] is Kind.MORE:
        raise fields.refuse("kind", "one that this virt-exitstat knows")
    if Kind[kind] is Kind.WAKEUP and (fields.whole_or_none("number") or 0) >= _POWERS:
        raise fields.refuse("number", "a power of two of microseconds")
    return Detail(
        Kind[kind],
        fields.whole_or_none("number") or 0,
        _one_of(Access, fields, "access"),
        fields.whole_or_none("size") or 0,
        _one_of(Mark, fields, "mark"),
        fields.text_or_none("by") == "qemu",
    )


def _one_of(kind: type[_Enum], fields: Fields, key: str) -> _Enum:
    try:
        return kind(fields.text_or_none(key) or "")
    except ValueError:
        raise fields.refuse(key, "one that this virt-exitstat knows") from None


def _read_durations(fields: Fields) -> Durations:
    longest = fields.whole_or_none("max_ns") or 0
    is_bound = "max_is_bound" in fields and fields.flag("max_is_bound")
    total, qemu = fields.whole("total_ns"), fields.whole("qemu_ns")
    if fields.part_or_none("histogram") is None:
        percentiles = {part: fields.whole_or_none(key) for part, key in _PERCENTILES.items()}
        return Told(
            total_ns=total,
            qemu_ns=qemu,
            max_ns=longest,
            is_bound=is_bound,
            mean=fields.whole_or_none("mean_ns"),
            percentiles={part: ns for part, ns in percentiles.items() if ns is not None},
        )
    buckets = {bucket_of(ns): exits for ns, exits in fields.whole_numbers("histogram").items() if exits}
    assert max(buckets, default=0) < BUCKETS, "bucket_of() knows no other"
    return Durations(
        total_ns=total,
        qemu_ns=qemu,
        finished_ns=fields.whole_or_none("finished_ns") or 0,
        max_ns=longest,
        is_bound=is_bound,
        buckets=buckets,
    )


def _read_stopped(fields: Fields) -> Durations:
    """The times that QEMU held vCPUs; their number counts those that went on as well."""
    time = _read_durations(fields)
    return replace(time, in_flight=fields.whole("count", negative=True) - time.finished)


def _read_account(fields: Fields) -> Account:
    # Each is a difference of two readings, which exits in flight can put below 0.
    parts = ("wall_ns", "guest_ns", "kvm_ns", "qemu_ns", "idle_ns", "stopped_ns")
    wall, guest, kvm, qemu, idle, stopped = (fields.whole(part, negative=True) for part in parts)
    return Account(wall, guest, kvm, qemu, idle, stopped, fields.whole_or_none("waited_ns"))
