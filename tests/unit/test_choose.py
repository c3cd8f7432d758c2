"""choose: what is shown changes, sums and totals do not."""

import random

import pytest

from made_up_reports import WHEN_AND_WHERE, lasted, snapshot, timed_report
from virt_exitstat.counts.snapshot import State, Thread
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.reports.choose import Choice, Sort, choose
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

GUEST01 = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain("guest01", "uuid-1", 1))
GUEST02 = Target(200, (VCpu(0, 201),), Domain("guest02", "uuid-2", 2))
HLT, CPUID, MSR_WRITE = 12, 10, 32
COUNTS = {
    Thread(100, 101): {HLT: 500, CPUID: 20, MSR_WRITE: 3},
    Thread(100, 102): {HLT: 100, CPUID: 200},
    Thread(200, 201): {MSR_WRITE: 70},
}


def chosen(counts=None, **choice):
    delta = snapshot(2.0, COUNTS if counts is None else counts)
    report = make_report(Targets((GUEST01, GUEST02)), delta, VMX.reasons.name_of, **WHEN_AND_WHERE)
    return choose(report, Choice(**choice))


def lines(table):
    return [(row.reason_name, row.tally.exits) for row in (*table.rows, *([table.others] if table.others else []))]


def tables(report):
    for target in report.targets:
        yield target.table
        yield from (vcpu.table for vcpu in target.per_vcpu)
    if report.total:
        yield report.total


def test_no_choice_changes_nothing():
    report = chosen()
    assert choose(report, Choice()) == report
    assert report.total is None and all(table.others is None for table in tables(report))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"top": 1}, [("HLT", 600), ("(others)", 223)]),
        ({"top": 3}, [("HLT", 600), ("CPUID", 220), ("MSR_WRITE", 3)]),
        ({"min_count": 220}, [("HLT", 600), ("CPUID", 220), ("(others)", 3)]),
        ({"min_count": 1000}, [("(others)", 823)]),
        ({"reasons": frozenset({CPUID})}, [("CPUID", 220), ("(others)", 603)]),
        ({"reasons": frozenset({CPUID, HLT}), "top": 1}, [("HLT", 600), ("(others)", 223)]),
        ({"sort": Sort.NAME}, [("CPUID", 220), ("HLT", 600), ("MSR_WRITE", 3)]),
        ({"sort": Sort.NAME, "top": 2}, [("CPUID", 220), ("HLT", 600), ("(others)", 3)]),
    ],
)
def test_rows_that_are_left_out_are_summed_up_in_a_last_one(choice, expected):
    table = chosen(**choice).targets[0].table
    assert lines(table) == expected
    assert table.total.exits == 823


def test_each_vcpu_has_its_own_top():
    assert [lines(vcpu.table) for vcpu in chosen(top=1).targets[0].per_vcpu] == [
        [("HLT", 500), ("(others)", 23)],
        [("CPUID", 200), ("(others)", 100)],
    ]


def test_total_is_the_sum_of_all_domains_and_chosen_from_like_them():
    assert lines(chosen(total=True).total) == [("HLT", 600), ("CPUID", 220), ("MSR_WRITE", 73)]
    assert lines(chosen(total=True, top=1).total) == [("HLT", 600), ("(others)", 293)]
    assert chosen(total=True).total.sum.per_second == 893 / 2


def test_the_sum_of_no_domains_is_nothing():
    assert lines(chosen(counts={}, total=True).total) == []


def test_choosing_again_from_what_was_chosen_keeps_the_sum():
    assert lines(choose(chosen(top=2), Choice(top=1)).targets[0].table) == [("HLT", 600), ("(others)", 223)]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_chosen_rows_add_up_to_the_total(seed):
    dice = random.Random(seed)
    counts = {thread: {dice.randrange(90): dice.randrange(1, 5000) for _ in range(9)} for thread in COUNTS}
    report = chosen(
        counts,
        top=dice.choice([None, 1, 5]),
        min_count=dice.choice([0, 100]),
        reasons=dice.choice([None, frozenset(range(40))]),
        sort=dice.choice(list(Sort)),
        total=True,
    )
    for table in tables(report):
        rows = [*table.rows, *([table.others] if table.others else [])]
        assert sum(row.tally.exits for row in rows) == table.total.exits
        assert sum(row.share for row in rows) == pytest.approx(1)
        assert sum(row.per_second for row in rows) == pytest.approx(table.sum.per_second)


# -- exits that are timed --

