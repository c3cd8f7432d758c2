"""Guests that were made up: one for each rule, on which it speaks, and one that gives no cause for any."""

import xml.etree.ElementTree as ET

from virt_exitstat.advice.seen import Cause, Seen
from virt_exitstat.counts.details import Access, Detail, Kind, Mark
from virt_exitstat.targets.host_facts import HostFacts

READ, WRITE, FETCH = Access.READ, Access.WRITE, Access.FETCH

WINDOWS = """
<metadata><l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>
<l:os id='http://microsoft.com/win/10'/></l:libosinfo></metadata>
<features><hyperv mode='custom'><relaxed state='on'/></hyperv></features>
"""
PINNED = "<cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='5'/></cputune>"


def domain(inside=""):
    return ET.fromstring(f"<domain type='kvm'>{inside}</domain>")


def cause(reason, kind=Kind.NOTHING, number=0, access=Access.NONE, *, rate=5000.0, share=0.03, vcpu=0, **rest):
    return Cause(reason, Detail(kind, number, access, **rest), vcpu, rate, share)


def port(number, access=READ, **rest):
    return cause("IOIO", Kind.PORT, number, access, size=1, by_qemu=True, **rest)


def mmio(number, access=READ, reason="EPT_MISCONFIG", **rest):
    return cause(reason, Kind.MMIO, number, access, **{"by_qemu": True, **rest})


def msr(number, access=WRITE, **rest):
    return cause("MSR_WRITE" if access is WRITE else "MSR_READ", Kind.MSR, number, access, **rest)


def fault(access, mark, **rest):
    return cause("NPF", Kind.PAGE_FAULT, 0, access, mark=mark, **rest)


def wakeup(power, mark, **rest):
    return cause("HLT", Kind.WAKEUP, power, mark=mark, **{"share": 0.6, **rest})


def interrupt(kind, number, **rest):
    return cause("EXTERNAL_INTERRUPT", kind, number, **rest)


def guest(*causes, xml="", isa="VMX", host=None, **rest):
    return Seen(causes, 10.0, isa, domain(xml), host or HostFacts(), vcpus=2, **{"waited": {0: 0.0, 1: 0.0}, **rest})


# What any Linux guest does that has nothing to do: a tick now and then, its console, sleep. Its host is as most are.
QUIET = guest(
    msr(0x6E0, rate=188, share=0.0004),
    msr(0x80B, rate=40, share=0.0001),
    msr(0x830, rate=60, share=0.0002),
    port(0x3F8, WRITE, rate=35, share=0.0006),
    port(0x70, WRITE, rate=1, share=0.00002),
    mmio(0xFEB00000, rate=3, share=0.00005),
    mmio(0xFE003000, WRITE, by_qemu=False, mark=Mark.DOORBELL, rate=8000, share=0.02),
    cause("CPUID", Kind.CPUID, 1, rate=12, share=0.00002),
    cause("PAUSE_INSTRUCTION", rate=5, share=0.00001),
    cause("INTERRUPT_WINDOW", rate=30, share=0.0001),
    interrupt(Kind.VECTOR, 0xEC, rate=250, share=0.0004),
    interrupt(Kind.IRQ, 45, rate=20, share=0.00003),
    fault(WRITE, Mark.NO_PAGE, rate=4, share=0.00001),
    wakeup(8, Mark.SLEPT, rate=150, share=0.2),
    wakeup(8, Mark.POLLED, rate=300, share=0.02),
    wakeup(12, Mark.SLEPT, rate=400, share=0.7),
    xml=f"<devices><interface type='network'><model type='virtio'/></interface></devices>{PINNED}",
    host=HostFacts(module="kvm_intel", nested_paging=True, apicv=True, ksm=False, isolated=frozenset()),
    up_seconds=86400,
    job=False,
)

APIC_WORK = (msr(0x80B, rate=9000), cause("INTERRUPT_WINDOW", rate=8000))

