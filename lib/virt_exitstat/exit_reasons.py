"""Exit reasons of each ISA: raw number <-> dense slot <-> name. Tables and pure functions.

A raw reason is what KVM's `kvm_exit` tracepoint reports. The BPF program counts in dense slots; a reason without a slot
is counted under its raw number. Names are those of the kernel's uapi headers without their prefix.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Isa(enum.IntEnum):
    """Which reason table applies. The values are the tracepoint's `isa` (KVM_ISA_VMX, KVM_ISA_SVM)."""

    VMX = 1
    SVM = 2


@dataclass(frozen=True)
class SlotRange:
    """Reasons `first` .. `first + count - 1` lie in consecutive slots."""

    first: int
    count: int


@dataclass(frozen=True)
class ReasonTable:
    """All that is known of one ISA's reasons. `mask` keeps the bits of a raw value that say why."""

    isa: Isa
    mask: int
    ranges: tuple[SlotRange, ...]
    names: Mapping[int, str] = field(repr=False)

    @property
    def slots(self) -> int:
        """How many slots there are; slot numbers are 0 .. slots - 1."""
        return sum(run.count for run in self.ranges)

    def first_slots(self) -> tuple[tuple[SlotRange, int], ...]:
        """Each range with the slot of its first reason."""
        slot, found = 0, []
        for run in self.ranges:
            found.append((run, slot))
            slot += run.count
        return tuple(found)

    def slot_of(self, reason: int) -> int | None:
        """The slot of a raw reason, flags ignored; None when it has none."""
        for run, slot in self.first_slots():
            if run.first <= reason & self.mask < run.first + run.count:
                return slot + (reason & self.mask) - run.first
        return None

    def reason_of(self, slot: int) -> int:
        """The raw reason that a slot counts. Raises IndexError for a slot that does not exist."""
        for run, first in self.first_slots():
            if first <= slot < first + run.count:
                return run.first + slot - first
        raise IndexError(slot)

    def name_of(self, reason: int, kernel_names: Mapping[int, str] = MappingProxyType({})) -> str:
        """The reason's name: ours, else the running kernel's, else `UNKNOWN(0x..)`."""
        return self.names.get(reason) or kernel_names.get(reason) or f"UNKNOWN({reason:#x})"


def parse_kernel_names(print_fmt: str, isa: Isa) -> dict[int, str]:
    """The running kernel's own names, from the `print fmt` of `events/kvm/kvm_exit/format`.

    The format holds one `__print_symbolic` table for VMX and, behind it, one for SVM. Names are put in our spelling:
    capitals and underscores. Empty when the format holds no such table.
    """
    tables = print_fmt.split("__print_symbolic(")[1:]
    if len(tables) < isa:
        return {}
    names = {}
    for number, name in re.findall(
        r'\{\s*([^{},"]+?)\s*,\s*"([^"]*)"\s*\}', tables[isa - 1].split("__print_flags(")[0]
    ):
        # Literals as in `10`, `0x040 + 14`, `-1` and, since Linux 7, `0x80000001ull`.
        terms = [int(re.sub("[uUlL]+$", "", term.strip()), 0) for term in number.split("+")]
        names[sum(terms) & 0xFFFFFFFF] = re.sub(r"\W+", "_", name).upper()
    return names


