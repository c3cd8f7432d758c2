"""The domain `oracle`: firmware that does known numbers of known things, then halts for good.

The numbers stand once, in WORK: the firmware is assembled from it, and a report is compared with it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROM = Path("/lab/guest/oracle.rom")


class Work(NamedTuple):
    """What the guest does so many `times`: its instructions, and the detail that tells of it.

    `detail` is (kind, access, number, size, mark, by), as JSON has them; None where the kernel tells nothing.
    """

    times: int
    code: str
    detail: tuple | None


def _cpuid(times: int, leaf: int) -> Work:
    code = f"mov $0x{leaf:x}, %eax; xor %ecx, %ecx; cpuid"
    return Work(times, code, ("cpuid", None, leaf, None, None, "kvm"))


def _read_msr(times: int, msr: int, mark: str | None = None) -> Work:
    return Work(times, f"mov $0x{msr:x}, %ecx; rdmsr", ("msr", "read", msr, None, mark, "kvm"))


def _write_msr(times: int, msr: int) -> Work:
    code = f"mov $0x{msr:x}, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr"
    return Work(times, code, ("msr", "write", msr, None, None, "kvm"))


def _port(times: int, code: str, access: str, port: int, size: int) -> Work:
    return Work(times, code, ("port", access, port, size, None, "qemu"))


def _memory(times: int, access: str, address: int, by: str) -> Work:
    code = "movl (%ebx), %eax" if access == "read" else "movl %eax, (%ebx)"
    return Work(times, f"movl $0x{address:x}, %ebx; {code}", ("mmio", access, address, None, None, by))


#: In real mode, with segments of 64 KiB.
SMALL = (
    _cpuid(731, 0),
    _cpuid(402, 1),
    _cpuid(163, 7),
    _cpuid(97, 0x4000_0000),
    _cpuid(58, 0x8000_0001),
    _read_msr(211, 0x8B),
    _read_msr(144, 0x1A0),
    _read_msr(83, 0x277),
    _write_msr(72, 0x79),
    _read_msr(39, 0xDEAD, "refused"),
    _port(305, "out %al, $0x80", "write", 0x80, 1),
    _port(61, "mov $0x3f8, %dx; xor %al, %al; out %al, %dx", "write", 0x3F8, 1),
    _port(47, "in $0x71, %al", "read", 0x71, 1),
    _port(33, "mov $0x1f0, %dx; inw %dx, %ax", "read", 0x1F0, 2),
    _port(21, "mov $0xcf8, %dx; inl %dx, %eax", "read", 0xCF8, 4),
    Work(41, "mov $1, %eax; xor %ebx, %ebx; HYPERCALL", ("kvm_hypercall", None, 1, None, None, "kvm")),
)

#: With a data segment of 4 GiB: HPET, local APIC, I/O APIC, an address of nobody, memory that cannot be written.
LARGE = (
    _memory(53, "read", 0xFED0_00F0, "qemu"),
    _memory(29, "read", 0xFEE0_0030, "kvm"),
    _memory(37, "write", 0xFEC0_0000, "kvm"),
    _memory(23, "write", 0xD000_1000, "qemu"),
    _memory(17, "write", 0x000F_0010, "qemu"),
)

#: Strings of so many bytes out of memory, so often. Each ends in a round that moves nothing, of which nothing is told.
STRINGS, STRING = 9, 48

WORK = (*SMALL, *LARGE, _port(STRINGS * STRING, "", "write", 0x402, 1))

#: Kinds that the host and the mode switch add: no numbers of them are known.
_BESIDE = ("page_fault", "vector", "irq", "wakeup", "wait", "control_register", "nothing", None)

_FRAME = """\
	.code16
	.globl _start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	movw	$refused, 0x34		/* vector 13 */
	movw	$0xf000, 0x36
	mov	%ax, %ss
	mov	$0x7000, %sp
{small}
	/* A moment in protected mode gives %ds a limit of 4 GiB. */
	lgdtl	%cs:gdt_at
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	mov	$8, %bx
	mov	%bx, %ds
	and	$0xfe, %al
	mov	%eax, %cr0
{large}
	mov	$0xf000, %ax
	mov	%ax, %ds
	mov	${strings}, %di
1:	xor	%si, %si
	mov	${string}, %cx
	mov	$0x402, %dx
	cld
	rep outsb
	dec	%di
	jnz	1b
2:	hlt
	jmp	2b

refused:				/* #GP of a two-byte instruction: step over it */
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	iret
	.balign	8
gdt:	.quad	0, 0x00cf93000000ffff
gdt_at:	.word	15
	.long	0xf0000 + gdt
	.org	0xfff0
	jmp	_start
	.org	0x10000
"""


#: What arm64's firmware does; a read of a register of features is a trap (HCR_EL2.TID3), as is an interrupt to others.
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


ARM64_WORK = (
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


def assemble_arm64(directory: Path) -> None:
    """Write the firmware of an arm64 guest."""
    source, program = directory / "oracle.S", directory / "oracle.o"
    loops = "\n".join(
        f"\tmov	x19, #{work.times}\n77:	{work.code}\n\tsubs	x19, x19, #1\n\tb.ne	77b" for work in ARM64_WORK
    )
    source.write_text(f"\t.globl _start\n_start:\n{loops}\n2:	wfi\n\tb	2b\n\t.org	0x10000\n")
    subprocess.run(["as", "-o", program, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", program, ROM], check=True)
    assert ROM.stat().st_size == 65536


def assemble(directory: Path, hypercall: str) -> None:
    """Write the firmware; `hypercall` is the ISA's instruction for it."""
    source, program = directory / "oracle.S", directory / "oracle.o"
    small, large = ("\n".join(map(_loop, part)) for part in (SMALL, LARGE))
    text = _FRAME.format(small=small, large=large, strings=STRINGS, string=STRING)
    source.write_text(text.replace("HYPERCALL", hypercall))
    subprocess.run(["as", "--32", "-o", program, source], check=True)
    link = ["ld", "-m", "elf_i386", "--oformat", "binary", "-Ttext", "0", "-o", ROM, program]
    subprocess.run(link, check=True)
    assert ROM.stat().st_size == 65536


def domain_xml(xml: str, name: str = "cpuid") -> str:
    """The domain's XML, from that of `cpuid`, or of another of that `name`."""
    return xml.replace(f"<name>{name}</name>", "<name>oracle</name>").replace(f"{name}.rom", ROM.name)


def differences(reasons: list[dict], done: tuple[Work, ...] = WORK) -> list[str]:
    """Where details of a table in JSON are other than what the guest did; [] when each number is right.

    An address may be told below two reasons: KVM on Intel marks its page at the first fault.
    """
    told: Counter = Counter()
    for reason in reasons:
        for one in reason["details"]:
            what = tuple(one[field] for field in ("kind", "access", "number", "size", "mark", "by"))
            if one["kind"] not in _BESIDE:
                told[what] += one["count"]
    known: Counter = Counter()
    for work in done:
        known[work.detail] += work.times
    return [f"{what}: told {told[what]}, done {known[what]}" for what in {**told, **known} if told[what] != known[what]]


def _loop(work: Work) -> str:
    return f"\tmov	${work.times}, %si\n77:	{work.code}\n\tdec	%si\n\tjnz	77b"
