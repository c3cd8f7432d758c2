"""session: for how long threads have waited for a CPU between two reports."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from made_up_reports import domain
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.counts.snapshot import CountSnapshot
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.run.session import Session
from virt_exitstat.targets.target import Targets


class NoExits:
    """A counter whose threads take none. Each snapshot is a second after the one before."""

    isa, attachment = VMX, Attachment.RAW
    reason_name = staticmethod(VMX.reasons.name_of)

    def __init__(self):
        self.time_s = 0.0

    def snapshot(self, _is_gone):
        self.time_s += 1
        return CountSnapshot(self.time_s, {})

    def attach(self):
        pass

    def detach(self):
        pass

    def end(self, *_process):
        pass

    def free_rows(self, is_gone):
        pass

    def follow(self, thread_filter):
        pass


class Source:
    """Finds `found`."""

    def __init__(self, *found):
        self.found = found

    def fileno(self):
        return -1

    def find(self, _known):
        return self.found


class Clock:
    """Tells the time of day, always the same."""

    def utc(self):
        return datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.fixture()
def source(host):
    """guest01 with its vCPUs 0 and 1."""
    host.add_process(100, {101: "CPU 0/KVM", 102: "CPU 1/KVM"})
    return Source(domain("guest01", 100, vcpus=2))


def start(host, source, *, timed=True):
    session = Session(
        NoExits(), Targets(source.found), source, clock=Clock(), root=host.root, follows=True, timed=timed
    )
    session.start()
    return session


def waited(session):
    """{vCPU: ns, or None where it is not known} of the next report, and their sum."""
    (shown,) = session.report().targets
    return {one.vcpu: one.table.account.waited_ns for one in shown.per_vcpu}, shown.table.account.waited_ns


def test_a_report_has_the_wait_since_the_one_before(host, source):
    host.add_schedstat(100, 101, 5_000)
    host.add_schedstat(100, 102, 70_000)
    session = start(host, source)
    host.add_schedstat(100, 101, 5_300)
    assert waited(session) == ({0: 300, 1: 0}, 300)
    host.add_schedstat(100, 101, 6_300)
    host.add_schedstat(100, 102, 70_020)
    assert waited(session) == ({0: 1_000, 1: 20}, 1_020)


def test_without_schedstat_no_wait_is_known(host, source):
    host.add_schedstat(100, 101, 5_000)
    assert waited(start(host, source)) == ({0: 0, 1: None}, None)


def test_zeros_are_no_wait_that_is_known(host, source):
    for tid in (101, 102):
        host.add_file(f"proc/100/task/{tid}/schedstat", "0 0 0\n")
    assert waited(start(host, source)) == ({0: None, 1: None}, None)


def test_the_wait_of_a_new_thread_is_known_from_its_second_report_on(host, source):
    host.add_schedstat(100, 101, 0)
    host.add_schedstat(100, 102, 0)
    session = start(host, source)
    host.add_thread(100, 103, "CPU 2/KVM")
    host.add_schedstat(100, 103, 9_000)
    source.found = (domain("guest01", 100, vcpus=3),)
    session.refresh()
    assert waited(session) == ({0: 0, 1: 0, 2: None}, None)
    host.add_schedstat(100, 103, 9_500)
    assert waited(session) == ({0: 0, 1: 0, 2: 500}, 500)


def test_where_exits_are_not_timed_waits_are_not_looked_at(host, source):
    host.add_schedstat(100, 101, 5_000)
    report = start(host, source, timed=False).report()
    assert not report.timed
    assert [one.table.account for one in (*report.targets, *report.targets[0].per_vcpu)] == [None] * 3


def test_an_account_is_of_the_time_between_two_reports(host, source):
    session = start(host, source)
    for _ in range(2):
        (shown,) = session.report().targets
        assert [one.table.account.wall_ns for one in shown.per_vcpu] == [10**9, 10**9]
        assert shown.table.account.wall_ns == 2 * 10**9


def test_ids_that_are_used_again_have_no_wait_of_the_thread_before(host, source):
    host.end_process(100)
    host.add_process(100, {101: "CPU 0/KVM"}, started=10)
    host.add_schedstat(100, 101, 5_000_000)
    before = replace(domain("guest01", 100), started=10)
    source.found = (before,)
    session = start(host, source)
    host.end_process(100)
    host.add_process(100, {101: "CPU 0/KVM"}, started=20)
    host.add_schedstat(100, 101, 70)
    source.found = (replace(before, started=20),)
    session.refresh()
    waits = {one.target.started: one.table.account.waited_ns for one in session.report().targets}
    assert waits == {10: None, 20: None}
