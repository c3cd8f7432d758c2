"""Comparisons of simulated runs: how often a change is claimed of two that are alike, how often one is found."""

import random

import pytest

from loads import bursty, claims, heavy_tailed, kinds, phased, rare_bursts, run, samples, steady
from virt_exitstat.comparisons.compare import Wanted, compare
from virt_exitstat.comparisons.drift import Timeline, drift_p

PAIRS = 1000


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("number", [10, 30])
@pytest.mark.parametrize("load", [steady, bursty, rare_bursts, heavy_tailed])
def test_of_a_thousand_pairs_that_are_alike_a_change_is_claimed_in_six_of_a_hundred_at_most(load, number, rows):
    chance = random.Random(f"alike {load.__name__} {number} {rows}")
    claimed = warned = 0
    for _ in range(PAIRS):
        found = compare(run(load, chance, number, rows), run(load, chance, number, rows), Wanted())
        claimed += bool(claims(found))
        warned += "dependent_intervals" in kinds(found)
    print(
        f"{load.__name__}, {number} + {number}, {rows} rows: claims {claimed / PAIRS:.1%}, warned {warned / PAIRS:.1%}"
    )
    assert claimed <= 0.06 * PAIRS
    # Of each row by chance; a reader who is warned of everything heeds nothing.
    assert warned <= 0.04 * (rows + 1) * PAIRS


@pytest.mark.parametrize(
    ("number", "least_warned", "most_claimed"), [(10, 0.55, 0.22), (20, 0.9, 0.06), (30, 0.97, 0.02), (60, 0.99, 0)]
)
def test_a_load_with_phases_is_warned_of_and_claims_nothing_then(number, least_warned, most_claimed):
    """By ranks alone, without a look at neighbours, a change is claimed in 35 to 45 of a hundred.

    Two recordings that are as short as a phase show one phase each: no look at either of them tells that from a change.
    """
    chance = random.Random(f"phases {number}")
    claimed = warned = both = 0
    for _ in range(PAIRS):
        found = compare(run(phased, chance, number), run(phased, chance, number), Wanted())
        claimed += bool(claims(found))
        warned += "dependent_intervals" in kinds(found)
        both += "dependent_intervals" in kinds(found) and bool(claims(found))
    print(f"phased, {number} + {number}: claims {claimed / PAIRS:.1%}, warned {warned / PAIRS:.1%}")
    assert warned >= least_warned * PAIRS
    assert claimed <= most_claimed * PAIRS
    assert not both


def alternated(chance, recordings, factor=1.0, length=10):
    """A B A B .. of a load with phases: what a phase does, it does to both. The second side takes `factor`."""
    whole = phased(chance, 2 * recordings * length)
    turns = [whole[at : at + length] for at in range(0, len(whole), length)]
    return [
        samples(
            {"R0": [count * times for turn in of for count in turn]},
            recordings=[turn for turn in range(recordings) for _ in range(length)],
        )
        for of, times in ((turns[::2], 1.0), (turns[1::2], factor))
    ]


def test_alternated_recordings_of_a_load_with_phases_claim_no_more_than_the_level():
    chance = random.Random("alternated")
    claimed = judged = 0
    for _ in range(PAIRS):
        found = compare(*alternated(chance, 6), Wanted())
        claimed += bool(claims(found))
        judged += "by_recordings" in kinds(found)
    print(f"phased, alternated 6 x 10 + 6 x 10: claims {claimed / PAIRS:.1%}, by recordings {judged / PAIRS:.1%}")
    assert judged > 0.98 * PAIRS
    assert claimed <= 0.06 * PAIRS


def test_alternated_recordings_of_a_load_with_phases_show_a_change():
    """Twelve of 30 intervals each, which last for three phases: a load that has doubled."""
    chance = random.Random("alternated and changed")
    pairs = PAIRS // 4
    found = sum(bool(claims(compare(*alternated(chance, 12, 2.0, 30), Wanted()))) for _ in range(pairs))
    print(f"phased, alternated 12 x 30 + 12 x 30, doubled: found {found / pairs:.1%}")
    assert found >= 0.8 * pairs


@pytest.mark.parametrize(("seconds", "pairs"), [(1, 4000), (2, 1000), (5, 200)])
def test_a_fifth_more_of_a_bursty_load_is_found_in_eighty_of_a_hundred(seconds, pairs):
    """With intervals of a second in 80.4 of a hundred, of 20,000. A test of means that knew the variance reaches 83."""
    chance = random.Random(f"a fifth {seconds}")

    def taken(factor):
        counts = [sum(bursty(chance, seconds, factor)) / seconds for _ in range(30)]
        return samples({"R0": counts}, float(seconds))

    found = sum(claims(compare(taken(1), taken(1.2), Wanted())) == {"R0", "total"} for _ in range(pairs))
    print(f"bursty, 20% more, 30 + 30 of {seconds} s: found {found / pairs:.1%}")
    assert found >= 0.8 * pairs


@pytest.mark.parametrize("intervals", [10, 30])
@pytest.mark.parametrize("rows", [1, 7, 35])
def test_of_intervals_in_any_order_one_in_a_hundred_seems_to_drift(rows, intervals):
    """A sum of products is a little skew, so that it is two or three in a hundred where there are many rows."""
    chance = random.Random(f"level {rows} {intervals}")

    def noise():
        return Timeline([0] * intervals, [[chance.gauss(0, 1) for _ in range(intervals)] for _ in range(rows)])

    ps = [drift_p([noise(), noise()]) for _ in range(400)]
    print(f"{rows} rows, {intervals} + {intervals}: {sum(one < 0.01 for one in ps) / 4}%")
    assert sum(one < 0.01 for one in ps) <= 0.035 * 400
