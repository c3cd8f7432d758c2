"""System registers: those that KVM emulates, numbered as the instructions MRS and MSR encode them."""

from __future__ import annotations

import re

from ....counts.details import Kind
from ....isa.arm64 import ARM64
from ...entry import Named, Table, in_order, one

# As assemblers spell a register by its numbers.
_GENERIC = re.compile(r"s([0-3])_([0-7])_c([0-9]{1,2})_c([0-9]{1,2})_([0-7])")

_FEATURES = "The guest asks what its CPU can do, when a vCPU starts; programs ask too, and its kernel answers them."
_TRANSLATION = (
    "The guest sets up its address translation. KVM looks on until the guest's caches are on, so there are few."
)
_CACHES = "The guest asks for its caches' sizes, when a vCPU starts."
_COUNTER = "perf or a profiler in the guest sets up its counters, once for each switch between the tasks it looks at."
_DEBUG = "A debugger runs in the guest. Linux also clears them when a vCPU starts."
_IPI = (
    "A vCPU interrupts another one: it wakes it, or has it flush its TLB or run a function. Often the most frequent"
    " register."
)
_INTERRUPT = "An exit only where the CPU does not lend the guest its own interrupt controller, or has an erratum."
_PHYSICAL_TIMER = (
    "The guest sets the physical timer, which some CPUs and kernels let it have only by an exit. Linux uses the virtual"
    " one, which takes none."
)
_CLEAN = "The guest flushes its caches by set and way. KVM flushes all of the guest's memory for it, which is slow."


