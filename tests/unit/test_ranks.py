"""The statistics of comparisons: against all orders, against published values, and by what they mean."""

import math
import random
from itertools import combinations
from statistics import NormalDist, fmean, median

import pytest

from virt_exitstat.comparisons.medians import estimate_median
from virt_exitstat.comparisons.ranks import holm, is_higher, lag_one, least_p, rank, scores_p


def p_of_all_orders(before, after):
    """The two-sided p by definition: the scores of every way to deal the values to the two sides."""
    values = [*before, *after]
    scores = [NormalDist().inv_cdf(place / (len(values) + 1)) for place in rank(values)]
    middle = fmean(scores)

    def distance(chosen):
        return abs(sum(scores[at] - middle for at in chosen))

    seen = distance(range(len(before)))
    distances = [distance(chosen) for chosen in combinations(range(len(values)), len(before))]
    return sum(found >= seen - 1e-9 for found in distances) / len(distances)


@pytest.mark.parametrize("different", [1000, 9, 3, 2])
@pytest.mark.parametrize("cut", range(2, 10))
def test_p_of_few_samples_is_exact_with_ties_and_without(cut, different):
    chance = random.Random(f"{cut} {different}")
    values = [chance.randrange(different) for _ in range(11)]
    assert scores_p(values[:cut], values[cut:]) == pytest.approx(p_of_all_orders(values[:cut], values[cut:]))


def test_four_and_four_are_the_least_that_reach_five_per_cent():
    assert scores_p([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert least_p(4, 4) == pytest.approx(2 / 70) and least_p(3, 4) > 0.05


def test_a_reason_that_occurred_in_few_of_many_intervals_has_an_exact_p():
    """Fisher's: all four of sixty on one side; by the normal approximation this would be 0.04."""
    assert scores_p([0] * 26 + [1] * 4, [0] * 30) == pytest.approx(2 * math.comb(30, 4) / math.comb(60, 4))
    assert scores_p([0, 0, 0, 5], [0] * 100) == pytest.approx(4 / 104)


def test_the_normal_approximation_continues_the_exact_p():
    """On both sides of its limit, for runs that differ by the same."""
    before, after = list(range(0, 40, 4)), list(range(9, 49, 4))
    exact = scores_p(before, after)
    assert 0.02 < exact < 0.2
    # One value more asks for the approximation.
    assert scores_p([*before, 24], after) == pytest.approx(exact, rel=0.2)


def test_scores_are_those_of_van_der_waerden():
    """z by his formula: (sum of scores of one side) / sqrt(n m / (N (N - 1)) * sum of squares)."""
    before, after = list(range(24)), list(range(12, 37))
    scores = [NormalDist().inv_cdf(place / 50) for place in rank([*before, *after])]
    sum_of_one = sum(scores[:24]) - 24 * fmean(scores)
    spread = sum((score - fmean(scores)) ** 2 for score in scores)
    z = sum_of_one / math.sqrt(24 * 25 / (49 * 48) * spread)
    assert scores_p(before, after) == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))


def test_values_that_are_all_alike_claim_nothing():
    assert scores_p([5.0] * 30, [5.0] * 30) == 1
    assert scores_p([], [1.0, 2.0]) == 1


def test_sides_may_be_exchanged():
    before, after = [1, 5, 3, 9, 7], [2, 8, 11, 12, 13, 10]
    assert scores_p(before, after) == pytest.approx(scores_p(after, before))
    assert is_higher(before, after) and not is_higher(after, before)


def test_equal_values_share_their_ranks():
    assert rank([7, 3, 7, 1]) == [3.5, 2, 3.5, 1]


def test_holm_as_he_steps_down():
    # 0.01 x 4, 0.02 x 3 = 0.06, 0.03 x 2 = 0.06, 0.04.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1, 1]


def test_the_correlation_of_a_line_of_alternation_and_of_chance():
    assert lag_one([[list(range(50))]]) > 0.9
    assert lag_one([[[1, 2] * 25]]) < -0.9
    chance = random.Random(3)
    assert abs(lag_one([[[chance.random() for _ in range(500)]]])) < 0.1
    assert lag_one([[[5.0] * 9]]) == 0


def test_neighbours_of_two_runs_are_none():
    """Runs that are level by themselves: within each one nothing follows from the value before."""
    assert lag_one([[[1, 9], [9, 1], [1, 9], [9, 1]]]) < 0 < lag_one([[[1, 9, 9, 1, 1, 9, 9, 1]]]) + 0.2


def test_a_level_that_differs_between_runs_is_seen():
    assert lag_one([[[1, 2, 1, 2], [8, 9, 8, 9]]]) > 0.3


@pytest.mark.parametrize(
    ("samples", "low", "high"),
    # The ranks of the 95% interval of a median (Conover, table A3): both ends are left out by so many.
    [(6, 0, 5), (8, 0, 7), (9, 1, 7), (12, 2, 9), (20, 5, 14), (30, 9, 20)],
)
def test_the_interval_of_a_median_has_the_ranks_of_the_tables(samples, low, high):
    found = estimate_median([float(at) for at in range(samples)])
    assert (found.low, found.high, found.samples) == (low, high, samples)


def test_fewer_than_six_samples_bound_no_median():
    assert estimate_median([3, 1, 2, 5, 4]).low is None
    assert estimate_median([]) is None


def test_the_interval_holds_the_median_in_ninety_five_of_a_hundred_runs():
    chance = random.Random(4)
    held = 0
    for _ in range(1000):
        found = estimate_median([chance.expovariate(1) for _ in range(15)])
        held += found.low <= math.log(2) <= found.high
    assert held >= 945


def test_of_many_samples_the_interval_is_that_of_the_binomial_distribution():
    values = [float(at) for at in range(1001)]
    many, fewer = estimate_median(values), estimate_median(values[:1000])
    assert many.middle == median(values)
    assert abs((many.high - many.low) - (fewer.high - fewer.low)) <= 4
