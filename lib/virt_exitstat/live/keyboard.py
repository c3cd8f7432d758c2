"""Bytes from a terminal's keyboard to the live view's keys. Pure functions."""

from __future__ import annotations

import enum
import re


class Press(enum.Enum):
    """Meanings of keys."""

    QUIT = enum.auto()
    PER_VCPU = enum.auto()
    SORT = enum.auto()
    PAUSE = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    PAGE_UP = enum.auto()
    PAGE_DOWN = enum.auto()
    FIRST = enum.auto()
    LAST = enum.auto()


# Arrows come as CSI (\e[A), or as SS3 (\eOA) where a program left the keypad in application mode; Home and End come
# as either, or as \e[1~ and \e[4~ (linux, screen).
_PRESSES = {
    b"q": Press.QUIT,
    b"d": Press.PER_VCPU,
    b"s": Press.SORT,
    b"p": Press.PAUSE,
    b"[a": Press.UP,
    b"[b": Press.DOWN,
    b"[5~": Press.PAGE_UP,
    b"[6~": Press.PAGE_DOWN,
    b"[h": Press.FIRST,
    b"[f": Press.LAST,
    b"[1~": Press.FIRST,
    b"[4~": Press.LAST,
}

_UNFINISHED = re.compile(rb"\x1b(\[[0-9;]*|O)?\Z")
_KEY = re.compile(rb"\x1b(\[[0-9;]*[@-~]|O[@-~])|.", re.DOTALL)


def read_presses(data: bytes) -> tuple[list[Press], bytes]:
    """The keys in `data` that mean something, and an unfinished sequence at its end, to be put before what comes."""
    unfinished = _UNFINISHED.search(data)
    rest = unfinished.group() if unfinished else b""
    found = _KEY.finditer(data[: len(data) - len(rest)])
    keys = ((match.group(1) or match.group()).replace(b"O", b"[").lower() for match in found)
    return [_PRESSES[key] for key in keys if key in _PRESSES], rest
