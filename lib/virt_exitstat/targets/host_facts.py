"""Facts about the host that the domains run on, as far as advice asks for them. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostFacts:
    """Each is None where it is not known: the file is missing, or the kernel has no such thing.

    `module` is KVM's module for the CPUs, kvm_intel or kvm_amd, and what it is told by its parameters follows: nested
    paging (ept, npt), APICv or AVIC (enable_apicv, avic), IPI virtualization (enable_ipiv), the guest's own guests
    (nested), shadow VMCS, virtual GIF, virtual VMLOAD and VMSAVE (vls), Intel's VMX-preemption timer, the window of
    pause-loop exiting. `cpu_flags` are those of the first CPU in /proc/cpuinfo, its `vmx flags` among them.
    """

    module: str | None = None
    nested_paging: bool | None = None
    apicv: bool | None = None
    ipi_virtualization: bool | None = None
    nested: bool | None = None
    shadow_vmcs: bool | None = None
    virtual_gif: bool | None = None
    virtual_vmload: bool | None = None
    preemption_timer: bool | None = None
    ple_window: int | None = None
    #: Of the module kvm.
    halt_poll_ns: int | None = None
    nx_huge_pages: bool | None = None
    ignore_msrs: bool | None = None

    cpu_flags: frozenset[str] | None = None
    #: The clock source that the host uses: tsc, hpet, acpi_pm ..
    clocksource: str | None = None
    #: KSM merges pages now.
    ksm: bool | None = None
    #: always, madvise or never.
    transparent_hugepages: str | None = None
    numa_balancing: bool | None = None
    #: Host CPUs that the kernel's command line isolates (isolcpus=), and those without a tick (nohz_full=).
    isolated: frozenset[int] | None = None
    nohz_full: frozenset[int] | None = None

    def has_flag(self, *names: str) -> bool | None:
        """Whether the CPU has one of these flags."""
        return None if self.cpu_flags is None else not self.cpu_flags.isdisjoint(names)
