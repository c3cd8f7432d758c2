"""Requests: a command line as a value, with the fields of its verb and no others. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..counts.origin import Attachment
from ..formats.table import TABLE
from ..metrics.wanted import Wanted
from ..reports.choose import Choice
from ..reports.sort import Sort
from ..targets.selection import Selection

#: Threads that one run counts; each takes a row of 0.6 (arm64) to 1.8 KB (SVM) of kernel memory.
MAX_VCPUS = 4096

#: The same with --time or --detail, where a thread takes some 8 KB; or twice as many as there are, if that is more.
TIMED_VCPUS = 1024

#: How often --live shows new figures when --interval does not say, in seconds.
LIVE_INTERVAL_S = 1.0


class Candidates(enum.Enum):
    """Values of the hidden option --complete."""

    DOMAINS = "domains"
    VCPUS = "vcpus"
    REASONS = "reasons"
    PIDS = "pids"
    WORDS = "words"


@dataclass(frozen=True)
class Timing:
    """Times of a run. `interval_s` is None for a single report; `reports` is how many there are at most."""

    duration_s: float | None = None
    interval_s: float | None = None
    reports: int | None = None


@dataclass(frozen=True)
class Counting:
    """Wishes for the counter: the threads to make room for, how to attach, whether to show what bcc prints.

    `max_vcpus` is None when the user does not say; `timed` exits have times as well, `detailed` ones what caused them.
    """

    max_vcpus: int | None = None
    timed: bool = False
    detailed: bool = False
    attachment: Attachment = Attachment.AUTO
    debug: bool = False


@dataclass(frozen=True)
class Count:
    """Count and write reports.

    `reasons` are to be shown, `without` to be left out; both are as typed, and this host says later whether they exist.
    """

    selection: Selection = Selection()  # noqa: RUF009  (frozen, as are the others)
    timing: Timing = Timing()
    counting: Counting = Counting()
    per_vcpu: bool = False
    output: str = TABLE.name
    log: Path | None = None
    header: bool = True
    choice: Choice = Choice()  # noqa: RUF009
    reasons: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """Count and show a screen like top's. Its timing has an interval."""

    selection: Selection = Selection()  # noqa: RUF009
    timing: Timing = Timing(interval_s=LIVE_INTERVAL_S)
    counting: Counting = Counting()
    per_vcpu: bool = False
    sort: Sort = Sort.COUNT


@dataclass(frozen=True)
class Address:
    """An address and port to listen at. `host` is an IP address, of either version."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Expose:
    """Count and write metrics: once to standard output, or at each interval to a file that is replaced."""

    selection: Selection = Selection()  # noqa: RUF009
    timing: Timing = Timing()
    counting: Counting = Counting()
    wanted: Wanted = Wanted()  # noqa: RUF009
    file: Path | None = None


@dataclass(frozen=True)
class Serve:
    """Count and serve metrics at an address, unless systemd has opened sockets for that."""

    selection: Selection = Selection()  # noqa: RUF009
    counting: Counting = Counting()
    wanted: Wanted = Wanted()  # noqa: RUF009
    address: Address = Address("127.0.0.1", 0)


@dataclass(frozen=True)
class Explain:
    """Count with times and details, and say what is worth a change. `output` is table or json."""

    selection: Selection = Selection()  # noqa: RUF009
    timing: Timing = Timing()
    counting: Counting = Counting(timed=True, detailed=True)
    output: str = TABLE.name


@dataclass(frozen=True)
class Replay:
    """Show the reports of a recording, of these domains or of all; `explain`: findings in place of tables.

    `reasons` and `without` are as for Count, and the recording says whether they exist.
    """

    path: Path
    domains: tuple[str, ...] = ()
    explain: bool = False
    per_vcpu: bool = False
    output: str = TABLE.name
    header: bool = True
    choice: Choice = Choice()  # noqa: RUF009
    reasons: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compare:
    """Compare recordings: those `before` with those `after`; without any `after`, two domains of the same ones.

    `domains` are those to be compared, NAME or NAME:NAME; all that are on both sides where none is given. `reasons`,
    `without` and `top` choose rows.
    """

    before: tuple[Path, ...]
    after: tuple[Path, ...]
    domains: tuple[str, ...] = ()
    output: str = TABLE.name
    header: bool = True
    top: int | None = None
    reasons: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """Tell what is known of a word: a reason, a rule, a register, a port ..; of none: the words that there are."""

    word: str = ""


@dataclass(frozen=True)
class List:
    """Show the processes and threads that the names resolve to; count nothing."""

    selection: Selection = Selection()  # noqa: RUF009
    header: bool = True


@dataclass(frozen=True)
class Complete:
    """List what a shell may offer where `what` is typed. `selection` stands on the line already."""

    what: Candidates
    selection: Selection = Selection()  # noqa: RUF009


@dataclass(frozen=True)
class Show:
    """Print `text`, which is about the program itself."""

    text: str


Request = Union[Count, Watch, Expose, Serve, Explain, Replay, Compare, About, List, Complete, Show]
