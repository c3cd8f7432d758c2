"""Counting: one report, or one each interval."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace

from ..arguments.requests import Count
from ..errors import ExitStatus
from ..formats.aligned import import_tabulate, lay_out
from ..formats.format import Style
from ..formats.known import FORMATS
from ..host.streams import say
from ..isa.host import host_isa
from ..run.loop import run_reports
from ..run.output import Output
from ..run.signals import Signals
from ..run.sinks import LogFile, StandardOutput
from ..world import World
from .naming import make_namer
from .opening import describe_run, find_targets, make_schedule, open_session


def run(request: Count, world: World) -> ExitStatus:
    """Count until the time is up or a signal comes, and write what was counted. Raises ExitStatError."""
    import_tabulate()
    choice = request.choice
    if request.reasons:
        choice = replace(choice, reasons=host_isa(world.root).find_reasons(request.reasons))
    if request.without:
        choice = replace(choice, without=host_isa(world.root).find_reasons(request.without))
    style = Style(lay_out, request.per_vcpu, request.header, repeats=request.timing.interval_s is not None)
    if request.counting.detailed:
        namer = make_namer(world.root)
        style = replace(style, describe=namer.describe, name_of=namer.name_of)
    with contextlib.ExitStack() as opened:
        found = opened.enter_context(find_targets(request.selection, request.timing, world))
        log = opened.enter_context(LogFile(request.log)) if request.log else None
        output = Output(FORMATS[request.output], style, choice, log or StandardOutput())
        with open_session(found, request.counting, world) as session, Signals() as signals:
            session.start()
            say(describe_run(found.targets, request.timing))
            run_reports(
                session,
                make_schedule(request.timing, world),
                world.clock,
                listeners={signals.fileno(): lambda: _is_over(signals, log)},
                show=output.write,
                reports=request.timing.reports,
            )
            last = session.report(last=True)
        output.write(last)
    return found.status


def _is_over(signals: Signals, log: LogFile | None) -> bool:
    """Whether the signals that came end the run: SIGHUP has a log opened anew."""
    for number in signals.take():
        if number != signal.SIGHUP or not log:
            return True
        log.reopen()
    return False
