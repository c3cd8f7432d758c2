"""arm64: the reasons for which KVM's run loop comes back from the guest, and where KVM tells them."""

from __future__ import annotations

from types import MappingProxyType

from .instruction_set import Argument, FaultBits, Isa, KernelTable, ReasonPair
from .reasons import ReasonTable, SlotRange

# Two numbers say why: a code (ARM_EXCEPTION_* in arch/arm64/include/asm/kvm_asm.h) and, if that is a trap, the trap's
# class (ESR_ELx.EC). The class is the reason then; any other code is one by itself, above all classes.
_TRAP = 2
_CODES = 0x100

# Names: ESR_ELx_EC_* of arch/arm64/include/asm/esr.h of Linux 6.18, and those of the codes. The kernel calls one of
# either SERROR.
_CLASSES = {
    0x00: "UNKNOWN",
    0x01: "WFX",
    0x03: "CP15_32",
    0x04: "CP15_64",
    0x05: "CP14_MR",
    0x06: "CP14_LS",
    0x07: "FP_ASIMD",
    0x08: "CP10_ID",
    0x09: "PAC",
    0x0A: "OTHER",
    0x0C: "CP14_64",
    0x0D: "BTI",
    0x0E: "ILL",
    0x11: "SVC32",
    0x12: "HVC32",
    0x13: "SMC32",
    0x15: "SVC64",
    0x16: "HVC64",
    0x17: "SMC64",
    0x18: "SYS64",
    0x19: "SVE",
    0x1A: "ERET",
    0x1C: "FPAC",
    0x1D: "SME",
    0x1F: "IMP_DEF",
    0x20: "IABT_LOW",
    0x21: "IABT_CUR",
    0x22: "PC_ALIGN",
    0x24: "DABT_LOW",
    0x25: "DABT_CUR",
    0x26: "SP_ALIGN",
    0x27: "MOPS",
    0x28: "FP_EXC32",
    0x2C: "FP_EXC64",
    0x2D: "GCS",
    0x2F: "SERROR",
    0x30: "BREAKPT_LOW",
    0x31: "BREAKPT_CUR",
    0x32: "SOFTSTP_LOW",
    0x33: "SOFTSTP_CUR",
    0x34: "WATCHPT_LOW",
    0x35: "WATCHPT_CUR",
    0x38: "BKPT32",
    0x3A: "VECTOR32",
    0x3C: "BRK64",
}
_OTHERS = {
    _CODES + 0: "IRQ",
    _CODES + 1: "EL1_SERROR",
    _CODES + 3: "IL",
    # The hypervisor's part of KVM has been taken down, as for kexec.
    _CODES + 0xBADCA11: "HYP_GONE",
}

ARM64 = Isa(
    name="ARM64",
    machine="aarch64",
    # A kernel has it built in or not at all.
    module="",
    reasons=ReasonTable(
        mask=0xFFFFFFFF,
        # All classes, and the codes that come: with the word that says whose they are, 71 counters are 9 whole cache
        # lines. HYP_GONE is counted without a slot.
        ranges=(SlotRange(0x00, 64), SlotRange(_CODES, 7)),
        names=MappingProxyType({**_CLASSES, **_OTHERS}),
    ),
    # WFX: the guest waits for an interrupt (WFI) or an event (WFE). Which of them, kvm_exit does not tell. A WFE is not
    # idle, but it is short: the thread lets others run once, if there are any.
    idle=frozenset({0x01}),
    # IRQ.
    interrupt=_CODES,
    # As the kernel program makes them of ESR_ELx (stage2_fault).
    fault=FaultBits(write=1 << 0, fetch=1 << 1, there=1 << 2),
    # The event prints the code's name, then the class' one.
    kernel_tables=(
        KernelTable(0, first=_CODES, without=frozenset({_TRAP}), spellings=MappingProxyType({"SERROR": "EL1_SERROR"})),
        KernelTable(1),
    ),
    # As since Linux commit b5905dc12ed4, of 2015. The kernel masks the code's bit 31, a pending SError, in its
    # record, and clears the class there of what is no trap.
    place=ReasonPair(
        arguments=(
            Argument("ret", 4, signed=True),
            Argument("esr_ec", 4, signed=False),
            Argument("vcpu_pc", 8, signed=False),
        ),
        code_mask=0x7FFFFFFF,
        trap=_TRAP,
        codes=_CODES,
    ),
)