# Intel's bits 16-31 are flags: 26 bus lock, 27 enclave, 28 pending MTF, 31 failed entry (SDM vol. 3, 25.9.1).
# Names: arch/x86/include/uapi/asm/vmx.h of Linux 6.18. Those that KVM does not handle and the header therefore lacks
# (5, 6, 11, 17, 66, 69, 70, 72, 73, 78 to 81) are named after the SDM, vol. 3, appendix C.
VMX = ReasonTable(
    isa=Isa.VMX,
    mask=0xFFFF,
    ranges=(SlotRange(0, 96),),
    names=MappingProxyType(
        {
            0: "EXCEPTION_NMI",
            1: "EXTERNAL_INTERRUPT",
            2: "TRIPLE_FAULT",
            3: "INIT_SIGNAL",
            4: "SIPI_SIGNAL",
            5: "IO_SMI",
            6: "OTHER_SMI",
            7: "INTERRUPT_WINDOW",
            8: "NMI_WINDOW",
            9: "TASK_SWITCH",
            10: "CPUID",
            11: "GETSEC",
            12: "HLT",
            13: "INVD",
            14: "INVLPG",
            15: "RDPMC",
            16: "RDTSC",
            17: "RSM",
            18: "VMCALL",
            19: "VMCLEAR",
            20: "VMLAUNCH",
            21: "VMPTRLD",
            22: "VMPTRST",
            23: "VMREAD",
            24: "VMRESUME",
            25: "VMWRITE",
            26: "VMOFF",
            27: "VMON",
            28: "CR_ACCESS",
            29: "DR_ACCESS",
            30: "IO_INSTRUCTION",
            31: "MSR_READ",
            32: "MSR_WRITE",
            33: "INVALID_STATE",
            34: "MSR_LOAD_FAIL",
            36: "MWAIT_INSTRUCTION",
            37: "MONITOR_TRAP_FLAG",
            39: "MONITOR_INSTRUCTION",
            40: "PAUSE_INSTRUCTION",
            41: "MCE_DURING_VMENTRY",
            43: "TPR_BELOW_THRESHOLD",
            44: "APIC_ACCESS",
            45: "EOI_INDUCED",
            46: "GDTR_IDTR",
            47: "LDTR_TR",
            48: "EPT_VIOLATION",
            49: "EPT_MISCONFIG",
            50: "INVEPT",
            51: "RDTSCP",
            52: "PREEMPTION_TIMER",
            53: "INVVPID",
            54: "WBINVD",
            55: "XSETBV",
            56: "APIC_WRITE",
            57: "RDRAND",
            58: "INVPCID",
            59: "VMFUNC",
            60: "ENCLS",
            61: "RDSEED",
            62: "PML_FULL",
            63: "XSAVES",
            64: "XRSTORS",
            66: "SPP_EVENT",
            67: "UMWAIT",
            68: "TPAUSE",
            69: "LOADIWKEY",
            70: "ENCLV",
            72: "ENQCMD_PASID",
            73: "ENQCMDS_PASID",
            74: "BUS_LOCK",
            75: "NOTIFY",
            76: "SEAMCALL",
            77: "TDCALL",
            78: "RDMSRLIST",
            79: "WRMSRLIST",
            80: "URDMSR",
            81: "UWRMSR",
            84: "MSR_READ_IMM",
            85: "MSR_WRITE_IMM",
        }
    ),
)

# #DE .. #SX; a reason 0x40 + n is an intercepted exception n (APM vol. 2, appendix C).
_EXCEPTIONS = {
    0: "DE",
    1: "DB",
    2: "NMI",
    3: "BP",
    4: "OF",
    5: "BR",
    6: "UD",
    7: "NM",
    8: "DF",
    10: "TS",
    11: "NP",
    12: "SS",
    13: "GP",
    14: "PF",
    16: "MF",
    17: "AC",
    18: "MC",
    19: "XF",
    21: "CP",
    28: "HV",
    29: "VC",
    30: "SX",
}

