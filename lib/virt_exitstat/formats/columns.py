"""The numbers that each row of a report shows, in every format. A new one is a Column here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..counts.durations import lower_bound_ns
from ..reports.report import DetailRow, Row
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


#: Of columns that the live view has not.
_NOT_LIVE = Narrow("", 0, 0)


@dataclass(frozen=True)
class Column:
    """A number that each row has.

    `key` is its name in CSV and JSON, `heading` stands over tables, `unit` is what it is measured in. `formats` says
    how `value` is written in each format that shows it: a table of exits that are timed is "timed", and in the live
    view ("live") a width comes with it. A `value` of None is not known. `timed` columns are there only where exits are
    timed, and then `brief`, if there is one, stands over the table; `sort` is the order by this number, if there is
    one. `of_detail` is the number of a detail, where it has one.
    """

    key: str
    heading: str
    unit: str
    value: Callable[[Row], Any]
    formats: Mapping[str, Callable[..., Any]]
    narrow: Narrow = _NOT_LIVE
    timed: bool = False
    brief: str = ""
    of_detail: Callable[[DetailRow], Any] | None = None
    align: str = "right"
    sort: Sort | None = None

    def write(self, row: Row, how: str, *width: int) -> Any:
        """The row's number as the format `how` has it; the live view's has a width."""
        value = self.value(row)
        return NOT_KNOWN[how] if value is None else self.formats[how](value, *width)

    def write_detail(self, detail: DetailRow, how: str) -> Any:
        """The same of a detail; empty where it has no such number."""
        if not self.of_detail:
            return ""
        value = self.of_detail(detail)
        return NOT_KNOWN[how] if value is None else self.formats[how](value)


#: {format: how it writes what is not known}.
NOT_KNOWN: Mapping[str, str | None] = {
    "table": "-",
    "timed": "-",
    "detailed": "-",
    "wide": "",
    "csv": "",
    "json": None,
    "live": "-",
}


def columns_of(how: str, *, timed: bool) -> tuple[Column, ...]:
    """The columns that a format shows, in order, of exits that are timed or not."""
    return tuple(column for column in COLUMNS if how in column.formats and column.timed <= timed)


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


def format_tight_share(share: float) -> str:
    """As format_share(), but in five columns: the whole is 100%."""
    return format_share(share) if share < 0.9995 else f"{share:.0%}"


def format_whole_share(share: float) -> str:
    """As format_share(), but in whole per cent: four columns."""
    return f"{share:.0%}" if share >= 0.005 or not share else "<1%"


def format_ns(length_ns: float, _width: int = 0) -> str:
    """A time in three digits and its unit: `12.3us`. Six columns are enough for a day."""
    for unit, ns in (("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        number = length_ns / ns
        digits = 0 if number >= 99.95 or unit == "ns" else 1 if number >= 9.995 else 2
        if number < 999.5 or unit == "s":
            return f"{number:.{digits}f}{unit}"
    raise AssertionError(length_ns)


def _time_of(
    name: str,
    heading: str,
    value: Callable[[Row], float | None],
    narrow: Narrow = _NOT_LIVE,
    of_detail: Callable[[DetailRow], float | None] | None = None,
    **shown: Callable[..., str],
) -> Column:
    """The column of a time in ns, for programs; `shown` says how it is written for people."""
    return Column(
        key=f"{name}_ns",
        heading=heading,
        unit="ns",
        value=value,
        # Whole nanoseconds: digits behind them would be made up.
        formats={"wide": "{:.0f}".format, "csv": "{:.0f}".format, "json": round, **shown},
        narrow=narrow,
        timed=True,
        of_detail=of_detail,
    )


def _percentile(part: float) -> Callable[[Row], float | None]:
    return lambda row: row.time.percentile_ns(part)


def _rounded(digits: int) -> Callable[[float], float]:
    return lambda value: round(value, digits)


COLUMNS = (
    Column(
        key="count",
        heading="count",
        unit="exits",
        value=lambda row: row.tally.exits,
        formats={
            "table": str,
            "timed": str,
            "detailed": str,
            "wide": str,
            "csv": str,
            "json": int,
            "live": format_count,
        },
        narrow=Narrow("count", width=10, rank=3, since_start=True),
        of_detail=lambda detail: detail.exits,
        sort=Sort.COUNT,
    ),
    Column(
        key="per_second",
        heading="per second",
        unit="exits/s",
        value=lambda row: row.per_second,
        formats={
            "table": "{:.1f}".format,
            # Eight columns and a long name have to fit into a line.
            "timed": lambda rate: format_rate(rate, 5),
            "detailed": lambda rate: format_rate(rate, 5),
            "wide": "{:.3f}".format,
            "csv": "{:.3f}".format,
            "json": _rounded(3),
            "live": format_rate,
        },
        narrow=Narrow("exits/s", width=9, rank=0),
        brief="per s",
        of_detail=lambda detail: detail.per_second,
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
        of_detail=lambda detail: detail.share,
    ),
    Column(
        key="time_share",
        heading="time",
        unit="of the time of the table's exits, 0 .. 1",
        value=lambda row: row.time_share,
        formats={
            "timed": format_tight_share,
            "detailed": format_tight_share,
            "json": _rounded(6),
            "live": format_share,
        },
        narrow=Narrow("time", width=6, rank=1),
        timed=True,
        of_detail=lambda detail: detail.time_share,
        sort=Sort.TIME,
    ),
    _time_of("total", "total", lambda row: row.time.total_ns, of_detail=lambda detail: detail.ns),
    _time_of(
        "mean",
        "mean",
        lambda row: row.time.mean_ns,
        Narrow("mean", width=6, rank=2),
        of_detail=lambda detail: detail.mean_ns,
        timed=format_ns,
        detailed=format_ns,
        live=format_ns,
    ),
    _time_of("p50", "p50", _percentile(0.5)),
    _time_of("p90", "p90", _percentile(0.9)),
    _time_of("p99", "p99", _percentile(0.99), timed=format_ns),
    _time_of("p99_9", "p99_9", _percentile(0.999)),
    _time_of("max", "max", lambda row: row.time.max_ns if row.time.has_finished else None),
    Column(
        key="max_is_bound",
        heading="max",
        unit="whether none was longer, rather than one as long",
        value=lambda row: row.time,
        formats={
            "timed": lambda time: "<" * time.is_bound + format_ns(time.max_ns) if time.has_finished else "-",
            "json": lambda time: time.is_bound,
        },
        timed=True,
    ),
    _time_of("qemu", "in QEMU", lambda row: row.time.qemu_ns),
    Column(
        key="qemu_share",
        heading="QEMU",
        unit="of the row's time, 0 .. 1",
        value=lambda row: row.qemu_share,
        formats=dict.fromkeys(("timed", "detailed"), lambda share: format_whole_share(share) if share else "-"),
        timed=True,
    ),
    Column(
        key="untimed",
        heading="untimed",
        unit="exits",
        value=lambda row: row.tally.untimed,
        formats={"json": int},
        timed=True,
    ),
    # Of these two, mean and percentiles are made again when a recording is read.
    Column(
        key="finished_ns",
        heading="",
        unit="ns",
        value=lambda row: row.time.finished_ns if row.time.has_histogram else None,
        formats={"json": round},
        timed=True,
    ),
    Column(
        key="histogram",
        heading="",
        unit="exits, by the shortest time of their bucket",
        value=lambda row: row.time.buckets if row.time.has_histogram else None,
        formats={
            "json": lambda buckets: {str(lower_bound_ns(bucket)): exits for bucket, exits in sorted(buckets.items())}
        },
        timed=True,
    ),
)
