"""Formats as values: a name, and a function from a report to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..counts.details import Detail
from ..reports.report import Report


@dataclass(frozen=True)
class Grid:
    """Cells of text in columns. `alignment` is left or right for each; `headings` is empty where none are wanted."""

    headings: Sequence[str]
    alignment: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Style:
    """Wishes for reports that hold in every format.

    `lay_out` makes aligned text of a grid (aligned.py). `describe` words details; it is None where none are wanted, and
    `name_of` gives only their names. `repeats` says that more reports may come, `is_first` that nothing stands before
    this one.
    """

    lay_out: Callable[[Grid], str]
    per_vcpu: bool = False
    header: bool = True
    repeats: bool = False
    is_first: bool = True
    describe: Callable[[Detail], str] | None = None
    name_of: Callable[[Detail], str] = lambda _detail: ""


@dataclass(frozen=True)
class Format:
    """One way to write reports. `about` says what it is, in the help. `render` gives the whole text, its end too."""

    name: str
    about: str
    render: Callable[[Report, Style], str]


def set_apart(text: str, style: Style) -> str:
    """Text for the eye: an empty line stands between it and what is before."""
    return text and ("" if style.is_first else "\n") + text + "\n"
