"""Mantel's test for neighbours that are alike: against all orders of a few intervals, and by what it is to see."""

import math
import random
from itertools import permutations
from statistics import NormalDist, fmean

import pytest

from virt_exitstat.comparisons.drift import Timeline, drift_p
from virt_exitstat.comparisons.ranks import normal_scores

NAN = math.nan


def noise(chance, rows, intervals):
    return [[chance.gauss(0, 1) for _ in range(intervals)] for _ in range(rows)]


def p(*sides, recordings=None):
    return drift_p([Timeline(recordings or [0] * len(rows[0]), rows) for rows in sides])


def p_of_all_orders(rows, recordings):
    """By definition: mean and variance of the sum for each order of the intervals, all rows in the same one."""
    scores = [normal_scores(row) for row in rows]
    intervals = range(len(recordings))
    near = {
        (one, other): 1 / abs(one - other)
        for one in intervals
        for other in intervals
        if one != other and recordings[one] == recordings[other]
    }

    def likeness(order):
        return sum(
            weight * sum(row[order[one]] * row[order[other]] for row in scores) for (one, other), weight in near.items()
        )

    found = [likeness(order) for order in permutations(intervals)]
    middle = fmean(found)
    spread = math.sqrt(fmean((one - middle) ** 2 for one in found))
    return NormalDist().cdf((middle - found[0]) / spread)


@pytest.mark.parametrize("recordings", [[0] * 6, [0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 2], [0, 0, 0, 0, 1]])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_mean_and_variance_are_those_of_all_orders(rows, recordings):
    chance = random.Random(f"{rows} {recordings}")
    found = noise(chance, rows, len(recordings))
    assert p(found, recordings=recordings) == pytest.approx(p_of_all_orders(found, recordings))


def test_a_number_that_is_not_known_tells_nothing():
    chance = random.Random(1)
    rows = noise(chance, 3, 12)
    assert p([*rows, [NAN] * 12]) == p(rows)
    some = [*rows, [NAN, 5.0, *[NAN] * 9, 7.0]]
    assert 0 < p(some) < 1 and p(some) != p(rows)


@pytest.mark.parametrize("rows", [[[5.0] * 9], [], [[1.0, 2.0, 3.0]]])
def test_what_does_not_vary_or_is_short_does_not_drift(rows):
    assert drift_p([Timeline([0] * len(rows[0]) if rows else [0] * 9, rows)] * 2) == 1


def test_a_drift_that_all_rows_share_is_seen_where_each_alone_hides_it():
    """A line by as much as the noise's standard deviation from end to end: a twelfth of the variance."""
    chance = random.Random(2)
    seen = alone = 0
    for _ in range(100):
        sides = [[[one + at / 30 for at, one in enumerate(row)] for row in noise(chance, 35, 30)] for _ in range(2)]
        seen += p(*sides) < 0.01
        alone += p(*(side[:1] for side in sides)) < 0.01
    assert seen > 90 and alone < 20


def test_a_recording_that_differs_from_the_others_of_its_side_is_seen_however_level_each_is():
    chance = random.Random(3)
    recordings = [turn for turn in range(3) for _ in range(8)]
    alike = noise(chance, 5, 24)
    differing = [[one + 2 * (turn == 1) for turn, one in zip(recordings, row)] for row in alike]
    assert p(differing, recordings=recordings) < 0.01 < p(alike, recordings=recordings)


def test_a_change_between_the_sides_is_no_drift():
    chance = random.Random(4)
    before, after = noise(chance, 5, 30), noise(chance, 5, 30)
    assert p(before, [[one + 50 for one in row] for row in after]) == pytest.approx(p(before, after))
