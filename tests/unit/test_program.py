"""program: what is changed between compiling and loading. The rest needs a kernel: tests/lab/test_kernel_program.py."""

import struct

from virt_exitstat.kernel.program import mark_kernel_calls


def instruction(opcode, registers=0, offset=0, immediate=0):
    """As struct bpf_insn (include/uapi/linux/bpf.h)."""
    return struct.pack("=BBhi", opcode, registers, offset, immediate)


def test_calls_of_the_kernel_function_are_marked_and_nothing_else():
    other_call, call = instruction(0x85, immediate=14), instruction(0x85, immediate=65486)
    # A number of 64 bits takes two instructions; the second one's first byte is 0.
    number = instruction(0x18, 1, 0, 65486) + instruction(0, 0, 0, 65486)
    marked_before = instruction(0x85, 0x10, 0, 65486)
    code = bytearray(other_call + call + number + call + marked_before)
    mark_kernel_calls(code, 65486)
    kernel_call = instruction(0x85, 0x20, 0, 65486)
    assert code == other_call + kernel_call + number + kernel_call + marked_before
