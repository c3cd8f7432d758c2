"""Exits of guests that run guests, and of confidential guests."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

NESTED = Group(
    "Nested guests and confidential ones",
    (
        Explanation(
            vmx=("VMRESUME", "VMLAUNCH", "VMREAD", "VMWRITE", "VMPTRLD", "VMCLEAR", "INVEPT", "INVVPID"),
            what="The guest runs guests of its own, on Intel.",
            often="Many `VMREAD` mean that shadow VMCS is off.",
        ),
        Explanation(
            svm=("VMRUN", "VMLOAD", "VMSAVE", "STGI", "CLGI"),
            what="The guest runs guests of its own, on AMD.",
            often="Virtual VMLOAD, VMSAVE and GIF make all but `VMRUN` rare.",
        ),
        Explanation(
            vmx=("TDCALL", "SEAMCALL"),
            svm=("VMGEXIT", "VMGEXIT_*"),
            what="A confidential guest (SEV-ES, SEV-SNP, TDX) asks its host for something itself, where other guests"
            " just exit.",
        ),
        Explanation(
            svm=("EFER_WRITE_TRAP", "CR*_WRITE_TRAP"),
            what="A guest with SEV-ES set a control register.",
        ),
        Explanation(
            arm64=("ERET",),
            what="The guest runs guests of its own, on arm64, and enters one.",
        ),
    ),
)
