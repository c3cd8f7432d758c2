"""The live view without a terminal: reports and key presses in, the screen's lines out."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Sequence

from ..formats.columns import columns_of, format_rate
from ..reports.report import Report
from ..reports.sort import Sort
from ..text import escape
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
)
from .history import History, Key, Series, Track, add_up_series
from .keyboard import BINDINGS, CLEAR, ENTER, ERASE, ESCAPE, Press, text_of

#: Below this height, the lines that only set things apart are left out.
_ROOMY = 16


class LiveView:
    """The screen's contents: a list of domains (or of vCPUs), and the reasons of the selected one.

    The selection follows the domain, not the row. `encoding` is the terminal's; `blocks` says whether it shows block
    characters.
    """

    def __init__(
        self,
        host: str,
        interval_s: float,
        *,
        per_vcpu: bool = False,
        sort: Sort = Sort.COUNT,
        timed: bool = False,
        encoding: str = "utf-8",
        blocks: bool = True,
    ) -> None:
        self._host = host
        self._interval_s = interval_s
        self._per_vcpu = per_vcpu
        self._sort = sort
        self._timed = timed
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
        self._selected = Key(0)
        self._label = ""
        self._row = 0
        self._first_row = 0
        self._page = 1

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
            self._shown = copy.deepcopy(self._counted) if self._paused else self._counted
            self._time = self._newest_time
        elif press and (tracks := self._sorted()):
            steps = {Press.UP: -1, Press.DOWN: 1, Press.PAGE_UP: -self._page, Press.PAGE_DOWN: self._page}
            ends = {Press.FIRST: 0, Press.LAST: len(tracks) - 1}
            row = ends.get(press, self._find_selected(tracks) + steps.get(press, 0))
            self._select(tracks, min(max(row, 0), len(tracks) - 1))

    def screen(self, width: int, height: int) -> tuple[Line, ...]:
        """The lines, exactly `height` of them; cells beyond `width` are the painter's to cut."""
        if self.shows_help:
            return self._help(width, height)
        widths = fit_columns(width, timed=self._timed)
        tracks = self._sorted()
        apart = 2 if height >= _ROOMY else 0
        room = max(height - 4 - apart, 2)
        reasons = []
        if tracks:
            self._select(tracks, self._find_selected(tracks))
            reasons = self._sorted_reasons(tracks[self._row])
        # The list gives way to reasons, down to a third of the room; to the most that any domain has, so that nothing
        # jumps when another one is selected.
        most = max((len(track.reasons) for track in tracks), default=0)
        self._page = min(max(len(tracks), 1), max(room // 3, room - max(most, 1), 1), room - 1)
        self._first_row = max(min(self._first_row, self._row, len(tracks) - self._page), self._row - self._page + 1, 0)

        lines = [self._title(width), *self._list(tracks, widths)]
        if tracks:
            if apart:
                lines += [Line(), Line((Cell(self._text(tracks[self._row].description), Look.TITLE, width),))]
            lines += self._reasons(reasons, tracks[self._row].total, widths, room - self._page)
        lines = lines[: height - 1]
        return (*lines, *[Line()] * (height - 1 - len(lines)), self._keys(width))[:height]

    def _sorted(self) -> list[Track]:
        tracks = self._shown.vcpus() if self._per_vcpu else self._shown.domains()
        if self._pattern:
            pattern = f"*{self._pattern.casefold()}*"
            tracks = [track for track in tracks if fnmatch.fnmatchcase(track.label.casefold(), pattern)]
        return sorted(tracks, key=lambda track: (*self._rank(track.total), track.label, *track.place))

    def _sorted_reasons(self, track: Track) -> list[tuple[str, Series]]:
        return sorted(track.reasons.items(), key=lambda item: (*self._rank(item[1]), item[0]))

    def _rank(self, series: Series) -> tuple[float, ...]:
        rate, exits = series.row(series).per_second, series.total.exits
        ranks: dict[Sort, tuple[float, ...]] = {
            Sort.RATE: (-rate, -exits),
            Sort.COUNT: (-exits,),
            # Idle time is no cost: it comes last.
            Sort.TIME: (series.is_idle, -series.row(series).time.total_ns, -exits),
            Sort.NAME: (),
        }
        return ranks[self._sort]

    def _find_selected(self, tracks: Sequence[Track]) -> int:
        """The selected one's row; else that of its domain, of a domain of that name (it was started again), or what
        stands where it stood."""
        of_key = [row for row, track in enumerate(tracks) if track.key == self._selected]
        of_process = [row for row, track in enumerate(tracks) if track.key.pid == self._selected.pid]
        of_label = [row for row, track in enumerate(tracks) if track.label == self._label]
        return (of_key or of_process or of_label or [min(self._row, len(tracks) - 1)])[0]

    def _select(self, tracks: Sequence[Track], row: int) -> None:
        self._row, self._selected, self._label = row, tracks[row].key, tracks[row].label

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
        last_row = self._first_row + self._page
        name = "domain" + show_range(self._first_row, last_row, len(tracks))
        heading = [
            self._heading(name, Sort.NAME, widths.name),
            Cell("vCPU" if self._per_vcpu else "vCPUs", Look.HEADING, widths.vcpus, right=True),
            *self._headings(widths),
        ]
        lines = [make_line(heading)]
        for row, track in list(enumerate(tracks))[self._first_row : last_row]:
            vcpus = str(track.key.vcpu) if self._per_vcpu else str(len(track.vcpus))
            label = track.label
            if self._per_vcpu and track.key.vcpu is None:
                vcpus, label = "-", f"tid {track.key.tid}, {label}"
            cells = [
                Cell(self._text(label), width=widths.name),
                Cell(vcpus, width=widths.vcpus, right=True),
                *self._figures(track.total, whole, widths),
            ]
            lines.append(make_line(cells, selected=row == self._row))
        if not tracks:
            first = f"the first figures come after {format_seconds(self._interval_s)}"
            none = "no running domain" + f" is called *{self._text(self._pattern)}*" * bool(self._pattern)
            lines.append(Line((Cell(none if self._time else first),)))
        return lines

    def _reasons(self, reasons: Sequence[tuple[str, Series]], whole: Series, widths: Widths, room: int) -> list[Line]:
        width = widths.name_and_vcpus
        name = "reason" + show_range(0, room, len(reasons))
        return [
            make_line([self._heading(name, Sort.NAME, width), *self._headings(widths)]),
            *(
                make_line([Cell(self._text(name), width=width), *self._figures(series, whole, widths)])
                for name, series in reasons[:room]
            ),
        ]

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

    def _figures(self, series: Series, whole: Series, widths: Widths) -> list[Cell]:
        cells = []
        for column in columns_of("live", timed=self._timed):
            row, width = series.row(whole, since_start=column.narrow.since_start), widths.numbers[column.key]
            cells.append(Cell(column.write(row, "live", width), width=width, right=True))
        share = series.row(whole).share
        return [
            *cells,
            Cell(draw_bar(share, widths.bar, blocks=self._blocks), Look.BAR, widths.bar),
            Cell(draw_history(series.rates, widths.history, blocks=self._blocks), Look.HISTORY, widths.history),
        ]

    def _help(self, width: int, height: int) -> tuple[Line, ...]:
        lines = [Line((Cell("keys", Look.TITLE, width),))]
        lines += [Line((Cell(one.name, Look.KEY, 9), Cell(one.meaning))) for one in BINDINGS]
        lines = lines[: height - 1]
        return (*lines, *[Line()] * (height - 1 - len(lines)), Line((Cell("any key to go back", Look.KEY),)))[:height]

    def _keys(self, width: int) -> Line:
        if self.is_typing:
            typed = (Cell(f"filter: {self._text(self._pattern)}_", Look.KEY), 2)
            return fit_line([typed, (Cell("Enter: done, Ctrl-U: all"), 1)], width)
        return fit_line(
            [
                (Cell("q quit", Look.KEY), 7),
                (Cell("h help", Look.KEY), 6),
                (Cell(f"d {'domains' if self._per_vcpu else 'vCPUs'}", Look.KEY), 5),
                (Cell(f"s sort: {self._sort.value}", Look.KEY), 4),
                (Cell("p resume" if self._paused else "p pause", Look.KEY), 3),
                (Cell("f filter", Look.KEY), 2),
                (Cell("↑↓ select" if self._blocks else "up/down select", Look.KEY), 1),
            ],
            width,
        )

    def _text(self, foreign: str) -> str:
        """Foreign text as this terminal can show it."""
        return escape(foreign).encode(self._encoding, "backslashreplace").decode(self._encoding)
