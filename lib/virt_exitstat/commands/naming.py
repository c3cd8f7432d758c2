"""Names of what exits are about, on this host: the tables' own, then its interrupts and its kernel's headers."""

from __future__ import annotations

import os
from pathlib import Path

from ..host.files import HostFileError, read_text
from ..isa.host import host_isa
from ..names.host import parse_header_msrs, parse_irq_lines
from ..names.namer import Namer


def make_namer(root: Path) -> Namer:
    """A namer for the host below `root`. Names that it cannot tell are missing. Raises ExitStatError as host_isa()."""
    modules = root / "lib/modules" / os.uname().release
    header = "arch/x86/include/asm/msr-index.h"
    return Namer(
        host_isa(root).name,
        irq_lines=parse_irq_lines(_read_first(root / "proc/interrupts")),
        # Debian's headers are two packages, and `source` leads to the common one.
        header_msrs=parse_header_msrs(_read_first(modules / "source" / header, modules / "build" / header)),
    )


def _read_first(*paths: Path) -> str:
    for path in paths:
        try:
            return read_text(path)
        except HostFileError:
            continue
    return ""
