"""Addresses of a guest that are devices, not memory, as QEMU's machine type virt lays them out (MMIO)."""

from __future__ import annotations

from ....counts.details import Kind
from ....isa.arm64 import ARM64
from ...entry import Named, Table

#: What firmware and kernel give to PCI devices: below memory, which starts at 1 GiB, and from 512 GiB on.
PCI_LOW = (0x10000000, 0x3EFEFFFF)
PCI_HIGH = (0x8000000000, (1 << 52) - 1)
#: The first serial port's registers.
SERIAL = (0x09000000, 0x09000FFF)

_PL011 = (
    "Most often the console. Each byte of output is an exit to QEMU, and so is each look at whether there is room for"
    " it. A virtio console is far cheaper."
)
_GIC = "KVM handles it."

REGIONS = Table(
    Kind.MMIO,
    "device memory at a fixed address, on arm64",
    "QEMU, hw/arm/virt.c, what `info mtree` shows; those above memory are of guests with less than 255 GiB. KVM:"
    " arch/arm64/kvm/vgic handles the interrupt controller (GIC).",
    (
        Named(0x00000000, 0x07FFFFFF, "firmware flash", "The guest's firmware stores UEFI variables."),
        Named(
            0x08000000,
            0x0800FFFF,
            "GIC distributor",
            f"The interrupt controller of devices. {_GIC} A guest with GICv2 sends interrupts between its vCPUs here.",
        ),
        Named(
            0x08010000, 0x0801FFFF, "GICv2 CPU interface", "Where the CPU lends a guest its own, there are no exits."
        ),
        Named(0x08020000, 0x08020FFF, "GICv2m", "Interrupts of PCI devices (MSI), where there is no ITS."),
        Named(0x08030000, 0x0803FFFF, "GICv2 hypervisor control"),
        Named(0x08040000, 0x0804FFFF, "GICv2 virtual CPU interface"),
        Named(0x08080000, 0x0809FFFF, "GIC ITS", f"Interrupts of PCI devices (MSI). {_GIC}"),
        Named(0x080A0000, 0x08FFFFFF, "GIC redistributor", f"A vCPU's own interrupts. {_GIC}"),
        Named(*SERIAL, "serial port (PL011)", _PL011),
        Named(0x09010000, 0x09010FFF, "RTC (PL031)", "The clock with the battery. Guests read it when they boot."),
        Named(0x09020000, 0x09020017, "fw_cfg", "How QEMU hands ACPI tables, kernel and settings to the firmware."),
        Named(0x09030000, 0x09030FFF, "GPIO (PL061)", "The power button."),
        Named(0x09040000, 0x09040FFF, "second serial port (PL011)"),
        Named(0x09050000, 0x0906FFFF, "SMMU"),
        Named(0x09070000, 0x09070017, "memory hot-plug"),
        Named(0x09080000, 0x09080003, "ACPI events"),
        Named(0x09090000, 0x09090003, "NVDIMM"),
        Named(0x090A0000, 0x090AFFFF, "steal time"),
        Named(0x090B0000, 0x090B0FFF, "secure GPIO (PL061)"),
        Named(0x090C0000, 0x090C0FFF, "PCI hot-plug"),
        Named(
            0x0A000000,
            0x0A003FFF,
            "virtio-mmio",
            "A virtio device without PCI, 0x200 bytes each; a write to the offset 0x50 is its doorbell.",
        ),
        Named(0x0C000000, 0x0DFFFFFF, "platform bus", "Devices that are passed through without PCI, a TPM."),
        Named(0x0E000000, 0x0EFFFFFF, "secure memory"),
        Named(0x3EFF0000, 0x3EFFFFFF, "I/O ports of PCI devices"),
        Named(0x3F000000, 0x3FFFFFFF, "PCI configuration", "4 KiB for each device. QEMU handles it."),
        Named(0x4000000000, 0x4003FFFFFF, "GIC redistributor, further vCPUs", _GIC),
        Named(0x4010000000, 0x401FFFFFFF, "PCI configuration, high", "4 KiB for each device. QEMU handles it."),
    ),
    (ARM64.name,),
)

#: Less precise than REGIONS.
PCI_MEMORY = Table(
    Kind.MMIO,
    "device memory of PCI devices, on arm64",
    "QEMU, hw/arm/virt.c, VIRT_PCIE_MMIO and VIRT_HIGH_PCIE_MMIO.",
    (
        Named(
            *PCI_LOW,
            "a PCI device",
            "The guest's firmware or kernel places it. In the guest /proc/iomem tells which one it is.",
        ),
        Named(
            *PCI_HIGH,
            "a PCI device, high",
            "The guest's firmware or kernel places it. In the guest /proc/iomem tells which one it is.",
        ),
    ),
    (ARM64.name,),
)
