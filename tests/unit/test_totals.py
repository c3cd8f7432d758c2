"""totals: readings added up to counters that only grow, by process."""

from dataclasses import replace

import pytest

from made_up_reports import WHEN_AND_WHERE, domain, lasted, snapshot, thread_of
from virt_exitstat.counts.durations import bucket_of, lower_bound_ns
from virt_exitstat.counts.snapshot import CountSnapshot, Lost, State, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.metrics.buckets import BOUNDS_NS, distribution_of
from virt_exitstat.metrics.totals import Sum, Totals, add_reading
from virt_exitstat.reports.reading import Reading
from virt_exitstat.targets.target import Target, Targets, VCpu


def reading(targets, exits, *, ended=(), lost=()):
    """`exits` is {tid: {reason: exits, or a Tally}}; a tid belongs to the process in whose hundred it lies."""
    counts = {
        thread_of(tid): {reason: one if isinstance(one, Tally) else Tally(one) for reason, one in of.items()}
        for tid, of in exits.items()
    }
    delta = CountSnapshot(1.0, counts, Lost(*lost))
    for process in ended:
        delta = delta.ended(*process)
    return Reading(Targets(tuple(targets)), delta, frozenset(ended), **WHEN_AND_WHERE)


def add_up(*readings, to=None, name_of=str, gone=(), **wanted):
    """`gone` are the tids of threads that have ended."""
    totals = to or Totals()
    for one in readings:
        totals = add_reading(totals, one, name_of, lambda thread: thread.tid in gone, **wanted)
    return totals


def vcpus(totals):
    return [of.vcpus for of in totals.domains.values()]


def exits(totals):
    return {
        process: {int(name): one.exits for name, one in of.reasons.items()} for process, of in totals.domains.items()
    }


WEB, DB = domain("web01", 100, 2), domain("db01", 200)


def test_exits_of_all_vcpus_and_readings_add_up():
    totals = add_up(
        reading([WEB, DB], {101: {12: 5}, 102: {12: 1, 30: 2}, 201: {10: 9}}),
        reading([WEB, DB], {101: {12: 100}}),
    )
    assert exits(totals) == {(100, 0): {12: 106, 30: 2}, (200, 0): {10: 9}}
    assert vcpus(totals) == [2, 1]


def test_a_reading_without_exits_changes_nothing():
    once = add_up(reading([WEB], {101: {12: 5}}))
    assert add_up(reading([WEB], {}), to=once) == once


def test_a_domain_that_ended_is_told_as_such_and_then_gone():
    first, last = reading([WEB, DB], {101: {12: 5}}), reading([WEB, DB], {101: {12: 7}}, ended=[(100, 0)])
    totals = add_up(first, last)
    assert totals.domains[100, 0].has_ended and exits(totals)[100, 0] == {12: 12}
    assert exits(add_up(reading([DB], {}), to=totals)) == {(200, 0): {}}


def test_a_domain_that_starts_again_begins_at_0_also_with_the_same_pid():
    old, new = replace(WEB, started=1), replace(WEB, started=2)
    totals = add_up(
        reading([old], {101: {12: 5}}),
        reading([old, new], {}, ended=[(100, 1)]),
        reading([new], {101: {12: 3}}),
    )
    assert exits(totals) == {(100, 2): {12: 3}}


def test_exits_of_the_ended_process_are_not_those_of_the_one_with_its_pid():
    old, new = replace(WEB, started=1), replace(WEB, started=2)
    ended = snapshot(1.0, {Thread(100, 101): {12: 5}}).ended(100, 1)
    delta = replace(ended, counts={**ended.counts, Thread(100, 101): {12: Tally(3)}})
    both = Reading(Targets((old, new)), delta, frozenset([(100, 1)]), **WHEN_AND_WHERE)
    assert exits(add_up(both)) == {(100, 1): {12: 5}, (100, 2): {12: 3}}


def test_vcpus_stand_apart_where_they_are_wanted():
    """vCPU 1 is plugged again as another thread; a thread without a number stands apart too."""
    again = replace(WEB, vcpus=(WEB.vcpus[0], replace(WEB.vcpus[1], tid=109)))
    totals = add_up(
        reading([WEB], {101: {12: 5}, 102: {12: 1}}), reading([again], {109: {12: 10}, 150: {30: 4}}), per_vcpu=True
    )
    (web,) = totals.domains.values()
    assert web.per_vcpu == {0: {"12": Sum(5)}, 1: {"12": Sum(11)}, None: {"30": Sum(4)}}
    assert web.reasons == {"12": Sum(16), "30": Sum(4)}
    assert add_up(reading([WEB], {101: {12: 5}})).domains[100, 0].per_vcpu == {}


