"""Rules about single instructions and model-specific registers."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Access, Kind, Mark
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Range, Seen

# Numbers: Intel SDM volume 4; AMD's processor programming references.
#: Temperatures and energy: IA32_THERM_STATUS, MSR_TEMPERATURE_TARGET, IA32_PACKAGE_THERM_STATUS, RAPL's units and its
#: package, DRAM, core and graphics domains; AMD's of the same.
_SENSORS: tuple[Range, ...] = (
    (0x19C, 0x19C),
    (0x1A2, 0x1A2),
    (0x1B1, 0x1B1),
    (0x606, 0x606),
    (0x611, 0x611),
    (0x619, 0x619),
    (0x639, 0x639),
    (0x641, 0x641),
    (0xC0010299, 0xC001029B),
)
#: MPERF and APERF.
_FREQUENCY: Range = (0xE7, 0xE8)
#: Performance counters, what they count, and their switches; AMD's.
_COUNTERS: tuple[Range, ...] = (
    (0xC1, 0xC8),
    (0x186, 0x18D),
    (0x309, 0x30C),
    (0x38D, 0x390),
    (0xC0000300, 0xC0000302),
    (0xC0010000, 0xC0010007),
    (0xC0010200, 0xC001020B),
)

#: The same of arm64, as its instructions encode them: PMCR_EL0 to PMOVSSET_EL0, the event counters, PMINTENSET_EL1 and
#: PMINTENCLR_EL1.
_ARM64_COUNTERS: tuple[Range, ...] = ((0xDCE0, 0xDCF7), (0xDF40, 0xDF7F), (0xC4F1, 0xC4F2))


def _cpuid(seen: Seen) -> Sequence[Cause]:
    return seen.reasons("CPUID")


def _monitoring(seen: Seen) -> Sequence[Cause]:
    read = seen.at(Kind.MSR, access=Access.READ)
    sensors = seen.at(Kind.MSR, *_SENSORS, _FREQUENCY, access=Access.READ)
    refused = [cause for cause in read if cause.detail.mark is Mark.REFUSED and cause not in sensors]
    return (*sensors, *refused, *_counters(seen))


def _counters(seen: Seen) -> Sequence[Cause]:
    return (
        *seen.at(Kind.MSR, *_COUNTERS),
        *seen.reasons("RDPMC"),
        *seen.at(Kind.SYSTEM_REGISTER, *_ARM64_COUNTERS),
    )


def _bus_locks(seen: Seen) -> Sequence[Cause]:
    return seen.reasons("BUS_LOCK", "EXCP_AC")


def _missing_instructions(seen: Seen) -> Sequence[Cause]:
    if not (seen.has("cpu[@mode='custom']") or (seen.has("cpu/model") and not seen.has("cpu[@mode]"))):
        return ()
    return seen.reasons("EXCP_UD", "RDRAND", "RDSEED", "UMWAIT", "TPAUSE", "XSAVES", "XRSTORS")


RULES = (
    Rule(
        name="cpuid-loop",
        title="A program in the guest calls CPUID all the time",
        looks_at="Exits with the reason `CPUID`.",
        cause="This instruction always exits. Programs use it to serialize, or ask again what they could remember. The"
        " leaf tells what for: 0xb and 0x1f topology, 0xd XSAVE, 2 and 4 caches, 0x40000000 the hypervisor.",
        change=(
            Step(
                "Linux, in the guest: see who is busy while this goes on, and look for the instruction in it.",
                "perf top -e cpu-clock",
            ),
            Step("Update it. Some language runtimes and licence checks did this in loops."),
        ),
        price="None: this only looks.",
        sources=(
            "Intel SDM volume 3, Instructions That Cause VM Exits Unconditionally",
            "Agesen, Mattson, Rugina, Sheldon: Software Techniques for Avoiding Hardware Virtualization Exits, 2012",
        ),
        when=_cpuid,
        isas=X86,
    ),
    Rule(
        name="monitoring",
        title="Monitoring in the guest reads sensors and performance counters",
        looks_at="Reads of MSRs that are refused or are sensors, accesses to performance counters (MSRs, or arm64's"
        " registers of the PMU), and the reason `RDPMC`.",
        cause="Temperatures, energy and clock rates are the host's, so the guest gets an error or nothing of use."
        " Counters are emulated, at several exits for each switch between tasks that are counted.",
        change=(
            Step("In the guest, switch that collector off, or have it ask less often. The host can tell better."),
            Step(
                "If nobody profiles in the guest, in the domain:",
                "<features>\n  <pmu state='off'/>\n</features>",
            ),
        ),
        price="Without a PMU, profilers in the guest have no hardware counters.",
        sources=(
            "libvirt formatdomain, Hypervisor features, pmu",
            "Linux Documentation/admin-guide/kernel-parameters.txt, kvm.ignore_msrs",
            "Linux arch/arm64/kvm/sys_regs.c, access_pmcr; pmu-emul.c",
        ),
        when=_monitoring,
    ),
    Rule(
        name="bus-lock",
        title="A program in the guest locks the whole bus",
        looks_at="Exits with the reasons `BUS_LOCK` and `EXCP_AC`.",
        cause="An atomic operation across two cache lines takes a thousand cycles more than one within a line, and"
        " stops all CPUs of the host for a moment.",
        change=(
            Step("Linux, in the guest: its kernel's log may name the program.", "dmesg | grep -i -e split -e bus_lock"),
            Step("Have it align the data that it locks."),
            Step("How the host deals with it is up to `split_lock_detect` on its kernel's command line."),
        ),
        price="The host's `warn` slows the guest down, and `fatal` kills it.",
        sources=("Linux Documentation/arch/x86/buslock.rst",),
        when=_bus_locks,
        at_least_per_second=100,
        isas=X86,
    ),
    Rule(
        name="wrong-model",
        title="The guest uses instructions that its CPU model lacks",
        looks_at="Exits at such instructions, `RDRAND` among them, and the reason `EXCP_UD`, where the domain's CPU"
        " mode is custom. The XML of a running domain shows `host-model` as custom, too.",
        cause="KVM intercepts what the host's CPU has and the model lacks, to refuse it each time.",
        change=(
            Step("In the domain, unless `virsh dumpxml --inactive` shows this already:", "<cpu mode='host-model'/>"),
            Step("Or, for a guest that stays on hosts of this kind:", "<cpu mode='host-passthrough'/>"),
        ),
        price="The domain can move only to hosts whose CPUs have as much.",
        sources=(
            "libvirt formatdomain, CPU model and topology",
            "QEMU docs/system/qemu-cpu-models",
        ),
        when=_missing_instructions,
        isas=X86,
    ),
)
