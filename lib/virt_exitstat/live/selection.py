"""Which line of which list is selected, which reason is open, and which part of a list is on the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .history import Track
from .keyboard import Press


class Cursor:
    """A list's selected line. The selection follows what it is on, not the row.

    Lines come as what they are about, the closest first: of a domain that was started again only the last, its name, is
    the same. All lines of a list have as many of these; a list may be empty.
    """

    def __init__(self) -> None:
        #: What the selected line is about; empty before the first follow().
        self.of: tuple[object, ...] = ()
        self.row = 0
        self.first_row = 0
        self.page = 1

    @property
    def last_row(self) -> int:
        """The row below the last one on the screen."""
        return self.first_row + self.page

    def follow(self, lines: Sequence[tuple[object, ...]]) -> bool:
        """Go to where the selected line is now; where it is gone, to what stands in its place. Whether it was found."""
        for place, of in enumerate(self.of):
            for row, line in enumerate(lines):
                if line[place] == of:
                    self._select(lines, row)
                    return True
        self._select(lines, self.row)
        return False

    def move(self, press: Press, lines: Sequence[tuple[object, ...]]) -> None:
        """Do what the key says; it stops at the ends."""
        self.follow(lines)
        steps = {Press.UP: -1, Press.DOWN: 1, Press.PAGE_UP: -self.page, Press.PAGE_DOWN: self.page}
        ends = {Press.FIRST: 0, Press.LAST: len(lines) - 1}
        self._select(lines, ends.get(press, self.row + steps.get(press, 0)))

    def rewind(self) -> None:
        """Start at the top of another list, unless what is selected is there too."""
        self.row = self.first_row = 0

    def scroll(self, page: int, length: int) -> None:
        """Have `page` lines of a list on the screen, the selected one among them."""
        self.page = page
        self.first_row = max(min(self.first_row, self.row, length - page), self.row - page + 1, 0)

    def _select(self, lines: Sequence[tuple[object, ...]], row: int) -> None:
        if lines:
            self.row = max(min(row, len(lines) - 1), 0)
            self.of = lines[self.row]


class Selection:
    """A place in the upper list, the reasons of the domain (or vCPU) there, and the details of one of them.

    `lines_below` gives the lines of the lower list for a track: of its reasons, or of the details of `opened`.
    """

    def __init__(self, lines_below: Callable[[Track], Sequence[tuple[object, ...]]]) -> None:
        self._lines_below = lines_below
        self.upper, self._reasons, self._details = Cursor(), Cursor(), Cursor()
        #: The reason whose details are shown; empty while reasons are.
        self.opened = ""
        #: Whether the selected line is in the lower list.
        self.is_below = False

    @property
    def lower(self) -> Cursor:
        """The cursor of the lower list."""
        return self._details if self.opened else self._reasons

    def settle(self, tracks: Sequence[Track]) -> None:
        """Have it on what is still there.

        It goes back to the upper list when its domain has ended, and to the reasons when the open one is not among
        them.
        """
        if not self.upper.follow(_lines_of(tracks)):
            self.opened, self.is_below, self._reasons = "", False, Cursor()
        reasons = tracks[self.upper.row].reasons if tracks else {}
        if self.opened not in reasons:
            self.opened = ""
        self.is_below = self.is_below and bool(reasons)
        if self.is_below:
            self.lower.follow(self._lines_below(tracks[self.upper.row]))

    def go(self, press: Press) -> None:
        """From list to list; settle() comes before and after."""
        if press is Press.SWITCH:
            self.is_below = not self.is_below
        elif press is Press.OPEN and not self.is_below:
            self.is_below = True
        elif self.opened:
            self.opened = ""
        elif press is Press.BACK:
            self.is_below = False
        else:
            self.opened, self._details = str(self._reasons.of[0]), Cursor()

    def move(self, press: Press, tracks: Sequence[Track]) -> None:
        """Along the list that has the selected line; settle() comes before."""
        if self.is_below:
            self.lower.move(press, self._lines_below(tracks[self.upper.row]))
            return
        before = self.upper.of
        self.upper.move(press, _lines_of(tracks))
        if self.upper.of != before:
            self._reasons.rewind()
            self._details.rewind()


def _lines_of(tracks: Sequence[Track]) -> list[tuple[object, ...]]:
    return [(track.key, track.key.pid, track.label) for track in tracks]
