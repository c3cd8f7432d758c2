"""This host's architecture, whichever a process is told. A door to the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from .files import HostFileError, read_text


def machine(root: Path) -> str:
    """The architecture of the kernel of the host below `root`, as uname(2) has it: x86_64, aarch64."""
    try:
        # Since Linux 6.1. uname(2) tells another one to 32-bit programs.
        return read_text(root / "proc/sys/kernel/arch").strip()
    except HostFileError:
        return os.uname().machine
