"""targets: labels, filters, and numbers as people write them."""

import functools
import re

import pytest

from virt_exitstat.targets.target import Domain, Target, Targets, VCpu, describe_vcpus
from virt_exitstat.targets.thread_filter import ThreadFilter

GUEST01 = Domain("guest01", "ed976740-be30-475d-ada2-37b68f7d76ed", 1)


@functools.cache
def compile_expression(thread_filter):
    """The C expression with C's operators as Python's. Every `!` stands before a bracket."""
    expression = thread_filter.skip_expression()
    assert re.fullmatch(r"(?:\b(?:tgid|tid|[0-9]+)\b|==|\|\||&&|!(?=\()|[() ])+", expression)
    python = expression.replace("||", " or ").replace("&&", " and ").replace("!(", " not (")
    return compile(python.strip(), "<THREAD_FILTER>", "eval")


def skips(thread_filter, tgid, tid):
    return bool(eval(compile_expression(thread_filter), {"__builtins__": {}}, {"tgid": tgid, "tid": tid}))


def test_no_wanted_thread_skips_all():
    assert skips(ThreadFilter(), 1, 1)


def test_everything_skips_nothing():
    assert not skips(ThreadFilter(everything=True), 1, 1)
    assert not skips(ThreadFilter(tgids=frozenset({4}), everything=True), 1, 1)


def test_a_wanted_process_lets_all_its_threads_through():
    wanted = ThreadFilter(tgids=frozenset({100, 200}))
    assert not skips(wanted, 100, 100)
    assert not skips(wanted, 100, 4194304)
    assert not skips(wanted, 200, 7)


@pytest.mark.parametrize("tgid", [0, 1, 10, 1000, 101, 300])
def test_another_process_is_skipped_even_when_its_thread_has_a_wanted_number(tgid):
    assert skips(ThreadFilter(tgids=frozenset({100, 200})), tgid, 100)


def test_a_wanted_thread_is_let_through_and_its_siblings_are_not():
    wanted = ThreadFilter(threads=frozenset({(100, 101), (100, 103)}))
    assert [tid for tid in range(99, 110) if not skips(wanted, 100, tid)] == [101, 103]


def test_a_tid_reused_by_another_process_is_skipped():
    threads = {(100, 101), (100, 102), (200, 201), (200, 202)}
    wanted = ThreadFilter(threads=frozenset(threads))
    tids = (101, 102, 201, 202)
    assert {(tgid, tid) for tgid in (100, 200, 300) for tid in tids if not skips(wanted, tgid, tid)} == threads


def test_whole_processes_and_single_threads_mix():
    wanted = ThreadFilter(tgids=frozenset({100}), threads=frozenset({(200, 201)}))
    assert not skips(wanted, 100, 555)
    assert not skips(wanted, 200, 201)
    assert skips(wanted, 200, 202)


def test_512_threads_of_one_process():
    wanted = ThreadFilter(threads=frozenset((4000000, tid) for tid in range(4000001, 4000513)))
    let_through = [tid for tid in range(3999999, 4000515) if not skips(wanted, 4000000, tid)]
    assert let_through == list(range(4000001, 4000513))


def test_512_threads_of_512_processes():
    wanted = ThreadFilter(threads=frozenset((tid - 1000, tid) for tid in range(2000, 2512)))
    let_through = [
        (tgid, tid)
        for tid in (1999, 2000, 2255, 2511, 2512)
        for tgid in range(tid - 1002, tid - 997)
        if not skips(wanted, tgid, tid)
    ]
    assert let_through == [(1000, 2000), (1255, 2255), (1511, 2511)]


def test_the_same_filter_makes_the_same_expression():
    threads = [(100, tid) for tid in range(101, 140)]
    assert len({ThreadFilter(threads=frozenset(order)).skip_expression() for order in (threads, threads[::-1])}) == 1


def test_a_target_without_tids_is_filtered_by_process():
    domain = Target(100, (VCpu(0, 101),), GUEST01)
    assert Targets((domain,)).thread_filter() == ThreadFilter(tgids=frozenset({100}))


def test_a_target_with_tids_is_filtered_by_thread():
    whole = Target(100, (VCpu(0, 101),), GUEST01)
    parts = Target(200, (VCpu(0, 201), VCpu(1, 202)), tids=frozenset({202, 209}))
    assert Targets((whole, parts)).thread_filter() == ThreadFilter(
        tgids=frozenset({100}), threads=frozenset({(200, 202), (200, 209)})
    )


def test_everything_reaches_the_filter():
    assert Targets((Target(100, ()),), everything=True).thread_filter().everything


def test_a_domain_is_labelled_with_its_name_and_a_process_with_its_pid():
    assert Target(100, (), GUEST01).label == "guest01"
    assert Target(100, ()).label == "pid 100"


def test_vcpus_sort_by_number():
    assert sorted([VCpu(10, 1), VCpu(2, 9), VCpu(2, 3)]) == [VCpu(2, 3), VCpu(2, 9), VCpu(10, 1)]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "no vCPUs"),
        ([0], "vCPU 0"),
        ([7, 7], "vCPU 7"),
        ([0, 1], "vCPUs 0-1"),
        ([3, 1, 2, 0, 6], "vCPUs 0-3,6"),
        ([10, 9, 1, 1], "vCPUs 1,9-10"),
        ([0, 2, 4], "vCPUs 0,2,4"),
        (range(288), "vCPUs 0-287"),
    ],
)
def test_vcpus_are_described_as_runs(numbers, text):
    assert describe_vcpus(iter(numbers)) == text
