"""What the rows of a table are sorted by."""

from __future__ import annotations

import enum


class Sort(enum.Enum):
    """What --sort can ask for. Within one report, exits and exits per second make the same order."""

    COUNT = "count"
    RATE = "rate"
    NAME = "name"
