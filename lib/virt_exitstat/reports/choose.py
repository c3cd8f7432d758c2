"""Which reasons a report shows, and in which order. Pure functions; what is not shown stays in the sums."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .collapse import sum_targets
from .report import Report, Table
from .sort import Sort


@dataclass(frozen=True)
class Choice:
    """The rows of each table that the user wants to see.

    `reasons` are raw, and None for all; those of `without` are left out. `total`: one more table of all targets.
    """

    top: int | None = None
    min_count: int = 0
    reasons: frozenset[int] | None = None
    without: frozenset[int] = frozenset()
    sort: Sort = Sort.COUNT
    total: bool = False


def choose(report: Report, choice: Choice) -> Report:
    """The report with only the rows that are wanted; each table's others are one sum, so that its total holds."""
    targets = tuple(
        replace(
            target,
            table=choose_rows(target.table, choice),
            per_vcpu=tuple(replace(vcpu, table=choose_rows(vcpu.table, choice)) for vcpu in target.per_vcpu),
        )
        for target in report.targets
    )
    # A recording that has left something out may have the sum of all of it.
    total = choose_rows(report.total or sum_targets(report), choice) if choice.total else None
    return replace(report, targets=targets, total=total)


def choose_rows(table: Table, choice: Choice) -> Table:
    """The table with only the rows that are wanted. Idle ones of a timed table stand apart, and are not the N first."""
    rows = table.rows
    if choice.sort is Sort.TIME:
        rows = tuple(sorted(rows, key=lambda row: -row.time.total_ns))
    chosen = [
        row
        for row in rows
        if row.tally.exits >= choice.min_count
        and (choice.reasons is None or row.reason in choice.reasons)
        and row.reason not in choice.without
    ]
    apart = [row for row in chosen if row.is_idle and table.account]
    wanted = [row for row in chosen if row not in apart][: choice.top]
    kept = {row.reason for row in (*wanted, *apart)}
    rest = (*(row for row in table.rows if row.reason not in kept), *table.left_out)
    wanted = [row for row in chosen if row in wanted or row in apart]
    if choice.sort is Sort.NAME:
        wanted.sort(key=lambda row: row.reason_name)
    rows = tuple(row._replace(most_details=choice.top) for row in wanted)
    return replace(table, rows=rows, left_out=rest)
