"""Reports of made-up domains, for the tests of the live view."""

from virt_exitstat.report import make_report
from virt_exitstat.snapshot import CountSnapshot, Lost, Thread
from virt_exitstat.targets import Domain, Target, Targets, VCpu


def domain(name, pid, vcpus=1):
    """vCPU N's thread is `pid` + 1 + N."""
    return Target(pid, tuple(VCpu(n, pid + 1 + n) for n in range(vcpus)), Domain(name, f"uuid of {name}", pid))


def report(targets, exits=None, *, seconds=1.0, lost=(), ended=()):
    """`exits` is {tid: {reason name: count}}; a tid belongs to the process in whose hundred it lies."""
    counts = {Thread(tid // 100 * 100, tid): reasons for tid, reasons in (exits or {}).items()}
    return make_report(Targets(tuple(targets)), CountSnapshot(seconds, counts, Lost(*lost)), str, ended)
