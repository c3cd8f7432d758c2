"""SVM, AMD's virtualization: its exit reasons, and where kvm_amd keeps them."""

from __future__ import annotations

from types import MappingProxyType

from .instruction_set import FaultBits, Isa, KernelTable, ReasonPlace
from .reasons import ReasonTable, SlotRange

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
# MWAIT_COND, RDPRU, INVLPGB, MCOMMIT, TLBSYNC) is named after AMD's APM, vol. 2, appendix C.
_NAMES = {
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

# The kernel's own name -> ours, where the two differ. The table that KVM's tracepoint prints names by
# (SVM_EXIT_REASONS in arch/x86/include/uapi/asm/svm.h) has spellings of its own; ours are those of the constants.
_SPELLINGS = {
    **{f"{name}_EXCP": f"EXCP_{name}" for name in _EXCEPTIONS.values()},
    **{f"READ_{name}TR": f"{name}TR_READ" for name in ("ID", "GD", "LD")},
    **{f"WRITE_{name}TR": f"{name}TR_WRITE" for name in ("ID", "GD", "LD")},
    **{f"WRITE_{name}_TRAP": f"{name}_WRITE_TRAP" for name in ("EFER", "CR0", "CR4", "CR8")},
    "READ_RT": "TR_READ",  # sic
    "WRITE_RT": "TR_WRITE",
    "INTERRUPT": "INTR",
    "IO": "IOIO",
    "HYPERCALL": "VMMCALL",
    "BUSLOCK": "BUS_LOCK",
    "IDLE_HALT": "IDLE_HLT",
    "VMGEXIT_PAGE_STATE_CHANGE": "VMGEXIT_PSC",
    "VMGEXIT_HYPERVISOR_FEATURE": "VMGEXIT_HV_FEATURES",
    "INVALID_GUEST_STATE": "INVALID",
}

SVM = Isa(
    name="SVM",
    machine="x86_64",
    cpu_flag="svm",
    module="kvm_amd",
    reasons=ReasonTable(
        mask=0xFFFFFFFF,
        # All that hardware reports, the VMGEXIT events of the kernel's table, and -1, INVALID: with the word that says
        # whose they are, 223 counters are 28 whole cache lines. Other VMGEXIT events are counted without a slot.
        ranges=(
            SlotRange(0x000, 0xC0),
            SlotRange(0x400, 0x10),
            SlotRange(0x80000000, 7),
            SlotRange(0x80000010, 4),
            SlotRange(0x8000FFFD, 3),
            SlotRange(0xFFFFFFFF, 1),
        ),
        names=MappingProxyType(_NAMES),
    ),
    # HLT, IDLE_HLT.
    idle=frozenset({0x78, 0xA6}),
    # INTR.
    interrupt=0x60,
    # The error code of #PF (APM vol. 2, 8.4.2).
    fault=FaultBits(write=1 << 1, fetch=1 << 4, there=1 << 0, reserved=1 << 3),
    # The event prints `(REC->isa == KVM_ISA_VMX) ? names of VMX : names of SVM`.
    kernel_tables=(KernelTable(1, spellings=MappingProxyType(_SPELLINGS)),),
    # exit_code is u64 since 2026, u32 before; the lower half is all there is to know, and it comes first on x86.
    place=ReasonPlace(struct="vcpu_svm", pointer="vmcb", paths=("control.exit_code",), sizes=(4, 8)),
)
