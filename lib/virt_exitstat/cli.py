"""The command line: parse to Options, resolve, count, report."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from . import __version__, domains, threads
from .errors import ExitStatError, ExitStatus, NotFoundError, NotKvmError, UsageError
from .exit_counter import Counter, ExitCounter
from .render import escape, import_tabulate, render_list, render_report
from .report import make_report
from .snapshot import CountSnapshot
from .targets import Target, Targets, ThreadFilter, describe_vcpus

_EXAMPLES = """\
examples:
  virt-exitstat guest01                 count until Ctrl-C, then show all vCPUs as one
  virt-exitstat guest01 10              count for 10 seconds
  virt-exitstat guest01 --vcpu 0 10     vCPU 0 only
  virt-exitstat guest01 --per-vcpu 10   a table for each vCPU
  virt-exitstat 10                      every running domain
  virt-exitstat -d 42 10                the domain that is named 42
  virt-exitstat --list                  which process and threads the domains are
  virt-exitstat --pid 4242 --vcpu 0 10  a QEMU that libvirt does not manage
  virt-exitstat --pid all 10            every KVM process of this host
"""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")

#: Longest DURATION, in seconds: 31 years. The kernel's timers end somewhere above.
_LONGEST_S = 1e9

#: No domain has more; libvirt's own limit is far below.
_HIGHEST_VCPU = 65535


@dataclass(frozen=True)
class Options:
    """What the command line asks for. Names are not looked up yet."""

    domains: tuple[str, ...] = ()
    duration_s: float | None = None
    vcpus: frozenset[int] | None = None
    per_vcpu: bool = False
    pids: tuple[int, ...] = ()
    all_processes: bool = False
    tids: tuple[int, ...] = ()
    list: bool = False
    uri: str | None = None
    debug: bool = False
    complete: bool = False


def run_cli() -> NoReturn:
    """Run with this process's arguments, report errors the way users read them, and exit."""
    debug = "--debug" in sys.argv[1:]
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
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
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
    options = parse_options(argv)
    if options.complete:
        return _complete(options, connection)
    run_dir = None
    if not (options.pids or options.tids or options.all_processes):
        connection = connection or domains.open_connection(options.uri)
        run_dir = domains.run_directory(connection, root)
    targets = _restrict(_resolve(options, connection, run_dir, root), options)
    if options.list:
        _print(render_list(targets))
        return ExitStatus.OK

    import_tabulate()
    make_counter = counter or (lambda wanted: ExitCounter(wanted, root=root, debug=options.debug))
    with make_counter(targets.thread_filter()) as counting:
        delta = _count(counting, targets, options.duration_s)
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


