"""Reports of made-up domains."""

from dataclasses import replace
from datetime import datetime, timezone

from virt_exitstat.counts.durations import Durations, bucket_of
from virt_exitstat.counts.origin import Attachment, Provenance
from virt_exitstat.counts.snapshot import CountSnapshot, Lost, State, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

#: What each says of its time and place.
WHEN_AND_WHERE = {
    "time": datetime(2026, 11, 22, 19, 53, 1, 250_000, tzinfo=timezone.utc),
    "provenance": Provenance("host1", "6.1.0", VMX, Attachment.RAW),
}


def tallies(exits):
    """{whatever: exits} as {whatever: tally}."""
    return {reason: Tally(exits=count) for reason, count in exits.items()}


def lasted(length_ns, exits, *, qemu_ns=0, in_flight_ns=0):
    """Durations of exits that took `length_ns` each, `qemu_ns` of it in QEMU; one more is in flight for that long."""
    total = length_ns * exits
    return Durations(
        total_ns=total + in_flight_ns,
        qemu_ns=qemu_ns * exits,
        finished_ns=total,
        max_ns=length_ns if exits else 0,
        in_flight=int(in_flight_ns > 0),
        buckets={bucket_of(length_ns): exits} if exits else {},
    )


def snapshot(time_s, exits, lost=Lost(), gone=None):  # noqa: B008  (a NamedTuple is immutable)
    """A CountSnapshot of {thread: {reason: exits}}."""
    counts, last = ({thread: tallies(of) for thread, of in some.items()} for some in (exits, gone or {}))
    return CountSnapshot(time_s, counts, lost, last)


def exits_of(snapshot):
    """The {thread: {reason: exits}} of one."""
    return {thread: {reason: one.exits for reason, one in of.items()} for thread, of in snapshot.counts.items()}


def domain(name, pid, vcpus=1):
    """vCPU N's thread is `pid` + 1 + N."""
    return Target(pid, tuple(VCpu(n, pid + 1 + n) for n in range(vcpus)), Domain(name, f"uuid of {name}", pid))


def report(targets, exits=None, *, seconds=1.0, lost=(), ended=()):
    """`exits` is {tid: {reason name: count}}; a tid belongs to the process in whose hundred it lies."""
    counts = {thread_of(tid): reasons for tid, reasons in (exits or {}).items()}
    delta = snapshot(seconds, counts, Lost(*lost))
    for process in ended:
        delta = delta.ended(*process)
    return make_report(Targets(tuple(targets)), delta, str, ended, **WHEN_AND_WHERE)


def timed_report(targets, times=None, *, isa=VMX, seconds=1.0, lost=(), no_block=0, waited_ns=None):
    """`times` is {tid: {raw reason or State: Durations, or a Tally}}; tids as for report().

    An exit counts when it has finished or is in flight, a State is no exit. `waited_ns` is {tid: ns}.
    """
    counts = {
        thread_of(tid): {key: tally_of(key, time) for key, time in of_thread.items()}
        for tid, of_thread in (times or {}).items()
    }
    delta = CountSnapshot(seconds, counts, Lost(*lost), no_block=no_block)
    waited = {thread_of(tid): ns for tid, ns in (waited_ns or {}).items()}
    provenance = replace(WHEN_AND_WHERE["provenance"], isa=isa)
    return make_report(
        Targets(tuple(targets)),
        delta,
        isa.reasons.name_of,
        **{**WHEN_AND_WHERE, "provenance": provenance},
        waited_ns=waited,
    )


def thread_of(tid):
    """The thread of a tid, whose process is that in whose hundred it lies."""
    return Thread(tid // 100 * 100, tid)


def tally_of(key, time):
    """What timed_report() is given, as a tally."""
    if isinstance(time, Tally):
        return time
    return Tally(0 if isinstance(key, State) else time.finished + time.in_flight, time)
