"""When reports are due."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: A report that is early by this part of an interval is due; sums of floats are never exact.
_SLACK = 1e-6


@dataclass(frozen=True)
class Schedule:
    """When to report: each `interval_s` after `start_s`, the last time when `duration_s` is over. None: never."""

    start_s: float
    interval_s: float | None = None
    duration_s: float | None = None

    @property
    def end_s(self) -> float:
        """When the last report is due."""
        return math.inf if self.duration_s is None else self.start_s + self.duration_s

    def due_after(self, now_s: float) -> float:
        """When the next report is due.

        Counted from the start, so late reports do not shift those that follow; what was missed is skipped.
        """
        if self.interval_s is None:
            return self.end_s
        passed = math.floor((now_s - self.start_s) / self.interval_s + _SLACK)
        due = self.start_s + (passed + 1) * self.interval_s
        return self.end_s if due + self.interval_s * _SLACK > self.end_s else due
