"""A comparison as a value: the rows of each measure, what is claimed of them, and the doubts. Pure functions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from .doubts import (
    DEPENDENT,
    DRIFTING,
    FEWEST,
    Doubt,
    doubt_dependence,
    doubt_lengths,
    doubt_likeness,
    doubt_number,
    doubt_power,
    doubt_samples,
    doubt_times,
)
from .drift import Timeline, drift_p
from .measures import MEASURES, Measure
from .medians import Median, estimate_median
from .ranks import fewest_samples, holm, is_higher, lag_one, scores_p
from .samples import TOTAL, Samples

#: Of two runs that are alike, a change of any row is claimed in no more than this part of the comparisons.
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
    when all rows of all measures are asked at once; the verdict is by it. Where intervals depend on each other, by
    their `correlation` or as a domain drifts, there is no p and no claim; with enough recordings all is of their means
    (`by_recordings`).
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

    @property
    def samples(self) -> tuple[int, int]:
        """So many samples are on each side."""
        return (self.before.samples if self.before else 0, self.after.samples if self.after else 0)


@dataclass(frozen=True)
class Compared:
    """The rows of one measure, the total last."""

    measure: Measure
    rows: tuple[Change, ...]

    @property
    def asked(self) -> tuple[Change, ...]:
        """The rows without a total that is the same as the only other one: that question is asked once."""
        *rows, total = self.rows
        is_same = len(rows) == 1 and (rows[0].before, rows[0].after) == (total.before, total.after)
        return tuple(rows) if is_same else self.rows


@dataclass(frozen=True)
class Counted:
    """What was compared of one side: so many intervals, of about so many seconds."""

    label: str
    intervals: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Two sides of a domain, or two domains. `together`: they were counted in the same recordings.

    `drift_p` is how often chance alone would make neighbouring intervals as much alike as they are.
    """

    before: Counted
    after: Counted
    measures: tuple[Compared, ...]
    doubts: tuple[Doubt, ...]
    drift_p: float = 1.0
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
    measures = [measure for measure in MEASURES if measure.timed <= (before.timed and after.timed)]
    # Of the rows that were asked for: their sum is of others as well.
    drift = drift_p([_timeline(side, names, measures, at) for side, at in zip((before, after), kept)])
    drifts = drift < DRIFTING
    tables = [
        Compared(measure, tuple(_row(name, measure, before, after, kept, drifts=drifts) for name in (*names, TOTAL)))
        for measure in measures
    ]
    doubts = [
        *doubt_samples(before, len(kept[0])),
        *doubt_samples(after, len(kept[1])),
        *doubt_likeness(before, after),
        *doubt_times(before, after),
        *doubt_lengths(before, after),
        *doubt_number(len(kept[0]), len(kept[1])),
        *_doubt_rows(tables, drifts=drifts),
    ]
    may_claim = not any(doubt.forbids for doubt in doubts)
    return Comparison(
        Counted(before.label, len(kept[0]), before.length),
        Counted(after.label, len(kept[1]), after.length),
        _judge(tables, may_claim=may_claim),
        tuple(doubts),
        drift,
        together,
    )


_Kept = tuple[list[int], list[int]]


def _choose(before: Samples, after: Samples, wanted: Wanted) -> list[str]:
    """The names of the rows, the most frequent first: both sides count alike, so that the order claims nothing."""
    names = [name for name in dict.fromkeys([*before.rows, *after.rows]) if wanted.shows(name)]
    rates = {name: before.rate(name) + after.rate(name) for name in names}
    return sorted((name for name in names if rates[name]), key=lambda name: (-rates[name], name))[: wanted.top]


def _timeline(side: Samples, names: Sequence[str], measures: Sequence[Measure], kept: Sequence[int]) -> Timeline:
    rows = [side.numbers(name, measure, kept) for measure in measures for name in names]
    return Timeline([side.recordings[at] for at in kept], rows)


def _row(name: str, measure: Measure, before: Samples, after: Samples, kept: _Kept, *, drifts: bool) -> Change:
    """A row before it is judged."""
    runs = before.runs(name, measure, kept[0]), after.runs(name, measure, kept[1])
    left, right = ([value for run in of for value in run] for of in runs)
    correlation = lag_one(runs) if min(len(left), len(right)) >= FEWEST else 0.0
    depends = drifts or correlation > DEPENDENT
    by_recordings = depends and min(map(len, runs)) >= FEWEST
    if by_recordings:
        left, right = ([fmean(run) for run in of] for of in runs)
    one, other = estimate_median(left), estimate_median(right)
    ratio = other.middle / one.middle - 1 if one and other and one.middle else None
    row = Change(
        name, one, other, _presence(before, after, name), ratio, None, None, Verdict.NOTHING, correlation, by_recordings
    )
    if not one or not other or (depends and not by_recordings):
        return row
    p = scores_p(left, right)
    return replace(row, p=p, verdict=Verdict.MORE if is_higher(left, right) else Verdict.LESS)


def _presence(before: Samples, after: Samples, name: str) -> Presence:
    if before.has(name) == after.has(name):
        return Presence.BOTH
    return Presence.GONE if before.has(name) else Presence.NEW


def _doubt_rows(tables: Sequence[Compared], *, drifts: bool) -> Iterator[Doubt]:
    """Doubts about rows: too few samples for so many of them, and samples that depend on each other."""
    rows = [row for table in tables for row in table.asked if row.before and row.after]
    if not rows:
        return
    level = LEVEL / len(rows)
    fewest = max(FEWEST, fewest_samples(level))
    for by in (False, True):
        asked = [row for row in rows if row.p is not None and row.by_recordings is by]
        yield from doubt_power([row.samples for row in asked], level, fewest, by_recordings=by)
    withheld, by_recordings = (
        dict.fromkeys(row.reason_name for row in rows if (drifts or row.dependent) and row.by_recordings is by)
        for by in (False, True)
    )
    yield from doubt_dependence(list(withheld), list(by_recordings), fewest, drifts=drifts)


def _judge(tables: Sequence[Compared], *, may_claim: bool) -> tuple[Compared, ...]:
    """The rows with a verdict: all are asked at once, so that one of many is not claimed by chance."""
    ps = [row.p for table in tables for row in table.asked if row.p is not None]
    adjusted = iter(holm(ps))
    judged = []
    for table in tables:
        rows = [_claim(row, None if row.p is None else next(adjusted), may_claim=may_claim) for row in table.asked]
        if len(rows) < len(table.rows):
            rows.append(replace(rows[0], reason_name=TOTAL))
        judged.append(replace(table, rows=tuple(rows)))
    return tuple(judged)


def _claim(row: Change, p: float | None, *, may_claim: bool) -> Change:
    claimed = p is not None and p < LEVEL and may_claim and min(row.samples) >= FEWEST
    return replace(row, p_of_all=p, verdict=row.verdict if claimed else Verdict.NOTHING)
