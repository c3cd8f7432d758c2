"""The live view's pieces: which columns fit, numbers that fit their column, bars and sparklines. Pure functions."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Look(enum.Enum):
    """How a cell looks; what colours that takes is the painter's business."""

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

#: What a line must have, at its narrowest.
_NAME, _RATE = 12, 9
#: What it has besides if there is room, the most wanted first, at its narrowest.
_OPTIONAL = {"bar": 6, "vcpus": 5, "count": 10, "share": 6, "history": 8}
#: Who gets the room that is left, and up to which width.
_GROWTH = (("name", 16), ("bar", 8), ("history", 14), ("name", 28), ("bar", 24), ("history", 60), ("name", 40))


@dataclass(frozen=True)
class Columns:
    """Widths of a table's columns; 0 is a column that does not fit. They depend on the terminal only, so that nothing
    jumps when domains come and go."""

    name: int
    rate: int
    vcpus: int
    count: int
    share: int
    bar: int
    history: int

    @property
    def name_and_vcpus(self) -> int:
        """What a name may take in a table that has no column of vCPUs."""
        return self.name + (self.vcpus and self.vcpus + GAP)


def fit_columns(width: int) -> Columns:
    """The columns that fit in `width`."""
    name = min(max(width - _RATE - GAP, 1), _NAME)
    widths = {"name": name, "rate": _RATE, **dict.fromkeys(_OPTIONAL, 0)}
    left = width - name - _RATE - GAP
    for column, narrowest in _OPTIONAL.items():
        if left >= narrowest + GAP:
            widths[column] = narrowest
            left -= narrowest + GAP
    for column, most in _GROWTH:
        more = min(max(left, 0), most - widths[column])
        if widths[column] and more > 0:
            widths[column] += more
            left -= more
    return Columns(**widths)


def format_count(count: int, width: int) -> str:
    """The number, whole if it fits: digits are never cut off."""
    for divisor, unit in ((1, ""), (10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T")):
        text = f"{count // divisor}{unit}"
        if len(text) <= width:
            return text
    return text


def format_rate(rate: float, width: int) -> str:
    """Exits per second, with a decimal if that fits."""
    text = f"{rate:.1f}"
    return text if len(text) <= width else format_count(round(rate), width)


def format_share(share: float) -> str:
    """A part of the whole in per cent; what is there is never shown as nothing."""
    return f"{share:.1%}" if share >= 0.0005 or not share else "<0.1%"


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
