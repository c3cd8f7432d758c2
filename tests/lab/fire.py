"""fire.c, compiled and run: events for a loaded program without KVM. For the lab's tests and the bench."""

import ctypes
import struct
import subprocess
from pathlib import Path

from virt_exitstat.kernel.attach_plan import AttachPlan, ReasonIn
from virt_exitstat.targets.thread_filter import ThreadFilter

EVERYTHING = ThreadFilter(everything=True)

# The call's number on x86, and two of its commands (include/uapi/linux/bpf.h).
_BPF, _PROG_TEST_RUN, _OBJ_GET_INFO_BY_FD = 321, 10, 15

# First bytes of instructions, and the register that points to the stack.
_STORE_64, _ADD_CONSTANT, _MOVE, _FRAME = 0x7B, 0x07, 0xBF, 10

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
    _bpf(_PROG_TEST_RUN, attr)


def stores(program_fd):
    """Where a loaded program writes words of 64 bits in structures, by their offsets, in its order."""
    room = ctypes.create_string_buffer(8 * 4096)
    # struct bpf_prog_info: xlated_prog_len at 20, xlated_prog_insns at 32.
    info = ctypes.create_string_buffer(struct.pack("=20xI8xQ", len(room), ctypes.addressof(room)), 40)
    # union bpf_attr, member info: bpf_fd, info_len, info.
    _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", program_fd, len(info), ctypes.addressof(info)))
    (length,) = struct.unpack_from("=I", info, 20)
    assert 0 < length <= len(room)
    found, bases = [], [0] * 16
    for opcode, registers, offset, immediate in struct.iter_unpack("=BBhi", room.raw[:length]):
        to, source = registers & 15, registers >> 4
        if opcode == _STORE_64:
            found += [bases[to] + offset] * (to != _FRAME)
        elif opcode == _ADD_CONSTANT:
            bases[to] += immediate
        else:
            bases[to] = bases[source] if opcode == _MOVE else 0
    return found


def _bpf(command, attr):
    assert ctypes.CDLL(None).syscall(_BPF, command, attr, len(attr)) == 0
