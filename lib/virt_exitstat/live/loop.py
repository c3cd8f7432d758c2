"""The live view at work: reports, keys and signals to the view, and what it shows to the terminal."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import sys
from collections.abc import Callable

from ..clock import Clock
from ..counts.details import Detail
from ..errors import UsageError
from ..host.streams import say
from ..reports.report import Report
from ..reports.sort import Sort
from ..run.loop import ReportSource, run_reports
from ..run.schedule import Schedule
from ..run.signals import ENDING, Signals
from .keyboard import ESCAPE, Press, press_of, read_keys
from .paint import import_rich, paint_lines
from .terminal import Terminal, TerminalGoneError
from .view import LiveView

# The Escape key is the first byte of other keys' sequences, alone. The rest of one comes sooner than this.
_ESCAPE_MS = 100

_HINT = "for a file, a pipe or a plain terminal: --interval"

# Signals that end it, as q does; that stop it; that have it drawn anew.
_WANTED = (*ENDING, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)


def check_live() -> None:
    """Raise UsageError where there is no terminal to show it on, ExitStatError without rich. Before counting starts."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or not stream.isatty():
            raise UsageError(f"--live needs a terminal, and standard {name} is not one", _HINT)
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise UsageError(f"--live needs a terminal with a cursor, and TERM is '{os.environ['TERM']}'", _HINT)
    import_rich()


def run_live(
    source: ReportSource[Report],
    schedule: Schedule,
    clock: Clock,
    *,
    reports: int | None = None,
    per_vcpu: bool = False,
    sort: Sort = Sort.COUNT,
    timed: bool = False,
    describe: Callable[[Detail], str] | None = None,
) -> None:
    """Show the source's reports until q, an ending signal, the schedule's end or that of the terminal.

    `describe` says a detail in words; None where details are not counted. Afterwards the terminal is as it was, also
    when the source raises; what was written to stderr meanwhile is shown then. Raises what check_live() raises.
    """
    check_live()
    # The console's own font (TERM=linux) has few of the block characters.
    blocks = _encodes("▁▏█↑⏎") and os.environ.get("TERM") != "linux"
    view = LiveView(
        os.uname().nodename,
        schedule.interval_s or math.inf,
        per_vcpu=per_vcpu,
        sort=sort,
        timed=timed,
        describe=describe,
        encoding=sys.stdout.encoding,
        blocks=blocks,
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), Signals(_WANTED, patient=True) as signals, Terminal(signals) as terminal:
            screen = _Screen(view, terminal, signals)
            run_reports(
                source,
                schedule,
                clock,
                listeners={signals.fileno(): screen.hear_signals, terminal.keyboard: screen.hear_keys},
                show=screen.show,
                reports=reports,
                before_wait=screen.before_wait,
            )
    except TerminalGoneError:
        pass  # as after SIGHUP
    finally:
        if said.getvalue():
            say(said.getvalue().rstrip("\n"))


class _Screen:
    """The view on a terminal."""

    def __init__(self, view: LiveView, terminal: Terminal, signals: Signals) -> None:
        self._view, self._terminal, self._signals = view, terminal, signals
        self._unfinished = b""
        self._was_stopped = False

    def before_wait(self) -> float:
        """Draw it."""
        if self._was_stopped:
            # Signals that came together with SIGCONT are heard before the terminal is taken again.
            self._was_stopped = False
            return 0
        if not self._terminal.entered:
            self._terminal.enter()
        width, height = self._terminal.size()
        lines = self._view.screen(width, height)
        self._terminal.draw(paint_lines(lines, width, ellipsis=_encodes("…")))
        return math.inf

    def show(self, report: Report) -> None:
        """Take one report in; it is drawn before the next wait."""
        self._view.add(report, report.time.astimezone().strftime("%H:%M:%S"))

    def hear_signals(self) -> bool:
        """Whether to end."""
        caught = self._signals.take()
        if caught & {*ENDING, signal.SIGQUIT}:
            return True
        if signal.SIGTSTP in caught:
            self._terminal.leave()
            self._signals.stop_process()
            self._was_stopped = True
        return False

    def hear_keys(self) -> bool:
        """Whether to end."""
        if not self._terminal.entered:
            return False
        keys, self._unfinished = read_keys(self._unfinished + self._terminal.read())
        if self._unfinished in ESCAPE and self._view.can_go_back and not self._terminal.has_more(_ESCAPE_MS):
            keys, self._unfinished = [*keys, self._unfinished], b""
        for key in keys:
            if self._view.is_typing:
                self._view.type_key(key)
            elif press_of(key) is Press.QUIT and not self._view.shows_help:
                return True
            else:
                self._view.press(press_of(key))
        return False


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True
