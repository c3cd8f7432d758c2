"""Which reasons a report shows, and in which order. Pure functions; what is not shown stays in the sums."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import UsageError
from .exit_reasons import ReasonTable
from .report import OTHERS, Report, Row, Table, sum_targets
from .terminal import escape


class Sort(enum.Enum):
    """What rows are sorted by."""

    COUNT = "count"
    NAME = "name"


@dataclass(frozen=True)
class Choice:
    """What the user wants to see of each table. `reasons` are raw; None: all. `total`: a table of all domains too."""

    top: int | None = None
    min_count: int = 0
    reasons: frozenset[int] | None = None
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
    total = choose_rows(sum_targets(report), choice) if choice.total else None
    return replace(report, targets=targets, total=total)


def choose_rows(table: Table, choice: Choice) -> Table:
    """The table with only the rows that are wanted."""
    wanted = [
        row
        for row in table.rows
        if row.count >= choice.min_count and (choice.reasons is None or row.reason in choice.reasons)
    ][: choice.top]
    kept = set(wanted)
    rest = [row for row in table.rows if row not in kept] + ([table.others] if table.others else [])
    if choice.sort is Sort.NAME:
        wanted.sort(key=lambda row: row.reason_name)
    others = None
    if rest:
        others = Row(OTHERS, *(sum(parts) for parts in zip(*((row.count, row.per_second, row.share) for row in rest))))
    return replace(table, rows=tuple(wanted), others=others)


def find_reasons(words: Sequence[str], table: ReasonTable) -> frozenset[int]:
    """The raw reasons that names (in any case) or numbers mean. Raises UsageError for one that means none."""
    by_name: dict[str, set[int]] = {}
    for reason, name in table.names.items():
        by_name.setdefault(name, set()).add(reason)
    found: set[int] = set()
    for word in words:
        name = word.strip().upper()
        if name in by_name:
            found |= by_name[name]
        elif re.fullmatch("[0-9]{1,10}|0X[0-9A-F]{1,8}", name):
            found.add(int(name, 0 if name.startswith("0X") else 10) & table.mask)
        else:
            raise UsageError(f"--reason: {table.isa.name} has no exit reason '{escape(word)}'", _suggest(name, by_name))
    return frozenset(found)


def _suggest(name: str, names: dict[str, set[int]]) -> str:
    import difflib  # only here: completion asks often, and this takes a while to import

    # A part of a name (EPT, MSR) is a commoner mistake than a slip of the pen.
    parts = [known for known in sorted(names) if name and any(part.startswith(name) for part in known.split("_"))]
    close = parts or difflib.get_close_matches(name, names, n=3)
    return (
        f"did you mean {' or '.join(close[:4])}?"
        if close
        else "a report shows the names; a raw code will do, as in 0x40"
    )
