"""When reports are due, and the clock that they are kept against."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

#: A report that is early by this part of an interval is due; sums of floats are never exact.
_SLACK = 1e-6


class Clock:
    """The time, and waiting. A parameter of the program: a test's clock moves on without waiting."""

    #: How long an answer that mostly comes at once is waited for. Nobody feels that, and signals and keys wait too.
    grace_s = 0.1

    def monotonic_s(self) -> float:
        """CLOCK_MONOTONIC, in seconds."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The date and time, in UTC."""
        return datetime.now(timezone.utc)

    def wait(self, fds: Iterable[int], timeout_s: float) -> frozenset[int]:
        """Wait until one of the descriptors is readable, at most so long; which ones are."""
        # poll, for select takes no descriptor above 1023 and bcc opens one for each CPU.
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return frozenset(fd for fd, _ in poll.poll(max(0, math.ceil(timeout_s * 1000))))


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
