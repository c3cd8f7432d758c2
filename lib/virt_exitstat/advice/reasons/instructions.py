"""Exits at single instructions."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

INSTRUCTIONS = Group(
    "Instructions",
    (
        Explanation(
            vmx=("CPUID",),
            svm=("CPUID",),
            what="The guest asks what its CPU can do. This instruction always exits.",
            often="Programs use it to serialize, and some language runtimes and licence checks call it in loops.",
            helps="Find them in the guest.",
        ),
        Explanation(
            vmx=("RDTSC", "RDTSCP"),
            svm=("RDTSC", "RDTSCP"),
            what="The guest reads the clock and is intercepted, which should not happen.",
            often="The TSC's frequency differs from the host's, as after a migration, and the CPU cannot scale it.",
        ),
        Explanation(
            vmx=("RDPMC",),
            svm=("RDPMC",),
            what="The guest reads a performance counter.",
            often="Monitoring in the guest does this.",
        ),
        Explanation(
            vmx=("RDRAND", "RDSEED", "UMWAIT", "TPAUSE", "XSAVES", "XRSTORS"),
            what="The guest uses an instruction that KVM intercepts because the guest's CPU model lacks it.",
            helps="Use `host-passthrough` or a model that is closer to the host's CPU.",
        ),
        Explanation(
            vmx=("XSETBV",),
            svm=("XSETBV",),
            what="The guest sets up its floating point state.",
            often="A few at its start are normal.",
        ),
        Explanation(
            vmx=("DR_ACCESS",),
            svm=("READ_DR*", "WRITE_DR*"),
            what="The guest uses a debug register.",
            often="A debugger runs, in the guest or on it.",
        ),
        Explanation(
            vmx=("VMCALL",),
            svm=("VMMCALL",),
            what="The guest calls the hypervisor: spinlocks, interrupts for several vCPUs at once, Hyper-V's services.",
            often="A call usually saves more exits than it costs.",
        ),
        Explanation(
            vmx=("EXCEPTION_NMI",),
            svm=("EXCP_*",),
            what="The guest raised an exception that KVM wants to see.",
            often="These are page faults without nested paging, `UD` of instructions that the CPU model lacks, `GP`"
            " of VMware's backdoor, and `AC` of split locks. On Intel, non-maskable interrupts of the host count here"
            " too.",
        ),
        Explanation(
            vmx=("BUS_LOCK",),
            svm=("BUS_LOCK",),
            what="The guest locked the bus by an atomic operation across two cache lines. This slows the whole host.",
            helps="Find the program in the guest.",
        ),
        Explanation(
            arm64=("HVC64", "HVC32"),
            what="The guest calls the hypervisor: it starts and stops vCPUs, asks for its steal time, for random"
            " numbers or the host's clock. The details tell which.",
            often="A few are normal. PSCI's CPU_SUSPEND and CPU_OFF wait within the exit, so that their time is no"
            " work.",
        ),
        Explanation(
            arm64=("SMC64", "SMC32"),
            what="The guest calls its firmware. KVM answers for it.",
        ),
        Explanation(
            arm64=(
                "FP_ASIMD",
                "SVE",
                "SME",
                "PAC",
                "MOPS",
                "BTI",
                "FPAC",
                "GCS",
                "FP_EXC32",
                "FP_EXC64",
                "OTHER",
                "ILL",
            ),
            what="The guest uses floating point, vectors or a newer instruction that its CPU model lacks, or makes a"
            " mistake with it. The first use after a switch is mended below KVM's loop, and is no exit.",
            helps="Use `host-passthrough`.",
        ),
        Explanation(
            arm64=("BREAKPT_LOW", "SOFTSTP_LOW", "WATCHPT_LOW", "BKPT32", "BRK64", "VECTOR32"),
            what="A debugger works on the guest from outside, as QEMU's gdb server does.",
        ),
    ),
)
