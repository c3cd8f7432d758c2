"""VMX, Intel's virtualization: its exit reasons, and where kvm_intel keeps them."""

from __future__ import annotations

from types import MappingProxyType

from .instruction_set import FaultBits, Isa, KernelTable, ReasonPlace
from .reasons import ReasonTable, SlotRange

# Names: arch/x86/include/uapi/asm/vmx.h of Linux 6.18. Those that KVM does not handle and the header therefore lacks
# (5, 6, 11, 17, 66, 69, 70, 72, 73, 78 to 81) are named after Intel's SDM, vol. 3, appendix C.
_NAMES = {
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

VMX = Isa(
    name="VMX",
    machine="x86_64",
    cpu_flag="vmx",
    module="kvm_intel",
    reasons=ReasonTable(
        # Bits 16-31 are flags: 26 bus lock, 27 enclave, 28 pending MTF, 31 failed entry (SDM vol. 3, 25.9.1).
        mask=0xFFFF,
        # With the word that says whose they are, 95 counters are 12 whole cache lines; the highest reason today is 85.
        ranges=(SlotRange(0, 95),),
        names=MappingProxyType(_NAMES),
    ),
    # HLT.
    idle=frozenset({12}),
    # EXTERNAL_INTERRUPT.
    interrupt=1,
    # The exit qualification of an EPT violation (SDM vol. 3, 28.2.1): the access, and what the page would allow.
    fault=FaultBits(write=1 << 1, fetch=1 << 2, there=0b111 << 3),
    # The event prints `(REC->isa == KVM_ISA_VMX) ? names of VMX : names of SVM`.
    kernel_tables=(KernelTable(0),),
    # Since Linux 6.16 the reason is in the part that VMX and TDX share, vcpu_vt.
    place=ReasonPlace(struct="vcpu_vmx", paths=("vt.exit_reason", "exit_reason"), sizes=(4,)),
)
