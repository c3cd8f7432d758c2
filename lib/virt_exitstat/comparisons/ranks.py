"""The test by ranks, of many rows at once, of samples that may depend on each other. Small functions with sources."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist, fmean

#: Up to so many samples on a side, without ties, p is exact.
_EXACT = 20


def rank_sum_p(before: Sequence[float], after: Sequence[float], *, worth: float = 1.0) -> float:
    """Two-sided p of the Mann-Whitney test (H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18, 1947).

    Exact for up to 20 + 20 samples without ties; else normal, with the corrections for ties and for continuity
    (Conover, section 5.1). `worth` below 1: samples that depend on each other are worth so many times fewer.
    """
    n, m = len(before), len(after)
    if not n or not m:
        return 1.0
    u, ties = _u_and_ties(before, after)
    u = min(u, n * m - u)
    if not ties and n <= _EXACT and m <= _EXACT and worth >= 1:
        return min(1.0, 2 * _cumulated(n, m)[int(u)] / math.comb(n + m, n))
    size = n + m
    variance = n * m / 12 * (size + 1 - ties / (size * (size - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, n * m / 2 - u - 0.5) / math.sqrt(variance / worth)
    return min(1.0, 2 * NormalDist().cdf(-z))


def is_higher(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether values after are higher than those before more often than lower."""
    return _u_and_ties(after, before)[0] * 2 > len(before) * len(after)


def least_p(before: int, after: int) -> float:
    """The least p that so many samples can reach."""
    return min(1.0, 2 / math.comb(before + after, before))


def _u_and_ties(before: Sequence[float], after: Sequence[float]) -> tuple[float, int]:
    """How many pairs have the higher value before (ties count half), and the sum of t^3 - t over ties of t values."""
    ranks = rank([*before, *after])
    u = sum(ranks[: len(before)]) - len(before) * (len(before) + 1) / 2
    return u, sum(t**3 - t for t in Counter(ranks).values())


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


@lru_cache(maxsize=64)
def _cumulated(n: int, m: int) -> tuple[int, ...]:
    """In how many orders of n and m distinct values U is at most 0, 1, ..

    The numbers for each U are the coefficients of the Gaussian binomial, the product of (1 - q^(m+i)) / (1 - q^i) for
    i = 1 .. n (G. E. Andrews, The Theory of Partitions, 1976, section 3.2).
    """
    ways = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for at in range(n * m, m + i - 1, -1):
            ways[at] -= ways[at - m - i]
        for at in range(i, n * m + 1):
            ways[at] += ways[at - i]
    return tuple(accumulate(ways))


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


def worth_of(correlation: float) -> float:
    """How much a sample is worth when it depends on the one before it: (1 - r) / (1 + r) of an independent one.

    G. V. Bayley, J. M. Hammersley, The "Effective" Number of Independent Observations in an Autocorrelated Time Series,
    Journal of the Royal Statistical Society 8, 1946; for a correlation that falls off as r^k.
    """
    return (1 - correlation) / (1 + correlation)
