"""report: targets and counts joined, collapsed, sorted; no exit goes missing."""

import random
from dataclasses import replace

import pytest

from made_up_reports import WHEN_AND_WHERE, lasted, snapshot
from virt_exitstat.counts.snapshot import EndedThread, Lost, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.reports.report import Row
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

NAMES = {1: "HLT", 2: "CPUID", 3: "MSR_WRITE", 4: "APIC_WRITE"}
GUEST01 = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain("guest01", "uuid-1", 1))
GUEST02 = Target(200, (VCpu(0, 201), VCpu(1, 202)), Domain("guest02", "uuid-2", 2))


def report(targets, counts, *, seconds=1.0, lost=(), ended=(), everything=False):
    delta = snapshot(seconds, {Thread(*thread): reasons for thread, reasons in counts.items()}, Lost(*lost))
    for process in ended:
        delta = delta.ended(*process)
    return make_report(
        Targets(tuple(targets), everything=everything), delta, NAMES.__getitem__, ended, **WHEN_AND_WHERE
    )


def only(targets, counts, **more):
    (target,) = report(targets, counts, **more).targets
    return target


def lines(table):
    return [(row.reason_name, row.tally.exits) for row in table.rows]


def of_vcpus(target):
    return [(one.vcpu, one.thread, one.table.total.exits) for one in target.per_vcpu]


# -- one table --


def test_vcpus_collapse_into_one_table():
    target = only([GUEST01], {(100, 101): {1: 5, 2: 1}, (100, 102): {1: 7, 3: 3}})
    assert lines(target.table) == [("HLT", 12), ("MSR_WRITE", 3), ("CPUID", 1)]
    assert target.table.total.exits == 16


def test_rows_sort_by_count_and_ties_by_name():
    target = only([GUEST01], {(100, 101): {1: 5, 2: 5, 3: 9, 4: 5}})
    assert lines(target.table) == [("MSR_WRITE", 9), ("APIC_WRITE", 5), ("CPUID", 5), ("HLT", 5)]


def test_counts_are_sorted_as_numbers():
    target = only([GUEST01], {(100, 101): {1: 9, 2: 10, 3: 100}})
    assert [count for _, count in lines(target.table)] == [100, 10, 9]


def test_rates_and_shares_are_of_the_measured_time_and_the_tables_total():
    table = only([GUEST01], {(100, 101): {1: 30}, (100, 102): {2: 10}}, seconds=2.5).table
    assert [(row.per_second, row.share) for row in table.rows] == [(12.0, 0.75), (4.0, 0.25)]
    assert table.sum.per_second == 16.0


def test_shares_of_a_vcpu_are_of_that_vcpu():
    target = only([GUEST01], {(100, 101): {1: 30}, (100, 102): {2: 10}})
    assert [[row.share for row in one.table.rows] for one in target.per_vcpu] == [[1.0], [1.0]]


def test_a_reason_that_did_not_occur_has_no_row():
    assert lines(only([GUEST01], {(100, 101): {1: 5, 2: 0}}).table) == [("HLT", 5)]


def test_64_bit_counts_stay_exact():
    most = 2**64 - 1
    assert only([GUEST01], {(100, 101): {1: most}, (100, 102): {1: most}}).table.total.exits == 2 * most


# -- per vCPU --


def test_the_busiest_vcpu_comes_first():
    target = only([GUEST01], {(100, 101): {1: 5}, (100, 102): {1: 3, 2: 3}})
    assert of_vcpus(target) == [(1, (100, 102), 6), (0, (100, 101), 5)]


def test_vcpus_that_are_equally_busy_sort_by_number():
    many = Target(100, tuple(VCpu(number, 200 - number) for number in (10, 9, 2, 0)))
    target = only([many], {(100, 200 - number): {1: 5} for number in (9, 2, 0, 10)})
    assert [one.vcpu for one in target.per_vcpu] == [0, 2, 9, 10]


def test_an_idle_vcpu_is_there_with_a_total_of_zero():
    target = only([GUEST01], {(100, 101): {1: 5}})
    assert of_vcpus(target) == [(0, (100, 101), 5), (1, (100, 102), 0)]
    assert target.vcpus == (0, 1)
    assert target.per_vcpu[1].table.rows == ()