def test_a_vcpu_that_is_plugged_again_is_one_and_a_thread_without_a_number_none():
    again = replace(WEB, vcpus=(*WEB.vcpus, VCpu(1, 109)))
    assert vcpus(add_up(reading([again], {102: {12: 1}, 109: {12: 1}, 150: {12: 1}}))) == [2]


def test_single_threads_are_the_ones_that_are_counted():
    assert vcpus(add_up(reading([replace(WEB, tids=frozenset((102,)))], {102: {12: 1}}))) == [1]
    assert vcpus(add_up(reading([Target(100, (), tids=frozenset((102, 103)))], {102: {12: 1}}))) == [2]


def test_vcpus_that_nobody_names_are_known_once_they_took_an_exit_until_they_end():
    nameless = Target(100, ())
    totals = add_up(reading([nameless], {101: {12: 900}, 102: {12: 1}}), reading([nameless], {101: {12: 900}}))
    assert vcpus(totals) == [2]
    assert vcpus(add_up(reading([nameless], {}), to=totals)) == [2]
    assert vcpus(add_up(reading([nameless], {}), to=totals, gone=(102,))) == [1]
    assert vcpus(add_up(reading([nameless], {}, ended=[(100, 0)]), to=totals, gone=(101, 102))) == [2]


def test_raw_reasons_of_one_name_are_added_up_under_it():
    (web,) = add_up(
        reading([WEB], {101: {71: 5, 72: 2}}),
        reading([WEB], {101: {72: 10}, 102: {71: 1, 12: 3}}),
        name_of=lambda reason: "HLT" if reason == 12 else "NEWER",
        per_vcpu=True,
    ).domains.values()
    assert web.reasons == {"NEWER": Sum(18), "HLT": Sum(3)}
    assert web.per_vcpu == {0: {"NEWER": Sum(17)}, 1: {"NEWER": Sum(1), "HLT": Sum(3)}}


def test_lost_exits_add_up():
    assert add_up(reading([], {}, lost=(1, 2, 3)), reading([], {}, lost=(10, 0, 0))).lost == Lost(11, 2, 3)


def timed(length_ns, number, **more):
    return Tally(number, lasted(length_ns, number, **more))


def test_times_add_up_and_what_a_thread_does_outside_of_exits_is_none():
    one = reading([WEB], {101: {12: timed(2000, 3), State.GUEST: Tally(0, lasted(10**9, 1))}, 102: {12: timed(500, 1)}})
    assert add_up(one, one).domains[100, 0].reasons == {"12": Sum(8, 13_000, 13_000)}


def test_the_time_of_an_exit_in_flight_never_makes_a_counter_fall():
    grown, less = Tally(1, lasted(0, 0, in_flight_ns=500)), Tally(0, lasted(0, 0, in_flight_ns=-1))
    assert add_up(reading([WEB], {101: {12: grown}}), reading([WEB], {101: {12: less}})).domains[100, 0].reasons[
        "12"
    ] == Sum(1, 500)


def test_the_histogram_is_kept_only_where_it_is_wanted():
    one = reading([WEB], {101: {12: timed(2000, 3)}, 102: {12: timed(500, 1)}})
    assert add_up(one).domains[100, 0].reasons["12"].buckets == {}
    kept = add_up(one, one, histogram=True).domains[100, 0].reasons["12"]
    assert kept.buckets == {bucket_of(2000): 6, bucket_of(500): 2}


def test_each_bound_is_where_a_bucket_begins():
    assert [lower_bound_ns(bucket_of(bound_ns)) for bound_ns in BOUNDS_NS] == list(BOUNDS_NS)
    assert 8 <= len(BOUNDS_NS) <= 12


@pytest.mark.parametrize("length_ns", [0, 1, 1023, 1024, 1025, 5000, 16 * 10**6, 10**9, 10**12])
def test_an_exit_is_in_each_bucket_that_is_long_enough(length_ns):
    shown = distribution_of(Sum(3, 3 * length_ns, 3 * length_ns, {bucket_of(length_ns): 3}))
    assert shown.exits == 3 and shown.sum_s == pytest.approx(3 * length_ns / 1e9)
    assert list(shown.up_to.values()) == [3 if length_ns < bound_ns else 0 for bound_ns in BOUNDS_NS]


def test_without_an_exit_all_buckets_are_empty():
    assert distribution_of(Sum()) == (dict.fromkeys((bound_ns / 1e9 for bound_ns in BOUNDS_NS), 0), 0, 0.0)
