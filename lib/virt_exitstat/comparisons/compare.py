"""A comparison as a value: the rows of each measure, what is claimed of them, and the doubts. Pure functions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from .doubts import DEPENDENT, FEWEST, Doubt, doubt_dependence, doubt_lengths, doubt_number, doubt_samples
from .measures import MEASURES, Measure
from .medians import Median, estimate_median
from .ranks import holm, is_higher, lag_one, scores_p
from .samples import TOTAL, Samples

#: A change is claimed in no more than this part of the tables of two runs that are alike.
LEVEL = 0.05


class Verdict(enum.Enum):
    """What is claimed of a row. The values stand in JSON and CSV."""

    NOTHING = "nothing"
    MORE = "more"
    LESS = "less"


class Presence(enum.Enum):
    """Whether a row is on both sides. The values stand in JSON and CSV."""

    BOTH = "both"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True)
class Change:
    """One row of one measure. None: no interval has the number.

    `change` is that of the second median against the first, as a part of it. `p` is the test's, `p_of_all` the same
    when all rows of the table are asked at once; the verdict is by it. Where intervals depend on each other, by their
    `correlation`, there is no p and no claim; with enough recordings all is of their means (`by_recordings`).
    """

    reason_name: str
    before: Median | None
    after: Median | None
    presence: Presence
    change: float | None
    p: float | None
    p_of_all: float | None
    verdict: Verdict
    correlation: float = 0.0
    by_recordings: bool = False

    @property
    def dependent(self) -> bool:
        """Whether its intervals depend on each other."""
        return self.correlation > DEPENDENT


@dataclass(frozen=True)
class Compared:
    """The rows of one measure, the total last."""

    measure: Measure
    rows: tuple[Change, ...]


@dataclass(frozen=True)
class Counted:
    """What was compared of one side: so many intervals, of about so many seconds."""

    label: str
    intervals: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Two sides of a domain, or two domains. `together`: they were counted in the same recordings."""

    before: Counted
    after: Counted
    measures: tuple[Compared, ...]
    doubts: tuple[Doubt, ...]
    together: bool = False


@dataclass(frozen=True)
class Wanted:
    """The rows that are wanted: those that `shows` lets through, and the `top` most frequent of them."""

    shows: Callable[[str], bool] = lambda _name: True
    top: int | None = None


def compare(before: Samples, after: Samples, wanted: Wanted, *, together: bool = False) -> Comparison:
    """Compare two sides. Nothing is claimed where that would be rash, and the doubts say why."""
    kept = before.kept, after.kept
    names = _choose(before, after, wanted)
    number = len(kept[0]), len(kept[1])
    doubts = [
        *doubt_samples(before, number[0]),
        *doubt_samples(after, number[1]),
        *doubt_lengths(before, after),
        *doubt_number(*number, len(names) + (len(names) > 1), LEVEL),
    ]
    may_claim = not any(doubt.forbids for doubt in doubts)
    timed = before.timed and after.timed
    measures = []
    for measure in MEASURES:
        if measure.timed <= timed:
            rows = [_measure(name, measure, before, after, kept) for name in names]
            total = _measure(TOTAL, measure, before, after, kept)
            measures.append(Compared(measure, _judge_all(rows, total, may_claim=may_claim)))
    dependent = [row for one in measures for row in one.rows if row.dependent]
    withheld = {row.reason_name for row in dependent if not row.by_recordings}
    by_recordings = {row.reason_name for row in dependent if row.by_recordings}
    doubts += doubt_dependence(*([name for name in (*names, TOTAL) if name in of] for of in (withheld, by_recordings)))
    return Comparison(
        Counted(before.label, number[0], before.length),
        Counted(after.label, number[1], after.length),
        tuple(measures),
        tuple(doubts),
        together,
    )


_Kept = tuple[list[int], list[int]]


def _choose(before: Samples, after: Samples, wanted: Wanted) -> list[str]:
    """The names of the rows, the most frequent first: both sides count alike, so that the order claims nothing."""
    names = [name for name in dict.fromkeys([*before.rows, *after.rows]) if wanted.shows(name)]
    rates = {name: before.rate(name) + after.rate(name) for name in names}
    return sorted((name for name in names if rates[name]), key=lambda name: (-rates[name], name))[: wanted.top]


def _measure(name: str, measure: Measure, before: Samples, after: Samples, kept: _Kept) -> Change:
    """A row before it is judged."""
    runs = before.runs(name, measure, kept[0]), after.runs(name, measure, kept[1])
    left, right = ([value for run in of for value in run] for of in runs)
    correlation = lag_one(runs) if min(len(left), len(right)) >= FEWEST else 0.0
    by_recordings = correlation > DEPENDENT and min(map(len, runs)) >= FEWEST
    if by_recordings:
        left, right = ([fmean(run) for run in of] for of in runs)
    one, other = estimate_median(left), estimate_median(right)
    ratio = other.middle / one.middle - 1 if one and other and one.middle else None
    row = Change(
        name, one, other, _presence(before, after, name), ratio, None, None, Verdict.NOTHING, correlation, by_recordings
    )
    if not one or not other or (row.dependent and not by_recordings):
        return row
    p = scores_p(left, right)
    return replace(row, p=p, p_of_all=p, verdict=Verdict.MORE if is_higher(left, right) else Verdict.LESS)


def _presence(before: Samples, after: Samples, name: str) -> Presence:
    if before.has(name) == after.has(name):
        return Presence.BOTH
    return Presence.GONE if before.has(name) else Presence.NEW


def _judge_all(rows: Sequence[Change], total: Change, *, may_claim: bool) -> tuple[Change, ...]:
    """The rows and the total with their verdicts. A total that is the same as a single row is not asked again."""
    if len(rows) != 1 or (rows[0].before, rows[0].after) != (total.before, total.after):
        return _judge([*rows, total], may_claim=may_claim)
    (judged,) = _judge(rows, may_claim=may_claim)
    return judged, replace(judged, reason_name=TOTAL)


def _judge(rows: Sequence[Change], *, may_claim: bool) -> tuple[Change, ...]:
    """The rows with a verdict: all are asked at once, so that one of many is not claimed by chance."""
    asked = [row for row in rows if row.p is not None]
    adjusted = iter(holm([row.p for row in asked if row.p is not None]))
    judged = []
    for row in rows:
        p = None if row.p is None else next(adjusted)
        claimed = p is not None and p < LEVEL and may_claim and _enough(row)
        judged.append(replace(row, p_of_all=p, verdict=row.verdict if claimed else Verdict.NOTHING))
    return tuple(judged)


def _enough(row: Change) -> bool:
    return bool(row.before and row.after and min(row.before.samples, row.after.samples) >= FEWEST)
