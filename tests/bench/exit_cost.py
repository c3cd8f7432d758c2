"""What a guest pays for one exit while it is traced: TSC ticks per CPUID, with nothing, with us, with others.

Run in the lab with --icount, where the TSC counts instructions: the figures are the same to the digit from run to run.
"""

import contextlib
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import bcc
import peers
from guest import Guest

from virt_exitstat.counts.origin import Attachment
from virt_exitstat.kernel.attach_plan import plan_attachment
from virt_exitstat.kernel.exit_counter import ExitCounter
from virt_exitstat.targets.thread_filter import ThreadFilter

ROOT = Path("/")
OURSELVES = ThreadFilter(tgids=frozenset({os.getpid()}))
THIS_THREAD = ThreadFilter(threads=frozenset({(os.getpid(), threading.get_native_id())}))
ANOTHER = ThreadFilter(tgids=frozenset({1}))


@contextlib.contextmanager
def nothing():
    yield


@contextlib.contextmanager
def empty_program(kind):
    bpf = bcc.BPF(text=b"int empty(void *args) { return 0; }", cflags=["-w"])
    bpf.load_func(b"empty", kind)
    if kind == bcc.BPF.RAW_TRACEPOINT:
        bpf.attach_raw_tracepoint(tp=b"kvm_exit", fn_name=b"empty")
    else:
        bpf.attach_tracepoint(tp=b"kvm:kvm_exit", fn_name=b"empty")
    yield
    bpf.cleanup()


@contextlib.contextmanager
def ours(attachment, thread_filter, *, may_cast=True, timed=False, detailed=False):
    plans = plan_attachment(ROOT, attachment)
    if not may_cast:
        without = tuple(plan for plan in plans.plans if not plan.cast)
        if without == plans.plans:
            raise peers.PeerError("this kernel has no cast, see above")
        plans = replace(plans, plans=without)
    rows = 1024 if timed or detailed else 4096
    with ExitCounter(thread_filter, plans, max_vcpus=rows, timed=timed, detailed=detailed) as counter:
        counter.attach()
        yield


CASES = (
    ("nothing attached", nothing),
    ("empty program, raw tracepoint", lambda: empty_program(bcc.BPF.RAW_TRACEPOINT)),
    ("empty program, tracepoint", lambda: empty_program(bcc.BPF.TRACEPOINT)),
    ("virt-exitstat, raw", lambda: ours(Attachment.RAW, OURSELVES)),
    ("virt-exitstat, raw, read by a helper", lambda: ours(Attachment.RAW, OURSELVES, may_cast=False)),
    ("virt-exitstat, raw, one vCPU", lambda: ours(Attachment.RAW, THIS_THREAD)),
    ("virt-exitstat, raw, another domain", lambda: ours(Attachment.RAW, ANOTHER)),
    ("virt-exitstat, tracepoint", lambda: ours(Attachment.TRACEPOINT, OURSELVES)),
    ("virt-exitstat, tracepoint, another domain", lambda: ours(Attachment.TRACEPOINT, ANOTHER)),
    ("virt-exitstat --time, raw", lambda: ours(Attachment.RAW, OURSELVES, timed=True)),
    (
        "virt-exitstat --time, raw, read by a helper",
        lambda: ours(Attachment.RAW, OURSELVES, may_cast=False, timed=True),
    ),
    ("virt-exitstat --time, raw, another domain", lambda: ours(Attachment.RAW, ANOTHER, timed=True)),
    ("virt-exitstat --detail, raw", lambda: ours(Attachment.RAW, OURSELVES, detailed=True)),
    ("virt-exitstat --detail, raw, another domain", lambda: ours(Attachment.RAW, ANOTHER, detailed=True)),
    ("virt-exitstat --detail --time, raw", lambda: ours(Attachment.RAW, OURSELVES, timed=True, detailed=True)),
    ("virt-exitstat --time, tracepoint", lambda: ours(Attachment.TRACEPOINT, OURSELVES, timed=True)),
    ("ftrace, hist trigger", peers.hist_trigger),
    ("bcc's kvmexit (counts nothing on 6.1)", peers.kvmexit),
    ("bpftrace, one-liner", peers.bpftrace),
    ("ftrace, kvm_exit and kvm_entry (keeps time)", peers.ftrace_events),
    ("bpftrace, one-liner with hist() (keeps time)", peers.bpftrace_hist),
    ("perf kvm stat record (keeps time)", peers.perf_kvm_stat),
)


def main():
    guest = Guest()
    print(f"kernel {os.uname().release}; ticks per CPUID exit, the least of 5 runs of 2,000\n")
    print(f"{'attached':44} {'ticks':>8} {'more':>8}")
    bare = 0.0
    for name, attached in CASES:
        if not any(word in name for word in (sys.argv[1:] or [""])):
            continue
        try:
            with attached():
                ticks = min(guest.ticks_per_exit() for _ in range(5))
        except peers.PeerError as error:
            print(f"{name:44} did not run: {error}", flush=True)
            continue
        bare = bare or ticks
        print(f"{name:44} {ticks:8.1f} {ticks - bare:+8.1f}", flush=True)


if __name__ == "__main__":
    main()
