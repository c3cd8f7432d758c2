"""causes: what advice sees of a report."""

from made_up_reports import WHEN_AND_WHERE, lasted
from virt_exitstat.counts.details import Access, Cost, Detail, Kind
from virt_exitstat.counts.snapshot import CountSnapshot, EndedThread, State, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.reports.causes import see
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.host_facts import HostFacts
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

GUEST01 = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain("guest01", "uuid-1", 1), started=7)
SERIAL = Detail(Kind.PORT, 0x3F8, Access.WRITE, 1, by_qemu=True)
TIMER = Detail(Kind.MSR, 0x6E0, Access.WRITE)

COUNTS = {
    Thread(100, 101): {
        30: Tally(300, lasted(10_000, 299), details={SERIAL: Cost(299, 2_990_000)}),
        State.GUEST: Tally(0, lasted(0, 0)),
    },
    Thread(100, 102): {32: Tally(50, lasted(2_000, 50), details={TIMER: Cost(50, 100_000)})},
}


def seen(counts=None, ended=(), **more):
    delta = CountSnapshot(2.0, counts or COUNTS)
    report = make_report(
        Targets((GUEST01,)),
        delta,
        VMX.reasons.name_of,
        ended,
        **WHEN_AND_WHERE,
        waited_ns={Thread(100, 101): 500_000_000},
        detailed=True,
    )
    options = {"host": HostFacts(), "xml": None, "job": None, "up_seconds": 5.0, **more}
    return see(report.targets[0], "VMX", **options)


def test_each_detail_of_each_vcpu_is_a_cause_with_its_share_of_the_vcpus_time():
    causes = {(cause.vcpu, cause.reason_name, cause.detail): cause for cause in seen().causes}
    serial = causes[(0, "IO_INSTRUCTION", SERIAL)]
    assert (serial.per_second, serial.share) == (149.5, 2_990_000 / 2e9)
    timer = causes[(1, "MSR_WRITE", TIMER)]
    assert (timer.per_second, timer.share) == (25.0, 100_000 / 2e9)
    # One has not ended.
    assert causes[(0, "IO_INSTRUCTION", Detail(Kind.NOTHING))].per_second == 0.5
    assert len(causes) == 3


def test_the_rest_is_what_was_known():
    facts = HostFacts(halt_poll_ns=5)
    one = seen(host=facts, job=True)
    assert (one.seconds, one.isa_name, one.vcpus, one.up_seconds, one.job, one.host) == (
        2.0,
        "VMX",
        2,
        5.0,
        True,
        facts,
    )
    assert one.waited == {0: 0.25, 1: None}


def test_a_domain_that_has_ended_is_seen_as_well():
    counts = {EndedThread(100, thread.tid, 7): tallies for thread, tallies in COUNTS.items()}
    assert seen(counts, ended=[(100, 7)]).causes == seen().causes
