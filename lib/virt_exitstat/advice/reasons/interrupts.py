"""Exits about interrupts and timers, the guest's and the host's."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

INTERRUPTS = Group(
    "Interrupts and timers",
    (
        Explanation(
            vmx=("EXTERNAL_INTERRUPT",),
            svm=("INTR",),
            what="The guest did nothing: a device, a timer or another CPU interrupted the host.",
            often="Thousands a second on a pinned vCPU mean that its CPU serves the host's interrupts or timers.",
            helps="Move those elsewhere: `isolcpus`, `nohz_full`, `/proc/irq`.",
        ),
        Explanation(
            vmx=("MSR_WRITE", "MSR_WRITE_IMM"),
            svm=("MSR",),
            what="The guest writes a model-specific register (MSR).",
            often="Most often it sets its timer's deadline, or sends an interrupt to another vCPU (x2APIC).",
            helps="Where the CPU has APICv or AVIC, see that KVM uses it"
            " (`/sys/module/kvm_intel/parameters/enable_apicv`, `/sys/module/kvm_amd/parameters/avic`). Elsewhere lower"
            " the guest's timer frequency, or wake fewer vCPUs.",
        ),
        Explanation(
            vmx=("MSR_READ", "MSR_READ_IMM"),
            what="The guest reads a model-specific register (MSR). On AMD this counts as `MSR`.",
            often="Many come from monitoring in the guest: temperatures, performance counters.",
        ),
        Explanation(
            vmx=("PREEMPTION_TIMER",),
            what="A timer of the guest ran out while the guest was running. This is Intel's cheap way to say so.",
            often="The number goes with the guest's timer frequency.",
        ),
        Explanation(
            vmx=("INTERRUPT_WINDOW",),
            svm=("VINTR",),
            what="KVM waited until the guest took interrupts again, to deliver one.",
            often="The number goes with the interrupts that the guest gets. With APICv or AVIC there are few.",
        ),
        Explanation(
            vmx=("NMI_WINDOW",),
            svm=("IRET",),
            what="KVM waited until the guest took non-maskable interrupts again, to deliver one.",
            often="Many come from profiling in the guest.",
        ),
        Explanation(
            vmx=("APIC_ACCESS", "APIC_WRITE"),
            svm=("AVIC_UNACCELERATED_ACCESS",),
            what="The guest uses a register of its interrupt controller that the CPU does not handle by itself.",
            helps="Let the guest use x2APIC mode.",
        ),
        Explanation(
            vmx=("EOI_INDUCED",),
            what="The guest ended a level-triggered interrupt of an emulated or passed-through device, and somebody"
            " waits for that.",
            helps="Use MSI.",
        ),
        Explanation(
            svm=("AVIC_INCOMPLETE_IPI",),
            what="The guest sent an interrupt to a vCPU that did not run, or to several vCPUs at once.",
            often="The number goes with idle vCPUs that are woken often.",
        ),
        Explanation(
            vmx=("TPR_BELOW_THRESHOLD",),
            what="The guest lowered its task priority.",
            often="Windows does this where there is no APICv.",
        ),
        Explanation(
            svm=("NMI",),
            what="A non-maskable interrupt reached the host. Intel counts it as `EXCEPTION_NMI`.",
            often="It comes from perf(1) or the watchdog.",
        ),
        Explanation(
            arm64=("IRQ",),
            what="The guest did nothing: a device, a timer or another CPU interrupted the host. The guest's own timer"
            " is one of them.",
            often="The number goes with the guest's timer frequency. Thousands a second on a pinned vCPU mean that its"
            " CPU serves the host's interrupts or timers.",
            helps="Move those elsewhere: `isolcpus`, `nohz_full`, `/proc/irq`.",
        ),
        Explanation(
            arm64=("SYS64",),
            what="The guest reads or writes a system register that KVM emulates. The details tell which.",
            often="Most often it sends an interrupt to another vCPU, by `ICC_SGI1R_EL1`. Profiling in the guest uses"
            " the registers of its counters.",
            helps="Wake fewer vCPUs.",
        ),
        Explanation(
            arm64=("CP15_32", "CP15_64", "CP14_MR", "CP14_LS", "CP14_64", "CP10_ID"),
            what="Code of 32 bits in the guest reads or writes a system register.",
        ),
    ),
)
