"""From Options to the report: resolve, count, show. The way in and the way out."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from .arguments.options import Options
from .arguments.parser import TextWanted, parse_options
from .clock import Clock
from .commands.complete import find_candidates
from .commands.listing import render_list
from .counts.counter import Counter
from .domains import libvirtd
from .domains.asker import Asker
from .domains.resolve import LeftOut, resolve
from .domains.sources import EveryProcess, KnownTargets, RunningDomains, TargetSource
from .domains.uri import choose_uri
from .errors import ExitStatError, ExitStatus
from .formats.aligned import import_tabulate, lay_out
from .formats.format import Style
from .formats.known import FORMATS
from .host.files import explain_refusal
from .host.streams import drop_unwritten, open_missing_streams, say
from .isa.host import host_isa
from .kernel.attach_plan import plan_attachment
from .kernel.exit_counter import ExitCounter
from .kernel.prerequisites import raise_descriptor_limit
from .run.loop import count
from .run.output import Output
from .run.schedule import Schedule
from .run.session import Session
from .run.signals import Signals
from .run.sinks import LogFile, StandardOutput
from .targets.target import Target, Targets, describe_vcpus
from .targets.thread_filter import ThreadFilter
from .text import escape

#: How long a shell's completion waits for libvirt, in seconds; the user's line stands still meanwhile.
_COMPLETION_S = 5


def run_cli(run: Callable[[Sequence[str]], ExitStatus] | None = None) -> NoReturn:
    """Run main(), or what stands for it, with this process's arguments, report errors the way users read them, exit."""
    open_missing_streams()
    raise_descriptor_limit()
    debug = "--debug" in sys.argv[1:]
    # Outside of counting, where signals are held back, Ctrl-C ends us as it ends any program, also while libvirt does
    # not answer or clang compiles: Python's handler would wait for them. One that is ignored (nohup) stays so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if sys.stdout is None:
            raise ExitStatError("standard output is closed", "let it go to a terminal, a file or a pipe")
        status = (run or main)(sys.argv[1:])
    except Exception as error:
        status = _report(error, debug=debug)
    drop_unwritten()
    # Python's own way out closes connections, which waits for a daemon that may hang, and a thread that comes back from
    # libvirt's code into an interpreter that is gone may crash.
    os._exit(status)


def _report(error: Exception, *, debug: bool) -> ExitStatus:
    """Tell the user, and say how to end."""
    if isinstance(error, BrokenPipeError):
        return ExitStatus.FAILURE  # the reader (`| head`) has seen enough
    if debug:
        say(traceback.format_exc())
    if isinstance(error, (OSError, MemoryError)):
        # No descriptors, no memory, a full disk: that can happen anywhere.
        error = explain_refusal(error)
    if isinstance(error, ExitStatError):
        say(f"virt-exitstat: {error}\nhint: {error.hint}")
        return error.status
    say(f"virt-exitstat: internal error: {error!r}\nhint: please report what --debug shows")
    return ExitStatus.FAILURE


def main(
    argv: Sequence[str],
    *,
    connection: Any = None,
    counter: Callable[[ThreadFilter], Counter] | None = None,
    root: Path = Path("/"),
    clock: Clock | None = None,
) -> ExitStatus:
    """Do what `argv` asks for and return the exit status; data goes to stdout, progress to stderr.

    `connection` (a virConnect), `counter` (makes what counts, given a filter), `root` (where /proc, /sys and /run are)
    and `clock` stand for the real ones when they are given. Raises ExitStatError.
    """
    if any(word.partition("=")[0] == "--complete" for word in argv):
        return _complete(argv, connection, root)
    try:
        options = parse_options(argv)
    except TextWanted as wanted:
        StandardOutput().write(wanted.text)
        return ExitStatus.OK
    with _make_asker(options, connection, note=_note) as asker:
        return _run(options, asker, counter, root, clock or Clock())


