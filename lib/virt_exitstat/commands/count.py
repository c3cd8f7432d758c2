"""Counting: one report, or one each interval."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace

from ..arguments.requests import Count, Timing
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
from ..targets.target import Target, Targets, describe_vcpus
from ..text import escape
from ..world import World
from .naming import make_namer
from .opening import find_targets, make_schedule, open_session


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
            say(f"counting exits of {_describe(found.targets)} {_describe_time(request.timing)}")
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


def _describe(targets: Targets) -> str:
    if targets.everything:
        return "every KVM process"
    if not targets.targets:
        return "every domain that starts"
    names = ", ".join(
        escape(target.label) + (f" {_describe_threads(target)}" if target.tids else "") for target in targets.targets
    )
    if len(targets.targets) == 1 or len(names) <= 32:  # the line stays below 80 columns
        return names
    return f"{len(targets.targets)} {'domains' if targets.targets[0].domain else 'processes'}"


def _describe_threads(target: Target) -> str:
    if target.vcpus:
        return describe_vcpus(vcpu.number for vcpu in target.vcpus)
    return "tid " + ",".join(map(str, sorted(target.tids or ())))


def _describe_time(timing: Timing) -> str:
    every = f"every {timing.interval_s:g} s, " if timing.interval_s else ""
    times = "" if timing.reports is None else "once, " if timing.reports == 1 else f"{timing.reports} times, "
    return every + times + (f"for {timing.duration_s:g} s, Ctrl-C to stop" if timing.duration_s else "until Ctrl-C")