def encode(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """The number of a register, as the kernel program makes it of a trap."""
    return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


def generic_name(number: int) -> str:
    """The name that every register has: S3_0_C12_C11_5."""
    return f"S{number >> 14 & 3}_{number >> 11 & 7}_C{number >> 7 & 15}_C{number >> 3 & 15}_{number & 7}"


def parse_generic(word: str) -> int | None:
    """The number that such a name means, None for any other word."""
    found = _GENERIC.fullmatch(word.lower())
    if not found:
        return None
    op0, op1, crn, crm, op2 = map(int, found.groups())
    return encode(op0, op1, crn, crm, op2) if max(crn, crm) <= 15 else None


def _reg(op0: int, op1: int, crn: int, crm: int, op2: int, name: str, about: str = "") -> Named:
    return one(encode(op0, op1, crn, crm, op2), name, about)


def _features(crm: int, names: str) -> tuple[Named, ...]:
    """Registers of features, from op2 0 on; `-` stands for none."""
    return tuple(
        _reg(3, 0, 0, crm, op2, f"{name}_EL1", _FEATURES) for op2, name in enumerate(names.split()) if name != "-"
    )


def _counters(crm: int, name: str) -> tuple[Named, ...]:
    """Registers of the 31 event counters, eight to a CRm."""
    return tuple(_reg(3, 3, 14, crm + n // 8, n % 8, f"{name}{n}_EL0", _COUNTER) for n in range(31))


REGISTERS = Table(
    Kind.SYSTEM_REGISTER,
    "system registers",
    "Arm Architecture Reference Manual for A-profile, and DDI0487's AArch64 System Register Descriptions; Arm IHI0069,"
    " GICv3. KVM: arch/arm64/kvm/sys_regs.c, arch/arm64/include/asm/sysreg.h.",
    in_order(
        _reg(1, 0, 7, 6, 2, "DC ISW", _CLEAN),
        _reg(1, 0, 7, 10, 2, "DC CSW", _CLEAN),
        _reg(1, 0, 7, 14, 2, "DC CISW", _CLEAN),
        _reg(2, 0, 0, 2, 2, "MDSCR_EL1", _DEBUG),
        *(
            _reg(2, 0, 0, n, op2, f"{name}{n}_EL1", _DEBUG)
            for op2, name in ((4, "DBGBVR"), (5, "DBGBCR"), (6, "DBGWVR"), (7, "DBGWCR"))
            for n in range(16)
        ),
        _reg(2, 0, 1, 0, 4, "OSLAR_EL1", _DEBUG),
        _reg(2, 0, 1, 1, 4, "OSLSR_EL1", _DEBUG),
        _reg(2, 0, 1, 3, 4, "OSDLR_EL1", _DEBUG),
        _reg(3, 0, 0, 0, 0, "MIDR_EL1", _FEATURES),
        _reg(3, 0, 0, 0, 5, "MPIDR_EL1", "Which vCPU this is."),
        _reg(3, 0, 0, 0, 6, "REVIDR_EL1", _FEATURES),
        *_features(1, "ID_PFR0 ID_PFR1 ID_DFR0 ID_AFR0 ID_MMFR0 ID_MMFR1 ID_MMFR2 ID_MMFR3"),
        *_features(2, "ID_ISAR0 ID_ISAR1 ID_ISAR2 ID_ISAR3 ID_ISAR4 ID_ISAR5 ID_MMFR4 ID_ISAR6"),
        *_features(3, "MVFR0 MVFR1 MVFR2 - ID_PFR2 ID_DFR1 ID_MMFR5"),
        *_features(4, "ID_AA64PFR0 ID_AA64PFR1 - - ID_AA64ZFR0 ID_AA64SMFR0"),
        *_features(5, "ID_AA64DFR0 ID_AA64DFR1 - - ID_AA64AFR0 ID_AA64AFR1"),
        *_features(6, "ID_AA64ISAR0 ID_AA64ISAR1 ID_AA64ISAR2"),
        *_features(7, "ID_AA64MMFR0 ID_AA64MMFR1 ID_AA64MMFR2 ID_AA64MMFR3 ID_AA64MMFR4"),
        _reg(3, 0, 1, 0, 0, "SCTLR_EL1", _TRANSLATION),
        _reg(3, 0, 1, 0, 1, "ACTLR_EL1"),
        _reg(3, 0, 1, 0, 2, "CPACR_EL1"),
        _reg(3, 0, 2, 0, 0, "TTBR0_EL1", _TRANSLATION),
        _reg(3, 0, 2, 0, 1, "TTBR1_EL1", _TRANSLATION),
        _reg(3, 0, 2, 0, 2, "TCR_EL1", _TRANSLATION),
        _reg(3, 0, 4, 6, 0, "ICC_PMR_EL1", _INTERRUPT),
        _reg(3, 0, 5, 1, 0, "AFSR0_EL1", _TRANSLATION),
        _reg(3, 0, 5, 1, 1, "AFSR1_EL1", _TRANSLATION),
        _reg(3, 0, 5, 2, 0, "ESR_EL1", _TRANSLATION),
        _reg(3, 0, 6, 0, 0, "FAR_EL1", _TRANSLATION),
        _reg(3, 0, 9, 14, 1, "PMINTENSET_EL1", _COUNTER),
        _reg(3, 0, 9, 14, 2, "PMINTENCLR_EL1", _COUNTER),
        _reg(3, 0, 9, 14, 6, "PMMIR_EL1", _COUNTER),
        _reg(3, 0, 10, 2, 0, "MAIR_EL1", _TRANSLATION),
        _reg(3, 0, 10, 3, 0, "AMAIR_EL1", _TRANSLATION),
        _reg(3, 0, 12, 8, 0, "ICC_IAR0_EL1", _INTERRUPT),
        _reg(3, 0, 12, 8, 1, "ICC_EOIR0_EL1", _INTERRUPT),
        _reg(3, 0, 12, 8, 3, "ICC_BPR0_EL1", _INTERRUPT),
        *(_reg(3, 0, 12, 8, 4 + n, f"ICC_AP0R{n}_EL1", _INTERRUPT) for n in range(4)),
        *(_reg(3, 0, 12, 9, n, f"ICC_AP1R{n}_EL1", _INTERRUPT) for n in range(4)),
        _reg(3, 0, 12, 11, 1, "ICC_DIR_EL1", "The guest ends an interrupt of a device that is passed through."),
        _reg(3, 0, 12, 11, 3, "ICC_RPR_EL1", _INTERRUPT),
        _reg(3, 0, 12, 11, 5, "ICC_SGI1R_EL1", _IPI),
        _reg(3, 0, 12, 11, 6, "ICC_ASGI1R_EL1", _IPI),
        _reg(3, 0, 12, 11, 7, "ICC_SGI0R_EL1", _IPI),
        _reg(3, 0, 12, 12, 0, "ICC_IAR1_EL1", _INTERRUPT),
        _reg(3, 0, 12, 12, 1, "ICC_EOIR1_EL1", _INTERRUPT),
        _reg(3, 0, 12, 12, 3, "ICC_BPR1_EL1", _INTERRUPT),
        _reg(3, 0, 12, 12, 4, "ICC_CTLR_EL1", _INTERRUPT),
        _reg(3, 0, 12, 12, 5, "ICC_SRE_EL1", "The guest sets up its interrupt controller, when a vCPU starts."),
        _reg(3, 0, 12, 12, 6, "ICC_IGRPEN0_EL1", _INTERRUPT),
        _reg(3, 0, 12, 12, 7, "ICC_IGRPEN1_EL1", _INTERRUPT),
        _reg(3, 0, 13, 0, 1, "CONTEXTIDR_EL1", _TRANSLATION),
        _reg(3, 0, 14, 1, 0, "CNTKCTL_EL1"),
        _reg(3, 1, 0, 0, 0, "CCSIDR_EL1", _CACHES),
        _reg(3, 1, 0, 0, 1, "CLIDR_EL1", _CACHES),
        _reg(3, 2, 0, 0, 0, "CSSELR_EL1", _CACHES),
        _reg(3, 3, 0, 0, 1, "CTR_EL0", _CACHES),
        *(
            _reg(3, 3, 9, 12, op2, f"{name}_EL0", _COUNTER)
            for op2, name in enumerate("PMCR PMCNTENSET PMCNTENCLR PMOVSCLR PMSWINC PMSELR PMCEID0 PMCEID1".split())
        ),
        *(
            _reg(3, 3, 9, 13, op2, f"{name}_EL0", _COUNTER)
            for op2, name in enumerate("PMCCNTR PMXEVTYPER PMXEVCNTR".split())
        ),
        _reg(3, 3, 9, 14, 0, "PMUSERENR_EL0", _COUNTER),
        _reg(3, 3, 9, 14, 3, "PMOVSSET_EL0", _COUNTER),
        _reg(3, 3, 14, 0, 0, "CNTFRQ_EL0"),
        _reg(3, 3, 14, 0, 1, "CNTPCT_EL0", _PHYSICAL_TIMER),
        _reg(3, 3, 14, 0, 2, "CNTVCT_EL0", "The guest reads the time, which is an exit only for a CPU's erratum."),
        _reg(3, 3, 14, 0, 5, "CNTPCTSS_EL0", _PHYSICAL_TIMER),
        _reg(3, 3, 14, 2, 0, "CNTP_TVAL_EL0", _PHYSICAL_TIMER),
        _reg(3, 3, 14, 2, 1, "CNTP_CTL_EL0", _PHYSICAL_TIMER),
        _reg(3, 3, 14, 2, 2, "CNTP_CVAL_EL0", _PHYSICAL_TIMER),
        *_counters(8, "PMEVCNTR"),
        *_counters(12, "PMEVTYPER"),
        _reg(3, 3, 14, 15, 7, "PMCCFILTR_EL0", _COUNTER),
    ),
    (ARM64.name,),
)
