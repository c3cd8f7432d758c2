"""Rules about devices that QEMU emulates."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Kind, Mark
from ...isa.known import X86
from ...names.tables.arm64 import memory as virt
from ..rule import Rule, Step
from ..seen import Cause, Range, Seen

SERIAL: tuple[Range, ...] = ((0x3F8, 0x3FF), (0x2F8, 0x2FF), (0x3E8, 0x3EF), (0x2E8, 0x2EF))
IDE: tuple[Range, ...] = ((0x1F0, 0x1F7), (0x3F6, 0x3F6), (0x170, 0x177), (0x376, 0x376))
VGA_PORTS: Range = (0x3B0, 0x3DF)
VGA_MEMORY: Range = (0xA0000, 0xBFFFF)
VMWARE: Range = (0x5658, 0x5659)

#: Ports and memory that firmware gives to PCI devices of QEMU's boards: from 0xc000 on; from 3 GiB to the I/O APIC,
#: and above 4 GiB.
PCI_PORTS: Range = (0xC000, 0xFFFF)
PCI_MEMORY: tuple[Range, ...] = ((0xC0000000, 0xFEBFFFFF), (1 << 32, (1 << 64) - 1))

_EMULATED_NICS = ("e1000", "e1000e", "igb", "rtl8139", "ne2k_pci", "pcnet", "i82551", "i82557b", "i82559er")


def _pci_memory(seen: Seen) -> Sequence[Cause]:
    """What QEMU emulates there; a doorbell is virtio's, and no emulation."""
    ranges = PCI_MEMORY if seen.isa_name in X86 else (virt.PCI_LOW, virt.PCI_HIGH)
    return [
        cause
        for cause in seen.at(Kind.MMIO, *ranges)
        if cause.detail.by_qemu and cause.detail.mark is not Mark.DOORBELL
    ]


def _has_emulated_nic(seen: Seen) -> bool:
    return any(seen.has(f"devices/interface/model[@type='{model}']") for model in _EMULATED_NICS)


def _has_sata_disk(seen: Seen) -> bool:
    """A CD-ROM that lies there unused is on SATA too."""
    disks = () if seen.xml is None else seen.xml.iterfind("devices/disk/target[@bus='sata']/..")
    return any(disk.get("device", "disk") == "disk" for disk in disks)


def _serial(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.PORT, *SERIAL) if seen.isa_name in X86 else seen.at(Kind.MMIO, virt.SERIAL)


def _disk(seen: Seen) -> Sequence[Cause]:
    # The address does not tell whose memory it is: with both devices, the network card is the likelier one.
    ahci = _pci_memory(seen) if _has_sata_disk(seen) and not _has_emulated_nic(seen) else ()
    return (*seen.at(Kind.PORT, *IDE), *ahci)


def _nic(seen: Seen) -> Sequence[Cause]:
    return _pci_memory(seen) if _has_emulated_nic(seen) else ()


def _uhci(seen: Seen) -> Sequence[Cause]:
    models = ("piix3-uhci", "piix4-uhci", "ich9-uhci1", "vt82c686b-uhci")
    if not any(seen.has(f"devices/controller[@type='usb'][@model='{model}']") for model in models):
        return ()
    return [cause for cause in seen.at(Kind.PORT, PCI_PORTS) if cause.detail.by_qemu]


def _vga(seen: Seen) -> Sequence[Cause]:
    return (*seen.at(Kind.PORT, VGA_PORTS), *seen.at(Kind.MMIO, VGA_MEMORY))


def _vmware(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.PORT, VMWARE)


