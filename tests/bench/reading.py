"""How long reading and starting take: a snapshot of many vCPUs, the maps' memory, and exec to attached."""

import os
import tempfile
import time
from pathlib import Path

# ruff: noqa: E402  (imports are one of the things that are timed)
started = time.perf_counter()
import bcc  # noqa: F401

from virt_exitstat import cli  # noqa: F401
from virt_exitstat.isa.svm import SVM
from virt_exitstat.kernel.attach_plan import AttachPlan, AttachPlans, ReasonIn, plan_attachment
from virt_exitstat.kernel.exit_counter import ExitCounter
from virt_exitstat.targets.thread_filter import ThreadFilter

imported = time.perf_counter()

import peers

from fire import compile_fire, fire

EVERYTHING = ThreadFilter(everything=True)
TEST_PLANS = AttachPlans(SVM, (AttachPlan(ReasonIn.ARGUMENT, (), "the bench says so"),), "")


# What vCPUs of a domain at work exit for: INTR, VINTR, CPUID, HLT, IOIO, MSR, NPF.
REASONS = (0x60, 0x64, 0x72, 0x78, 0x7B, 0x7C, 0x400)


def reading():
    binary = compile_fire(tempfile.mkdtemp())
    print(f"{'vCPUs':>6} {'snapshot':>12} {'maps':>12} {'--time: snapshot':>18} {'maps':>12}")
    for vcpus in (64, 1024, 4096):
        print(f"{vcpus:6}", end="")
        for timed, width in ((False, 12), (True, 18)):
            with ExitCounter(EVERYTHING, TEST_PLANS, max_vcpus=vcpus, timed=timed) as counter:
                events = [event for reason in REASONS for event in ([reason, "entry"] if timed else [reason])]
                fire(binary, counter.program_fds, vcpus, 2 * len(events), 0, *events)
                times = []
                for _ in range(5):
                    before = time.perf_counter()
                    snapshot = counter.snapshot()
                    times.append(time.perf_counter() - before)
                assert len(snapshot.counts) == vcpus
                print(f" {1000 * min(times):{width - 3}.1f} ms {counter.map_bytes() / 1e6:9.2f} MB", end="", flush=True)
        print()


def starting():
    before = time.perf_counter()
    plans = plan_attachment(Path("/"))
    planned = time.perf_counter()
    with ExitCounter(EVERYTHING, plans, max_vcpus=4096) as counter:
        compiled = time.perf_counter()
        counter.attach()
        attached = time.perf_counter()
    print(f"\nimports {imported - started:.2f} s, plan {planned - before:.2f} s, ", end="")
    print(f"compile and load {compiled - planned:.2f} s, attach {attached - compiled:.2f} s")
    ready = (
        ("virt-exitstat", peers.program("counting exits", Path("virt-exitstat").resolve(), "--pid", "all")),
        ("bcc's kvmexit", peers.kvmexit()),
    )
    for name, program in ready:
        before = time.perf_counter()
        with program:
            print(f"{name}: {time.perf_counter() - before:.2f} s from exec to attached", flush=True)


if __name__ == "__main__":
    print(f"kernel {os.uname().release}\n")
    reading()
    if Path("/sys/kernel/tracing/events/kvm").exists():
        starting()
