"""snapshot: what was counted between two times."""

from made_up_reports import exits_of, snapshot
from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.snapshot import CountSnapshot, Lost, State, Thread
from virt_exitstat.counts.tally import Tally

A, B = Thread(100, 101), Thread(100, 102)


def test_since_subtracts_per_thread_and_reason():
    start = snapshot(10.0, {A: {1: 5, 2: 7}, B: {1: 100}})
    end = snapshot(12.5, {A: {1: 6, 2: 17}, B: {1: 104}})
    assert exits_of(end.since(start)) == {A: {1: 1, 2: 10}, B: {1: 4}}


def test_a_thread_seen_for_the_first_time_counts_in_full():
    assert exits_of(snapshot(2, {A: {1: 5}, B: {3: 9}}).since(snapshot(1, {A: {1: 2}}))) == {
        A: {1: 3},
        B: {3: 9},
    }


def test_a_reason_seen_for_the_first_time_counts_in_full():
    assert exits_of(snapshot(2, {A: {1: 5, 7: 4}}).since(snapshot(1, {A: {1: 2}}))) == {A: {1: 3, 7: 4}}


def test_a_reason_without_new_exits_is_left_out():
    assert exits_of(snapshot(2, {A: {1: 5, 2: 8}}).since(snapshot(1, {A: {1: 5, 2: 7}}))) == {A: {2: 1}}


def test_a_reason_whose_tally_says_nothing_is_left_out():
    """Its times have been looked at, and there are none yet."""
    nothing = snapshot(2, {A: {1: 0, 2: 3}})
    timed = CountSnapshot(2, {A: {1: Tally(0, Durations()), 2: Tally(3, Durations())}})
    for now in (nothing, timed):
        assert exits_of(now.since(snapshot(1, {}))) == {A: {2: 3}}


def test_a_tid_of_another_process_is_another_thread():
    later = snapshot(2, {Thread(200, 101): {1: 5}})
    assert exits_of(later.since(snapshot(1, {A: {1: 4}}))) == {Thread(200, 101): {1: 5}}


def test_time_is_the_length_and_lost_the_difference():
    end = snapshot(12.5, {}, Lost(no_row=30, no_reason=7, recursion=400))
    delta = end.since(snapshot(10.0, {}, Lost(no_row=10, no_reason=7, recursion=100)))
    assert (delta.time_s, delta.lost) == (2.5, Lost(no_row=20, no_reason=0, recursion=300))


def test_each_cause_of_loss_is_subtracted_from_itself():
    end, start = Lost(no_row=5, no_reason=60, recursion=700), Lost(no_row=1, no_reason=20, recursion=300)
    delta = snapshot(2, {}, end).since(snapshot(1, {}, start))
    assert type(delta.lost) is Lost
    assert delta.lost._asdict() == {"no_row": 4, "no_reason": 40, "recursion": 400}


def test_nothing_is_lost_unless_it_is_said():
    assert snapshot(1, {}).lost == Lost() == Lost(no_row=0, no_reason=0, recursion=0)


def test_nothing_happened_since_the_same_snapshot():
    one = snapshot(10.0, {A: {1: 5}}, Lost(1, 2, 3))
    delta = one.since(one)
    assert exits_of(delta) == {}
    assert (delta.time_s, delta.lost) == (0, Lost())


def test_since_changes_neither_snapshot():
    start, end = snapshot(1, {A: {1: 5}}), snapshot(2, {A: {1: 6}})
    end.since(start)
    assert (start, end) == (snapshot(1, {A: {1: 5}}), snapshot(2, {A: {1: 6}}))
    assert exits_of(end.since(start)) == {A: {1: 1}}


# -- threads that are gone --


def test_what_is_told_of_a_gone_thread_for_the_last_time_is_counted_once():
    first = snapshot(1, {A: {1: 5}, B: {1: 7}})
    last = snapshot(2, {B: {1: 8}}, gone={A: {1: 6, 2: 1}})
    assert exits_of(last.since(first)) == {A: {1: 1, 2: 1}, B: {1: 1}}
    assert exits_of(snapshot(3, {B: {1: 8}}).since(last)) == {}


def test_a_thread_that_takes_the_ids_of_a_gone_one_begins_from_nothing():
    first = snapshot(1, {A: {1: 5}})
    second = snapshot(2, {A: {1: 3}}, gone={A: {1: 6}})
    assert exits_of(second.since(first)) == {A: {1: 4}}
    assert exits_of(snapshot(3, {A: {1: 5}}).since(second)) == {A: {1: 2}}


def test_a_reading_that_was_ahead_is_taken_back_by_the_next():
    def ahead(time_s, ns):
        return CountSnapshot(time_s, {A: {State.AHEAD: Tally(0, Durations(total_ns=ns))}})

    (tally,) = ahead(2, 0).since(ahead(1, 500)).counts[A].values()
    assert tally.time.total_ns == -500
