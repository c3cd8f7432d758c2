"""The live view's lines to what a terminal understands. The door to rich."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from typing import Any

from ..host.needs.foreign import importing
from ..host.needs.packages import Need
from .cells import GAP, Cell, Line, Look

# Only the sixteen colours that every terminal has, and that its user has chosen.
_STYLES = {
    Look.PLAIN: "",
    Look.TITLE: "bold",
    Look.HEADING: "cyan",
    Look.SORTED: "bold cyan underline",
    Look.BAR: "green",
    Look.HISTORY: "yellow",
    Look.KEY: "reverse",
    Look.ALARM: "bold red",
}


def import_rich() -> tuple[Any, Any]:
    """rich's Console and Text. Called before counting starts too: that must not end in this ExitStatError."""
    with importing("rich", Need.RICH, hint="--interval shows figures at intervals without it"):
        return importlib.import_module("rich.console").Console, importlib.import_module("rich.text").Text


def paint_lines(lines: Sequence[Line], width: int, *, ellipsis: bool) -> list[str]:
    """Each line as text with escape sequences, `width` columns wide.

    Texts are never parsed for markup. `ellipsis` says whether the terminal has the character that marks a cut.
    """
    make_console, make_text = import_rich()
    console = make_console(file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False)
    overflow = "ellipsis" if ellipsis else "crop"
    with console.capture() as captured:
        painted = make_text("\n").join([_paint_line(line, width, overflow, make_text) for line in lines])
        console.print(painted, end="", no_wrap=True, overflow="crop")
    done: list[str] = captured.get().split("\n")
    return done[: len(lines)]  # rich 9 ends with a line feed, later ones do not


def _paint_line(line: Line, width: int, overflow: str, make_text: Any) -> Any:
    cells = [_paint_cell(cell, line, overflow, make_text) for cell in line.cells]
    painted = make_text(" " * GAP, style="reverse" if line.selected else "").join(cells)
    painted.truncate(width, overflow=overflow, pad=True)
    return painted


def _paint_cell(cell: Cell, line: Line, overflow: str, make_text: Any) -> Any:
    style = _STYLES[cell.look]
    if line.selected and cell.look in (Look.BAR, Look.HISTORY):
        style += " not reverse"  # in reverse, a bar looks full where it is empty
    text = make_text(cell.text, style=style, overflow=overflow)
    if cell.width:
        text.align("right" if cell.right else "left", cell.width)
    return text
