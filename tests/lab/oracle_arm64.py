"""The domain `oracle` on arm64: what its guest does, and the firmware that does it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from oracle import ROM, Work

# QEMU's machine type virt, and an address of nobody's.
_SERIAL, _DISTRIBUTOR, _REDISTRIBUTOR, _NOBODY = 0x0900_0000, 0x0800_0000, 0x080A_0000, 0x0920_0000


def _call(times: int, function: int) -> Work:
    code = f"movz w0, #0x{function >> 16:x}, lsl #16; movk w0, #0x{function & 0xFFFF:x}; hvc #0"
    return Work(times, code, ("smccc_call", None, function, None, None, "kvm"))


def _register(times: int, access: str, generic: str) -> Work:
    op0, op1, crn, crm, op2 = map(int, re.findall(r"[0-9]+", generic))
    code = f"mrs x0, {generic}" if access == "read" else f"mov x0, xzr; msr {generic}, x0"
    number = op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
    return Work(times, code, ("system_register", access, number, None, None, "kvm"))


def _word(times: int, access: str, address: int, by: str) -> Work:
    code = f"movz x1, #0x{address >> 16:x}, lsl #16; movk x1, #0x{address & 0xFFFF:x}; mov w0, wzr; "
    code += "ldr w0, [x1]" if access == "read" else "str w0, [x1]"
    return Work(times, code, ("mmio", access, address, None, None, by))


#: A read of a register of features is a trap (HCR_EL2.TID3), as is an interrupt to others (ICC_SGI1R_EL1).
WORK = (
    _call(731, 0x8400_0000),
    _call(163, 0x8400_000A),
    _call(97, 0x8000_0000),
    _call(58, 0xC200_0000),
    _register(402, "read", "S3_0_C0_C4_0"),
    _register(83, "read", "S3_0_C0_C7_0"),
    _register(41, "write", "S3_0_C12_C11_5"),
    _word(61, "read", _SERIAL + 0x18, "qemu"),
    _word(47, "write", _SERIAL, "qemu"),
    _word(29, "read", _NOBODY, "qemu"),
    _word(53, "read", _DISTRIBUTOR + 4, "kvm"),
    _word(37, "write", _REDISTRIBUTOR + 0x1_0180, "kvm"),
)


def assemble(directory: Path) -> None:
    """Write the firmware: the flash at address 0, where execution starts."""
    source, program = directory / "oracle.S", directory / "oracle.o"
    source.write_text(
        "\n".join(["\t.globl _start", "_start:", *map(_loop, WORK), "2:\twfi", "\tb\t2b", "\t.org\t0x10000", ""])
    )
    subprocess.run(["as", "-o", program, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", program, ROM], check=True)
    assert ROM.stat().st_size == 65536


def _loop(work: Work) -> str:
    return f"\tmov\tx19, #{work.times}\n77:\t{work.code}\n\tsubs\tx19, x19, #1\n\tb.ne\t77b"
