"""The live view without a terminal: reports and key presses in, the screen's lines out."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..counts.details import Detail
from ..formats.columns import columns_of, format_rate
from ..reports.report import UNTOLD, Report
from ..reports.sort import Sort
from ..text import cut, escape
from .cells import (
    Cell,
    Line,
    Look,
    Widths,
    draw_bar,
    draw_history,
    fit_columns,
    fit_line,
    format_seconds,
    make_line,
    show_range,
    write_number,
)
from .history import DetailSeries, History, Series, Track, add_up_series
from .keyboard import BINDINGS, CLEAR, ENTER, ERASE, ESCAPE, Press, text_of
from .selection import Selection

#: Below this height, the lines that only set things apart are left out.
_ROOMY = 16


class _Item(NamedTuple):
    """A line of the lower list: what it is about, in words, and its counts."""

    of: tuple[object, ...]
    words: str
    series: Series | DetailSeries


class LiveView:
    """The screen's contents: a list of domains (or of vCPUs), and the reasons of the selected one.

    The selection follows the domain, not the row. With `describe`, which says a detail in words (foreign text), it can
    go down to the reasons, and one of them can be opened: its details stand in their place. `encoding` is the
    terminal's; `blocks` says whether it shows block characters.
    """

    def __init__(
        self,
        host: str,
        interval_s: float,
        *,
        per_vcpu: bool = False,
        sort: Sort = Sort.COUNT,
        timed: bool = False,
        describe: Callable[[Detail], str] | None = None,
        encoding: str = "utf-8",
        blocks: bool = True,
    ) -> None:
        self._host = host
        self._interval_s = interval_s
        self._per_vcpu = per_vcpu
        self._sort = sort
        self._timed = timed
        self._describe = describe
        self._encoding = encoding
        self._blocks = blocks
        self._counted = self._shown = History()
        self._time = self._newest_time = ""
        self._paused = False
        self._pattern = ""
        #: Whether keys are text for the filter, and not presses.
        self.is_typing = False
        #: Whether the keys are shown; the next press takes them away and does nothing else.
        self.shows_help = False
        self._at = Selection(lambda track: [item.of for item in self._items(track)])

    @property
    def can_go_back(self) -> bool:
        """Whether Escape says something."""
        return bool(self._at.is_below or self._at.opened) and not self.is_typing

    def add(self, report: Report, time: str) -> None:
        """Take one interval in, and the time of day when it ended. A paused screen does not change, counts go on."""
        self._counted.add(report)
        self._newest_time = time
        if not self._paused:
            self._time = time

    def type_key(self, key: bytes) -> None:
        """Take a key as text for the filter, which holds from the first letter on. Enter and Escape end it."""
        if key in (*ENTER, *ESCAPE):
            self.is_typing = False
        elif key in ERASE:
            self._pattern = self._pattern[:-1]
        elif key in CLEAR:
            self._pattern = ""
        else:
            self._pattern += text_of(key)

    def press(self, press: Press | None) -> None:
        """Do what the key says; None is a key that says nothing."""
        if self.shows_help or press is Press.HELP:
            self.shows_help = not self.shows_help
        elif press is Press.FILTER:
            self.is_typing = True
        elif press is Press.RESET:
            self._counted.reset()
            self._shown.reset()
        elif press is Press.SORT:
            order = [sort for sort in Sort if self._timed or sort is not Sort.TIME]
            self._sort = order[(order.index(self._sort) + 1) % len(order)]
        elif press is Press.PER_VCPU:
            self._per_vcpu = not self._per_vcpu
        elif press is Press.PAUSE:
            self._paused = not self._paused
            self._shown = self._counted.freeze() if self._paused else self._counted
            self._time = self._newest_time
        elif press in (Press.SWITCH, Press.OPEN, Press.BACK):
            if self._describe and self._settle():
                self._at.go(press)
                self._settle()  # on a line, before a report changes their order
        elif press and (tracks := self._settle()):
            self._at.move(press, tracks)

    def screen(self, width: int, height: int) -> tuple[Line, ...]:
        """The lines, exactly `height` of them; cells beyond `width` are the painter's to cut."""
        if self.shows_help:
            return self._help(width, height)
        widths = fit_columns(width, timed=self._timed)
        tracks = self._settle()
        track = tracks[self._at.upper.row] if tracks else None
        items = self._items(track) if track else []
        apart = 2 if height >= _ROOMY else 0
        room = max(height - 4 - apart, 2)
        # The list gives way to reasons, down to a third of the room; to the most that any domain has, so that nothing
        # jumps when another one is selected.
        most = max([len(items), *(len(track.reasons) for track in tracks)])
        page = min(max(len(tracks), 1), max(room // 3, room - max(most, 1), 1), room - 1)
        self._at.upper.scroll(page, len(tracks))

        lines = [self._title(width), *self._list(tracks, widths)]
        if track:
            if apart:
                of = f"{self._at.opened} of " * bool(self._at.opened)
                lines += [Line(), Line((Cell(self._text(f"{of}{track.description}"), Look.TITLE, width),))]
            name = "reason" if not self._at.opened else "detail" if apart else self._text(self._at.opened)
            lines += self._below(items, name, track.total, widths, room - page)
        lines = lines[: height - 1]
        return (*lines, *[Line()] * (height - 1 - len(lines)), self._keys(width, items))[:height]

    def _settle(self) -> list[Track]:
        tracks = self._sorted()
        self._at.settle(tracks)
        return tracks

    def _sorted(self) -> list[Track]:
        tracks = self._shown.vcpus() if self._per_vcpu else self._shown.domains()
        if self._pattern:
            pattern = f"*{self._pattern.casefold()}*"
            tracks = [track for track in tracks if fnmatch.fnmatchcase(track.label.casefold(), pattern)]
        return sorted(tracks, key=lambda track: (*self._rank(track.total), track.label, *track.place))

    def _items(self, track: Track) -> list[_Item]:
        """The lower list: the reasons, or the details of the open one."""
        if not self._at.opened:
            items = [_Item((name,), self._text(name), series) for name, series in track.reasons.items()]
            return sorted(items, key=lambda item: (*self._rank(item.series), item.of))
        items = [
            _Item((one.detail,), self._text(self._words(one.detail)), one)
            for one in track.reasons[self._at.opened].details()
        ]
        return sorted(items, key=lambda item: (item.of == (None,), *self._rank(item.series), item.words))

    def _words(self, detail: Detail | None) -> str:
        return self._describe(detail) if self._describe and detail else UNTOLD

    def _rank(self, series: Series | DetailSeries) -> tuple[float, ...]:
        rate, exits, time_ns = series.costs
        ranks: dict[Sort, tuple[float, ...]] = {
            Sort.RATE: (-rate, -exits),
            Sort.COUNT: (-exits,),
            # Idle time is no cost: it comes last.
            Sort.TIME: (series.is_idle, -time_ns, -exits),
            Sort.NAME: (),
        }
        return ranks[self._sort]

    def _title(self, width: int) -> Line:
        whole = add_up_series(track.total for track in self._shown.domains())
        total = format_rate(whole.row(whole).per_second, 12)
        return fit_line(
            [
                (Cell("virt-exitstat", Look.TITLE), 2),
                (Cell(self._text(self._host)), 1),
                *[(Cell(self._time), 4)] * bool(self._time),
                (Cell(f"every {format_seconds(self._interval_s)}"), 3),
                *[(Cell(f"{total} exits/s", Look.TITLE), 5)] * bool(self._time),
                *[(Cell(f"lost {self._shown.lost}", Look.ALARM), 7)] * bool(self._shown.lost),
                *[(Cell("PAUSED", Look.ALARM), 6)] * self._paused,
                *[(Cell(f"filter {self._text(self._pattern)}", Look.ALARM), 8)] * bool(self._pattern),
            ],
            width,
        )

    def _list(self, tracks: Sequence[Track], widths: Widths) -> list[Line]:
        whole = add_up_series(track.total for track in tracks)
        shown = slice(self._at.upper.first_row, self._at.upper.last_row)
        name = "domain" + show_range(shown.start, shown.stop, len(tracks))
        heading = [
            self._heading(name, Sort.NAME, widths.name),
            Cell("vCPU" if self._per_vcpu else "vCPUs", Look.HEADING, widths.vcpus, right=True),
            *self._headings(widths),
        ]
        lines = [make_line(heading)]
        for row, track in list(enumerate(tracks))[shown]:
            vcpus = str(track.key.vcpu) if self._per_vcpu else str(len(track.vcpus))
            label = track.label
            if self._per_vcpu and track.key.vcpu is None:
                vcpus, label = "-", f"tid {track.key.tid}, {label}"
            is_selected = row == self._at.upper.row
            cells = [
                # The line whose reasons are gone through.
                Cell(self._text(label), Look.TITLE if is_selected and self._at.is_below else Look.PLAIN, widths.name),
                Cell(vcpus, width=widths.vcpus, right=True),
                *self._figures(track.total, whole, widths),
            ]
            lines.append(make_line(cells, selected=is_selected and not self._at.is_below))
        if not tracks:
            first = f"the first figures come after {format_seconds(self._interval_s)}"
            none = "no running domain" + f" is called *{self._text(self._pattern)}*" * bool(self._pattern)
            lines.append(Line((Cell(none if self._time else first),)))
        return lines

    def _below(self, items: Sequence[_Item], name: str, whole: Series, widths: Widths, page: int) -> list[Line]:
        cursor, width = self._at.lower, widths.name_and_vcpus
        cursor.scroll(page, len(items))
        name += show_range(cursor.first_row, cursor.last_row, len(items))
        lines = [make_line([self._heading(name, Sort.NAME, width), *self._headings(widths)])]
        for row, item in list(enumerate(items))[cursor.first_row : cursor.last_row]:
            words = cut(item.words, max(width, 3)) if self._at.opened else item.words
            cells = [Cell(words, width=width), *self._figures(item.series, whole, widths)]
            lines.append(make_line(cells, selected=self._at.is_below and row == cursor.row))
        return lines

    def _heading(self, text: str, sort: Sort | None, width: int) -> Cell:
        look = Look.SORTED if sort is self._sort else Look.HEADING
        return Cell(text, look, width, right=sort is not Sort.NAME)

    def _headings(self, widths: Widths) -> list[Cell]:
        history = f"last {format_seconds(widths.history * self._interval_s)}"
        return [
            *(
                self._heading(column.narrow.heading, column.sort, widths.numbers[column.key])
                for column in columns_of("live", timed=self._timed)
            ),
            self._heading("", None, widths.bar),
            self._heading(history if len(history) <= widths.history else "history", None, widths.history),
        ]

    def _figures(self, series: Series | DetailSeries, whole: Series, widths: Widths) -> list[Cell]:
        cells = []
        for column in columns_of("live", timed=self._timed):
            row, width = series.row(whole, since_start=column.narrow.since_start), widths.numbers[column.key]
            cells.append(Cell(write_number(column, row, width), width=width, right=True))
        share, history = series.row(whole).share or 0, ""
        if isinstance(series, Series):
            history = draw_history(series.rates, widths.history, blocks=self._blocks)
        return [
            *cells,
            Cell(draw_bar(share, widths.bar, blocks=self._blocks), Look.BAR, widths.bar),
            Cell(history, Look.HISTORY, widths.history),
        ]

    def _help(self, width: int, height: int) -> tuple[Line, ...]:
        lines = [Line((Cell("keys", Look.TITLE, width),))]
        lines += [
            Line((Cell(one.name, Look.KEY, 9), Cell(one.meaning)))
            for one in BINDINGS
            if self._describe or not one.detailed
        ]
        lines = lines[: height - 1]
        return (*lines, *[Line()] * (height - 1 - len(lines)), Line((Cell("any key to go back", Look.KEY),)))[:height]

    def _keys(self, width: int, items: Sequence[_Item]) -> Line:
        if self.is_typing:
            typed = (Cell(f"filter: {self._text(self._pattern)}_", Look.KEY), 2)
            return fit_line([typed, (Cell("Enter: done, Ctrl-U: all"), 1)], width)
        enter = []
        if self._describe and (items or self._at.is_below):
            enter = [(Cell(f"{'⏎' if self._blocks else 'Enter'} {self._next_step()}", Look.KEY), 6)]
        return fit_line(
            [
                (Cell("q quit", Look.KEY), 8),
                (Cell("h help", Look.KEY), 7),
                *enter,
                (Cell(f"d {'domains' if self._per_vcpu else 'vCPUs'}", Look.KEY), 5),
                (Cell(f"s sort: {self._sort.value}", Look.KEY), 4),
                (Cell("p resume" if self._paused else "p pause", Look.KEY), 3),
                (Cell("f filter", Look.KEY), 2),
                (Cell("↑↓ select" if self._blocks else "up/down select", Look.KEY), 1),
            ],
            width,
        )

    def _next_step(self) -> str:
        """What Enter does."""
        if self._at.opened:
            return "back" if self._at.is_below else "details"
        return "open" if self._at.is_below else "reasons"

    def _text(self, foreign: str) -> str:
        """Foreign text as this terminal can show it."""
        return escape(foreign).encode(self._encoding, "backslashreplace").decode(self._encoding)
