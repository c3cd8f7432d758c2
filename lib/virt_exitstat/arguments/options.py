"""What the command line asks for, as a value, and what of it does not go together."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from ..counts.origin import Attachment
from ..errors import UsageError
from ..formats.table import TABLE
from ..reports.choose import Choice
from .values import guess_duration

#: Threads that one run counts; each takes a row of 0.8 (VMX) or 1.8 KB (SVM) of kernel memory.
MAX_VCPUS = 4096


class Candidates(enum.Enum):
    """What the hidden option --complete can be asked for."""

    DOMAINS = "domains"
    VCPUS = "vcpus"
    REASONS = "reasons"
    PIDS = "pids"


@dataclass(frozen=True)
class Options:
    """What the command line asks for. Names are not looked up yet; `reasons` are as they were typed."""

    domains: tuple[str, ...] = ()
    duration_s: float | None = None
    interval_s: float | None = None
    count: int | None = None
    live: bool = False
    vcpus: frozenset[int] | None = None
    per_vcpu: bool = False
    pids: tuple[int, ...] = ()
    all_processes: bool = False
    tids: tuple[int, ...] = ()
    output: str = TABLE.name
    log: Path | None = None
    header: bool = True
    choice: Choice = Choice()  # noqa: RUF009  (frozen)
    reasons: tuple[str, ...] = ()
    max_vcpus: int = MAX_VCPUS
    attachment: Attachment = Attachment.AUTO
    list: bool = False
    uri: str | None = None
    debug: bool = False
    complete: Candidates | None = None

    @property
    def by_libvirt(self) -> bool:
        """Whether libvirt says what is counted: domains, and not processes or threads."""
        return not (self.pids or self.tids or self.all_processes)


def check_options(options: Options) -> None:
    """Raise UsageError when options are given that do not go together."""
    if sum(map(bool, (options.domains, options.pids or options.all_processes, options.tids))) > 1:
        hint = "give only one of them"
        if all(word.isdigit() for word in options.domains):
            hint = "several pids or tids stand behind one option, with commas between them"
        elif guess_duration(options.domains[-1]):
            hint = f"did you mean {guess_duration(options.domains[-1])}? A DURATION is in seconds"
        raise UsageError("domains, --pid and --tid exclude each other", hint)
    if options.tids and options.vcpus:
        raise UsageError("--vcpu and --tid exclude each other", "a tid is one vCPU already")
    if options.count and not options.interval_s:
        raise UsageError("--count is a number of intervals, and no interval is given", "give one with '-i SECONDS'")
    if options.interval_s and options.duration_s and options.interval_s > options.duration_s:
        raise UsageError(
            f"--interval {options.interval_s:g} is longer than the duration, {options.duration_s:g} s",
            "count for longer, or leave --interval out for a single report",
        )
    reports_only = {
        "--log": options.log,
        f"--output {options.output}": options.output != TABLE.name,
        "--top": options.choice.top,
        "--min-count": options.choice.min_count,
        "--reason": options.reasons,
        "--no-header": not options.header,
        "--total": options.choice.total,
        "--list": options.list,
    }
    for option, unwanted in reports_only.items():
        if options.live and unwanted:
            raise UsageError(f"--live shows a screen, {option} is for what is printed", "leave one of them out")
    counts_only = {
        "--interval": options.interval_s,
        "--log": options.log,
        f"--output {options.output}": options.output != TABLE.name,
    }
    for option, given in counts_only.items():
        if options.list and given:
            raise UsageError(f"--list counts nothing, {option} is for counts", "leave one of them out")