def parse_options(argv: Sequence[str]) -> Options:
    """The command line as a value. Raises UsageError; exits only for --help and --version."""
    parser = _Parser(
        prog="virt-exitstat",
        usage="%(prog)s [options] [DOMAIN ...] [DURATION]",
        description="Count the KVM exits that libvirt domains take, by exit reason, per domain or per vCPU.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # argparse cannot tell a last number from the domains before it; _split_duration does.
    parser.add_argument(
        "words",
        nargs="*",
        metavar="DOMAIN",
        help="name, UUID or id of a running domain (default: every one);"
        " a number at the end is DURATION, in seconds (default: until Ctrl-C)",
    )
    parser.add_argument(
        "-d",
        "--domain",
        action="append",
        default=[],
        metavar="NAME",
        help="a domain, also one whose name is a number; may be repeated",
    )
    parser.add_argument("--vcpu", metavar="LIST", help="only these vCPUs, as in 0 or 0,2-5")
    parser.add_argument("-a", "--per-vcpu", action="store_true", help="a table for each vCPU, the busiest first")
    parser.add_argument(
        "-p",
        "--pid",
        action="append",
        default=[],
        metavar="PID",
        help="a KVM process instead of a domain; 'all': every one; may be repeated",
    )
    parser.add_argument(
        "-t",
        "--tid",
        action="append",
        default=[],
        metavar="TID[,TID...]",
        help="single vCPU threads instead of a domain",
    )
    parser.add_argument("--list", action="store_true", help="show what the names resolve to, count nothing")
    parser.add_argument(
        "-c",
        "--connect",
        metavar="URI",
        help=f"libvirt connection (default: $LIBVIRT_DEFAULT_URI, else {domains.DEFAULT_URI})",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks and what the compiler says")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--complete-domains", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_intermixed_args(argv)

    names, duration_s = _split_duration(given.words)
    pids = [word for text in given.pid for word in text.split(",")]
    options = Options(
        domains=(*names, *given.domain),
        duration_s=duration_s,
        vcpus=None if given.vcpu is None else _parse_vcpus(given.vcpu),
        per_vcpu=given.per_vcpu,
        pids=tuple(_parse_id("--pid", word) for word in pids if word != "all"),
        all_processes="all" in pids,
        tids=tuple(_parse_id("--tid", word) for text in given.tid for word in text.split(",")),
        list=given.list,
        uri=given.connect,
        debug=given.debug,
        complete=given.complete_domains,
    )
    if sum(map(bool, (options.domains, pids, options.tids))) > 1:
        raise UsageError("domains, --pid and --tid exclude each other", "give only one of them")
    if options.tids and options.vcpus:
        raise UsageError("--vcpu and --tid exclude each other", "a tid is one vCPU already")
    return options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, "'virt-exitstat --help' shows the options and examples")


def _split_duration(words: Sequence[str]) -> tuple[tuple[str, ...], float | None]:
    """A last positional that is a number is the duration."""
    if not words or not _NUMBER.fullmatch(words[-1]):
        return tuple(words), None
    duration_s = float(words[-1])
    if not duration_s > 0 or math.isinf(duration_s) or duration_s > _LONGEST_S:
        raise UsageError(
            f"DURATION is {words[-1]}, but must be more than 0 and at most {_LONGEST_S:.0f} seconds",
            f"leave it out to count until Ctrl-C; a domain of that name or id is given with '-d {words[-1]}'",
        )
    return tuple(words[:-1]), duration_s


def _parse_vcpus(text: str) -> frozenset[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", part.strip())
        if not found:
            raise UsageError(f"--vcpu: '{escape(part)}' is no vCPU number", "give a list such as 0 or 0,2-5")
        first, last = int(found.group(1)), int(found.group(2) or found.group(1))
        if first > last:
            raise UsageError(f"--vcpu: {part} runs backwards", f"did you mean {last}-{first}?")
        if last > _HIGHEST_VCPU:
            raise UsageError(f"--vcpu: no domain has a vCPU {last}", "'virt-exitstat --list' shows the vCPUs there are")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _parse_id(option: str, text: str) -> int:
    # Linux gives out ids up to 4 * 1024 * 1024 (PID_MAX_LIMIT).
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 0 < int(text) <= 4 << 20:
        hint = "'virt-exitstat --list' shows pids and tids" + (", 'all' means every KVM process" * (option == "--pid"))
        raise UsageError(
            f"{option}: '{escape(text)}' is no id of a {'process' if option == '--pid' else 'thread'}", hint
        )
    return int(text)


def _complete(options: Options, connection: Any) -> ExitStatus:
    """Print the running domains' names, a line each, for completion; nothing when libvirt does not answer."""
    with contextlib.suppress(ExitStatError):
        for domain in domains.running_domains(connection or domains.open_connection(options.uri)):
            _print(domain.name)
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


def _count(counting: Counter, targets: Targets, duration_s: float | None) -> CountSnapshot:
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
        if duration_s is None:
            signal.sigwait(stop)
        else:
            signal.sigtimedwait(stop, duration_s)
        end = counting.snapshot()
        counting.detach()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return end.since(start)


def _describe(targets: Targets) -> str:
    if targets.everything:
        return "every KVM process"
    names = ", ".join(
        escape(target.label) + (f" {describe_vcpus(v.number for v in target.vcpus)}" if target.tids else "")
        for target in targets.targets
    )
    if len(targets.targets) == 1 or len(names) <= 32:  # the line stays below 80 columns
        return names
    return f"{len(targets.targets)} {'domains' if targets.targets[0].domain else 'processes'}"
