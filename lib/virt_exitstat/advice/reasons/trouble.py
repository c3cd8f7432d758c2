"""Exits that mean trouble, and rare ones."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

TROUBLE = Group(
    "Trouble",
    (
        Explanation(
            vmx=("TRIPLE_FAULT",),
            svm=("SHUTDOWN",),
            what="The guest's CPU gave up: the guest reset itself, or crashed.",
        ),
        Explanation(
            vmx=("INVALID_STATE", "MSR_LOAD_FAIL", "MCE_DURING_VMENTRY"),
            svm=("INVALID",),
            what="The guest could not be entered.",
            helps="See the kernel's log.",
        ),
        Explanation(
            vmx=("NOTIFY",),
            what="The guest kept the CPU without letting interrupts in, and was stopped.",
        ),
        Explanation(
            vmx=("INIT_SIGNAL", "SIPI_SIGNAL", "IO_SMI", "OTHER_SMI", "TASK_SWITCH"),
            svm=("INIT", "SMI", "TASK_SWITCH"),
            what="These are rare: processors that come up, the firmware's own interrupts, very old guests.",
        ),
        Explanation(
            arm64=("EL1_SERROR", "SERROR"),
            what="Hardware reported an error while the guest ran (SError). KVM passes it to the guest, or the host dies"
            " of it.",
            helps="See the kernel's log.",
        ),
        Explanation(
            arm64=("HYP_GONE", "IL"),
            what="The guest could not be entered: the host is about to boot another kernel (kexec), or the CPU was in a"
            " state that is not allowed.",
            helps="See the kernel's log.",
        ),
        Explanation(
            arm64=("UNKNOWN",),
            what="The guest used an instruction or a register that nobody has named yet. KVM gives it an exception.",
        ),
    ),
)