def test_a_vcpu_plugged_out_and_in_again_is_one_vcpu():
    target = only(
        [Target(100, (VCpu(0, 101), VCpu(1, 102), VCpu(1, 150)))],
        {(100, 101): {1: 1}, (100, 102): {1: 5, 2: 1}, (100, 150): {1: 7}},
    )
    assert target.vcpus == (0, 1)
    assert [(one.vcpu, one.table.total.exits) for one in target.per_vcpu] == [(1, 13), (0, 1)]
    assert lines(target.per_vcpu[0].table) == [("HLT", 12), ("CPUID", 1)]


def test_a_thread_without_a_name_is_kept_and_shown_by_its_ids():
    target = only([GUEST01], {(100, 101): {1: 5}, (100, 199): {2: 9}, (100, 198): {2: 5}})
    assert target.unnamed == ((100, 198), (100, 199))
    assert of_vcpus(target) == [
        (None, (100, 199), 9),
        (0, (100, 101), 5),
        (None, (100, 198), 5),
        (1, (100, 102), 0),
    ]
    assert target.table.total.exits == 19


# -- several targets --


def test_two_domains_are_not_mixed():
    counts = {(100, 101): {1: 5}, (200, 201): {1: 70}, (200, 202): {2: 1}, (100, 102): {3: 2}}
    second, first = report([GUEST01, GUEST02], counts).targets
    assert (first.target, lines(first.table)) == (GUEST01, [("HLT", 5), ("MSR_WRITE", 2)])
    assert (second.target, lines(second.table)) == (GUEST02, [("HLT", 70), ("CPUID", 1)])


def test_a_tid_of_another_process_is_not_this_vcpu():
    target = only([GUEST01], {(100, 101): {1: 5}, (200, 101): {1: 1000}})
    assert (target.table.total.exits, target.per_vcpu[0].table.total.exits) == (5, 5)


def test_targets_sort_by_total_and_ties_by_label():
    targets = [Target(pid, (), Domain(name, name, 1)) for pid, name in ((1, "b"), (2, "c"), (3, "a"))]
    found = report(targets, {(1, 1): {1: 5}, (2, 2): {1: 6}, (3, 3): {1: 5}})
    assert [target.target.label for target in found.targets] == ["c", "a", "b"]


def test_a_domain_without_exits_is_there():
    quiet, loud = report([GUEST01, GUEST02], {(100, 101): {1: 5}}).targets[::-1]
    assert (loud.target, quiet.target) == (GUEST01, GUEST02)
    assert (quiet.table.total.exits, quiet.table.rows, quiet.vcpus) == (0, (), (0, 1))
    assert quiet.table.sum.per_second == 0


def test_no_target_makes_an_empty_report():
    found = report([], {})
    assert (found.targets, found.seconds, found.lost) == ((), 1.0, Lost())


def test_time_and_lost_are_handed_on():
    found = report([GUEST01], {}, seconds=2.5, lost=Lost(7, 8, 9))
    assert (found.seconds, found.lost) == (2.5, Lost(no_row=7, no_reason=8, recursion=9))


def test_only_the_process_that_ended_is_marked():
    found = report([GUEST01, GUEST02], {}, ended=[(200, 0)])
    assert [(target.target.pid, target.ended) for target in found.targets] == [(100, False), (200, True)]


def test_an_ended_process_and_one_that_took_its_pid_have_each_their_own():
    """Both have a thread 101, for ids are used again."""
    before, after = replace(GUEST01, started=10), replace(GUEST02, pid=100, vcpus=(VCpu(0, 101),), started=20)
    delta = snapshot(1.0, {EndedThread(100, 101, 10): {1: 5}, Thread(100, 101): {1: 7}, EndedThread(100, 9, 8): {1: 9}})
    found = make_report(Targets((before, after)), delta, NAMES.__getitem__, [before.process], **WHEN_AND_WHERE)
    assert [(one.target.label, one.ended, one.table.total.exits) for one in found.targets] == [
        ("guest02", False, 7),
        ("guest01", True, 5),
    ]
    assert of_vcpus(found.targets[1])[0] == (0, (100, 101), 5)