IO, EPT = 30, 48
TIMES = {
    101: {
        HLT: lasted(10**6, 50),
        CPUID: lasted(1_000, 20),
        MSR_WRITE: lasted(9_000, 3),
        IO: lasted(70_000, 1, qemu_ns=60_000),
        EPT: lasted(2_000, 9),
        State.STOPPED: lasted(5_000, 2),
        State.GUEST: lasted(10**8, 1),
    },
    201: {HLT: lasted(10**6, 7), MSR_WRITE: lasted(8_000, 5)},
}


def chosen_of_timed(**choice):
    return choose(timed_report([GUEST01, GUEST02], TIMES), Choice(**choice))


def of_guest01(**choice):
    (table,) = [target.table for target in chosen_of_timed(**choice).targets if target.target == GUEST01]
    return table


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["HLT", "IO_INSTRUCTION", "MSR_WRITE", "CPUID", "EPT_VIOLATION"]),
        ({"top": 1}, ["HLT", "IO_INSTRUCTION", "(others)"]),
        ({"top": 3}, ["HLT", "IO_INSTRUCTION", "MSR_WRITE", "CPUID", "(others)"]),
        ({"min_count": 5}, ["HLT", "CPUID", "EPT_VIOLATION", "(others)"]),
        ({"without": frozenset({HLT}), "top": 2}, ["IO_INSTRUCTION", "MSR_WRITE", "(others)"]),
    ],
)
def test_by_time_the_first_are_those_that_took_most_of_it(choice, expected):
    """Idle reasons stand apart: they are none of the N."""
    assert [name for name, _ in lines(of_guest01(sort=Sort.TIME, **choice))] == expected


def test_by_count_the_first_of_timed_exits_are_those_with_the_most():
    assert [name for name, _ in lines(of_guest01(top=1))] == ["HLT", "CPUID", "(others)"]
    assert [name for name, _ in lines(of_guest01(top=1, sort=Sort.NAME))] == ["CPUID", "HLT", "(others)"]


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("more", [{}, {"top": 1}, {"min_count": 5}, {"without": frozenset({HLT, IO})}])
def test_whatever_is_chosen_the_time_adds_up_without_idle_time(sort, more):
    table = of_guest01(sort=sort, **more)
    busy = [row for row in table.shown if not row.is_idle]
    assert sum(row.tally.exits for row in table.shown) == 83
    assert sum(row.time.total_ns for row in busy) == table.total.time.total_ns == 135_000
    assert sum(row.time_share for row in busy) == pytest.approx(1)
    assert table.sum.time.finished == 33
    assert [row.is_idle for row in table.rows] == [row.reason == HLT for row in table.rows]


def test_what_is_left_out_keeps_its_time_but_not_idle_time():
    others = of_guest01(reasons=frozenset({EPT})).others
    assert (others.tally.exits, others.time.total_ns, others.time.qemu_ns) == (74, 117_000, 60_000)
    assert (others.time.max_ns, others.time.finished) == (70_000, 24)
    only_idle = of_guest01(without=frozenset({HLT})).others
    assert (only_idle.tally.exits, only_idle.time.total_ns, only_idle.time.mean_ns) == (50, 0, None)


def test_accounts_and_stops_are_those_of_all_whatever_is_chosen():
    of_all, some = of_guest01(), of_guest01(top=1, reasons=frozenset({IO}))
    assert some.account == of_all.account and some.stopped == of_all.stopped
    assert (some.account.exits_ns, some.account.qemu_ns, some.account.idle_ns) == (135_000, 60_000, 50 * 10**6)
    (row,) = some.stops
    assert (row.reason_name, row.tally.exits, row.time.max_ns, row.is_idle) == ("(stopped)", 2, 5_000, True)


def test_the_total_of_timed_exits_is_all_domains_with_their_times():
    total = chosen_of_timed(total=True, sort=Sort.TIME, top=1).total
    assert lines(total) == [("HLT", 57), ("IO_INSTRUCTION", 1), ("(others)", 37)]
    assert total.total.time.total_ns == 135_000 + 40_000
    assert total.account.wall_ns == 3 * 10**9
    assert (total.account.idle_ns, total.account.stopped_ns) == (57 * 10**6, 10_000)
    assert total.stopped.finished == 2


def test_a_wait_that_is_not_known_of_one_domain_is_not_known_of_all():
    report = timed_report([GUEST01, GUEST02], TIMES, waited_ns={101: 5, 102: 7})
    total = choose(report, Choice(total=True)).total
    assert {target.target.label: target.table.account.waited_ns for target in report.targets} == {
        "guest01": 12,
        "guest02": None,
    }
    assert total.account.waited_ns is None
    report = timed_report([GUEST01, GUEST02], TIMES, waited_ns={101: 5, 102: 7, 201: 30})
    assert choose(report, Choice(total=True)).total.account.waited_ns == 42
