"""Bytes from a terminal's keyboard to the live view's keys. Pure functions."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple


class Press(enum.Enum):
    """Meanings of keys."""

    QUIT = enum.auto()
    HELP = enum.auto()
    PER_VCPU = enum.auto()
    SORT = enum.auto()
    FILTER = enum.auto()
    PAUSE = enum.auto()
    RESET = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    PAGE_UP = enum.auto()
    PAGE_DOWN = enum.auto()
    FIRST = enum.auto()
    LAST = enum.auto()
    SWITCH = enum.auto()
    OPEN = enum.auto()
    BACK = enum.auto()


class Binding(NamedTuple):
    """A key: what it is called, what it does, and the bytes that terminals send for it.

    A `detailed` one does nothing where details of exits are not counted.
    """

    press: Press
    name: str
    meaning: str
    sent: tuple[bytes, ...]
    detailed: bool = False


#: Keys that end and that edit what is typed.
ENTER, ERASE, CLEAR, ESCAPE = (b"\r", b"\n"), (b"\x7f", b"\b"), (b"\x15",), (b"\x1b",)

#: In the order of the help. Arrows come as CSI (\e[A), or as SS3 (\eOA) where a program left the keypad in
#: application mode; Home and End come as either, or as \e[1~ and \e[4~ (linux, screen).
BINDINGS = (
    Binding(Press.QUIT, "q", "quit", (b"q",)),
    Binding(Press.HELP, "h", "show the keys", (b"h", b"?")),
    Binding(Press.PER_VCPU, "d", "change between domains and vCPUs", (b"d",)),
    Binding(Press.SORT, "s", "sort by count, rate or name", (b"s",)),
    Binding(Press.FILTER, "f", "only domains whose names hold what is typed; * and ? stand for others", (b"f", b"/")),
    Binding(Press.PAUSE, "p", "pause the screen; counting goes on", (b"p",)),
    Binding(Press.RESET, "r", "count from 0 again", (b"r",)),
    Binding(Press.UP, "up", "select the line above", (b"\x1b[a",)),
    Binding(Press.DOWN, "down", "select the line below", (b"\x1b[b",)),
    Binding(Press.PAGE_UP, "page up", "a page up", (b"\x1b[5~",)),
    Binding(Press.PAGE_DOWN, "page down", "a page down", (b"\x1b[6~",)),
    Binding(Press.FIRST, "Home", "the first line", (b"\x1b[h", b"\x1b[1~")),
    Binding(Press.LAST, "End", "the last line", (b"\x1b[f", b"\x1b[4~")),
    Binding(Press.SWITCH, "Tab", "change between the upper and the lower list", (b"\t",), detailed=True),
    Binding(Press.OPEN, "Enter", "to the reasons; show what caused one's exits; back", ENTER, detailed=True),
    Binding(Press.BACK, "Esc", "a step back; so does Backspace", (*ESCAPE, *ERASE), detailed=True),
)

_PRESSES = {sent: binding.press for binding in BINDINGS for sent in binding.sent}

# A sequence, or a character of UTF-8 that has more bytes, cut off at the end.
_UNFINISHED = re.compile(rb"(\x1b(\[[0-9;]*|O)?|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_KEY = re.compile(
    rb"\x1b\[[0-9;]*[@-~]|\x1bO[@-~]"
    rb"|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|.",
    re.DOTALL,
)


def read_keys(data: bytes) -> tuple[list[bytes], bytes]:
    """The keys in `data`, each as it was sent, and an unfinished one at its end, to be put before what comes."""
    unfinished = _UNFINISHED.search(data)
    rest = unfinished.group() if unfinished else b""
    return _KEY.findall(data[: len(data) - len(rest)]), rest


def press_of(key: bytes) -> Press | None:
    """The meaning of a key, if it has one. Letters mean the same in either case."""
    return _PRESSES.get(key.replace(b"\x1bO", b"\x1b[").lower())


def text_of(key: bytes) -> str:
    """The character that a key types; empty for one that types none."""
    text = key.decode(errors="replace")
    return text if len(text) == 1 and text.isprintable() and text != "\N{REPLACEMENT CHARACTER}" else ""
