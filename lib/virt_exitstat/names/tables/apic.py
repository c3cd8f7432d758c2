"""The local APIC, a CPU's interrupt controller: its registers by their offset in its page, and AVIC's reasons."""

from __future__ import annotations

from ...counts.details import Kind
from ...isa.svm import SVM
from ..entry import Named, Table, one

#: Where a local APIC's page lies unless the guest moves it.
PAGE = 0xFEE00000

_SOURCE = (
    'Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller", table "Local APIC Register Address Map";'
    " AMD APM volume 2, chapter 16. KVM: arch/x86/kvm/lapic.c, arch/x86/include/asm/apicdef.h."
)

_REGISTERS = (
    one(0x020, "APIC ID"),
    one(0x030, "APIC version"),
    one(0x080, "APIC TPR", "The task priority: Windows changes it often. APICv and AVIC handle that without an exit."),
    one(0x090, "APIC APR"),
    one(0x0A0, "APIC PPR"),
    one(
        0x0B0,
        "APIC EOI",
        "The guest says that it is done with an interrupt, once for each. APICv and AVIC handle that without an exit.",
    ),
    one(0x0C0, "APIC RRD"),
    one(0x0D0, "APIC LDR"),
    one(0x0E0, "APIC DFR"),
    one(0x0F0, "APIC SVR"),
    Named(0x100, 0x170, "APIC ISR"),
    Named(0x180, 0x1F0, "APIC TMR"),
    Named(0x200, 0x270, "APIC IRR"),
    one(0x280, "APIC ESR"),
    one(0x2F0, "APIC LVT CMCI"),
    one(
        0x300,
        "APIC ICR",
        "The guest sends an interrupt to another vCPU: to wake it, or to have it flush its TLB. Busy locks and many"
        " short sleeps in the guest do that.",
    ),
    one(0x310, "APIC ICR high"),
    one(0x320, "APIC LVT timer", "How the timer works and which vector it has. Some guests mask the timer here."),
    one(0x330, "APIC LVT thermal"),
    one(0x340, "APIC LVT PMC", "The interrupt of the performance counters: perf in the guest writes it at each one."),
    one(0x350, "APIC LVT LINT0"),
    one(0x360, "APIC LVT LINT1"),
    one(0x370, "APIC LVT error"),
    one(
        0x380,
        "APIC timer count",
        "The guest sets its timer, in ticks. Guests do so where they do not use TSC_DEADLINE.",
    ),
    one(0x390, "APIC timer now", "How many ticks of the timer are left."),
    one(0x3E0, "APIC timer divider"),
    one(0x3F0, "APIC self IPI"),
    # AMD's extended registers.
    one(0x400, "APIC extended features"),
    one(0x410, "APIC extended control"),
    one(0x420, "APIC SEOI"),
    Named(0x480, 0x4F0, "APIC IER"),
    Named(0x500, 0x530, "APIC extended LVT"),
)

REGISTERS = Table(Kind.APIC_REGISTER, "local APIC registers", _SOURCE, _REGISTERS)

AVIC_REGISTERS = Table(
    Kind.AVIC_REGISTER, "local APIC registers that AVIC leaves to KVM", _SOURCE, _REGISTERS, (SVM.name,)
)

# x2APIC mode has no DFR, and one ICR of 64 bits; APR and RRD are of older CPUs. It is Intel's list: AMD's extended
# registers, which KVM does not offer, are left out.
_XAPIC_ONLY = {0x090, 0x0C0, 0x0E0, 0x310}

X2APIC = Table(
    Kind.MSR,
    "x2APIC MSRs",
    'Intel SDM volume 3, table "Local APIC Register Address Map Supported by x2APIC": MSR 0x800 + offset / 16.'
    " KVM: arch/x86/kvm/lapic.c.",
    tuple(
        Named(0x800 + first // 16, 0x800 + last // 16, f"x2{name}", about)
        for first, last, name, about in _REGISTERS
        if first not in _XAPIC_ONLY and last < 0x400
    ),
)

AVIC_IPIS = Table(
    Kind.AVIC_IPI,
    "why AVIC left an interrupt between vCPUs to KVM",
    'AMD APM volume 2, section "AVIC IPI Delivery Not Completed". KVM: enum avic_ipi_failure_cause in'
    " arch/x86/include/asm/svm.h.",
    (
        one(
            0,
            "invalid interrupt type",
            "AVIC sends fixed, edge-triggered interrupts only: no NMI, INIT or start-up.",
        ),
        one(1, "target not running", "The vCPU was not on a CPU: it was idle, or waited for one. KVM wakes it."),
        one(2, "invalid target"),
        one(3, "invalid backing page"),
        one(4, "invalid IPI vector"),
    ),
    (SVM.name,),
)