# -- tids and everything --


def test_vcpus_that_were_not_asked_for_are_not_listed():
    # At the end of a run all vCPUs are known, also those that were not counted.
    target = only([Target(100, GUEST01.vcpus, tids=frozenset({102}))], {(100, 102): {1: 5}})
    assert target.vcpus == (1,)
    assert of_vcpus(target) == [(1, (100, 102), 5)]


def test_a_thread_that_was_asked_for_and_took_no_exits_is_there():
    target = only([Target(100, (), tids=frozenset({101, 102}))], {(100, 102): {1: 5}})
    assert of_vcpus(target) == [(None, (100, 102), 5), (None, (100, 101), 0)]


def test_everything_adds_processes_that_started_meanwhile():
    found = report([GUEST01], {(100, 101): {1: 5}, (300, 301): {1: 9}, (300, 302): {1: 1}}, everything=True)
    assert [(one.target.label, one.table.total.exits) for one in found.targets] == [
        ("pid 300", 10),
        ("guest01", 5),
    ]
    assert found.targets[0].unnamed == ((300, 301), (300, 302))


def test_other_processes_stay_out_otherwise():
    assert only([GUEST01], {(100, 101): {1: 5}, (300, 301): {1: 9}}).table.total.exits == 5


# -- no exit goes missing --


@pytest.mark.parametrize("seed", range(300))
def test_rows_add_up_to_totals_and_totals_to_what_was_counted(seed):
    dice = random.Random(seed)
    pids = dice.sample(range(100, 10000, 100), dice.randint(1, 4))
    threads = [Thread(pid, pid + number) for pid in pids for number in range(1, dice.randint(2, 9))]
    counts = {
        thread: {reason: dice.choice([0, 1, dice.randint(1, 50), 2**60]) for reason in dice.sample(range(50), 5)}
        for thread in threads
        if dice.random() < 0.8
    }
    # Some threads are vCPUs, some vCPUs have two threads, some threads nobody knows.
    listed = pids[: dice.randint(0, len(pids))]
    targets = Targets(
        tuple(
            Target(pid, tuple(VCpu(dice.randint(0, 5), tid) for tgid, tid in threads if tgid == pid and tid % 3))
            for pid in listed
        ),
        everything=dice.random() < 0.5,
    )
    found = make_report(targets, snapshot(dice.uniform(0.1, 100), counts), "REASON_{}".format, **WHEN_AND_WHERE)

    for target in found.targets:
        exits = {thread: reasons for thread, reasons in counts.items() if thread.tgid == target.target.pid}
        assert target.table.total.exits == sum(sum(reasons.values()) for reasons in exits.values())
        assert sum(one.table.total.exits for one in target.per_vcpu) == target.table.total.exits
        for table in (target.table, *(one.table for one in target.per_vcpu)):
            assert sum(row.tally.exits for row in table.rows) == table.total.exits
            assert sum(row.share for row in table.rows) == pytest.approx(1 if table.total else 0)
            assert sum(row.per_second for row in table.rows) == pytest.approx(table.sum.per_second)
            assert [row.tally.exits for row in table.rows] == sorted(
                (row.tally.exits for row in table.rows), reverse=True
            )
            assert all(row.tally.exits > 0 for row in table.rows)
        for reason in range(50):
            collapsed = {row.reason_name: row.tally.exits for row in target.table.rows}.get(f"REASON_{reason}", 0)
            assert collapsed == sum(reasons.get(reason, 0) for reasons in exits.values())
    shown = {target.target.pid for target in found.targets}
    assert shown == ({*listed, *(thread.tgid for thread in counts)} if targets.everything else set(listed))
    assert len(found.targets) == len(shown)


def test_an_exit_that_lasts_longer_than_the_interval_is_a_row_without_exits():
    """QEMU may be frozen in it."""
    tally = Tally(0, lasted(1_000, 0, in_flight_ns=5_000))
    row = Row("IO_INSTRUCTION", tally, whole=tally, seconds=1.0)
    assert (row.share, row.per_second, row.time_share, row.time.mean_ns) == (0.0, 0.0, 1.0, None)
