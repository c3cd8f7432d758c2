"""This host's instruction set, and its kernel's own names of the reasons. A door to files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import ExitStatError
from ..host.files import AbsentFileError, HostFileError, is_there, read_text
from ..host.machine import machine
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
    isa = find_isa(machine(root), lambda: read_text(root / "proc/cpuinfo"))
    try:
        return name_reasons(isa, read_event_format(isa, root))
    except ExitStatError:
        return isa


def read_event_format(isa: Isa, root: Path) -> str:
    """The format of kvm:kvm_exit. Raises ExitStatError, which says what is missing: tracefs, KVM or rights."""
    with contextlib.suppress(AbsentFileError):
        return read_format("kvm", "kvm_exit", root)
    if any(is_there(root / directory / "events") for directory in _TRACEFS):
        why, hint = _without_kvm(isa)
        raise ExitStatError(f"this kernel has no tracepoint kvm:kvm_exit: {why}", hint)
    raise ExitStatError("tracefs is not mounted", "mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'")


def _without_kvm(isa: Isa) -> tuple[str, str]:
    """Why there is no tracepoint of KVM's, and what to do."""
    if isa.module:
        return "KVM is not loaded", f"load it with 'modprobe {isa.module}'"
    return "it is built without KVM", "boot a kernel with CONFIG_KVM=y, as distributions' kernels have it"


def check_kvm(isa: Isa, root: Path) -> None:
    """Raise ExitStatError where KVM is built into the kernel and cannot run: its events are there nonetheless."""
    # A unit with PrivateDevices= has no /dev/kvm, and a container need not have it; sysfs shows the device to both.
    if isa.module or any(is_there(root / path) for path in ("dev/kvm", "sys/devices/virtual/misc/kvm")):
        return
    if _kvm_mode(root) == "none":
        raise ExitStatError(
            "KVM is switched off on this host: its kernel was booted with kvm-arm.mode=none",
            "take that from the kernel's command line, and boot",
        )
    raise ExitStatError(
        "KVM cannot run on this host: there is no /dev/kvm",
        "the kernel must be started at EL2, by the firmware or, in a guest, with nested virtualization;"
        " 'dmesg | grep -i kvm' says why it was not",
    )


def _kvm_mode(root: Path) -> str:
    """The last one on the kernel's command line, which counts."""
    try:
        words = read_text(root / "proc/cmdline").split()
    except HostFileError:
        return ""
    return next((word.partition("=")[2] for word in reversed(words) if word.startswith("kvm-arm.mode=")), "")


def read_format(system: str, event: str, root: Path) -> str:
    """The format of a tracepoint. Raises HostFileError; AbsentFileError where there is no such tracepoint."""
    for directory in _TRACEFS:
        try:
            return read_text(root / directory / "events" / system / event / "format")
        except AbsentFileError as error:
            absent = error
    raise absent
