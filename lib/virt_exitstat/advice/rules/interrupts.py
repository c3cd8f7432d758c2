"""Rules about the guest's own interrupts and timers."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Access, Kind
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Range, Seen

# MSRs of x2APIC are 0x800 + the register's offset / 16.
_X2APIC_EOI: Range = (0x80B, 0x80B)
_X2APIC_ICR: Range = (0x830, 0x830)
_X2APIC_TIMER: Range = (0x838, 0x838)
_TSC_DEADLINE: Range = (0x6E0, 0x6E0)
#: HV_X64_MSR_STIMER0_CONFIG .. HV_X64_MSR_STIMER3_COUNT.
_SYNTHETIC_TIMERS: Range = (0x400000B0, 0x400000B7)

#: The local APIC's registers in memory, and offsets in it.
_LOCAL_APIC: Range = (0xFEE00000, 0xFEE00FFF)
_EOI: Range = (0x0B0, 0x0B0)
_TIMER: Range = (0x380, 0x380)

#: KVM_HC_SEND_IPI.
_SEND_IPI: Range = (10, 10)

#: GICv3's ICC_SGI1R_EL1, S3_0_C12_C11_5.
_SGI: Range = (0xC65D, 0xC65D)


def _ends_of_interrupts(seen: Seen) -> Sequence[Cause]:
    """What the guest and KVM do for each interrupt where the CPU does not virtualize the APIC; all of it or nothing."""
    ends = (*seen.at(Kind.MSR, _X2APIC_EOI, access=Access.WRITE), *seen.at(Kind.APIC_REGISTER, _EOI))
    windows = seen.reasons("INTERRUPT_WINDOW", "VINTR")
    return (*ends, *windows) if ends and windows else ()


def _apicv_off(seen: Seen) -> Sequence[Cause]:
    # AVIC without x2AVIC does nothing for a guest that uses x2APIC, whose registers are MSRs.
    wanted = ("apicv", "x2avic") if seen.at(Kind.MSR, _X2APIC_EOI) else ("apicv", "avic", "x2avic")
    able = seen.host.has_flag(*wanted)
    return _ends_of_interrupts(seen) if seen.host.apicv is False and able is not False else ()


def _apicv_inhibited(seen: Seen) -> Sequence[Cause]:
    return _ends_of_interrupts(seen) if seen.host.apicv else ()


def _xapic(seen: Seen) -> Sequence[Cause]:
    # AVIC without x2AVIC works in this mode only.
    wants_it = seen.isa_name == "SVM" and seen.host.apicv and seen.host.has_flag("x2avic") is not True
    if wants_it or seen.at(Kind.MSR, (0x800, 0x8FF)):
        return ()
    return (*seen.at(Kind.MMIO, _LOCAL_APIC), *seen.reasons("APIC_ACCESS"))


def _ipis(seen: Seen) -> Sequence[Cause]:
    return (
        *seen.at(Kind.MSR, _X2APIC_ICR, access=Access.WRITE),
        *seen.at(Kind.AVIC_IPI),
        *seen.at(Kind.KVM_HYPERCALL, _SEND_IPI),
        *seen.at(Kind.SYSTEM_REGISTER, _SGI, access=Access.WRITE),
    )


def _timers(seen: Seen) -> Sequence[Cause]:
    return (
        *seen.at(Kind.MSR, _TSC_DEADLINE, _X2APIC_TIMER, access=Access.WRITE),
        *seen.at(Kind.APIC_REGISTER, _TIMER, access=Access.WRITE),
        *seen.reasons("PREEMPTION_TIMER"),
    )


def _synthetic_timers(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.MSR, _SYNTHETIC_TIMERS, access=Access.WRITE)


RULES = (
    Rule(
        name="apicv-off",
        title="The host's CPU could deliver interrupts without exits, and KVM is told not to use that",
        looks_at="Writes of the APIC's end of interrupt together with the reasons `INTERRUPT_WINDOW` or `VINTR`,"
        " where the host's `enable_apicv` or `avic` is off and the CPU has the feature.",
        cause="Each interrupt takes two exits or more: one to deliver it, one when the guest is done with it.",
        change=(
            Step(
                "On an Intel host:",
                "echo 'options kvm_intel enable_apicv=1' \\\n  > /etc/modprobe.d/apicv.conf",
            ),
            Step("On an AMD host:", "echo 'options kvm_amd avic=1' > /etc/modprobe.d/avic.conf"),
            Step("Then shut down all guests and load the module anew, or boot the host."),
        ),
        price="All guests of the host are down meanwhile.",
        sources=(
            "Linux arch/x86/kvm/vmx/vmx.c, enable_apicv; arch/x86/kvm/svm/avic.c, avic",
            "Linux arch/x86/include/asm/kvm_host.h, enum kvm_apicv_inhibit",
        ),
        when=_apicv_off,
        isas=X86,
    ),
    Rule(
        name="avic-inhibited",
        title="KVM could use APICv or AVIC, and this domain keeps it from that",
        looks_at="Writes of the APIC's end of interrupt together with the reasons `INTERRUPT_WINDOW` or `VINTR`,"
        " where the host's `enable_apicv` or `avic` is on.",
        cause="KVM goes without it for a domain that asks for what it cannot do: a PIT that makes up for lost ticks"
        " (AMD), Hyper-V's AutoEOI, a nested guest (AMD), x2APIC on a CPU without x2AVIC.",
        change=(
            Step(
                "On AMD, in the domain:",
                "<clock offset='utc'>\n  <timer name='pit' tickpolicy='discard'/>\n</clock>",
            ),
            Step(
                "Windows, in the domain:",
                "<features>\n  <hyperv mode='custom'>\n    <avic state='on'/>\n  </hyperv>\n</features>",
            ),
            Step(
                "On AMD without the flag x2avic, in the domain:",
                "<cpu mode='host-passthrough'>\n  <feature policy='disable' name='x2apic'/>\n</cpu>",
            ),
        ),
        price="A guest that counts the PIT's ticks loses some. Without x2APIC a guest has at most 255 vCPUs.",
        sources=(
            "Linux arch/x86/include/asm/kvm_host.h, enum kvm_apicv_inhibit",
            "Linux arch/x86/kvm/i8254.c, kvm_pit_set_reinject",
            "QEMU docs/system/i386/hyperv.rst, hv-avic",
        ),
        when=_apicv_inhibited,
        isas=X86,
    ),
    Rule(
        name="xapic",
        title="The guest uses its local APIC through memory",
        looks_at="Accesses to the local APIC at 0xfee00000, and the reason `APIC_ACCESS`, of a guest that does not use"
        " x2APIC. With AVIC and without x2AVIC this is as it should be, and the rule is silent.",
        cause="KVM has to fetch and decode the instruction of each access. With x2APIC it is a plain MSR.",
        change=(
            Step(
                "In the domain:",
                "<cpu mode='host-model'>\n  <feature policy='require' name='x2apic'/>\n</cpu>",
            ),
            Step("Linux, in the guest: take `nox2apic` from its kernel's command line."),
        ),
        price="Guests that are older than x2APIC do not use it.",
        sources=(
            "Intel SDM volume 3, Extended xAPIC (x2APIC)",
            "Linux arch/x86/kvm/vmx/vmx.c, handle_apic_access",
            "libvirt formatdomain, CPU model and topology",
        ),
        when=_xapic,
        isas=X86,
    ),
    Rule(
        name="ipi",
        title="The guest's vCPUs interrupt each other all the time",
        looks_at="Writes of the MSR 0x830, x2APIC's ICR, the reason `AVIC_INCOMPLETE_IPI`,"
        " KVM's hypercall SEND_IPI, and on arm64 writes of `ICC_SGI1R_EL1`.",
        cause="A vCPU wakes another one, or has it flush its TLB, by an interrupt. Sending it is an exit, and the vCPU"
        " that gets it exits too.",
        change=(
            Step("Give the guest fewer vCPUs, or keep threads that work together on one of them."),
            Step(
                "On the host, let KVM use IPI virtualization where the CPU has it:",
                "grep . /sys/module/kvm_*/parameters/enable_ipiv",
                X86,
            ),
            Step(
                "Windows, in the domain:",
                "<features>\n"
                "  <hyperv mode='custom'>\n"
                "    <vpindex state='on'/>\n"
                "    <tlbflush state='on'/>\n"
                "    <ipi state='on'/>\n"
                "  </hyperv>\n"
                "</features>",
            ),
        ),
        price="Fewer vCPUs do less at the same time.",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-ipi and hv-tlbflush",
            "Linux Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_SEND_IPI",
            "Linux commit d921665e01ba (enable_ipiv for AMD)",
            "Linux arch/arm64/kvm/vgic/vgic-mmio-v3.c, vgic_v3_dispatch_sgi; Arm IHI0069, ICC_SGI1R_EL1",
        ),
        when=_ipis,
    ),
    Rule(
        name="guest-timer",
        title="The guest sets its timer all the time",
        looks_at="Writes of the MSR 0x6e0, TSC_DEADLINE, and of the APIC timer's count, and the reason"
        " `PREEMPTION_TIMER`.",
        cause="Setting a timer is an exit, and so is its end. A tick of 1000 Hz or programs that sleep for microseconds"
        " do this.",
        change=(
            Step("Linux, in the guest: a kernel with 250 Hz or less, and `nohz=on` on its command line."),
            Step(
                "And find the programs that set timers:",
                "perf trace -a -s -e clock_nanosleep,epoll_wait,futex sleep 10",
            ),
        ),
        price="Sleeps become coarser.",
        sources=(
            "Linux Documentation/timers/no_hz.rst",
            "Linux commit ce7a058a2117 (VMX preemption timer for the TSC deadline timer)",
        ),
        when=_timers,
        at_least_per_second=2000,
        isas=X86,
    ),
    Rule(
        name="stimer-rate",
        title="Windows sets its synthetic timers thousands of times a second",
        looks_at="Writes of the MSRs 0x400000b0 to 0x400000b7.",
        cause="A program has raised the resolution of Windows' timer, to 1 ms or 0.5 ms.",
        change=(Step("In the guest, as an administrator: find who did.", "powercfg /energy /duration 60"),),
        price="None: this only looks. A program may need what it asked for.",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-stimer",
            "Microsoft, powercfg command-line options, /energy",
        ),
        when=_synthetic_timers,
        at_least_per_second=2000,
        isas=X86,
    ),
)
