"""The numbers that each row of a report shows, in every format. A new one is a Column here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..reports.report import Row
from ..reports.sort import Sort


@dataclass(frozen=True)
class Narrow:
    """A column's place in the live view, whose lines are as wide as the terminal.

    `width` is the least it takes. Columns come by `rank`: those of a low one stay where room is scarce; 0 always does.
    The number is of the newest interval, or of all time `since_start`.
    """

    heading: str
    width: int
    rank: int
    since_start: bool = False


@dataclass(frozen=True)
class Column:
    """A number that each row has.

    `key` is its name in CSV and JSON, `heading` stands over tables, `unit` is what it is measured in. `formats` says
    how `value` is written in each format that shows it; in the live view ("live"), that depends on a width too. `sort`
    is the order by this number, if there is one.
    """

    key: str
    heading: str
    unit: str
    value: Callable[[Row], Any]
    formats: Mapping[str, Callable[..., Any]]
    narrow: Narrow
    align: str = "right"
    sort: Sort | None = None

    def write(self, row: Row, how: str, *width: int) -> Any:
        """The row's number as the format `how` has it; the live view's has a width."""
        return self.formats[how](self.value(row), *width)


def columns_of(how: str) -> tuple[Column, ...]:
    """The columns that a format shows, in order."""
    return tuple(column for column in COLUMNS if how in column.formats)


def format_count(count: float, width: int) -> str:
    """The number, whole if it fits: digits are never cut off."""
    for divisor, unit in ((1, ""), (10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T")):
        text = f"{round(count) // divisor}{unit}"
        if len(text) <= width:
            return text
    return text


def format_rate(rate: float, width: int) -> str:
    """Exits per second, with a decimal if that fits."""
    text = f"{rate:.1f}"
    return text if len(text) <= width else format_count(rate, width)


def format_share(share: float, _width: int = 0) -> str:
    """A part of the whole in per cent. A share above 0 is shown as <0.1% at least."""
    return f"{share:.1%}" if share >= 0.0005 or not share else "<0.1%"


def _rounded(digits: int) -> Callable[[float], float]:
    return lambda value: round(value, digits)


COLUMNS = (
    Column(
        key="count",
        heading="count",
        unit="exits",
        value=lambda row: row.tally.exits,
        formats={"table": str, "wide": str, "csv": str, "json": int, "live": format_count},
        narrow=Narrow("count", width=10, rank=3, since_start=True),
        sort=Sort.COUNT,
    ),
    Column(
        key="per_second",
        heading="per second",
        unit="exits/s",
        value=lambda row: row.per_second,
        formats={
            "table": "{:.1f}".format,
            "wide": "{:.3f}".format,
            "csv": "{:.3f}".format,
            "json": _rounded(3),
            "live": format_rate,
        },
        narrow=Narrow("exits/s", width=9, rank=0),
        sort=Sort.RATE,
    ),
    Column(
        key="share",
        heading="share",
        unit="of the table's exits, 0 .. 1",
        value=lambda row: row.share,
        # The total of an empty table is the only row with a share of 0.
        formats={
            "table": lambda share: format_share(share) if share else "-",
            "json": _rounded(6),
            "live": format_share,
        },
        narrow=Narrow("share", width=6, rank=4),
    ),
)
