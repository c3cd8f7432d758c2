"""The options, a row each. The parser, the help and what the shells complete are made from this table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..counts.origin import Attachment
from ..formats.known import FORMATS
from ..reports.sort import Sort
from ..targets.selection import DEFAULT_URI
from .option import Option, Verb
from .requests import MAX_VCPUS, TIMED_VCPUS
from .values import one_of, one_of_names, parse_address, parse_interval, parse_max_vcpus, positive

#: The value of --output that asks for metrics, beside the formats of reports (formats.known).
PROMETHEUS = "prometheus"

_COUNTS = frozenset((Verb.COUNT, Verb.WATCH))
_REPORTS = frozenset((Verb.COUNT,))
_METRICS = frozenset((Verb.EXPOSE, Verb.SERVE))
_ATTACHES = _COUNTS | _METRICS | {Verb.EXPLAIN}
_READS = frozenset((Verb.REPLAY, Verb.COMPARE))
_SELECTS = frozenset(Verb) - {Verb.ABOUT} - _READS

#: {heading: options}, in the order of the man page.
GROUPS: Mapping[str, tuple[Option, ...]] = {
    "What is counted": (
        Option(
            "--domain",
            "a domain, also one whose name is a number; may be repeated",
            short="-d",
            takes="NAME",
            completes="domains",
            repeats=True,
            excludes=("--pid", "--tid"),
            verbs=_SELECTS | _READS,
        ),
        Option(
            "--vcpu",
            "only these vCPUs, as in 0 or 0,2-5",
            takes="LIST",
            completes="vcpus",
            excludes=("--tid",),
            verbs=_SELECTS,
        ),
        Option(
            "--pid",
            "a KVM process instead of a domain; 'all': every one; may be repeated",
            short="-p",
            takes="PID",
            completes="pids",
            repeats=True,
            excludes=("*", "--domain", "--tid"),
            verbs=_SELECTS,
        ),
        Option(
            "--tid",
            "single vCPU threads instead of a domain",
            short="-t",
            takes="TID[,TID...]",
            repeats=True,
            excludes=("*", "--domain", "--pid", "--vcpu"),
            verbs=_SELECTS,
        ),
        Option(
            "--connect",
            f"libvirt connection (default: $LIBVIRT_DEFAULT_URI, else {DEFAULT_URI})",
            short="-c",
            takes="URI",
            completes="uris",
            verbs=_SELECTS,
        ),
        Option(
            "--max-vcpus",
            f"how many vCPU threads to make room for (default: {MAX_VCPUS}, 8 MB of kernel memory; {TIMED_VCPUS} with"
            " times or details, up to 12 MB, or twice as many as there are)",
            takes="N",
            parse=parse_max_vcpus,
            verbs=_ATTACHES,
        ),
        Option(
            "--attach",
            "auto (default): the cheapest that works; raw or tracepoint: the raw tracepoint, the regular one",
            takes="HOW",
            parse=one_of("--attach", Attachment),
            choices=tuple(one.value for one in Attachment),
            verbs=_ATTACHES,
        ),
        Option(
            "--time",
            "also time the exits: what they cost, in KVM and in QEMU, and where the vCPUs' time went",
            short="-T",
            verbs=_COUNTS | _METRICS,
        ),
        Option(
            "--detail",
            "also tell what exactly caused the exits: which MSR, port, address or CPUID leaf, and what QEMU handled",
            short="-D",
            verbs=_COUNTS,
        ),
        Option("--list", "show what the names resolve to, count nothing", verbs=frozenset((Verb.LIST,))),
    ),
    "What to do about it": (
        Option(
            "--explain",
            "count, then say which exits are worth a change, why, what to change and the price",
            verbs=frozenset((Verb.EXPLAIN, Verb.REPLAY)),
        ),
        Option(
            "--about",
            "what is known of a reason, a rule, an MSR, a port, a 'leaf 0xd'; without WORD: what there is",
            takes="WORD",
            optional=True,
            completes="words",
            verbs=frozenset((Verb.ABOUT,)),
            excludes=("*",),
        ),
    ),
    "What was recorded": (
        Option(
            "--replay",
            "show the reports of FILE, which '-o json' has written ('-': standard input), in any format, or what is"
            " worth a change in them",
            takes="FILE",
            parse=Path,
            completes="file",
            verbs=frozenset((Verb.REPLAY,)),
        ),
        Option(
            "--compare",
            "compare the intervals of two such files, or of several, alternately: rates, times and what is no accident;"
            " with '-d NAME:NAME' two domains, also of one file",
            takes="BEFORE AFTER",
            parse=Path,
            completes="file",
            verbs=frozenset((Verb.COMPARE,)),
        ),
    ),
    "When it is reported": (
        Option(
            "--interval",
            "report what was counted every SEC seconds, until DURATION or Ctrl-C",
            short="-i",
            takes="SEC",
            parse=parse_interval,
            verbs=_COUNTS | {Verb.EXPOSE},
        ),
        Option("--count", "end after N intervals", takes="N", parse=positive("--count"), verbs=_COUNTS | {Verb.EXPOSE}),
        Option(
            "--live",
            "a screen like top's, every second or SEC; needs python3-rich",
            short="-L",
            verbs=frozenset((Verb.WATCH,)),
        ),
    ),
    "How it is shown": (
        Option(
            "--per-vcpu",
            "a table for each vCPU, the busiest first",
            short="-a",
            verbs=_COUNTS | _METRICS | {Verb.REPLAY},
        ),
        Option("--total", "a last table of all domains", verbs=_REPORTS | {Verb.REPLAY}),
        Option(
            "--output",
            "; ".join(
                [f"{one.name}{' (default)' * (not at)}: {one.about}" for at, one in enumerate(FORMATS.values())]
                + [f"{PROMETHEUS}: metrics for Prometheus, cumulative"]
            ),
            short="-o",
            takes="FORMAT",
            parse=one_of_names("--output", (*FORMATS, PROMETHEUS)),
            choices=(*FORMATS, PROMETHEUS),
            verbs=_REPORTS | _READS | {Verb.EXPOSE, Verb.EXPLAIN},
        ),
        Option(
            "--reason",
            "only these reasons, by name or raw code; '!NAME': all but these; may be repeated",
            short="-r",
            takes="NAME[,NAME...]",
            completes="reasons",
            repeats=True,
            verbs=_REPORTS | _READS,
        ),
        Option(
            "--top",
            "only the N first reasons of each table",
            short="-n",
            takes="N",
            parse=positive("--top"),
            verbs=_REPORTS | _READS,
        ),
        Option(
            "--min-count",
            "only reasons with at least N exits",
            takes="N",
            parse=positive("--min-count"),
            verbs=_REPORTS | {Verb.REPLAY},
        ),
        Option(
            "--sort",
            "sort reasons by count (default), rate, name or, with --time, time",
            short="-s",
            takes="KEY",
            parse=one_of("--sort", Sort),
            choices=tuple(one.value for one in Sort),
            verbs=_COUNTS | {Verb.REPLAY},
        ),
        Option("--no-header", "leave out headings and column names", verbs=_REPORTS | _READS | {Verb.LIST}),
        Option(
            "--log",
            "append reports to FILE, which SIGHUP opens anew, not to stdout; with -o prometheus FILE is replaced",
            takes="FILE",
            parse=Path,
            completes="file",
            verbs=_REPORTS | {Verb.EXPOSE},
        ),
    ),
    "For Prometheus": (
        Option(
            "--listen",
            "serve metrics over HTTP, of all that was counted when it is asked for them",
            takes="[ADDRESS:]PORT",
            parse=parse_address,
            verbs=frozenset((Verb.SERVE,)),
        ),
        Option("--histogram", "with --time, also a histogram of each domain's exits by reason", verbs=_METRICS),
        Option("--domain-info", "also a metric of each domain's pid and OpenStack's names for it", verbs=_METRICS),
    ),
    "About the program": (
        Option("--debug", "show tracebacks and what the compiler says"),
        Option("--help", "show this help message and exit", short="-h", excludes=("-", "*")),
        Option("--version", "show program's version number and exit", excludes=("-", "*")),
    ),
}

OPTIONS: tuple[Option, ...] = tuple(option for options in GROUPS.values() for option in options)
