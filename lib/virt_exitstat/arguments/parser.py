"""Words to a request. Checks form only: whether a domain runs is found out later."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from .. import __version__
from ..counts.origin import Attachment
from ..errors import UsageError
from ..formats.table import TABLE
from ..metrics.wanted import Wanted
from ..reports.sort import Sort
from ..targets.selection import Selection, guess_duration
from ..text import escape
from .checks import check_verb, chosen_rows, split_lists, split_reasons, text_or_json
from .option import Option, Verb
from .recorded import parse_compare, parse_replay
from .requests import (
    LIVE_INTERVAL_S,
    About,
    Candidates,
    Complete,
    Count,
    Counting,
    Explain,
    Expose,
    List,
    Request,
    Serve,
    Show,
    Timing,
    Watch,
)
from .table import GROUPS, PROMETHEUS
from .values import parse_id, parse_name, parse_vcpus, split_duration

_DESCRIPTION = "Count the KVM exits of libvirt domains by reason, per domain or per vCPU."

_EXAMPLES = """\
examples:
  virt-exitstat guest01                 until Ctrl-C, then all vCPUs as one
  virt-exitstat guest01 10              count for 10 seconds
  virt-exitstat guest01 --vcpu 0 10     vCPU 0 only
  virt-exitstat guest01 --per-vcpu 10   a table for each vCPU
  virt-exitstat guest01 -i 1            what was counted, every second
  virt-exitstat -L                      a screen like top's
  virt-exitstat 10                      every running domain
  virt-exitstat -d 42 10                the domain that is named 42
  virt-exitstat --explain guest01 10    what is worth a change, and how
  virt-exitstat --about HLT             what a reason, an MSR, a port is
  virt-exitstat --listen 19969          metrics for Prometheus
  virt-exitstat --replay a.json csv     what '-o json' recorded, in any form
  virt-exitstat --compare a.json b.json which rates have changed since
  virt-exitstat --list                  their processes and threads; no count
  virt-exitstat --pid 4242 --vcpu 0 10  a QEMU that libvirt does not manage
  virt-exitstat --pid all 10            every KVM process of this host
