"""What the program itself takes when a thread stays alone on its CPU (hit) and when two take turns on it (miss).

The kernel's own statistics (run_time_ns, run_cnt) over BPF_PROG_TEST_RUN; an empty program's are taken off.
In the lab with --icount a nanosecond is an instruction.
"""

import os
import tempfile
from pathlib import Path

import bcc

from fire import compile_fire, fire
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.attach_plan import AttachPlan, ReasonIn
from virt_exitstat.kernel.source import find_program, program_macros
from virt_exitstat.targets.thread_filter import ThreadFilter

EVENTS = 20_000
PLAN = AttachPlan(ReasonIn.ARGUMENT, (), "")
OLDER = Path(__file__).with_name("older_design.bpf.c")


def ours(isa):
    bpf = bcc.BPF(src_file=bytes(find_program()), cflags=program_macros(ThreadFilter(everything=True), isa, PLAN, 1024))
    for row in range(1024):
        bpf[b"free_rows"].push(bpf[b"free_rows"].Leaf(row))
    return bpf.load_func(b"count_exit", bcc.BPF.RAW_TRACEPOINT)


def older(slots):
    bpf = bcc.BPF(src_file=bytes(OLDER), cflags=["-w", f"-DSLOTS={slots}"])
    return bpf.load_func(b"count_exit", bcc.BPF.RAW_TRACEPOINT)


def empty():
    bpf = bcc.BPF(text=b"int empty(void *args) { return 0; }", cflags=["-w"])
    return bpf.load_func(b"empty", bcc.BPF.RAW_TRACEPOINT)


def statistics(fd):
    info = dict(line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
    return int(info["run_time_ns"]), int(info["run_cnt"])


def ns_per_run(binary, program, threads):
    fire(binary, {"kvm_exit": program.fd}, threads, 100, 1, 12)
    ns_before, runs_before = statistics(program.fd)
    fire(binary, {"kvm_exit": program.fd}, threads, EVENTS // threads, -1, 12)
    ns, runs = statistics(program.fd)
    return (ns - ns_before) / (runs - runs_before)


def main():
    Path("/proc/sys/kernel/bpf_stats_enabled").write_text("1")
    binary = compile_fire(tempfile.mkdtemp())
    programs = {
        "virt-exitstat, VMX": ours(VMX),
        "virt-exitstat, SVM": ours(SVM),
        "older design, VMX (76 counters)": older(76),
        "older design, SVM (1,028 counters)": older(1028),
    }
    nothing = empty()
    print(f"kernel {os.uname().release}; ns per exit above an empty program\n")
    print(f"{'program':36} {'hit':>8} {'miss':>8}")
    for name, program in programs.items():
        hit, miss = (ns_per_run(binary, program, n) - ns_per_run(binary, nothing, n) for n in (1, 2))
        print(f"{name:36} {hit:8.1f} {miss:8.1f}", flush=True)
    Path("/proc/sys/kernel/bpf_stats_enabled").write_text("0")


if __name__ == "__main__":
    main()
