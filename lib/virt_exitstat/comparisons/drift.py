"""Whether intervals tell when they were: neighbours that are alike in many rows at once. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, groupby
from operator import mul
from statistics import NormalDist
from typing import NamedTuple

from .ranks import normal_scores

#: Intervals that are farther apart than this are no neighbours. It bounds the work for long recordings.
_FARTHEST = 32


class Timeline(NamedTuple):
    """The intervals of one side in their order: the recording of each, and the numbers of each row, NaN: not known."""

    recordings: Sequence[int]
    rows: Sequence[Sequence[float]]


def drift_p(sides: Sequence[Timeline]) -> float:
    """One-sided p of neighbours that are no more alike than others; near 0 where a load or a host drifts or has phases.

    N. Mantel's test for clustering in time (The Detection of Disease Clustering and a Generalized Regression Approach,
    Cancer Research 27, 1967), with his reciprocals of the distance as weights; the likeness of two intervals is the
    product of their normal scores, summed over all rows. A cause that all rows share is seen where in each row alone
    noise hides it, and so is a recording that differs from the others of its side. Each side is looked at by itself: a
    change between them is none of this.
    """
    found = variance = 0.0
    for side in sides:
        if len(side.recordings) > _TOO_FEW:
            more, of_it = _look(side)
            found, variance = found + more, variance + of_it
    # With few rows that hardly vary the sums are the same for each order, but for rounding.
    return 1.0 if variance < _NOTHING else NormalDist().cdf(-found / math.sqrt(variance))


# The variance has a factor of n - 3.
_TOO_FEW = 3

# No variance at all: scores are of the order of 1.
_NOTHING = 1e-9


class _Sums(NamedTuple):
    """Of a symmetric matrix without its diagonal: the sum, that of squares, and that of the squared sums of lines."""

    all: float
    squares: float
    lines: float


def _look(side: Timeline) -> tuple[float, float]:
    """How much the sum of likeness by nearness is above what it is for intervals in any order, and its variance."""
    n = len(side.recordings)
    scores = [_scores(row) for row in side.rows]
    lengths = [len(list(of)) for _, of in groupby(side.recordings)]
    near, like = _nearness(lengths), _likeness(scores)
    mean = near.all * like.all / (n * (n - 1))
    return _likeness_by_nearness(scores, lengths) - mean, _variance(near, like, n)


def _scores(row: Sequence[float]) -> list[float]:
    """The normal scores of the numbers that are known, about their mean; 0 for those that are not."""
    scores = iter(normal_scores([value for value in row if not math.isnan(value)]))
    return [0.0 if math.isnan(value) else next(scores) for value in row]


def _likeness_by_nearness(scores: Sequence[Sequence[float]], lengths: Sequence[int]) -> float:
    found = 0.0
    for row in scores:
        end = 0
        for length in lengths:
            run = row[end : end + length]
            end += length
            for apart in range(1, min(length, _FARTHEST + 1)):
                found += 2 * sum(map(mul, run, run[apart:])) / apart
    return found


def _nearness(lengths: Sequence[int]) -> _Sums:
    reciprocals = [1 / apart for apart in range(1, _FARTHEST + 1)]
    # Sums of the first 0, 1, 2 .. of them.
    harmonic = [0.0, *accumulate(reciprocals)]
    of_squares = [0.0, *accumulate(one * one for one in reciprocals)]
    whole = squares = lines = 0.0
    for length in lengths:
        for at in range(length):
            before, behind = min(at, _FARTHEST), min(length - 1 - at, _FARTHEST)
            line = harmonic[before] + harmonic[behind]
            whole += line
            lines += line * line
            squares += of_squares[before] + of_squares[behind]
    return _Sums(whole, squares, lines)


def _likeness(scores: Sequence[Sequence[float]]) -> _Sums:
    # Each row adds up to 0, so each line of the matrix does, with its diagonal.
    diagonal = [sum([score * score for score in of_interval]) for of_interval in zip(*scores)]
    lines = sum([own * own for own in diagonal])
    # The squares of the matrix of intervals by intervals are those of rows by rows.
    squares = 0.0
    for at, row in enumerate(scores):
        squares += sum(map(mul, row, row)) ** 2
        squares += 2 * sum([sum(map(mul, row, other)) ** 2 for other in scores[at + 1 :]])
    return _Sums(-sum(diagonal), squares - lines, lines)


def _variance(one: _Sums, other: _Sums, n: int) -> float:
    """Of the sum of products of two matrices, for all orders of the n lines of one of them (Mantel's formula)."""
    pairs = n * (n - 1)
    of_triples = 4 * (one.lines - one.squares) * (other.lines - other.squares) / (pairs * (n - 2))
    of_fours = (
        (one.all**2 + 2 * one.squares - 4 * one.lines)
        * (other.all**2 + 2 * other.squares - 4 * other.lines)
        / (pairs * (n - 2) * (n - 3))
    )
    return 2 * one.squares * other.squares / pairs + of_triples + of_fours - (one.all * other.all / pairs) ** 2
