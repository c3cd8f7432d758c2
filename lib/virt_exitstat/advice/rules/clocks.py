"""Rules about clocks: how the guest tells the time, and what wakes it."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Access, Kind
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Range, Seen

#: Where QEMU puts the ACPI PM timer: 8 bytes behind the power management's base, on both of its boards and for OVMF.
PM_TIMER: tuple[Range, ...] = ((0x608, 0x60B), (0xB008, 0xB00B))
HPET: Range = (0xFED00000, 0xFED003FF)
RTC: Range = (0x70, 0x71)
PIT: Range = (0x40, 0x43)
#: HV_X64_MSR_TIME_REF_COUNT.
HYPERV_CLOCK: Range = (0x40000020, 0x40000020)

_LINUX_CLOCK = Step(
    "Linux, in the guest: take kvm-clock or tsc, whichever `available_clocksource` lists there.",
    "cd /sys/devices/system/clocksource/clocksource0\necho kvm-clock > current_clocksource",
)
_WINDOWS_CLOCK = Step(
    "Windows, in the domain:",
    "<clock offset='localtime'>\n  <timer name='hypervclock' present='yes'/>\n</clock>",
)


def _pm_timer(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.PORT, *PM_TIMER, access=Access.READ)


def _hpet(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.MMIO, HPET)


def _pit(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.PORT, PIT)


def _windows_timers(seen: Seen) -> Sequence[Cause]:
    if not seen.windows or seen.feature("hyperv/stimer") is not False:
        return ()
    return (*seen.at(Kind.PORT, RTC, PIT), *_hpet(seen))


def _hyperv_clock(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.MSR, HYPERV_CLOCK, access=Access.READ)


def _trapped_tsc(seen: Seen) -> Sequence[Cause]:
    return seen.reasons("RDTSC", "RDTSCP")


RULES = (
    Rule(
        name="acpi-pm-timer",
        title="The guest reads the time from the ACPI PM timer",
        looks_at="Reads of the ports 0x608 to 0x60b, or 0xb008 to 0xb00b.",
        cause="Each look at the clock is an exit to QEMU. A paravirtual clock or the TSC takes none.",
        change=(
            _LINUX_CLOCK,
            _WINDOWS_CLOCK,
            Step(
                "Windows, where it has that clock already: the host's own clock must be the TSC.",
                "cd /sys/devices/system/clocksource/clocksource0\ncat current_clocksource",
            ),
        ),
        price="A change of the domain needs its shutdown and start.",
        sources=(
            "MicrosoftDocs/Virtualization-Documentation issue 1885",
            "QEMU docs/system/i386/hyperv.rst, hv-time",
            "Linux Documentation/virt/kvm/x86/timekeeping.rst",
        ),
        when=_pm_timer,
        isas=X86,
    ),
    Rule(
        name="hpet-clock",
        title="The guest uses the HPET",
        looks_at="Accesses to the HPET, at 0xfed00000.",
        cause="QEMU emulates the HPET: each look at its counter and each setting of its timers is an exit to QEMU.",
        change=(
            _LINUX_CLOCK,
            Step(
                "So that no guest takes it, in the domain:",
                "<clock offset='utc'>\n  <timer name='hpet' present='no'/>\n</clock>",
            ),
        ),
        price="A Windows guest without Hyper-V's synthetic timers falls back to the RTC, which is worse.",
        sources=(
            "Linux Documentation/virt/kvm/x86/timekeeping.rst",
            "libvirt formatdomain, Time keeping",
            "QEMU docs/system/i386/hyperv.rst, hv-stimer",
        ),
        when=_hpet,
        isas=X86,
    ),
    Rule(
        name="pit-tick",
        title="The guest sets the PIT, the timer of the first PCs, again and again",
        looks_at="Accesses to the ports 0x40 to 0x43.",
        cause="A guest that finds no better timer ticks by the PIT, or reads the time from it. Each access is an exit.",
        change=(
            Step("Let the guest use its local APIC's timer: take `noapic`, `nolapic` and `acpi=off` from its kernel."),
            Step(
                "In the domain, see that it has a local APIC, ACPI and a paravirtual clock:",
                "<features>\n  <acpi/>\n  <apic/>\n</features>\n"
                "<clock offset='utc'>\n  <timer name='kvmclock' present='yes'/>\n</clock>",
            ),
        ),
        price="Guests that are too old for these stay as they are.",
        sources=(
            "Linux Documentation/virt/kvm/x86/timekeeping.rst",
            "libvirt formatdomain, Time keeping",
        ),
        when=_pit,
        isas=X86,
    ),
    Rule(
        name="windows-timers",
        title="Windows ticks by RTC or HPET instead of Hyper-V's synthetic timers",
        looks_at="Accesses to the RTC, the PIT and the HPET by a Windows guest whose domain lacks `stimer`.",
        cause="Without synthetic timers, Windows falls back to timers that QEMU emulates, also when it is idle.",
        change=(
            Step(
                "In the domain:",
                "<features>\n"
                "  <hyperv mode='custom'>\n"
                "    <relaxed state='on'/>\n"
                "    <vapic state='on'/>\n"
                "    <spinlocks state='on' retries='8191'/>\n"
                "    <vpindex state='on'/>\n"
                "    <synic state='on'/>\n"
                "    <stimer state='on'/>\n"
                "    <frequencies state='on'/>\n"
                "  </hyperv>\n"
                "</features>\n"
                "<clock offset='localtime'>\n"
                "  <timer name='hypervclock' present='yes'/>\n"
                "</clock>",
            ),
        ),
        price="`synic` turns APICv or AVIC off: where the CPU has it, add `<avic state='on'/>` (libvirt 8.10,"
        " QEMU 6.2).",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-stimer and hv-avic",
            "OpenNebula/addon-storpool issue 79 (an idle guest took 30 to 40% of a CPU before, 1 to 3% after)",
            "virt-manager/virt-manager issue 205",
        ),
        when=_windows_timers,
        silences=("hpet-clock", "pit-tick"),
        isas=X86,
    ),
    Rule(
        name="hv-clock-msr",
        title="Windows reads Hyper-V's clock by an MSR, not from the shared page",
        looks_at="Reads of the MSR 0x40000020, TIME_REF_COUNT.",
        cause="KVM fills the page only while the host's own clock is the TSC and the TSCs of all vCPUs agree."
        " Otherwise each look at the clock is an exit.",
        change=(
            Step(
                "On the host: this must say tsc, and the kernel's log says why it does not.",
                "cd /sys/devices/system/clocksource/clocksource0\ncat current_clocksource\n"
                "dmesg | grep -i -e tsc -e clocksource",
            ),
            Step(
                "If it does say tsc: shut the domain down and start it. A guest that was restored or migrated may"
                " stay with the MSR."
            ),
        ),
        price="Do not force `tsc=reliable` on a host whose TSCs disagree: time jumps in its guests.",
        sources=(
            "Linux arch/x86/kvm/hyperv.c, compute_tsc_page_parameters",
            "cloud-hypervisor/cloud-hypervisor pull requests 8380 and 8383",
            "QEMU docs/system/i386/hyperv.rst, hv-time",
        ),
        when=_hyperv_clock,
        isas=X86,
    ),
    Rule(
        name="tsc-trapped",
        title="The guest's reads of the TSC are intercepted",
        looks_at="Exits with the reasons `RDTSC` and `RDTSCP`.",
        cause="The guest expects a TSC of another frequency than the host's, as after a migration, and the CPU cannot"
        " scale it. Then KVM answers each read by itself. A nested hypervisor may ask for this as well.",
        change=(
            Step("Run the domain on a host whose TSC has the frequency that the domain was started with."),
            Step(
                "Or drop a fixed frequency from the domain, and start it anew:",
                "<clock offset='utc'>\n  <timer name='tsc' mode='native'/>\n</clock>",
            ),
        ),
        price="Time jumps in a guest that moves between hosts whose frequencies differ.",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-reenlightenment",
            "libvirt formatdomain, Time keeping",
        ),
        when=_trapped_tsc,
        isas=X86,
    ),
)
