"""Names that this host's own files give: interrupt lines and further MSRs. Pure: others open the files."""

from __future__ import annotations

import re

# "LINE: COUNTS CHIP HWIRQ-FLOW  DEVICE, DEVICE" (Linux, kernel/irq/proc.c): a count for each CPU, then the chip.
_IRQ = re.compile(r"\s*([0-9]+):(?:\s+[0-9]+)*\s+(?![0-9]+(?:\s|$))\S+\s+(\S.*)")
# HWIRQ and FLOW may be missing, and some kernels have "Level" or "Edge" between them.
_HOW = re.compile(r"(?:[0-9]+(?=[\s-]|$)\s*)?(?:(?:Level|Edge)(?=[\s-]|$)\s*)?(?:-\S+)?")

# MSRs are written with eight digits there: a value with fewer is a bit's number or a mask.
_MSR = re.compile(r"^[ \t]*#[ \t]*define[ \t]+MSR_(\w+)[ \t]+(0x[0-9a-fA-F]{8})\b(?![ \t]*[-+|&<>*^])", re.MULTILINE)


def parse_irq_lines(text: str) -> dict[int, str]:
    """{line: device} from the text of /proc/interrupts, for lines that have one; several of a line as it shows them."""
    lines = {}
    for row in text.split("\n"):
        found = _IRQ.fullmatch(row)
        if found:
            devices = _HOW.sub("", found[2], count=1).strip()
            if devices:
                lines[int(found[1])] = devices
    return lines


def parse_header_msrs(text: str) -> dict[int, str]:
    """{MSR: name without MSR_} from the text of the kernel's msr-index.h.

    Of several names for a number Intel's architectural ones (IA32_) go first, then the first in the file.
    """
    found = [(name, int(number, 16)) for name, number in _MSR.findall(text) if not name.endswith("_RSVD")]
    names: dict[int, str] = {}
    for name, number in sorted(found, key=lambda pair: not pair[0].startswith("IA32_")):
        names.setdefault(number, name)
    return names