def _run(
    options: Options, asker: Asker, counter: Callable[[ThreadFilter], Counter] | None, root: Path, clock: Clock
) -> ExitStatus:
    if options.live:
        from .live.loop import check_live  # only here, and below: completion asks often, and waits for every import

        check_live()
    run_dir = None
    if options.by_libvirt:
        run_dir = asker.ask(functools.partial(libvirtd.run_directory, root=root))
    left_out = LeftOut(_note)
    resolved = resolve(options, asker, run_dir, root, note=_note, left_out=left_out)
    targets = resolved.targets
    if options.list:
        StandardOutput().write(lay_out(render_list(targets, header=options.header)) + "\n")
        return resolved.status

    import_tabulate()
    choice = options.choice
    if options.reasons:
        choice = replace(choice, reasons=host_isa(root).find_reasons(options.reasons))
    make_counter = counter or (
        lambda wanted: ExitCounter(
            wanted,
            plan_attachment(root, options.attachment),
            max_vcpus=options.max_vcpus,
            root=root,
            debug=options.debug,
        )
    )
    # Only libvirt tells what has come; a single report is of what was there when it began.
    follows = bool(options.by_libvirt and options.interval_s)
    source: TargetSource = KnownTargets(run_dir, root)
    if targets.everything:
        source = EveryProcess(root)
    elif follows and run_dir:
        source = RunningDomains(
            options, resolved.named, asker, run_dir=run_dir, root=root, clock=clock, note=_note, left_out=left_out
        )
    with contextlib.ExitStack() as files:
        log = files.enter_context(LogFile(options.log)) if options.log else None
        style = Style(lay_out, options.per_vcpu, options.header, repeats=options.interval_s is not None)
        output = Output(FORMATS[options.output], style, choice, log or StandardOutput())
        with make_counter(targets.thread_filter(changes=follows)) as counting:
            session = Session(counting, targets, source, clock=clock, root=root, follows=follows)
            if options.live:
                session.start()
                _run_live(session, options)
                return resolved.status
            with Signals() as signals:
                session.start()
                say(f"counting exits of {_describe(targets)} {_describe_time(options)}")
                schedule = Schedule(clock.monotonic_s(), options.interval_s, options.duration_s)
                reopen = log.reopen if log else None
                last = count(session, schedule, signals, clock, reports=options.count, show=output.write, reopen=reopen)
        output.write(last)
    return resolved.status


def _run_live(session: Session, options: Options) -> None:
    from .live.loop import run_live

    interval_s = options.interval_s or 1
    run_live(
        session,
        interval_s,
        duration_s=min(options.duration_s or math.inf, (options.count or math.inf) * interval_s),
        per_vcpu=options.per_vcpu,
        sort=options.choice.sort,
    )


def _make_asker(options: Options, connection: Any, **more: Any) -> Asker:
    uri = choose_uri(options.uri)
    connect = functools.partial(libvirtd.open_connection, uri, events=bool(options.interval_s))
    return Asker(connect, where=uri, connection=connection, watches=bool(options.interval_s), **more)


def _note(text: str) -> None:
    say(f"virt-exitstat: {text}")


def _complete(argv: Sequence[str], connection: Any, root: Path) -> ExitStatus:
    """Print what a shell asks for, a line each. A message would land in the middle of what the user types: there is
    none, whatever is wrong.
    """
    words: Sequence[str] = ()
    with contextlib.suppress(Exception):
        options = parse_options(argv)
        with _make_asker(options, connection, limit_s=_COMPLETION_S) as asker:
            words = find_candidates(options, asker, root)
    StandardOutput().write("".join(f"{word}\n" for word in words))
    return ExitStatus.OK


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


def _describe_time(options: Options) -> str:
    every = f"every {options.interval_s:g} s, " if options.interval_s else ""
    times = "" if options.count is None else "once, " if options.count == 1 else f"{options.count} times, "
    return every + times + (f"for {options.duration_s:g} s, Ctrl-C to stop" if options.duration_s else "until Ctrl-C")


def _describe_threads(target: Target) -> str:
    if target.vcpus:
        return describe_vcpus(vcpu.number for vcpu in target.vcpus)
    return "tid " + ",".join(map(str, sorted(target.tids or ())))
