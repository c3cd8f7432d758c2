"""Text for people: foreign names made safe to show on a terminal, numbers of things."""

from __future__ import annotations

import textwrap

#: Columns of a terminal, without the last one.
WIDTH = 79


def escape(text: str) -> str:
    """The text with whatever a terminal would not print as itself (control characters, bidi marks) as `\\x1b`."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def plural(number: int, thing: str) -> str:
    """A number of things: `1 exit`, `2 exits`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def cut(text: str, most: int) -> str:
    """The text in so many letters at most; two dots stand for what is missing."""
    return text if len(text) <= most else f"{text[: most - 2]}.."


def fill(text: str, first: str = "", further: str = "") -> str:
    """The text in lines for a terminal, which begin with `first` and `further`. A hyphen stays in its word."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=further, break_on_hyphens=False)
