"""This host's instruction set, and its kernel's own names of the reasons. A door to files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import ExitStatError
from ..host.files import AbsentFileError, is_there, read_text
from .instruction_set import Isa
from .kernel_names import name_reasons
from .known import find_isa

# tracefs: /sys/kernel/tracing since Linux 4.1; before, and where only debugfs is mounted, below it.
_TRACEFS = ("sys/kernel/tracing", "sys/kernel/debug/tracing")


def host_isa(root: Path) -> Isa:
    """The ISA of the host below `root`, with all names that a report of it can show.

    Raises ExitStatError when this host has none that is known. Where the event's format cannot be read (only root may),
    the kernel's own names are missing.
    """
    isa = find_isa(read_text(root / "proc/cpuinfo"))
    try:
        return name_reasons(isa, read_event_format(isa, root))
    except ExitStatError:
        return isa


def read_event_format(isa: Isa, root: Path) -> str:
    """The format of kvm:kvm_exit. Raises ExitStatError, which says what is missing: tracefs, KVM or rights."""
    with contextlib.suppress(AbsentFileError):
        return read_format("kvm", "kvm_exit", root)
    if any(is_there(root / directory / "events") for directory in _TRACEFS):
        raise ExitStatError(
            "this kernel has no tracepoint kvm:kvm_exit: KVM is not loaded", f"load it with 'modprobe {isa.module}'"
        )
    raise ExitStatError("tracefs is not mounted", "mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'")


def read_format(system: str, event: str, root: Path) -> str:
    """The format of a tracepoint. Raises HostFileError; AbsentFileError where there is no such tracepoint."""
    for directory in _TRACEFS:
        try:
            return read_text(root / directory / "events" / system / event / "format")
        except AbsentFileError as error:
            absent = error
    raise absent
