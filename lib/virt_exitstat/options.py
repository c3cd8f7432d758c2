"""The command line as a value. Checks form only: whether a domain runs is found out later."""

from __future__ import annotations

import argparse
import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from . import __version__
from .attach_plan import Attachment
from .domains import DEFAULT_URI
from .errors import UsageError
from .terminal import escape

_EXAMPLES = """\
examples:
  virt-exitstat guest01                 until Ctrl-C, then all vCPUs as one
  virt-exitstat guest01 10              count for 10 seconds
  virt-exitstat guest01 --vcpu 0 10     vCPU 0 only
  virt-exitstat guest01 --per-vcpu 10   a table for each vCPU
  virt-exitstat 10                      every running domain
  virt-exitstat -d 42 10                the domain that is named 42
  virt-exitstat --list                  their processes and threads; no count
  virt-exitstat --pid 4242 --vcpu 0 10  a QEMU that libvirt does not manage
  virt-exitstat --pid all 10            every KVM process of this host
"""

#: Threads that one run counts; each takes a row of 0.8 (VMX) or 1.8 KB (SVM) of kernel memory.
MAX_VCPUS = 4096

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)")

#: Longest DURATION, in seconds: 31 years. The kernel's timers end somewhere above.
_LONGEST_S = 1e9

#: No domain has more; libvirt's own limit is far below.
_HIGHEST_VCPU = 65535


class Candidates(enum.Enum):
    """What the hidden option --complete can be asked for."""

    DOMAINS = "domains"
    VCPUS = "vcpus"
    REASONS = "reasons"
    PIDS = "pids"


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
    max_vcpus: int = MAX_VCPUS
    attachment: Attachment = Attachment.AUTO
    list: bool = False
    uri: str | None = None
    debug: bool = False
    complete: Candidates | None = None


def parse_options(argv: Sequence[str]) -> Options:
    """The command line as a value. Raises UsageError; exits only for --help and --version."""
    parser = _Parser(
        prog="virt-exitstat",
        usage="%(prog)s [options] [DOMAIN ...] [DURATION]",
        description="Count the KVM exits of libvirt domains by reason, per domain or per vCPU.",
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
    parser.add_argument(
        "--max-vcpus",
        type=_parse_max_vcpus,
        default=MAX_VCPUS,
        metavar="N",
        help="vCPU threads there is room for (default: %(default)s, 8 MB of kernel memory)",
    )
    parser.add_argument(
        "--attach",
        choices=[attachment.value for attachment in Attachment],
        default=Attachment.AUTO.value,
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
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--complete", choices=[one.value for one in Candidates], help=argparse.SUPPRESS)
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
        max_vcpus=given.max_vcpus,
        attachment=Attachment(given.attach),
        list=given.list,
        uri=given.connect,
        debug=given.debug,
        complete=Candidates(given.complete) if given.complete else None,
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
        found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if not found:
            raise UsageError(f"--vcpu: '{escape(part)}' is no vCPU number", "give a list such as 0 or 0,2-5")
        first, last = int(found.group(1)), int(found.group(2) or found.group(1))
        if first > last:
            raise UsageError(f"--vcpu: {part} runs backwards", f"did you mean {last}-{first}?")
        if last > _HIGHEST_VCPU:
            raise UsageError(f"--vcpu: no domain has a vCPU {last}", "'virt-exitstat --list' shows the vCPUs there are")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _parse_max_vcpus(text: str) -> int:
    # A row's number takes 20 bits in the kernel program, two of which mean "no row".
    if not re.fullmatch("[0-9]{1,7}", text) or not 0 < int(text) < (1 << 20) - 2:
        raise UsageError(f"--max-vcpus: '{escape(text)}' is not a number of vCPUs", "give 1 to 1048573")
    return int(text)


def _parse_id(option: str, text: str) -> int:
    # Linux gives out ids up to 4 * 1024 * 1024 (PID_MAX_LIMIT).
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 0 < int(text) <= 4 << 20:
        hint = "'virt-exitstat --list' shows pids and tids" + (", 'all' means every KVM process" * (option == "--pid"))
        raise UsageError(
            f"{option}: '{escape(text)}' is no id of a {'process' if option == '--pid' else 'thread'}", hint
        )
    return int(text)
