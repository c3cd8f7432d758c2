"""snapshot: what was counted between two times."""

from virt_exitstat.counts.snapshot import CountSnapshot, Lost, Thread

A, B = Thread(100, 101), Thread(100, 102)


def test_since_subtracts_per_thread_and_reason():
    start = CountSnapshot(10.0, {A: {1: 5, 2: 7}, B: {1: 100}})
    end = CountSnapshot(12.5, {A: {1: 6, 2: 17}, B: {1: 104}})
    assert end.since(start).counts == {A: {1: 1, 2: 10}, B: {1: 4}}


def test_a_thread_seen_for_the_first_time_counts_in_full():
    assert CountSnapshot(2, {A: {1: 5}, B: {3: 9}}).since(CountSnapshot(1, {A: {1: 2}})).counts == {
        A: {1: 3},
        B: {3: 9},
    }


def test_a_reason_seen_for_the_first_time_counts_in_full():
    assert CountSnapshot(2, {A: {1: 5, 7: 4}}).since(CountSnapshot(1, {A: {1: 2}})).counts == {A: {1: 3, 7: 4}}


def test_a_reason_without_new_exits_is_left_out():
    assert CountSnapshot(2, {A: {1: 5, 2: 8}}).since(CountSnapshot(1, {A: {1: 5, 2: 7}})).counts == {A: {2: 1}}


def test_a_tid_of_another_process_is_another_thread():
    later = CountSnapshot(2, {Thread(200, 101): {1: 5}})
    assert later.since(CountSnapshot(1, {A: {1: 4}})).counts == {Thread(200, 101): {1: 5}}


def test_time_is_the_length_and_lost_the_difference():
    end = CountSnapshot(12.5, {}, Lost(no_row=30, no_reason=7, recursion=400))
    delta = end.since(CountSnapshot(10.0, {}, Lost(no_row=10, no_reason=7, recursion=100)))
    assert (delta.time_s, delta.lost) == (2.5, Lost(no_row=20, no_reason=0, recursion=300))


def test_each_cause_of_loss_is_subtracted_from_itself():
    end, start = Lost(no_row=5, no_reason=60, recursion=700), Lost(no_row=1, no_reason=20, recursion=300)
    delta = CountSnapshot(2, {}, end).since(CountSnapshot(1, {}, start))
    assert type(delta.lost) is Lost
    assert delta.lost._asdict() == {"no_row": 4, "no_reason": 40, "recursion": 400}


def test_nothing_is_lost_unless_it_is_said():
    assert CountSnapshot(1, {}).lost == Lost() == Lost(no_row=0, no_reason=0, recursion=0)


def test_nothing_happened_since_the_same_snapshot():
    snapshot = CountSnapshot(10.0, {A: {1: 5}}, Lost(1, 2, 3))
    delta = snapshot.since(snapshot)
    assert sum(sum(counts.values()) for counts in delta.counts.values()) == 0
    assert (delta.time_s, delta.lost) == (0, Lost())


def test_since_changes_neither_snapshot():
    start, end = CountSnapshot(1, {A: {1: 5}}), CountSnapshot(2, {A: {1: 6}})
    end.since(start)
    assert (start, end) == (CountSnapshot(1, {A: {1: 5}}), CountSnapshot(2, {A: {1: 6}}))
    assert end.since(start).counts == {A: {1: 1}}
