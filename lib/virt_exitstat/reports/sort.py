"""Orders of a table's rows."""

from __future__ import annotations

import enum


class Sort(enum.Enum):
    """Values of --sort. Within one report, exits and exits per second make the same order. TIME needs exits timed."""

    COUNT = "count"
    RATE = "rate"
    TIME = "time"
    NAME = "name"
