"""This host's instruction set, and its kernel's own names of the reasons. A door to files."""

from __future__ import annotations

from pathlib import Path

from ..errors import ExitStatError
from ..host.files import AbsentFileError, is_there, read_text
from .instruction_set import Isa
from .kernel_names import name_reasons
from .known import find_isa

_EVENT = "events/kvm/kvm_exit/format"

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
    directories = [root / directory for directory in _TRACEFS]
    for directory in directories:
        try:
            return read_text(directory / _EVENT)
        except AbsentFileError:
            continue
    if any(is_there(directory / "events") for directory in directories):
        raise ExitStatError(
            "this kernel has no tracepoint kvm:kvm_exit: KVM is not loaded", f"load it with 'modprobe {isa.module}'"
        )
    raise ExitStatError("tracefs is not mounted", "mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'")


def has_event(event: str, root: Path) -> bool:
    """Whether KVM, which is loaded, has a tracepoint of that name."""
    return any(is_there(root / directory / "events/kvm" / event / "format") for directory in _TRACEFS)


def read_format(system: str, event: str, root: Path) -> str:
    """The format of a tracepoint. Raises HostFileError."""
    paths = [root / directory / "events" / system / event / "format" for directory in _TRACEFS]
    return read_text(next((path for path in paths if is_there(path)), paths[0]))
