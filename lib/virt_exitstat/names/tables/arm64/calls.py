"""What a guest asks its hypervisor for by HVC, as Arm's SMC Calling Convention (SMCCC) numbers it."""

from __future__ import annotations

from ....counts.details import Kind
from ....isa.arm64 import ARM64
from ...entry import Table, in_order, one

# The same function in the 64-bit convention.
_64 = 0x40000000

_PSCI = 0x84000000
_IDLE = "A vCPU waits until it is interrupted, as with WFI. Its sleep is part of this exit's time."
_START = "A vCPU is started, as when the guest boots."
_RANDOM = "The guest asks the host for random numbers: while it boots, and every few minutes."

CALLS = Table(
    Kind.SMCCC_CALL,
    "calls by HVC",
    "Arm DEN0028, SMC Calling Convention; DEN0022, PSCI; DEN0057, paravirtualized time; DEN0098, TRNG. KVM:"
    " arch/arm64/kvm/hypercalls.c and psci.c, include/linux/arm-smccc.h, include/uapi/linux/psci.h.",
    in_order(
        one(0x80000000, "SMCCC_VERSION"),
        one(0x80000001, "SMCCC_ARCH_FEATURES"),
        one(0x80000002, "SMCCC_ARCH_SOC_ID"),
        one(
            0x80003FFF,
            "SMCCC_ARCH_WORKAROUND_3",
            "The guest's mitigation of Spectre-BHB, at each entry into its kernel, on CPUs that need it.",
        ),
        one(0x80007FFF, "SMCCC_ARCH_WORKAROUND_2", "The guest switches its mitigation of Spectre v4 on or off."),
        one(
            0x80008000,
            "SMCCC_ARCH_WORKAROUND_1",
            "The guest's mitigation of Spectre v2, at each switch between its processes, on CPUs that need it.",
        ),
        one(_PSCI + 0, "PSCI_VERSION"),
        one(_PSCI + 1, "PSCI_CPU_SUSPEND, 32 bits", _IDLE),
        one(_PSCI + _64 + 1, "PSCI_CPU_SUSPEND", _IDLE),
        one(
            _PSCI + 2,
            "PSCI_CPU_OFF",
            "A vCPU is switched off. Until it is on again its time is this exit's.",
        ),
        one(_PSCI + 3, "PSCI_CPU_ON, 32 bits", _START),
        one(_PSCI + _64 + 3, "PSCI_CPU_ON", _START),
        one(_PSCI + 4, "PSCI_AFFINITY_INFO, 32 bits"),
        one(_PSCI + _64 + 4, "PSCI_AFFINITY_INFO", "A vCPU asks whether another one is off."),
        one(_PSCI + 5, "PSCI_MIGRATE, 32 bits"),
        one(_PSCI + _64 + 5, "PSCI_MIGRATE"),
        one(_PSCI + 6, "PSCI_MIGRATE_INFO_TYPE"),
        one(_PSCI + 8, "PSCI_SYSTEM_OFF", "The guest powers off. QEMU handles it."),
        one(_PSCI + 9, "PSCI_SYSTEM_RESET", "The guest resets. QEMU handles it."),
        one(_PSCI + 10, "PSCI_FEATURES"),
        one(_PSCI + 14, "PSCI_SYSTEM_SUSPEND, 32 bits"),
        one(_PSCI + _64 + 14, "PSCI_SYSTEM_SUSPEND"),
        one(_PSCI + 18, "PSCI_SYSTEM_RESET2, 32 bits"),
        one(_PSCI + _64 + 18, "PSCI_SYSTEM_RESET2"),
        one(0x84000050, "TRNG_VERSION"),
        one(0x84000051, "TRNG_FEATURES"),
        one(0x84000052, "TRNG_GET_UUID"),
        one(0x84000053, "TRNG_RND, 32 bits", _RANDOM),
        one(0xC4000053, "TRNG_RND", _RANDOM),
        one(0xC5000020, "PV_TIME_FEATURES"),
        one(0xC5000021, "PV_TIME_ST", "A vCPU wants to know how long it waited for a CPU (steal time)."),
        one(0x86000000, "KVM_FEATURES"),
        one(0x86000001, "KVM_PTP", "The guest compares its clock with the host's (ptp_kvm, used by chrony)."),
        one(0x8600FF01, "VENDOR_HYP_CALL_UID", "The guest asks which hypervisor it runs on."),
    ),
    (ARM64.name,),
)

INSTRUCTIONS = Table(
    Kind.WAIT,
    "instructions that wait",
    "Arm Architecture Reference Manual, Wait for Event and Wait for Interrupt. KVM: arch/arm64/kvm/handle_exit.c,"
    " kvm_handle_wfx.",
    (
        one(0, "WFI", "The vCPU goes idle until it is interrupted."),
        one(
            1,
            "WFE",
            "The guest spins for a lock. KVM lets another vCPU run that may hold it. By default that is an exit only"
            " while others want the same CPU.",
        ),
    ),
    (ARM64.name,),
)
