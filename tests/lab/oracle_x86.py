"""The domain `oracle` on x86: what its guest does, and the firmware that does it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from oracle import ROM, Work


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

_GUEST = """\
	movw	$refused, 0x34		/* vector 13 */
	movw	$0xf000, 0x36
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
"""

#: Real mode, with the vectors of interrupts in the data segment, and a stack.
_ROM = """\
	.code16
	.globl _start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7000, %sp
{code}
	.org	0xfff0
	jmp	_start
	.org	0x10000
"""


def assemble(directory: Path, hypercall: str) -> None:
    """Write the firmware; `hypercall` is the ISA's instruction for it."""
    small, large = ("\n".join(map(_loop, part)) for part in (SMALL, LARGE))
    code = _GUEST.format(small=small, large=large, strings=STRINGS, string=STRING)
    write_rom(code.replace("HYPERCALL", hypercall), ROM, directory)


def write_rom(code: str, rom: Path, directory: Path) -> None:
    """Assemble a firmware of 64 KiB that runs the code from its reset on; scratch goes to the directory."""
    source, program = directory / f"{rom.stem}.S", directory / f"{rom.stem}.o"
    source.write_text(_ROM.format(code=code))
    subprocess.run(["as", "--32", "-o", program, source], check=True)
    link = ["ld", "-m", "elf_i386", "--oformat", "binary", "-Ttext", "0", "-o", rom, program]
    subprocess.run(link, check=True)
    assert rom.stat().st_size == 65536


def _loop(work: Work) -> str:
    return f"\tmov	${work.times}, %si\n77:	{work.code}\n\tdec	%si\n\tjnz	77b"
