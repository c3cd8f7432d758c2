"""Grids to text in aligned columns. The door to tabulate."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from ..host.needs.foreign import importing
from ..host.needs.packages import Need
from .format import Grid


def import_tabulate() -> Any:
    """The table library. Called before counting starts too: a long count must not end in this ExitStatError."""
    with importing("tabulate", Need.TABULATE):
        return importlib.import_module("tabulate")


def lay_out(grid: Grid) -> str:
    """Aligned columns, two spaces apart. The headings may be empty."""
    tabulate = import_tabulate()
    tabulate.MIN_PADDING = 0  # columns stand two spaces apart, under wide headers too
    if not grid.rows:  # tabulate 0.8 and 0.9 stumble over an alignment without rows
        return "  ".join(grid.headings)
    # A domain's name may begin with a space. Since tabulate 0.10 that is an argument; before, a variable of the module.
    tabulate.PRESERVE_WHITESPACE = True
    parameters = inspect.signature(tabulate.tabulate).parameters
    keep = {"preserve_whitespace": True} if "preserve_whitespace" in parameters else {}
    # Numbers come as text, ready to print: tabulate must not parse a domain named 0x10 or 1e5.
    text: str = tabulate.tabulate(
        grid.rows, headers=grid.headings, tablefmt="plain", colalign=grid.alignment, disable_numparse=True, **keep
    )
    return text
