"""Exits about the guest's memory: pages, page tables, caches."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

MEMORY = Group(
    "Memory",
    (
        Explanation(
            vmx=("EPT_VIOLATION",),
            svm=("NPF",),
            what="The guest touched memory that has no page yet. On AMD it may also be a device's memory: see"
            " `EPT_MISCONFIG`.",
            often="This is normal after the start. Later it comes from ballooning, swapping, live migration, or pages"
            " merged by KSM.",
            helps="Use huge pages, and lock memory that must stay.",
        ),
        Explanation(
            vmx=("PML_FULL",),
            what="The guest wrote 512 pages while KVM logs dirty pages.",
            often="A migration runs.",
        ),
        Explanation(
            vmx=("INVLPG", "INVPCID", "CR_ACCESS"),
            svm=("INVLPG", "INVPCID", "READ_CR*", "WRITE_CR*", "CR0_SEL_WRITE"),
            what="The guest manages its page tables or control registers.",
            often="Many come only without nested paging, or while the guest boots.",
            helps="See that nested paging is on (`/sys/module/kvm_intel/parameters/ept`,"
            " `/sys/module/kvm_amd/parameters/npt`).",
        ),
        Explanation(
            vmx=("WBINVD", "INVD"),
            svm=("WBINVD", "INVD"),
            what="The guest flushes caches. KVM has to do it only for passed-through devices.",
            often="Graphics drivers flush them.",
        ),
        Explanation(
            arm64=("IABT_LOW",),
            what="The guest ran code in memory that has no page yet.",
            often="This is normal after the start. Later see `DABT_LOW`.",
        ),
    ),
)
