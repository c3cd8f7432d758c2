"""The loop of every run: wait, report, wait, until the time is up or somebody says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from ..clock import Clock
from .schedule import Schedule

#: A long wait is used to have rows freed, every so many seconds.
_HOUSEKEEPING_S = 5


_Made = TypeVar("_Made")
_Makes = TypeVar("_Makes", covariant=True)


class ReportSource(Protocol[_Makes]):
    """Makes reports: a Session, what stands before one and makes something else of its readings, or a stand-in."""

    def report(self) -> _Makes:
        """The exits since the last call."""

    def fileno(self) -> int:
        """Readable when refresh() is worth a call before the next report; -1 when it never is."""

    def refresh(self) -> None:
        """Find the targets that exist now."""

    def keep_house(self) -> None:
        """Make room for new threads."""


def run_reports(
    source: ReportSource[_Made],
    schedule: Schedule,
    clock: Clock,
    *,
    listeners: Mapping[int, Callable[[], bool]],
    show: Callable[[_Made], None],
    reports: int | None = None,
    before_wait: Callable[[], float] = lambda: math.inf,
) -> None:
    """Show each report when it is due, but for the one that the run ends with: that is the caller's.

    The run ends when the schedule does, when that report would be the `reports`-th, or when a listener says True: it is
    called when its descriptor is readable. `before_wait` is called before each wait and says how many seconds it may
    take at most.
    """
    shown = 0
    kept_s = clock.monotonic_s()

    def wait_until(due_s: float) -> bool:
        """True when a listener ends the run."""
        nonlocal kept_s
        fds = [fd for fd in (*listeners, source.fileno()) if fd >= 0]
        while True:
            most_s = min(before_wait(), _HOUSEKEEPING_S)
            left_s = due_s - clock.monotonic_s()
            ready = clock.wait(fds, min(max(left_s, 0), most_s))
            if any(listen() for fd, listen in listeners.items() if fd in ready):
                return True
            # Also when the report is due: on a slow host that is always so.
            if source.fileno() in ready:
                source.refresh()
            if left_s <= 0:
                return False
            if clock.monotonic_s() - kept_s >= _HOUSEKEEPING_S:
                source.keep_house()
                kept_s = clock.monotonic_s()

    while True:
        due_s = schedule.due_after(clock.monotonic_s())
        if wait_until(due_s) or due_s >= schedule.end_s or shown + 1 == reports:
            return
        show(source.report())
        kept_s = clock.monotonic_s()
        shown += 1
