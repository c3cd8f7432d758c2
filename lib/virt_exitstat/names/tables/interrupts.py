"""Interrupts of the host, which KVM cannot keep from its guests, and the guests' control registers."""

from __future__ import annotations

from ...counts.details import Kind
from ..entry import Table, one

_CALL = "Another CPU of the host has this one run a function, often to flush its TLB."

VECTORS = Table(
    Kind.VECTOR,
    "interrupt vectors of a Linux host",
    "Linux, arch/x86/include/asm/irq_vectors.h; the tracepoints irq_vectors:*.",
    (
        one(0xEB, "posted MSI", "A device of the host (since Linux 6.10)."),
        one(
            0xEC,
            "local timer",
            "The host's timer ticks, or a guest's timer ran out on this CPU. A tick comes CONFIG_HZ times a second"
            " while a vCPU runs; `nohz_full=` ends most of them.",
        ),
        one(0xED, "Hyper-V timer", "The host is itself a guest of Hyper-V."),
        one(0xEE, "Hyper-V migration", "The host is itself a guest of Hyper-V."),
        one(0xEF, "managed IRQ shutdown"),
        one(0xF0, "posted interrupt, nested"),
        one(0xF1, "posted interrupt wake-up", "A device that is passed through wakes a vCPU."),
        one(0xF2, "posted interrupt", "Another CPU or a device gives an interrupt to a vCPU (APICv)."),
        one(0xF3, "hypervisor callback", "The host is itself a guest of Hyper-V, Xen or KVM."),
        one(0xF4, "deferred error", "The host's hardware reports an error that it could correct or put off."),
        one(0xF6, "IRQ work", "The host's kernel finishes something: perf, printk, tracing."),
        one(0xF7, "platform IPI"),
        one(0xF8, "reboot"),
        one(0xF9, "error threshold", "The host's hardware has corrected many errors."),
        one(0xFA, "thermal", "The host's CPU is too hot, or may run at full speed again."),
        one(0xFB, "call function on one CPU", _CALL),
        one(0xFC, "call function", _CALL),
        one(0xFD, "reschedule", "Another CPU of the host wakes a task on this one, or kicks a vCPU."),
        one(0xFE, "APIC error"),
        one(0xFF, "spurious"),
    ),
)

CONTROL_REGISTERS = Table(
    Kind.CONTROL_REGISTER,
    "control registers",
    'Intel SDM volume 3, section "Control Registers"; AMD APM volume 2, section 3.1. KVM: kvm_set_cr0() and its like in'
    " arch/x86/kvm/x86.c.",
    (
        one(0, "CR0", "Modes of the CPU. Old guests write it at each switch of the task that uses the FPU."),
        one(2, "CR2"),
        one(
            3, "CR3", "The page table: written at each switch of a process. It exits only where KVM has no EPT or NPT."
        ),
        one(4, "CR4", "Features of the CPU. Some guests flush the TLB by writing it twice."),
        one(8, "CR8", "The task priority: Windows changes it often. APICv and AVIC handle that without an exit."),
    ),
)