# Names: arch/x86/include/uapi/asm/svm.h of Linux 6.18; what that header lacks (single control and debug registers,
# MWAIT_COND, RDPRU, INVLPGB, MCOMMIT, TLBSYNC) is named after the APM, vol. 2, appendix C.
# The ranges hold all that hardware reports, the VMGEXIT events of the kernel's table, and -1, INVALID: 232 slots of
# eight bytes are 29 whole cache lines. VMGEXIT events above 0x80000013 are counted without a slot.
SVM = ReasonTable(
    isa=Isa.SVM,
    mask=0xFFFFFFFF,
    ranges=(
        SlotRange(0x000, 0xC0),
        SlotRange(0x400, 0x10),
        SlotRange(0x80000000, 20),
        SlotRange(0x8000FFFD, 3),
        SlotRange(0xFFFFFFFF, 1),
    ),
    names=MappingProxyType(
        {
            **{0x00 + n: f"READ_CR{n}" for n in range(16)},
            **{0x10 + n: f"WRITE_CR{n}" for n in range(16)},
            **{0x20 + n: f"READ_DR{n}" for n in range(16)},
            **{0x30 + n: f"WRITE_DR{n}" for n in range(16)},
            **{0x40 + n: f"EXCP_{name}" for n, name in _EXCEPTIONS.items()},
            0x60: "INTR",
            0x61: "NMI",
            0x62: "SMI",
            0x63: "INIT",
            0x64: "VINTR",
            0x65: "CR0_SEL_WRITE",
            0x66: "IDTR_READ",
            0x67: "GDTR_READ",
            0x68: "LDTR_READ",
            0x69: "TR_READ",
            0x6A: "IDTR_WRITE",
            0x6B: "GDTR_WRITE",
            0x6C: "LDTR_WRITE",
            0x6D: "TR_WRITE",
            0x6E: "RDTSC",
            0x6F: "RDPMC",
            0x70: "PUSHF",
            0x71: "POPF",
            0x72: "CPUID",
            0x73: "RSM",
            0x74: "IRET",
            0x75: "SWINT",
            0x76: "INVD",
            0x77: "PAUSE",
            0x78: "HLT",
            0x79: "INVLPG",
            0x7A: "INVLPGA",
            0x7B: "IOIO",
            0x7C: "MSR",
            0x7D: "TASK_SWITCH",
            0x7E: "FERR_FREEZE",
            0x7F: "SHUTDOWN",
            0x80: "VMRUN",
            0x81: "VMMCALL",
            0x82: "VMLOAD",
            0x83: "VMSAVE",
            0x84: "STGI",
            0x85: "CLGI",
            0x86: "SKINIT",
            0x87: "RDTSCP",
            0x88: "ICEBP",
            0x89: "WBINVD",
            0x8A: "MONITOR",
            0x8B: "MWAIT",
            0x8C: "MWAIT_COND",
            0x8D: "XSETBV",
            0x8E: "RDPRU",
            0x8F: "EFER_WRITE_TRAP",
            **{0x90 + n: f"CR{n}_WRITE_TRAP" for n in range(16)},
            0xA0: "INVLPGB",
            0xA1: "INVLPGB_ILLEGAL",
            0xA2: "INVPCID",
            0xA3: "MCOMMIT",
            0xA4: "TLBSYNC",
            0xA5: "BUS_LOCK",
            0xA6: "IDLE_HLT",
            0x400: "NPF",
            0x401: "AVIC_INCOMPLETE_IPI",
            0x402: "AVIC_UNACCELERATED_ACCESS",
            0x403: "VMGEXIT",
            0x80000001: "VMGEXIT_MMIO_READ",
            0x80000002: "VMGEXIT_MMIO_WRITE",
            0x80000003: "VMGEXIT_NMI_COMPLETE",
            0x80000004: "VMGEXIT_AP_HLT_LOOP",
            0x80000005: "VMGEXIT_AP_JUMP_TABLE",
            0x80000010: "VMGEXIT_PSC",
            0x80000011: "VMGEXIT_GUEST_REQUEST",
            0x80000012: "VMGEXIT_EXT_GUEST_REQUEST",
            0x80000013: "VMGEXIT_AP_CREATION",
            0x80000018: "VMGEXIT_SNP_RUN_VMPL",
            0x8000001A: "VMGEXIT_SAVIC",
            0x8000FFFD: "VMGEXIT_HV_FEATURES",
            0x8000FFFE: "VMGEXIT_TERM_REQUEST",
            0x8000FFFF: "VMGEXIT_UNSUPPORTED_EVENT",
            0xFFFFFFFF: "INVALID",
        }
    ),
)

TABLES: Mapping[Isa, ReasonTable] = MappingProxyType({Isa.VMX: VMX, Isa.SVM: SVM})
