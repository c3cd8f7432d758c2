"""The run: wait, report, wait, until the time is up or a signal says so."""

from __future__ import annotations

import signal
from collections.abc import Callable

from ..clock import Clock
from ..reports.report import Report
from .schedule import Schedule
from .session import Session
from .signals import Signals

#: How often a long count has rows freed, in seconds.
_HOUSEKEEPING_S = 5


def count(
    session: Session,
    schedule: Schedule,
    signals: Signals,
    clock: Clock,
    *,
    reports: int | None,
    show: Callable[[Report], None],
    reopen: Callable[[], None] | None,
) -> Report:
    """Count, `show` each report that is not the last, and return that one: what is left when the time is up, a signal
    comes or it is the `reports`-th.

    SIGHUP calls `reopen`, if there is something to open anew, and ends the run otherwise.
    """
    shown = 0
    while True:
        due_s = schedule.due_after(clock.monotonic_s())
        stopped = _wait(session, due_s, signals, clock, reopen)
        if stopped or due_s >= schedule.end_s or shown + 1 == reports:
            return session.report(last=True)
        show(session.report())
        shown += 1


def _wait(session: Session, due_s: float, signals: Signals, clock: Clock, reopen: Callable[[], None] | None) -> bool:
    """Wait until a time; True when a signal ended it before."""
    fds = [fd for fd in (signals.fileno(), session.fileno()) if fd >= 0]
    while True:
        left_s = due_s - clock.monotonic_s()
        ready = clock.wait(fds, min(max(left_s, 0), _HOUSEKEEPING_S))
        for number in signals.take() if signals.fileno() in ready else ():
            if number != signal.SIGHUP or not reopen:
                return True
            reopen()
        if left_s <= 0:
            return False
        if session.fileno() in ready:
            session.refresh()
        session.keep_house()
