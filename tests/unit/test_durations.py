"""durations: buckets as the kernel program finds them, sums, differences, percentiles."""

import random

from virt_exitstat.counts.durations import BUCKETS, NO_TIME, Durations, bucket_of, lower_bound_ns

LONGEST_NS = lower_bound_ns(BUCKETS)


def of(*lengths_ns, **more):
    """What is known of exits that took so long."""
    buckets = {}
    for length in lengths_ns:
        buckets[bucket_of(length)] = buckets.get(bucket_of(length), 0) + 1
    total = sum(lengths_ns)
    known = {"total_ns": total, "finished_ns": total, "max_ns": max(lengths_ns, default=0), "buckets": buckets}
    return Durations(**{**known, **more})


def test_each_bucket_begins_where_the_one_before_it_ends():
    for bucket in range(1, BUCKETS):
        first = lower_bound_ns(bucket)
        assert (bucket_of(first - 1), bucket_of(first)) == (bucket - 1, bucket)
        assert bucket < 8 or 0.14 <= (lower_bound_ns(bucket + 1) - first) / first <= 0.25


def test_the_last_bucket_holds_all_that_is_longer():
    assert 137e9 < LONGEST_NS < 138e9
    assert {bucket_of(length) for length in (LONGEST_NS - 1, LONGEST_NS, 10**15)} == {BUCKETS - 1}
    assert bucket_of(0) == 0


def test_sums_hold_all_of_both():
    one, other = of(100, 200, qemu_ns=50), of(150, 9_000, total_ns=10_000, in_flight=1)
    both = one + other
    assert (both.total_ns, both.finished_ns, both.qemu_ns, both.in_flight) == (10_300, 9_450, 50, 1)
    assert both.buckets == of(100, 200, 150, 9_000).buckets
    assert (both.finished, both.max_ns, both.is_bound) == (4, 9_000, False)


def test_a_bound_holds_for_a_sum_only_when_nothing_measured_is_as_long():
    bound = of(100, max_ns=5_000, is_bound=True)
    assert (bound + of(4_999)).is_bound and (of(4_999) + bound).max_ns == 5_000
    assert not (bound + of(5_000)).is_bound
    assert not (bound + of(6_000)).is_bound


def test_the_longest_of_an_interval_is_known_when_none_before_was_as_long():
    later = of(100, 7_000) - of(100)
    assert (later.max_ns, later.is_bound, later.buckets) == (7_000, False, {bucket_of(7_000): 1})
    assert not (of(300) - NO_TIME).is_bound


def test_else_it_is_bound_by_its_bucket_and_by_the_longest_ever():
    later = of(7_000, 300) - of(7_000)
    assert (later.max_ns, later.is_bound) == (lower_bound_ns(bucket_of(300) + 1), True)
    later = of(7_000, 7_000) - of(7_000)
    assert (later.max_ns, later.is_bound) == (7_000, True)


def test_an_interval_in_which_nothing_ended_has_no_longest():
    later = of(7_000, total_ns=9_000, in_flight=1) - of(7_000, total_ns=8_000, in_flight=1)
    assert (later.total_ns, later.max_ns, later.is_bound, later.finished, later.mean_ns) == (1_000, 0, False, 0, None)


def test_percentiles_are_a_quarter_off_at_most_and_never_above_the_longest():
    dice = random.Random(1)
    lengths = sorted(round(10 ** dice.uniform(3, 8)) for _ in range(5_000))
    durations = of(*lengths)
    for part in (0.01, 0.5, 0.9, 0.99, 0.999):
        right = lengths[round(part * len(lengths)) - 1]
        assert abs(durations.percentile_ns(part) - right) <= right / 4
    assert durations.percentile_ns(1) == lengths[-1]
    assert of(*[513] * 100).percentile_ns(0.99) <= 513
    assert NO_TIME.percentile_ns(0.5) is None


def test_the_mean_is_of_those_that_have_finished():
    assert of(100, 300, total_ns=5_000, in_flight=1).mean_ns == 200


def test_no_time_is_taken_back():
    told = of(100, total_ns=900, qemu_ns=80, in_flight=1)
    assert of(100, qemu_ns=90).not_before(told) == of(100, total_ns=900, qemu_ns=90)
    assert of(100, 950).not_before(told) == of(100, 950, qemu_ns=80)
    newer = of(100, 950, qemu_ns=80)
    assert newer.not_before(told) is newer


def test_nothing_is_false_and_anything_is_true():
    assert not NO_TIME and not Durations()
    for one in (of(0), Durations(total_ns=1), Durations(in_flight=-1)):
        assert one


def test_beyond_the_last_bucket_the_longest_is_bound_by_the_longest_ever():
    later = of(200 * 10**9, 150 * 10**9) - of(200 * 10**9)
    assert (later.max_ns, later.is_bound) == (200 * 10**9, True)