"""

_SEE_HELP = "'virt-exitstat --help' shows the options and examples"


def parse_request(argv: Sequence[str]) -> Request:
    """The command line as a value. Raises UsageError."""
    before, after = _split_at_double_dash(argv)
    try:
        given = _make_parser().parse_intermixed_args(before)
    except _TextWantedError as wanted:
        return Show(wanted.text)
    if given.about is not None and not given.complete:
        check_verb(given, Verb.ABOUT)
        return About(" ".join(filter(None, [given.about, *given.words, *after])))
    if (given.replay or given.compare) and not given.complete:
        words = [*given.words, *after]
        return parse_compare(given, words) if given.compare else parse_replay(given, words)
    names, duration_s = split_duration([*given.words, *after])
    selection = _selection(given, names)
    if given.complete:
        return Complete(Candidates(given.complete), selection)
    verb = _verb(given)
    check_verb(given, verb, duration_s)
    _check_selection(selection)
    if verb is Verb.LIST:
        return List(selection, header=not given.no_header)
    timing = _timing(given, duration_s)
    counting = Counting(
        given.max_vcpus,
        timed=bool(given.time),
        detailed=bool(given.detail),
        attachment=given.attach or Attachment.AUTO,
        debug=bool(given.debug),
    )
    if given.sort is Sort.TIME and not counting.timed:
        raise UsageError("--sort time needs exits that are timed", "add --time (-T)")
    if verb is Verb.EXPLAIN:
        return Explain(selection, timing, replace(counting, timed=True, detailed=True), text_or_json(given.output))
    per_vcpu = bool(given.per_vcpu)
    if verb in (Verb.EXPOSE, Verb.SERVE):
        metrics = Wanted(per_vcpu, _histogram(given), bool(given.domain_info))
        if verb is Verb.SERVE:
            return Serve(selection, counting, metrics, given.listen)
        _check_file(given)
        return Expose(selection, timing, counting, metrics, given.log)
    if verb is Verb.WATCH:
        return Watch(selection, timing, counting, per_vcpu, sort=given.sort or Sort.COUNT)
    return Count(
        selection,
        timing,
        counting,
        per_vcpu,
        output=given.output or TABLE.name,
        log=given.log,
        header=not given.no_header,
        choice=chosen_rows(given),
        **split_reasons(given.reason),
    )


def _verb(given: argparse.Namespace) -> Verb:
    if given.live:
        return Verb.WATCH
    if given.list:
        return Verb.LIST
    if given.explain:
        return Verb.EXPLAIN
    if given.listen:
        return Verb.SERVE
    return Verb.EXPOSE if given.output == PROMETHEUS else Verb.COUNT


def _histogram(given: argparse.Namespace) -> bool:
    if given.histogram and not given.time:
        raise UsageError("--histogram is of times, and needs exits that are timed", "add --time (-T)")
    return bool(given.histogram)


def _check_file(given: argparse.Namespace) -> None:
    """Raise UsageError for a file without intervals, which would be gone when it is there, and for the reverse."""
    if given.log and not given.interval:
        raise UsageError(
            "-o prometheus replaces the file of --log at each interval, and needs --interval", "add one, as in '-i 15'"
        )
    if given.interval and not given.log:
        raise UsageError(
            "-o prometheus with --interval replaces a file, and needs --log",
            "add '--log FILE.prom', or leave --interval out; --listen is for Prometheus itself",
        )


def _selection(given: argparse.Namespace, names: Sequence[str]) -> Selection:
    pids = split_lists(given.pid)
    return Selection(
        domains=tuple(map(parse_name, (*names, *(given.domain or ())))),
        pids=tuple(parse_id("--pid", word) for word in pids if word != "all"),
        all_processes="all" in pids,
        tids=tuple(parse_id("--tid", word) for word in split_lists(given.tid)),
        vcpus=None if given.vcpu is None else parse_vcpus(given.vcpu),
        uri=given.connect,
    )


def _timing(given: argparse.Namespace, duration_s: float | None) -> Timing:
    interval_s = given.interval
    if given.live and interval_s is None:
        interval_s = min(LIVE_INTERVAL_S, duration_s or math.inf)
    if given.count and not interval_s:
        raise UsageError("--count is a number of intervals, and needs --interval", "give one with '-i SECONDS'")
    if interval_s and duration_s and interval_s > duration_s:
        raise UsageError(
            f"--interval {interval_s:g} is longer than the duration, {duration_s:g} s",
            "count for longer, or leave --interval out for a single report",
        )
    return Timing(duration_s, interval_s, given.count)


def _check_selection(selection: Selection) -> None:
    """Raise UsageError for domains, processes and threads together."""
    given = (selection.domains, selection.pids or selection.all_processes, selection.tids)
    if sum(map(bool, given)) > 1:
        hint = "give only one of them"
        if all(word.isdigit() for word in selection.domains):
            hint = "several pids or tids stand behind one option, with commas between them"
        elif guess_duration(selection.domains[-1]):
            hint = f"did you mean {guess_duration(selection.domains[-1])}? A DURATION is in seconds"
        raise UsageError("domains, --pid and --tid exclude each other", hint)
    if selection.tids and selection.vcpus:
        raise UsageError("--vcpu and --tid exclude each other", "a tid is one vCPU already")


def _split_at_double_dash(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words for argparse, and those behind `--`. Raises UsageError for words that only some Pythons take.

    Python 3.13 changed what becomes of `--` among intermixed arguments. Python 3.14 takes each word that begins like a
    negative number for one, such as -1e9 and -5s; older ones call these unknown options.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    for word in argv[:end]:
        if re.match(r"-\.?[0-9]", word) and " " not in word and not re.fullmatch(r"-[0-9]+|-[0-9]*\.[0-9]+", word):
            raise UsageError(f"unrecognized arguments: {escape(word)}", _SEE_HELP)
    return list(argv[:end]), list(argv[end + 1 :])


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="virt-exitstat",
        usage="%(prog)s [options] [DOMAIN ...] [DURATION]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    # argparse cannot tell a last number from the domains before it; split_duration does.
    parser.add_argument(
        "words",
        nargs="*",
        metavar="DOMAIN",
        help="name, UUID or id of a running domain (default: every one);"
        " a number at the end is DURATION, in seconds (default: until Ctrl-C)",
    )
    for heading, options in GROUPS.items():
        group = parser.add_argument_group(heading)
        for option in options:
            group.add_argument(*option.forms, help=option.help, **_action(option))
    parser.add_argument("--complete", choices=[one.value for one in Candidates], help=argparse.SUPPRESS)
    return parser


def _action(option: Option) -> dict[str, Any]:
    """The arguments of add_argument() for an option. An option that is not given is None."""
    if option.long == "--help":
        return {"action": _Show, "nargs": 0, "const": _Parser.format_help}
    if option.long == "--version":
        return {"action": _Show, "nargs": 0, "const": lambda parser: f"{parser.prog} {__version__}\n"}
    if not option.takes:
        return {"action": "store_const", "const": True}
    how = "append" if option.repeats else "store"
    several = {"nargs": "?", "const": ""} if option.optional else {}
    return {"action": how, "type": option.parse, "metavar": option.takes, **several}


class _TextWantedError(Exception):
    """The command line wants nothing but `text`, about the program itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _Show(argparse.Action):
    """Raises _TextWantedError; `const` makes the text. argparse's own actions print by themselves, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise _TextWantedError(self.const(parser))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # It quotes what was typed, control characters included.
        raise UsageError(escape(message), _SEE_HELP)
