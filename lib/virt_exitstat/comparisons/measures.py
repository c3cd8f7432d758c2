"""The numbers that recordings are compared by. A new one is a Measure here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..reports.report import Row, Table


@dataclass(frozen=True)
class Measure:
    """One number that each reason of an interval has; NaN where it has none.

    `absent` is that of a reason that did not occur. `timed` ones are there only where exits were timed.
    """

    key: str
    heading: str
    value: Callable[[Row, Table], float]
    absent: float = 0.0
    timed: bool = True


def _per_guest_second(row: Row, table: Table) -> float:
    guest_ns = table.account.guest_ns if table.account else 0
    return row.tally.exits / guest_ns * 1e9 if guest_ns > 0 else math.nan


def _known(value: float | None) -> float:
    return math.nan if value is None else value


#: In the order in which they are shown.
MEASURES = (
    Measure("per_second", "exits per second", lambda row, _table: row.per_second, timed=False),
    Measure("per_guest_second", "exits per second that the guest ran", _per_guest_second),
    Measure("time_share", "time, of one CPU", lambda row, _table: row.time.total_ns / row.seconds / 1e9),
    Measure("mean_ns", "mean time", lambda row, _table: _known(row.time.mean_ns), absent=math.nan),
    Measure("p99_ns", "time that 99% stay below", lambda row, _table: _known(row.time.percentile_ns(0.99)), math.nan),
)
