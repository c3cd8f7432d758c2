"""The test by ranks, of many rows at once, of samples that may depend on each other. Small functions with sources."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, count
from statistics import NormalDist, fmean

#: p is exact where no more samples than this have another value than the most common one: 10 + 10 without ties.
_EXACT = 20

#: Sums of scores that differ by no more are the same.
_SAME = 1e-9


def scores_p(before: Sequence[float], after: Sequence[float]) -> float:
    """Two-sided p of the test by normal scores (B. L. van der Waerden, Indagationes Mathematicae 14, 1952).

    Like that of Mann and Whitney it looks at ranks alone, so no outlier and no distribution misleads it. Its power is
    that of the t-test where values are normal, and higher where they are not (H. Chernoff, I. R. Savage, Annals of
    Mathematical Statistics 29, 1958). Exact for few samples, among all ways to deal the values to the two sides; else
    normal (Conover, section 5.10).
    """
    n, m = len(before), len(after)
    scores = normal_scores([*before, *after])
    spread = sum([score * score for score in scores])
    if not n or not m or spread < _SAME:
        return 1.0
    seen = abs(sum(scores[:n]))
    common, times = Counter(scores).most_common(1)[0]
    if n + m - times <= _EXACT:
        return _exact_p([score for score in scores if score != common], common, n, m, seen)
    variance = n * m / ((n + m) * (n + m - 1)) * spread
    return min(1.0, 2 * NormalDist().cdf(-seen / math.sqrt(variance)))


def is_higher(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether the test finds the values after higher than those before."""
    return sum(normal_scores([*before, *after])[: len(before)]) < 0


def normal_scores(values: Sequence[float]) -> list[float]:
    """The normal quantiles of their ranks, about their mean."""
    ranks = rank(values)
    normal = NormalDist()
    quantiles = {place: normal.inv_cdf(place / (len(ranks) + 1)) for place in set(ranks)}
    scores = [quantiles[place] for place in ranks]
    middle = fmean(scores) if scores else 0.0
    return [score - middle for score in scores]


def _exact_p(others: Sequence[float], common: float, n: int, m: int, seen: float) -> float:
    """The part of all ways to deal n + m scores, all but `others` being `common`, whose sum is as far from 0 as `seen`.

    The sums of two halves are combined, so that 2^20 ways take 2^10 steps (E. Horowitz, S. Sahni, Journal of the ACM
    21, 1974).
    """
    left, right = (_sums_by_size(half) for half in (others[: len(others) // 2], others[len(others) // 2 :]))
    rest = n + m - len(others)
    far = 0
    for i, some in enumerate(left):
        for j, more in enumerate(right):
            dealt = n - i - j
            if not 0 <= dealt <= rest:
                continue
            ways = 0
            for each in some:
                begun = each + dealt * common
                ways += bisect_right(more, -seen + _SAME - begun) + len(more) - bisect_left(more, seen - _SAME - begun)
            far += ways * math.comb(rest, dealt)
    return min(1.0, far / math.comb(n + m, n))


def _sums_by_size(scores: Sequence[float]) -> list[list[float]]:
    """The sums of all choices of no score, of one, of two .., each list sorted."""
    return [sorted(map(sum, combinations(scores, size))) for size in range(len(scores) + 1)]


def least_p(before: int, after: int) -> float:
    """The least p that so many samples can reach."""
    return min(1.0, 2 / math.comb(before + after, before))


def fewest_samples(level: float) -> int:
    """So many samples on each side can reach a p below the level."""
    return next(number for number in count(1) if least_p(number, number) < level)


def rank(values: Sequence[float]) -> list[float]:
    """Their ranks from 1, equal ones having the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for at in order[first : last + 1]:
            ranks[at] = (first + last) / 2 + 1
        first = last + 1
    return ranks


def holm(ps: Sequence[float]) -> list[float]:
    """p of each of several tests, so that any is below a level by chance only that often.

    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for place, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, ps[at] * (len(ps) - place)))
        adjusted[at] = highest
    return adjusted


def lag_one(sides: Sequence[Sequence[Sequence[float]]]) -> float:
    """How much neighbours in a run depend on each other: the lag-1 autocorrelation, for both sides together.

    The first coefficient of a correlogram (C. Chatfield, The Analysis of Time Series, 6th ed. 2004, section 2.7), each
    side about its own mean. A side is a list of runs; the last value of one is no neighbour of the next one's first.
    0 where nothing varies. Python's statistics.correlation() came with 3.10, and takes the means of shifted parts.
    """
    together = spread = 0.0
    for runs in sides:
        middle = fmean([value for run in runs for value in run])
        for run in runs:
            apart = [value - middle for value in run]
            together += sum(one * other for one, other in zip(apart, apart[1:]))
            spread += sum(one * one for one in apart)
    return together / spread if spread else 0.0
