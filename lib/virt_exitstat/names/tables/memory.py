"""Addresses of a guest that are devices, not memory, as QEMU's machine types pc and q35 lay them out (MMIO)."""

from __future__ import annotations

from ...counts.details import Kind
from ...isa.known import X86
from ..entry import Named, Table
from .apic import PAGE

#: From here on an address that is no memory belongs to PCI devices, unless it is one of REGIONS.
PCI_FIRST = 0xC0000000
PCI_DEVICE = "a PCI device"
# No guest-physical address has more bits.
_LAST = (1 << 52) - 1

REGIONS = Table(
    Kind.MMIO,
    "device memory at a fixed address",
    "QEMU, hw/i386/pc.c, hw/i386/pc_q35.c, include/hw/southbridge/ich9.h, include/hw/acpi/tpm.h,"
    " hw/i386/intel_iommu_internal.h and amd_iommu.h, what `info mtree` shows. KVM: arch/x86/kvm/ioapic.c and lapic.c"
    " handle I/O APIC and local APIC.",
    (
        Named(
            0x000A0000,
            0x000BFFFF,
            "VGA memory",
            "The text screen, or graphics without a driver for the display: each write may be an exit to QEMU.",
        ),
        Named(0x000C0000, 0x000DFFFF, "option ROMs"),
        Named(0x000E0000, 0x000FFFFF, "firmware below 1 MiB"),
        Named(
            0xB0000000, 0xBFFFFFFF, "PCI configuration", "Of q35 with SeaBIOS: 4 KiB for each device. QEMU handles it."
        ),
        Named(
            0xFEC00000,
            0xFEC00FFF,
            "I/O APIC",
            "The interrupt controller of devices without MSI. Each interrupt of theirs takes several accesses.",
        ),
        Named(
            0xFED00000,
            0xFED003FF,
            "HPET",
            "A clock and timer that QEMU emulates; at 0xf0 stands its counter. Each reading is an exit to QEMU. Guests"
            " use it that have no better clock. `<timer name='hpet' present='no'/>` takes it away.",
        ),
        Named(0xFED1C000, 0xFED1FFFF, "ICH9 chipset"),
        Named(0xFED40000, 0xFED44FFF, "TPM", "Each byte of a request to an emulated TPM (TIS) is an exit to QEMU."),
        Named(0xFED45000, 0xFED453FF, "TPM presence"),
        Named(0xFED80000, 0xFED83FFF, "AMD IOMMU"),
        Named(0xFED90000, 0xFED90FFF, "Intel IOMMU"),
        Named(
            PAGE,
            PAGE + 0xFFF,
            "local APIC",
            "The vCPU's own interrupt controller and timer, in its old mode. x2APIC mode is cheaper.",
        ),
        Named(0xFFC00000, 0xFFFFFFFF, "firmware flash", "The guest's firmware stores UEFI variables."),
    ),
    X86,
)

#: Less precise than REGIONS.
PCI_MEMORY = Table(
    Kind.MMIO,
    "device memory of PCI devices",
    "QEMU, hw/i386/acpi-build.c, hw/pci-host/q35.c and hw/pci-host/i440fx.c: the PCI window below 4 GiB, and the one"
    " above all memory.",
    (
        Named(
            PCI_FIRST,
            _LAST,
            PCI_DEVICE,
            "The guest's firmware places it. In the guest /proc/iomem tells which one it is; on the host `virsh"
            " qemu-monitor-command --hmp DOMAIN 'info pci'`, which marks the domain as tainted. With OVMF on q35"
            " 0xe0000000 to 0xefffffff is PCI configuration.",
        ),
    ),
    X86,
)

_BAR = 0x4000
_NOTIFY = 0x3000
# In an e1000's memory, as in others of Intel's, the transmit registers begin at the offset 0x3400.
_SURELY = 0x3400


def virtio_queue(address: int, regions: Table, pci: Table, *, is_doorbell: bool) -> int | None:
    """The queue whose doorbell a virtio device has at the address; None if the address looks like none.

    `regions` and `pci` are the tables of the guest's board: only PCI devices have such doorbells.
    A modern virtio device of QEMU has its doorbells at 0x3000 of a BAR of 16 KiB, four bytes for each queue
    (hw/virtio/virtio-pci.c; not with page-per-vq). `is_doorbell`: KVM said that it is a doorbell. Otherwise other
    devices have registers at such offsets too, and only the first 256 queues are believed.
    """
    offset = address % _BAR
    end = _BAR if is_doorbell else _SURELY
    if not pci.find(address) or regions.find(address) or not _NOTIFY <= offset < end or offset % 4:
        return None
    return (offset - _NOTIFY) // 4
