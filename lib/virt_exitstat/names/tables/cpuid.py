"""CPUID leaves: what a guest asks its CPU. Each such question exits, on every CPU and whatever the leaf."""

from __future__ import annotations

from ...counts.details import Kind
from ..entry import Named, Table, one

_INTEL = "Only Intel CPUs have it."
_AMD = "Only AMD CPUs have it."

LEAVES = Table(
    Kind.CPUID,
    "CPUID leaves",
    "Intel SDM volume 2, instruction CPUID; AMD APM volume 3, appendix E; for 0x40000000 and above Linux,"
    " Documentation/virt/kvm/x86/cpuid.rst, and Microsoft's Hypervisor Top-Level Functional Specification. KVM:"
    " arch/x86/kvm/cpuid.c.",
    (
        one(
            0x0,
            "vendor",
            "The highest leaf and the vendor's name. Some programs ask only to be sure that earlier instructions"
            " are done, before they read the TSC.",
        ),
        one(
            0x1,
            "model and features",
            "Model, APIC id and features. Programs and their libraries ask for it whenever they start.",
        ),
        one(0x2, "cache descriptors", f"Caches and TLBs as codes. {_INTEL} Programs that start ask for it (glibc)."),
        one(0x3, "serial number"),
        one(0x4, "caches", f"Each cache's size and who shares it. {_INTEL} Programs that start ask for it (glibc)."),
        one(0x5, "MWAIT"),
        one(0x6, "thermal and power"),
        one(0x7, "more features", "Programs and their libraries ask for it whenever they start."),
        one(0x9, "direct cache access"),
        one(0xA, "performance counters"),
        one(0xB, "topology", "Threads, cores and the x2APIC id: programs find out here on which vCPU they run."),
        one(
            0xD,
            "XSAVE",
            "The size and layout of the registers that are saved. Programs and their libraries ask for it whenever they"
            " start, some runtimes more often.",
        ),
        one(0xF, "cache monitoring"),
        one(0x10, "cache allocation"),
        one(0x12, "SGX"),
        one(0x14, "processor trace", _INTEL),
        one(0x15, "TSC frequency"),
        one(0x16, "CPU frequency", _INTEL),
        one(0x17, "SoC vendor"),
        one(0x18, "TLBs", _INTEL),
        one(0x19, "key locker"),
        one(0x1A, "hybrid CPU", "Whether this is a performance or an efficiency core."),
        one(0x1B, "PCONFIG"),
        one(0x1C, "last branch records"),
        one(0x1D, "AMX tiles"),
        one(0x1E, "AMX multiplication"),
        one(0x1F, "topology with dies"),
        one(0x20, "HRESET"),
        one(0x21, "TDX"),
        one(0x23, "more performance counters"),
        one(0x24, "AVX10"),
        one(
            0x40000000,
            "hypervisor",
            "Whose hypervisor this is: KVM's name, or Microsoft's when Hyper-V features are on.",
        ),
        one(0x40000001, "hypervisor features", "KVM's features, or the name of Hyper-V's interface."),
        one(0x40000002, "Hyper-V version"),
        one(0x40000003, "Hyper-V features"),
        one(0x40000004, "Hyper-V recommendations"),
        one(0x40000005, "Hyper-V limits"),
        one(0x40000006, "Hyper-V hardware features"),
        one(0x4000000A, "Hyper-V nested features"),
        one(0x40000010, "hypervisor frequencies", "The TSC's and the local APIC's frequency, as VMware tells them."),
        Named(0x40000080, 0x40000082, "Hyper-V debugger"),
        one(0x40000100, "KVM or Xen", "Where KVM's own leaves begin when Hyper-V features are on; likewise Xen's."),
        one(0x40000101, "KVM features or Xen version"),
        one(0x80000000, "highest extended leaf", "Programs and their libraries ask for it whenever they start."),
        one(0x80000001, "extended features"),
        Named(0x80000002, 0x80000004, "model name"),
        one(0x80000005, "L1 caches", f"Caches and TLBs. {_AMD} Programs that start ask for it (glibc)."),
        one(0x80000006, "L2 and L3 caches", "Programs that start ask for it (glibc)."),
        one(0x80000007, "power and TSC", "Whether the TSC always runs at the same speed."),
        one(0x80000008, "address sizes", "Also more features of AMD's CPUs, and how many cores there are."),
        one(0x8000000A, "SVM", "Virtualization within the guest."),
        one(0x80000019, "TLBs for 1 GiB pages"),
        one(0x8000001A, "instruction performance"),
        one(0x8000001B, "IBS"),
        one(0x8000001C, "LWP"),
        one(0x8000001D, "caches of AMD", f"Each cache's size and who shares it. {_AMD}"),
        one(0x8000001E, "topology of AMD", f"Threads, cores and nodes: programs find out here where they run. {_AMD}"),
        one(0x8000001F, "memory encryption", _AMD),
        one(0x80000020, "quality of service", _AMD),
        one(0x80000021, "more features of AMD", _AMD),
        one(0x80000022, "performance counters of AMD", _AMD),
        one(0x80000026, "topology with dies of AMD", _AMD),
    ),
)
