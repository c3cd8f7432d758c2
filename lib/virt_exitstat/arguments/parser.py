"""The command line, parsed. Checks form only: whether a domain runs is found out later."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .. import __version__
from ..counts.origin import Attachment
from ..errors import UsageError
from ..formats.known import FORMATS
from ..formats.table import TABLE
from ..reports.choose import Choice
from ..reports.sort import Sort
from ..targets.selection import DEFAULT_URI
from ..text import escape
from .options import MAX_VCPUS, Candidates, Options, check_options
from .values import (
    one_of,
    one_of_names,
    parse_id,
    parse_interval,
    parse_max_vcpus,
    parse_name,
    parse_vcpus,
    positive,
    split_duration,
)

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
  virt-exitstat --list                  their processes and threads; no count
  virt-exitstat --pid 4242 --vcpu 0 10  a QEMU that libvirt does not manage
  virt-exitstat --pid all 10            every KVM process of this host
"""

_SEE_HELP = "'virt-exitstat --help' shows the options and examples"

#: How often --live shows new figures when --interval does not say.
_LIVE_INTERVAL_S = 1.0


def parse_options(argv: Sequence[str]) -> Options:
    """The command line as a value. Raises UsageError, and TextWanted for --help and --version."""
    parser = _Parser(
        prog="virt-exitstat",
        usage="%(prog)s [options] [DOMAIN ...] [DURATION]",
        description="Count the KVM exits of libvirt domains by reason, per domain or per vCPU.",
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
    parser.add_argument(
        "-h", "--help", action=_Show, nargs=0, const=_Parser.format_help, help="show this help message and exit"
    )
    parser.add_argument(
        "-d",
        "--domain",
        action="append",
        default=[],
        metavar="NAME",
        help="a domain, also one whose name is a number; may be repeated",
    )
    parser.add_argument(
        "-i",
        "--interval",
        type=parse_interval,
        metavar="SEC",
        help="report what was counted every SEC seconds, until DURATION or Ctrl-C",
    )
    parser.add_argument("--count", type=positive("--count"), metavar="N", help="end after N intervals")
    parser.add_argument(
        "-L", "--live", action="store_true", help="a screen like top's, every second or SEC; needs python3-rich"
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
    _add_output_options(parser)
    parser.add_argument(
        "--max-vcpus",
        type=parse_max_vcpus,
        default=MAX_VCPUS,
        metavar="N",
        help="vCPU threads there is room for (default: %(default)s, 8 MB of kernel memory)",
    )
    parser.add_argument(
        "--attach",
        type=one_of("--attach", Attachment),
        default=Attachment.AUTO,
        metavar="{auto,raw,tracepoint}",
        help="raw tracepoint, regular one, or the cheapest that works (default)",
    )
    parser.add_argument("--list", action="store_true", help="show what the names resolve to, count nothing")
    parser.add_argument(
        "-c",
        "--connect",
        metavar="URI",
        help=f"libvirt connection (default: $LIBVIRT_DEFAULT_URI, else {DEFAULT_URI})",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks and what the compiler says")
    parser.add_argument(
        "--version",
        action=_Show,
        nargs=0,
        const=lambda parser: f"{parser.prog} {__version__}\n",
        help="show program's version number and exit",
    )
    parser.add_argument("--complete", choices=[one.value for one in Candidates], help=argparse.SUPPRESS)
    before, after = _split_at_double_dash(argv)
    given = parser.parse_intermixed_args(before)

    names, duration_s = split_duration([*given.words, *after])
    pids = [word for text in given.pid for word in text.split(",")]
    options = Options(
        domains=tuple(map(parse_name, (*names, *given.domain))),
        duration_s=duration_s,
        interval_s=given.interval or (min(_LIVE_INTERVAL_S, duration_s or math.inf) if given.live else None),
        count=given.count,
        live=given.live,
        vcpus=None if given.vcpu is None else parse_vcpus(given.vcpu),
        per_vcpu=given.per_vcpu,
        pids=tuple(parse_id("--pid", word) for word in pids if word != "all"),
        all_processes="all" in pids,
        tids=tuple(parse_id("--tid", word) for text in given.tid for word in text.split(",")),
        output=given.output,
        log=given.log,
        header=not given.no_header,
        choice=Choice(top=given.top, min_count=given.min_count or 0, sort=given.sort, total=given.total),
        reasons=tuple(word for text in given.reason for word in text.split(",")),
        max_vcpus=given.max_vcpus,
        attachment=given.attach,
        list=given.list,
        uri=given.connect,
        debug=given.debug,
        complete=Candidates(given.complete) if given.complete else None,
    )
    check_options(options)
    return options


def _split_at_double_dash(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What argparse is to parse, and the words behind `--`. Raises UsageError for what argparse would take or not.

    Python 3.13 changed what becomes of `--` among intermixed arguments. Python 3.14 takes each word that begins like a
    negative number for one, such as -1e9 and -5s; older ones call these unknown options.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    for word in argv[:end]:
        if re.match(r"-\.?[0-9]", word) and " " not in word and not re.fullmatch(r"-[0-9]+|-[0-9]*\.[0-9]+", word):
            raise UsageError(f"unrecognized arguments: {escape(word)}", _SEE_HELP)
    return list(argv[:end]), list(argv[end + 1 :])


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    """What reports look like, where they go and what of them is shown."""
    parser.add_argument(
        "-o",
        "--output",
        type=one_of_names("--output", FORMATS),
        default=TABLE.name,
        metavar="FORMAT",
        help="table (default), wide: a line for each vCPU and reason, json or csv",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="append reports to FILE, which SIGHUP opens anew, not to stdout"
    )
    parser.add_argument(
        "-n", "--top", type=positive("--top"), metavar="N", help="only the N most frequent reasons of each table"
    )
    parser.add_argument(
        "-s",
        "--sort",
        type=one_of("--sort", Sort),
        default=Sort.COUNT,
        metavar="KEY",
        help="sort reasons by count (default) or name",
    )
    parser.add_argument(
        "--min-count", type=positive("--min-count"), metavar="N", help="only reasons with at least N exits"
    )
    parser.add_argument(
        "-r",
        "--reason",
        action="append",
        default=[],
        metavar="NAME[,NAME...]",
        help="only these reasons, by name or raw code; may be repeated",
    )
    parser.add_argument("--no-header", action="store_true", help="leave out headings and column names")
    parser.add_argument("--total", action="store_true", help="a last table of all domains")


class TextWanted(Exception):  # noqa: N818  (no error)
    """The command line wants nothing but `text`, about the program itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _Show(argparse.Action):
    """Raises TextWanted; `const` makes the text. argparse's own actions print by themselves, and let that fail."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise TextWanted(self.const(parser))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # It quotes what was typed, control characters included.
        raise UsageError(escape(message), _SEE_HELP)