#: {rule: a guest on which it speaks, and no other rule but those that it silences}.
GUESTS = {
    "acpi-pm-timer": guest(port(0x608)),
    "hpet-clock": guest(mmio(0xFED000F0)),
    "pit-tick": guest(port(0x40, WRITE)),
    "windows-timers": guest(port(0x70, WRITE), port(0x71), mmio(0xFED000F0), port(0x40), xml=WINDOWS),
    "hv-clock-msr": guest(msr(0x40000020, READ), xml=WINDOWS),
    "tsc-trapped": guest(cause("RDTSC")),
    "short-sleeps": guest(wakeup(7, Mark.SLEPT), wakeup(12, Mark.SLEPT, rate=100)),
    "own-cpus": guest(wakeup(7, Mark.SLEPT), xml=PINNED, host=HostFacts(isolated=frozenset({4, 5, 6, 7}))),
    "wfi-trapped": guest(
        cause("WFX", Kind.WAKEUP, 7, mark=Mark.SLEPT, share=0.6),
        isa="ARM64",
        xml=PINNED,
        host=HostFacts(isolated=frozenset({4, 5})),
    ),
    "poll-waste": guest(wakeup(6, Mark.POLLED, share=0.3)),
    "overcommit": guest(cause("PAUSE_INSTRUCTION"), cause("VMCALL", Kind.KVM_HYPERCALL, 5), waited={0: 0.2, 1: None}),
    "lock-fight": guest(cause("PAUSE", rate=1500, share=0.002), isa="SVM"),
    "apicv-off": guest(*APIC_WORK, host=HostFacts(apicv=False, cpu_flags=frozenset({"apicv"}))),
    "avic-inhibited": guest(
        cause("MSR", Kind.MSR, 0x80B, WRITE), cause("VINTR"), isa="SVM", host=HostFacts(module="kvm_amd", apicv=True)
    ),
    "xapic": guest(mmio(0xFEE000B0, WRITE, by_qemu=False)),
    "ipi": guest(msr(0x830)),
    "guest-timer": guest(msr(0x6E0, rate=4000, share=0.006), cause("PREEMPTION_TIMER", rate=4000, share=0.003)),
    "stimer-rate": guest(msr(0x400000B1, rate=2100, share=0.005), xml=WINDOWS),
    "host-tick": guest(interrupt(Kind.VECTOR, 0xEC), xml=PINNED),
    "host-ipi": guest(interrupt(Kind.VECTOR, 0xFB, rate=1001, share=0.001), xml=PINNED),
    "host-irq": guest(interrupt(Kind.IRQ, 45, rate=1001, share=0.001), xml=PINNED),
    "first-touch": guest(fault(WRITE, Mark.NO_PAGE), up_seconds=3600),
    "dirty-log": guest(fault(WRITE, Mark.PAGE_THERE), cause("PML_FULL", rate=100), host=HostFacts(ksm=True)),
    "ksm-cow": guest(fault(WRITE, Mark.PAGE_THERE), host=HostFacts(ksm=True), job=False),
    "nx-split": guest(fault(FETCH, Mark.PAGE_THERE), host=HostFacts(nx_huge_pages=True)),
    "no-nested-paging": guest(
        cause("WRITE_CR3", Kind.CONTROL_REGISTER, 3, WRITE), isa="SVM", host=HostFacts(nested_paging=False)
    ),
    "serial-console": guest(port(0x3F8, WRITE)),
    "emulated-disk": guest(port(0x1F7)),
    "emulated-nic": guest(
        mmio(0xFEBC0008),
        xml="<devices><disk type='file' device='disk'><target dev='sda' bus='sata'/></disk>"
        "<interface type='network'><model type='e1000e'/></interface></devices>",
    ),
    "usb-polling": guest(
        port(0xC044, rate=600, share=0.004), xml="<devices><controller type='usb' model='piix3-uhci'/></devices>"
    ),
    "vga-text": guest(port(0x3D4, WRITE), mmio(0xB8000, WRITE, "NPF")),
    "vmware-backdoor": guest(port(0x5658)),
    "cpuid-loop": guest(cause("CPUID", Kind.CPUID, 0xB)),
    "monitoring": guest(msr(0x19C, READ), msr(0x1234, READ, mark=Mark.REFUSED)),
    "bus-lock": guest(cause("BUS_LOCK", rate=120, share=0.0002)),
    "wrong-model": guest(cause("RDRAND"), xml="<cpu mode='custom'><model>Nehalem</model></cpu>"),
    "nested": guest(cause("VMRESUME"), cause("VMREAD")),
    "nested-unaided": guest(cause("VMREAD"), cause("VMWRITE"), cause("VMRESUME"), host=HostFacts(shadow_vmcs=False)),
    "windows-vbs": guest(cause("VMRUN"), isa="SVM", xml=WINDOWS),
}

