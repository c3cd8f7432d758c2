"""fire.c, compiled and run: events for a loaded program without KVM. For the lab's tests and the bench."""

import ctypes
import struct
import subprocess
from pathlib import Path

from virt_exitstat.kernel.attach_plan import AttachPlan, ReasonIn
from virt_exitstat.targets.thread_filter import ThreadFilter

EVERYTHING = ThreadFilter(everything=True)

#: The program takes the reason from its first argument.
ARGUMENT = AttachPlan(ReasonIn.ARGUMENT, (), "the test says so")


def compile_fire(directory):
    """Compile fire.c into a directory; the binary's path."""
    binary = Path(directory) / "fire"
    subprocess.run(["gcc", "-O2", "-pthread", "-o", binary, Path(__file__).with_name("fire.c")], check=True)
    return binary


def fire(binary, program_fds, threads, events, cpus, *kinds):
    """Run the program from threads (fire.c says what the words mean); the tgid and the tids that ran it.

    `program_fds` are that of kvm_exit's program or those of all three (ExitCounter.program_fds).
    """
    fds = list(program_fds.values())
    command = [str(word) for word in (binary, ",".join(map(str, fds)), threads, events, cpus, *kinds)]
    with subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, text=True) as process:
        tids = [int(line) for line in process.stdout]
    assert process.returncode == 0 and len(tids) == threads
    return process.pid, tids


def run_here(counter, *arguments, event="kvm_exit"):
    """One event of this very thread."""
    args = (ctypes.c_uint64 * 6)(*arguments, *(0, 0, 1, 0, 0, 0)[len(arguments) :])
    # union bpf_attr, member test: prog_fd at 0, ctx_size_in at 40, ctx_in at 48 (include/uapi/linux/bpf.h).
    attr = struct.pack("=I36xI4xQ72x", counter.program_fds[event], ctypes.sizeof(args), ctypes.addressof(args))
    bpf, prog_test_run = 321, 10
    assert ctypes.CDLL(None).syscall(bpf, prog_test_run, attr, len(attr)) == 0