RULES = (
    Rule(
        name="serial-console",
        title="The guest writes to a serial port, an exit a byte or more",
        looks_at="Accesses to the four serial ports' registers, 0x3f8 to 0x3ff and the like; on arm64 to those of the"
        " PL011, from 0x9000000 on.",
        cause="Each byte is an access that QEMU handles, and so is each look at whether the port is ready.",
        change=(
            Step("Linux, in the guest: log less there, as with `quiet` on the kernel's command line."),
            Step(
                "Or use a virtio console, with `console=hvc0` in the guest. In the domain:",
                "<devices>\n  <console type='pty'>\n    <target type='virtio' port='0'/>\n  </console>\n</devices>",
            ),
        ),
        price="A virtio console shows nothing of the firmware and the early boot.",
        sources=(
            "libvirt formatdomain, Console",
            "Linux drivers/tty/serial/8250/8250_port.c, serial8250_console_write",
            "Linux drivers/tty/serial/amba-pl011.c, pl011_console_putchar; QEMU hw/arm/virt.c, VIRT_UART",
        ),
        when=_serial,
    ),
    Rule(
        name="emulated-disk",
        title="A disk is emulated IDE or SATA",
        looks_at="Accesses to the IDE ports. Where a disk is on SATA and no network card is emulated, accesses to the"
        " memory of PCI devices that QEMU handles.",
        cause="An IDE request takes a dozen accesses, and AHCI several. A virtio disk takes one doorbell, which the"
        " kernel handles, or none.",
        change=(
            Step(
                "Once the guest has the driver, in the domain, without the disk's old <address>:",
                "<devices>\n"
                "  <disk type='file' device='disk'>\n"
                "    <driver name='qemu' type='qcow2'/>\n"
                "    <source file='/PATH/TO/IMAGE.qcow2'/>\n"
                "    <target dev='vda' bus='virtio'/>\n"
                "  </disk>\n"
                "</devices>",
            ),
        ),
        price="The disk's name changes in the guest, from sda to vda. Windows needs the driver of virtio-win before,"
        " or it does not boot.",
        sources=(
            "SUSE Virtualization Best Practices",
            "Linux Documentation/driver-api/virtio/virtio.rst",
            "libvirt formatdomain, Hard drives, floppy disks, CDROMs",
        ),
        when=_disk,
    ),
    Rule(
        name="emulated-nic",
        title="A network card is emulated",
        looks_at="Accesses to the memory of PCI devices that QEMU handles, where a network card is emulated, as e1000"
        " and rtl8139 are.",
        cause="A packet takes several accesses that QEMU handles. A virtio card takes one doorbell for many packets,"
        " which the kernel handles.",
        change=(
            Step(
                "Once the guest has the driver, in the domain, in place of the old <model>:",
                "<devices>\n"
                "  <interface type='network'>\n"
                "    <source network='default'/>\n"
                "    <model type='virtio'/>\n"
                "  </interface>\n"
                "</devices>",
            ),
        ),
        price="The card may get another name in the guest, so its network must be set up anew. Windows needs the"
        " driver of virtio-win.",
        sources=(
            "SUSE Virtualization Best Practices",
            "Linux Documentation/driver-api/virtio/virtio.rst",
            "libvirt formatdomain, Network interfaces",
        ),
        when=_nic,
    ),
    Rule(
        name="usb-polling",
        title="The guest works an old USB controller",
        looks_at="Accesses to the ports of PCI devices that QEMU handles, where the domain has a UHCI controller.",
        cause="The controllers of USB 1 and 2 are polled by design, as for each move of a USB tablet.",
        change=(
            Step(
                "In the domain, in place of the old controllers:",
                "<devices>\n  <controller type='usb' model='qemu-xhci'/>\n</devices>",
            ),
            Step(
                "For a guest that has the driver, in place of the USB tablet:",
                "<devices>\n  <input type='tablet' bus='virtio'/>\n</devices>",
            ),
        ),
        price="Windows has a driver for xHCI from version 8 on, and for a virtio tablet only with virtio-win.",
        sources=(
            "Gerd Hoffmann, qemu and usb-tablet cpu consumtion, kraxel.org, March 2014",
            "libvirt formatdomain, Controllers and Input devices",
        ),
        when=_uhci,
        at_least_per_second=500,
        isas=X86,
    ),
    Rule(
        name="vga-text",
        title="The guest draws its screen through VGA's registers",
        looks_at="Accesses to the VGA ports, 0x3b0 to 0x3df, and to VGA's memory at 0xa0000.",
        cause="Text mode and old graphics modes take an exit to QEMU for each register, as for each move of the"
        " cursor.",
        change=(
            Step(
                "In the domain, in place of the old <video>:",
                "<devices>\n  <video>\n    <model type='virtio'/>\n  </video>\n</devices>",
            ),
            Step(
                "Or, for a server that nobody looks at:",
                "<devices>\n  <video>\n    <model type='none'/>\n  </video>\n</devices>",
            ),
            Step("Linux, in the guest: keep logs off the screen, as with `quiet`."),
        ),
        price="Without a video device there is no screen, not even while the guest boots.",
        sources=(
            "libvirt formatdomain, Video devices",
            "Linux drivers/video/console/vgacon.c",
        ),
        when=_vga,
        isas=X86,
    ),
    Rule(
        name="vmware-backdoor",
        title="Software in the guest believes that it runs on VMware",
        looks_at="Accesses to the ports 0x5658 and 0x5659.",
        cause="These ports are VMware's backdoor, by which its tools ask the host for the time, the mouse and more.",
        change=(
            Step("In the guest, remove VMware's tools: `open-vm-tools`, `xf86-input-vmmouse`."),
            Step("In the domain:", "<features>\n  <vmport state='off'/>\n</features>"),
        ),
        price="The guest loses VMware's mouse. A USB or virtio tablet does the same.",
        sources=(
            "libvirt formatdomain, Hypervisor features, vmport",
            "QEMU hw/i386/vmport.c",
        ),
        when=_vmware,
        isas=X86,
    ),
)