#: {rule: those that speak about its guest as well, and that it silences}.
SILENCED = {
    "windows-timers": {"hpet-clock", "pit-tick"},
    "own-cpus": {"short-sleeps"},
    "wfi-trapped": {"short-sleeps"},
    "nested-unaided": {"nested"},
    "windows-vbs": {"nested"},
}


def arm_guest(*causes, **rest):
    return guest(*causes, isa="ARM64", **rest)


def register(number, access=WRITE, **rest):
    return cause("SYS64", Kind.SYSTEM_REGISTER, number, access, **rest)


def arm_mmio(number, access=WRITE, **rest):
    return mmio(number, access, "DABT_LOW", **rest)


def arm_fault(access, mark, **rest):
    return cause("DABT_LOW", Kind.PAGE_FAULT, 0, access, mark=mark, **rest)


def wfi(power, mark, **rest):
    return cause("WFX", Kind.WAKEUP, power, mark=mark, **{"share": 0.6, **rest})


def wfe(**rest):
    return cause("WFX", Kind.WAIT, 1, **rest)


# As QUIET, on arm64: the serial port now and then, virtio's doorbells, IPIs, sleep, and the host's timers and IPIs.
ARM_QUIET = arm_guest(
    register(0xC65D, rate=60, share=0.0002),
    arm_mmio(0x09000000, rate=35, share=0.0006),
    arm_mmio(0x09000018, READ, rate=70, share=0.0012),
    arm_mmio(0x8000003000, by_qemu=False, rate=8000, share=0.02),
    arm_mmio(0x08080100, by_qemu=False, rate=40, share=0.0001),
    cause("HVC64", Kind.SMCCC_CALL, 0xC4000053, rate=1, share=0.00001),
    interrupt(Kind.IRQ, 12, rate=4000, share=0.006),
    interrupt(Kind.IRQ, 3, rate=3000, share=0.004),
    arm_fault(WRITE, Mark.NO_PAGE, rate=4, share=0.00001),
    wfi(8, Mark.SLEPT, rate=150, share=0.2),
    wfi(8, Mark.POLLED, rate=300, share=0.02),
    wfi(12, Mark.SLEPT, rate=400, share=0.7),
    wfe(rate=50, share=0.0001),
    xml=PINNED,
    host=HostFacts(ksm=False, isolated=frozenset(), halt_poll_ns=500000),
    up_seconds=86400,
    job=False,
)

#: As GUESTS, of rules that speak of guests on arm64 as well.
ARM_GUESTS = {
    "short-sleeps": arm_guest(wfi(7, Mark.SLEPT), wfi(12, Mark.SLEPT, rate=100)),
    "wfi-trapped": GUESTS["wfi-trapped"],
    "poll-waste": arm_guest(wfi(6, Mark.POLLED, share=0.3)),
    "overcommit": arm_guest(wfe(), waited={0: 0.2, 1: None}),
    "lock-fight": arm_guest(wfe(rate=1500, share=0.002)),
    "ipi": arm_guest(register(0xC65D)),
    "first-touch": arm_guest(arm_fault(WRITE, Mark.NO_PAGE), up_seconds=3600),
    "dirty-log": arm_guest(arm_fault(WRITE, Mark.PAGE_THERE), job=True),
    "ksm-cow": arm_guest(arm_fault(WRITE, Mark.PAGE_THERE), host=HostFacts(ksm=True), job=False),
    "serial-console": arm_guest(arm_mmio(0x09000000), arm_mmio(0x09000018, READ)),
    "emulated-disk": arm_guest(
        arm_mmio(0x10040110),
        xml="<devices><disk type='file' device='disk'><target dev='sda' bus='sata'/></disk></devices>",
    ),
    "emulated-nic": arm_guest(
        arm_mmio(0x8000000008),
        xml="<devices><interface type='network'><model type='e1000e'/></interface></devices>",
    ),
    "monitoring": arm_guest(register(0xDCE8, READ), register(0xDF60)),
}
