"""From Options to the report: resolve, count, show. The way in and the way out."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from . import domains, threads
from .attach_plan import plan_attachment
from .completion import find_candidates
from .counter import Counter
from .errors import ExitStatError, ExitStatus, NotFoundError, NotKvmError, UsageError
from .exit_counter import ExitCounter
from .options import Options, parse_options
from .render import import_tabulate, render_list, render_report
from .report import make_report
from .snapshot import CountSnapshot
from .targets import Target, Targets, ThreadFilter, describe_vcpus
from .terminal import escape

#: How often a long count looks for rows to free, in seconds.
_HOUSEKEEPING_S = 5


def run_cli() -> NoReturn:
    """Run with this process's arguments, report errors the way users read them, and exit."""
    debug = "--debug" in sys.argv[1:]
    # Outside of counting, where signals are held back, Ctrl-C ends us as it ends any program, also while libvirt does
    # not answer or clang compiles: Python's handler would wait for them. One that is ignored (nohup) stays so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if sys.stdout is None:
            raise ExitStatError("standard output is closed", "let it go to a terminal, a file or a pipe")
        # A name that the terminal's encoding lacks is shown escaped, not refused.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        status = main(sys.argv[1:])
    except ExitStatError as error:
        if debug:
            traceback.print_exc()
        print(f"virt-exitstat: {error}\nhint: {error.hint}", file=sys.stderr)
        status = error.status
    except BrokenPipeError:
        # The reader (`| head`) has seen enough.
        status = ExitStatus.FAILURE
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"virt-exitstat: internal error: {error!r}\nhint: please report what --debug shows", file=sys.stderr)
        status = ExitStatus.FAILURE
    if status is not ExitStatus.OK:
        # What could not be written must not fail once more when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)


def main(
    argv: Sequence[str],
    *,
    connection: Any = None,
    counter: Callable[[ThreadFilter], Counter] | None = None,
    root: Path = Path("/"),
) -> ExitStatus:
    """Do what `argv` asks for and return the exit status; data goes to stdout, progress to stderr.

    `connection` (a virConnect), `counter` (makes what counts, given a filter) and `root` (where /proc, /sys and /run
    are) stand for the real ones when they are given. Raises ExitStatError.
    """
    if any(word.partition("=")[0] == "--complete" for word in argv):
        return _complete(argv, connection, root)
    options = parse_options(argv)
    run_dir = None
    if not (options.pids or options.tids or options.all_processes):
        connection = connection or domains.open_connection(options.uri)
        run_dir = domains.run_directory(connection, root)
    targets = _restrict(_resolve(options, connection, run_dir, root), options)
    if options.list:
        _print(render_list(targets))
        return ExitStatus.OK

    import_tabulate()
    make_counter = counter or (
        lambda wanted: ExitCounter(
            wanted,
            plan_attachment(root, options.attachment),
            max_vcpus=options.max_vcpus,
            root=root,
            debug=options.debug,
        )
    )
    with make_counter(targets.thread_filter()) as counting:
        delta = _count(counting, targets, options.duration_s, root)
        ended = [target.pid for target in targets.targets if not threads.is_running(target.pid, root)]
        # vCPUs that were plugged in meanwhile have been counted and are named now.
        known = [
            replace(target, vcpus=tuple(sorted({*target.vcpus, *threads.current_vcpus(target, run_dir, root)})))
            for target in targets.targets
        ]
        report = make_report(replace(targets, targets=tuple(known)), delta, counting.reason_name, ended)
    _print(render_report(report, per_vcpu=options.per_vcpu))
    return ExitStatus.OK


