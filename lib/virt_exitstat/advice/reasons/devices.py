"""Exits to devices."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

DEVICES = Group(
    "Devices",
    (
        Explanation(
            vmx=("IO_INSTRUCTION",),
            svm=("IOIO",),
            what="The guest accesses an I/O port.",
            often="Emulated IDE, VGA text, serial consoles, and the ACPI timer as a clock source are the usual ones.",
            helps="Use virtio, and kvm-clock or the TSC as the guest's clock.",
        ),
        Explanation(
            vmx=("EPT_MISCONFIG",),
            what="The guest accesses memory of an emulated device (MMIO). On AMD this is an `NPF`.",
            often="Virtio rings its doorbell this way, which is cheap. Devices such as e1000, rtl8139, AHCI, USB"
            " tablets and the HPET take many exits for each piece of work.",
            helps="Use virtio.",
        ),
        Explanation(
            arm64=("DABT_LOW",),
            what="The guest accesses memory of an emulated device (MMIO), or memory that has no page yet. The"
            " details tell them apart.",
            often="Each byte to a serial port takes two or more. Virtio rings its doorbell this way, which is cheap."
            " Pages are fetched after the start; later it comes from ballooning, swapping, live migration, or pages"
            " merged by KSM.",
            helps="Use virtio, for the console too. Use huge pages, and lock memory that must stay.",
        ),
    ),
)
