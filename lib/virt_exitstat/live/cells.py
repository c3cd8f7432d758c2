"""The live view's pieces: cells and lines, which columns fit, bars and sparklines. Pure functions."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..formats.columns import NOT_KNOWN, Column, columns_of
from ..reports.report import DetailRow, Row


class Look(enum.Enum):
    """Looks of a cell; the painter knows their colours."""

    PLAIN = enum.auto()
    TITLE = enum.auto()
    HEADING = enum.auto()
    SORTED = enum.auto()
    BAR = enum.auto()
    HISTORY = enum.auto()
    KEY = enum.auto()
    ALARM = enum.auto()


@dataclass(frozen=True)
class Cell:
    """A piece of a line. `width` is in terminal columns; None is the text's own."""

    text: str
    look: Look = Look.PLAIN
    width: int | None = None
    right: bool = False


@dataclass(frozen=True)
class Line:
    """Cells, two spaces apart."""

    cells: tuple[Cell, ...] = ()
    selected: bool = False


#: Between two columns.
GAP = 2

_NAME = 12
#: {other columns: (the least width, rank)}, as columns.Narrow has them for numbers.
_OPTIONAL = {"bar": (6, 1), "vcpus": (5, 2), "history": (8, 5)}
#: Columns that get the room that is left, and up to which width.
_GROWTH = (("name", 16), ("bar", 8), ("history", 14), ("name", 28), ("bar", 24), ("history", 60), ("name", 40))


@dataclass(frozen=True)
class Widths:
    """Of a table's columns; 0 is a column that does not fit. They depend on the terminal only, so that nothing jumps
    when domains come and go. `numbers` are those of COLUMNS, by key.
    """

    name: int
    vcpus: int
    bar: int
    history: int
    numbers: Mapping[str, int]

    @property
    def name_and_vcpus(self) -> int:
        """The width of a name in a table that has no column of vCPUs."""
        return self.name + (self.vcpus and self.vcpus + GAP)


def fit_columns(width: int, *, timed: bool = False) -> Widths:
    """The columns that fit in `width`; where exits are timed, with those of their time."""
    numbers = {column.key: (column.narrow.width, column.narrow.rank) for column in columns_of("live", timed=timed)}
    must = {key: narrowest for key, (narrowest, rank) in numbers.items() if not rank}
    left = width - sum(narrowest + GAP for narrowest in must.values())
    widths = {"name": min(max(left, 1), _NAME), **must}
    left -= widths["name"]
    for key, (narrowest, rank) in sorted({**_OPTIONAL, **numbers}.items(), key=lambda item: item[1][1]):
        if rank:
            widths[key] = narrowest if left >= narrowest + GAP else 0
            left -= widths[key] and widths[key] + GAP
    for key, most in _GROWTH:
        more = min(max(left, 0), most - widths[key])
        if widths[key] and more > 0:
            widths[key] += more
            left -= more
    others = {key: widths.pop(key) for key in ("name", *_OPTIONAL)}
    return Widths(**others, numbers=widths)


def write_number(column: Column, row: Row | DetailRow, width: int) -> str:
    """A row's number in so many columns; empty where a detail has no such number."""
    if isinstance(row, Row):
        return str(column.write(row, "live", width))
    if not column.of_detail:
        return ""
    value = column.of_detail(row)
    return str(NOT_KNOWN["live"] if value is None else column.formats["live"](value, width))


def format_seconds(seconds: float) -> str:
    """A time that is short to read: `0.5 s`, `14 s`, `10 min`."""
    return f"{seconds:g} s" if seconds < 300 else f"{seconds / 60:.0f} min"


def draw_bar(share: float, width: int, *, blocks: bool) -> str:
    """A bar that fills `width` at a share of 1."""
    if not blocks:
        return "#" * min(round(share * width), width)
    eighths = min(max(round(share * width * 8), 1 if share else 0), width * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def draw_history(rates: Sequence[float], width: int, *, blocks: bool) -> str:
    """The last rates, the newest at the right end, as heights between nothing and the highest one shown."""
    levels = "▁▂▃▄▅▆▇█" if blocks else ".:-=+*#@"
    last = rates[-width:]
    highest = max(last, default=0)
    # No exit at all is a gap, one exit is not.
    marks = (levels[min(int(rate / highest * len(levels)), len(levels) - 1)] if rate else " " for rate in last)
    return "".join(marks).rjust(width)


def show_range(first: int, last: int, count: int) -> str:
    """Which rows of a table are on the screen, for its heading, when not all are."""
    return f" {first + 1}-{last}/{count}" if last - first < count else ""


def make_line(cells: Sequence[Cell], *, selected: bool = False) -> Line:
    """A table's line; cells of columns that do not fit are left out."""
    return Line(tuple(cell for cell in cells if cell.width), selected)


def fit_line(cells: Sequence[tuple[Cell, int]], width: int) -> Line:
    """The cells in this order, without the least important ones (by the number beside them) if it gets too long."""
    kept = list(cells)
    while len(kept) > 1 and sum(len(cell.text) + GAP for cell, _ in kept) - GAP > width:
        kept.remove(min(kept, key=lambda item: item[1]))
    return Line(tuple(cell for cell, _ in kept))
