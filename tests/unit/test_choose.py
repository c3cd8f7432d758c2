"""choose: what is shown changes, sums and totals do not."""

import random

import pytest

from made_up_reports import WHEN_AND_WHERE, snapshot
from virt_exitstat.counts.snapshot import Thread
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
