"""I/O ports of a guest, as QEMU's machine types pc and q35 lay them out."""

from __future__ import annotations

from ...counts.details import Kind
from ..entry import Named, Table, in_order, one

_SERIAL = "Each byte of output is an exit to QEMU, and there are several more for each line."
_IDE = "An emulated disk or CD-ROM: many exits for each request. A virtio disk has one, or none."
_PM_TIMER = (
    "A clock that QEMU emulates: each reading is an exit to QEMU. Guests read it that have no better clock (kvmclock,"
    " hypervclock, a stable TSC)."
)

PORTS = Table(
    Kind.PORT,
    "I/O ports",
    "QEMU, hw/i386/pc.c, hw/isa, hw/acpi, hw/char and include/hw/southbridge/ich9.h, what `info mtree` shows; where the"
    " firmware decides, SeaBIOS, src/fw/dev-q35.h and dev-piix.h, and OVMF, OvmfPkg. KVM: arch/x86/kvm/i8259.c and"
    " i8254.c handle PIC and PIT.",
    in_order(
        Named(0x0000, 0x000F, "DMA controller 1"),
        Named(
            0x0020,
            0x0021,
            "PIC 1",
            "The old interrupt controller. Guests use it until they have set up the APIC, old ones always.",
        ),
        Named(
            0x0040,
            0x0043,
            "PIT",
            "The oldest timer. Guests calibrate their clocks with it while they start; a guest that ticks by it has no"
            " better timer.",
        ),
        one(0x0060, "keyboard", "Keyboard and mouse (PS/2): data."),
        one(0x0061, "PIT gate and speaker", "Guests calibrate their clocks with it while they start."),
        one(
            0x0064,
            "keyboard control",
            "Keyboard and mouse (PS/2): command and status. An idle guest that polls it exits often.",
        ),
        Named(
            0x0070,
            0x0071,
            "RTC and CMOS",
            "The clock with the battery: two exits to QEMU for each register. Windows without Hyper-V's timers ticks by"
            " it, up to 2048 times a second, and reads register 0xc each time.",
        ),
        one(0x0080, "POST code and delay", "Old drivers write it to wait a microsecond; firmware writes its progress."),
        Named(0x0081, 0x008F, "DMA pages"),
        one(0x0092, "A20 gate", "Also a fast way to reset."),
        Named(0x00A0, 0x00A1, "PIC 2", "The old interrupt controller. Guests use it until they have set up the APIC."),
        Named(0x00B2, 0x00B3, "SMI command", "The guest asks its firmware for something: ACPI, UEFI variables."),
        Named(0x00C0, 0x00DF, "DMA controller 2"),
        one(0x00E9, "debug console"),
        one(0x00F0, "FPU error"),
        Named(0x0170, 0x0177, "IDE 2", _IDE),
        Named(0x01CE, 0x01D1, "Bochs VBE", "The display's mode."),
        Named(0x01F0, 0x01F7, "IDE 1", _IDE),
        Named(0x0278, 0x027F, "parallel 2"),
        Named(0x02E8, 0x02EF, "serial 4", _SERIAL),
        Named(0x02F8, 0x02FF, "serial 2", _SERIAL),
        one(0x0376, "IDE 2 control", _IDE),
        Named(0x0378, 0x037F, "parallel 1"),
        Named(
            0x03B0, 0x03DF, "VGA", "The display as of 1987: a text screen, or a guest without a driver for its display."
        ),
        Named(0x03E8, 0x03EF, "serial 3", _SERIAL),
        Named(0x03F0, 0x03F5, "floppy"),
        one(0x03F6, "IDE 1 control", _IDE),
        one(0x03F7, "floppy direction"),
        Named(
            0x03F8,
            0x03FF,
            "serial 1",
            f"Most often the console. {_SERIAL} A virtio console is far cheaper.",
        ),
        one(
            0x0402,
            "firmware log",
            "SeaBIOS and OVMF write their messages to it, a byte each, if QEMU has a debug console.",
        ),
        Named(0x04D0, 0x04D1, "PIC levels"),
        Named(0x0501, 0x0502, "debug exit"),
        one(0x0505, "pvpanic", "The guest tells that its kernel has crashed."),
        Named(0x0510, 0x051B, "fw_cfg", "How QEMU hands ACPI tables, kernel and settings to the firmware."),
        Named(0x0600, 0x0603, "ACPI PM events"),
        Named(0x0604, 0x0607, "ACPI PM control", "The guest sleeps or powers off."),
        Named(0x0608, 0x060B, "ACPI PM timer", _PM_TIMER),
        Named(0x0620, 0x062F, "ACPI GPE"),
        Named(0x0630, 0x0637, "SMI control"),
        Named(0x0660, 0x067F, "TCO watchdog"),
        Named(0x0700, 0x073F, "SMBus"),
        Named(0x0A00, 0x0A17, "memory hot-plug"),
        Named(0x0A18, 0x0A1B, "NVDIMM"),
        Named(0x0CA2, 0x0CA3, "IPMI"),
        Named(0x0CC0, 0x0CD7, "PCI hot-plug of q35"),
        Named(0x0CD8, 0x0CF7, "CPU hot-plug of q35"),
        Named(
            0x0CF8,
            0x0CFF,
            "PCI configuration",
            "Guests look for their devices here while they start, and some drivers for each interrupt. 0xcf9 resets.",
        ),
        Named(
            0x5658,
            0x5659,
            "VMware backdoor",
            "VMware's tools, or a driver of its mouse, run in this guest. `<vmport state='off'/>` ends it.",
        ),
        Named(0xAE00, 0xAE17, "PCI hot-plug of pc"),
        Named(0xAF00, 0xAF1F, "CPU hot-plug of pc"),
        Named(0xAFE0, 0xAFE3, "ACPI GPE of pc"),
        Named(0xB000, 0xB003, "ACPI PM events of pc", "With OVMF, or an old SeaBIOS."),
        Named(0xB004, 0xB007, "ACPI PM control of pc", "With OVMF, or an old SeaBIOS."),
        Named(0xB008, 0xB00B, "ACPI PM timer of pc", _PM_TIMER),
        Named(0xB100, 0xB13F, "SMBus of pc"),
    ),
)

#: Less precise than PORTS.
PCI_PORTS = Table(
    Kind.PORT,
    "I/O ports of PCI devices",
    "QEMU, hw/i386/acpi-build.c; SeaBIOS, src/fw/pciinit.c: they give PCI devices the ports from 0xc000 on.",
    (
        Named(
            0xC000,
            0xFFFF,
            "a PCI device",
            "The guest's firmware places it: UHCI, IDE's bus master, an old virtio device, .. In the guest"
            " /proc/ioports tells which one it is.",
        ),
    ),
)
