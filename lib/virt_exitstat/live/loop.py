"""The live view at work: reports, keys and signals to the view, and what it shows to the terminal."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import sys
import time
from typing import Protocol

from ..clock import Clock
from ..errors import UsageError
from ..host.streams import say
from ..reports.report import Report
from ..reports.sort import Sort
from .keyboard import Press, read_presses
from .paint import import_rich, paint_lines
from .terminal import ENDING, Terminal, TerminalGoneError, caught_signals, stop_process
from .view import LiveView

_HINT = "for a file, a pipe or a plain terminal: --interval"


class ReportSource(Protocol):
    """What the live view shows."""

    def report(self) -> Report:
        """The exits since the last call."""
        ...

    def fileno(self) -> int:
        """Readable when domains have come or gone; -1 if nothing ever says so."""
        ...

    def refresh(self) -> None:
        """Look again which domains run; `fileno()` is not readable after that."""
        ...


def check_live() -> None:
    """Raise UsageError where there is no terminal to show it on, ExitStatError without rich. Before counting starts."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or not stream.isatty():
            raise UsageError(f"--live needs a terminal, and standard {name} is none", _HINT)
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise UsageError(f"--live needs a terminal with a cursor, and TERM is '{os.environ['TERM']}'", _HINT)
    import_rich()


def run_live(
    source: ReportSource,
    interval_s: float,
    *,
    duration_s: float = math.inf,
    per_vcpu: bool = False,
    sort: Sort = Sort.COUNT,
) -> None:
    """Show the source's reports, one an interval, until q, an ending signal, or `duration_s` is over (or the terminal).

    Afterwards the terminal is as it was, also when the source raises; what was written to stderr meanwhile is shown
    then. Signals may come in held back, and go out so. Raises what check_live() raises.
    """
    check_live()
    # The console's own font (TERM=linux) has few of the block characters.
    blocks = _encodes("▁▏█↑") and os.environ.get("TERM") != "linux"
    view = LiveView(
        os.uname().nodename, interval_s, per_vcpu=per_vcpu, sort=sort, encoding=sys.stdout.encoding, blocks=blocks
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), caught_signals() as wakeup, Terminal(wakeup) as terminal:
            _show(source, view, terminal, wakeup, interval_s, duration_s)
    except TerminalGoneError:
        pass  # as after SIGHUP
    finally:
        if said.getvalue():
            say(said.getvalue().rstrip("\n"))


def _show(
    source: ReportSource, view: LiveView, terminal: Terminal, wakeup: int, interval_s: float, duration_s: float
) -> None:
    clock = Clock()
    start = clock.monotonic_s()
    intervals = 1
    unfinished = b""
    while True:
        wait_s = 0.0
        if terminal.entered:
            _draw(view, terminal)
            # At most what the system call takes: a turn too many does no harm.
            wait_s = min(max(start + min(intervals * interval_s, duration_s) - clock.monotonic_s(), 0), 1e6)
        watched = [terminal.keyboard, wakeup, source.fileno()]
        readable = clock.wait([fd for fd in watched if fd >= 0], wait_s)
        if wakeup in readable:
            caught = set(os.read(wakeup, 4096))
            if caught & ENDING:
                return
            if signal.SIGTSTP in caught:
                terminal.leave()
                stop_process()
                continue  # what came together with being continued is heard before the terminal is taken again
        if not terminal.entered:
            terminal.enter()
            continue
        if terminal.keyboard in readable:
            presses, unfinished = read_presses(unfinished + terminal.read())
            if Press.QUIT in presses:
                return
            for press in presses:
                view.press(press)
        if source.fileno() in readable:
            source.refresh()
        now = clock.monotonic_s()
        if now >= start + intervals * interval_s:
            view.add(source.report(), time.strftime("%H:%M:%S"))
            # Late once is not late for good, and what was slept through is not made up for.
            intervals = math.floor((now - start) / interval_s) + 1
        if now >= start + duration_s:
            return


def _draw(view: LiveView, terminal: Terminal) -> None:
    width, height = terminal.size()
    terminal.draw(paint_lines(view.screen(width, height), width, ellipsis=_encodes("…")))


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True