def _print(text: str) -> None:
    """Print on stdout, at once: an error of the file or pipe behind it is met here and not at exit."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ExitStatError(
            f"cannot write to standard output: {error.strerror}", "make room, or write elsewhere"
        ) from None


def _complete(argv: Sequence[str], connection: Any, root: Path) -> ExitStatus:
    """Print what a shell asks for, a line each. A message would land in the middle of what the user types: there is
    none, whatever is wrong.
    """
    words: Sequence[str] = ()
    with contextlib.suppress(Exception):
        words = find_candidates(parse_options(argv), connection, root)
    for word in words:
        _print(word)
    return ExitStatus.OK


def _resolve(options: Options, connection: Any, run_dir: Path | None, root: Path) -> Targets:
    if options.all_processes:
        return Targets(threads.kvm_processes(root), everything=True)
    if options.tids:
        return Targets(threads.resolve_threads(options.tids, root))
    if options.pids:
        return Targets(tuple(threads.resolve_process(pid, root) for pid in dict.fromkeys(options.pids)))
    assert run_dir
    if options.domains:
        wanted = domains.find_domains(connection, options.domains)
        return Targets(tuple(threads.resolve_domain(domain, run_dir, root) for domain in wanted))
    found = []
    for domain in domains.running_domains(connection):
        try:
            found.append(threads.resolve_domain(domain, run_dir, root))
        except NotKvmError as error:
            print(f"virt-exitstat: left out: {error}", file=sys.stderr)
        except ExitStatError:
            if any(domain == still for still in domains.running_domains(connection)):
                raise
            # It ended between the list and the look at its threads.
    if not found and not options.list:
        raise NotFoundError(
            f"no KVM domain runs at {connection.getURI()}", "start one with 'virsh start'; -c names another URI"
        )
    return Targets(tuple(found))


def _restrict(targets: Targets, options: Options) -> Targets:
    """Keep only the vCPUs that --vcpu names."""
    if options.vcpus is None:
        return targets
    named = options.domains or options.pids
    if not named and (targets.everything or len(targets.targets) > 1):
        raise UsageError(
            "--vcpu needs a domain when several run",
            "name one of: " + ", ".join(escape(target.label) for target in targets.targets[:8]),
        )
    return Targets(tuple(_restrict_target(target, options.vcpus) for target in targets.targets))


def _restrict_target(target: Target, numbers: frozenset[int]) -> Target:
    missing = numbers - {vcpu.number for vcpu in target.vcpus}
    if missing:
        who = f"domain '{escape(target.label)}'" if target.domain else f"process {target.pid}"
        has = f"it has {describe_vcpus(vcpu.number for vcpu in target.vcpus)}"
        if not target.vcpus:
            has = "its threads do not say which vCPU they are; QEMU's '-name debug-threads=on' does, or use --tid"
        raise NotFoundError(f"{who} has no {describe_vcpus(missing)}", has)
    chosen = tuple(vcpu for vcpu in target.vcpus if vcpu.number in numbers)
    return replace(target, vcpus=chosen, tids=frozenset(vcpu.tid for vcpu in chosen))


def _count(counting: Counter, targets: Targets, duration_s: float | None, root: Path) -> CountSnapshot:
    """Count until the time is up or a signal says so; the counts since the start, with the measured time."""
    # Held back, not handled: a signal at any moment from here on ends the wait, and none can fall between attaching
    # and detaching. One that the caller had us ignore (nohup) stays ignored.
    stop = {
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    try:
        counting.attach()
        start = counting.snapshot()
        length = f"for {duration_s:g} s, Ctrl-C to stop" if duration_s else "until Ctrl-C"
        print(f"counting exits of {_describe(targets)} {length}", file=sys.stderr, flush=True)
        deadline = math.inf if duration_s is None else time.monotonic() + duration_s
        while (left := deadline - time.monotonic()) > 0 and not signal.sigtimedwait(stop, min(left, _HOUSEKEEPING_S)):
            counting.free_rows(lambda thread: not threads.is_running(thread.tgid, root, tid=thread.tid))
        end = counting.snapshot()
        counting.detach()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return end.since(start)


def _describe(targets: Targets) -> str:
    if targets.everything:
        return "every KVM process"
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
