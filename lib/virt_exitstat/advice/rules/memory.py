"""Rules about the guest's memory."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Access, Kind, Mark
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Seen

#: A guest that has just started touches its memory for the first time, as it should.
_YOUNG_SECONDS = 600


def _page_faults(seen: Seen, mark: Mark, access: Access | None = None) -> Sequence[Cause]:
    return [cause for cause in seen.at(Kind.PAGE_FAULT, access=access) if cause.detail.mark is mark]


def _first_touches(seen: Seen) -> Sequence[Cause]:
    if seen.has("memoryBacking/hugepages") or (seen.up_seconds is not None and seen.up_seconds < _YOUNG_SECONDS):
        return ()
    return _page_faults(seen, Mark.NO_PAGE)


def _logged_writes(seen: Seen) -> Sequence[Cause]:
    full = seen.reasons("PML_FULL")
    return (*_page_faults(seen, Mark.PAGE_THERE, Access.WRITE), *full) if seen.job or full else ()


def _copies(seen: Seen) -> Sequence[Cause]:
    if not seen.host.ksm or seen.has("memoryBacking/nosharepages") or _logged_writes(seen):
        return ()
    return _page_faults(seen, Mark.PAGE_THERE, Access.WRITE)


def _fetches(seen: Seen) -> Sequence[Cause]:
    return _page_faults(seen, Mark.PAGE_THERE, Access.FETCH) if seen.host.nx_huge_pages else ()


def _paging(seen: Seen) -> Sequence[Cause]:
    if seen.host.nested_paging is not False:
        return ()
    return seen.reasons("CR_ACCESS", "READ_CR*", "WRITE_CR*", "INVLPG", "INVPCID", "EXCEPTION_NMI", "EXCP_PF")


RULES = (
    Rule(
        name="first-touch",
        title="The guest touches memory that the host has not given it yet, or has taken back",
        looks_at="Page faults without a page, of a domain without huge pages that runs for ten minutes or more,"
        " as far as that is known.",
        cause="Each page of 4 KiB is an exit and a search for free memory on the host. Ballooning and swapping make"
        " the guest pay again.",
        change=(
            Step(
                "In the domain, after huge pages were set aside (`vm.nr_hugepages` in sysctl(8)):",
                "<memoryBacking>\n  <hugepages/>\n</memoryBacking>",
            ),
            Step(
                "Or let the host use them as it sees fit:",
                "echo always > /sys/kernel/mm/transparent_hugepage/enabled",
            ),
            Step(
                "If the host swaps, in the domain:",
                "<memtune>\n  <hard_limit unit='GiB'>9</hard_limit>\n</memtune>\n"
                "<memoryBacking>\n  <locked/>\n</memoryBacking>",
            ),
        ),
        price="Huge pages and locked memory are the domain's alone. `hard_limit` must have room for QEMU as well, or"
        " the kernel kills it.",
        sources=(
            "libvirt formatdomain, Memory Backing and Memory Tuning",
            "Linux Documentation/admin-guide/mm/transhuge.rst",
        ),
        when=_first_touches,
        at_least_per_second=1000,
    ),
    Rule(
        name="dirty-log",
        title="KVM logs the guest's writes for a migration, a snapshot or a backup",
        looks_at="Write faults with the page there and the reason `PML_FULL`, while libvirt works on the domain or"
        " `PML_FULL` says that writes are logged.",
        cause="The first write to each page since the last round is an exit, and huge pages are split for it.",
        change=(
            Step("Wait until it ends:", "virsh domjobinfo DOMAIN"),
            Step(
                "If it does not end, have the guest write less meanwhile, or allow more bandwidth (MiB/s):",
                "virsh migrate-setspeed DOMAIN 1000",
            ),
        ),
        price="A migration that takes more bandwidth leaves less to others.",
        sources=(
            "Linux Documentation/admin-guide/kernel-parameters.txt, kvm.eager_page_split",
            "virsh(1), domjobinfo and migrate-setspeed",
        ),
        when=_logged_writes,
    ),
    Rule(
        name="ksm-cow",
        title="The guest writes to pages that the host has merged with others",
        looks_at="Write faults with the page there, while the host's KSM runs and nothing logs writes.",
        cause="KSM merges equal pages of guests and write-protects them. A write is an exit and a copy, and the page"
        " may be merged again soon.",
        change=(
            Step(
                "In the domain, keep KSM off its memory:",
                "<memoryBacking>\n  <nosharepages/>\n</memoryBacking>",
            ),
        ),
        price="The domain takes more of the host's memory.",
        sources=(
            "Linux Documentation/admin-guide/mm/ksm.rst",
            "libvirt formatdomain, Memory Backing",
        ),
        when=_copies,
    ),
    Rule(
        name="nx-split",
        title="KVM splits the guest's huge pages where it runs code",
        looks_at="Instruction fetches that fault with the page there, while the host's `nx_huge_pages` is on.",
        cause="CPUs with the iTLB multihit erratum could be halted by code in huge pages, so KVM makes them not"
        " executable and splits them at the first fetch.",
        change=(
            Step(
                "Move the guest to a host without the erratum, which this tells:",
                "cat /sys/devices/system/cpu/vulnerabilities/itlb_multihit",
            ),
            Step(
                "Or, on a host whose guests you all trust, give the protection up:",
                "echo off > /sys/module/kvm/parameters/nx_huge_pages",
            ),
        ),
        price="Without the protection a guest may be able to halt the host.",
        sources=(
            "Linux Documentation/admin-guide/hw-vuln/multihit.rst",
            "Linux Documentation/admin-guide/kernel-parameters.txt, kvm.nx_huge_pages",
        ),
        when=_fetches,
        isas=X86,
    ),
    Rule(
        name="no-nested-paging",
        title="KVM runs without nested paging",
        looks_at="Exits at control registers, `INVLPG` and page faults, where the host's `ept` or `npt` is off.",
        cause="Without EPT or NPT, KVM shadows the guest's page tables: each change of them and each switch between"
        " processes is an exit.",
        change=(
            Step("On an Intel host:", "echo 'options kvm_intel ept=1' > /etc/modprobe.d/ept.conf"),
            Step("On an AMD host:", "echo 'options kvm_amd npt=1' > /etc/modprobe.d/npt.conf"),
            Step("Then shut down all guests and load the module anew, or boot the host."),
        ),
        price="All guests of the host are down meanwhile.",
        sources=(
            "Linux Documentation/admin-guide/kernel-parameters.txt, kvm-intel.ept and kvm-amd.npt",
            "Linux Documentation/virt/kvm/x86/mmu.rst",
        ),
        when=_paging,
        isas=X86,
    ),
)
