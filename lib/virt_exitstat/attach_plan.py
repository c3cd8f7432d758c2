"""How to attach on this kernel, and where the exit reason lies. The door to the kernel's self-description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ExitStatError
from .exit_reasons import TABLES, Isa, ReasonTable, parse_kernel_names

_EVENT = "events/kvm/kvm_exit/format"


@dataclass(frozen=True)
class AttachPlan:
    """Attach to the regular tracepoint `kvm:kvm_exit`, whose record holds the reason at byte `reason_offset`.

    `kernel_names` are the running kernel's own names of reasons, {raw reason: name}.
    """

    table: ReasonTable
    reason_offset: int
    kernel_names: Mapping[int, str] = field(repr=False)


def plan_attachment(root: Path) -> AttachPlan:
    """Find out how to count exits on the kernel whose `/proc` and `/sys` lie below `root`.

    Raises ExitStatError when this host cannot be counted on: not x86 with VMX or SVM, KVM not loaded, tracefs not
    mounted or not readable.
    """
    isa = _find_isa(root)
    text = _read_format(root)
    found = re.search(r"\bexit_reason;\s*offset:(\d+);\s*size:4;", text)
    if not found:
        raise ExitStatError(
            "this kernel's kvm:kvm_exit has no field exit_reason of 4 bytes",
            "please report this with the kernel's version and its events/kvm/kvm_exit/format",
        )
    names = parse_kernel_names(text.partition("print fmt:")[2], isa)
    return AttachPlan(table=TABLES[isa], reason_offset=int(found.group(1)), kernel_names=names)


def _find_isa(root: Path) -> Isa:
    for line in (root / "proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            flags = line.partition(":")[2].split()
            if "vmx" in flags:
                return Isa.VMX
            if "svm" in flags:
                return Isa.SVM
            raise ExitStatError(
                "this CPU offers neither VMX nor SVM",
                "enable virtualization in the firmware, or nested virtualization if this host is itself a guest",
            )
    raise ExitStatError(
        "unsupported architecture: /proc/cpuinfo shows no x86 CPU",
        "virt-exitstat knows the exit reasons of x86-64 with VMX (Intel) or SVM (AMD)",
    )


def _read_format(root: Path) -> str:
    # /sys/kernel/tracing since Linux 4.1; before, and where only debugfs is mounted, below it.
    directories = (root / "sys/kernel/tracing", root / "sys/kernel/debug/tracing")
    for directory in directories:
        try:
            return (directory / _EVENT).read_text()
        except FileNotFoundError:
            continue
        except PermissionError:
            raise ExitStatError(f"permission denied reading {directory / _EVENT}", "run as root") from None
    if any((directory / "events").is_dir() for directory in directories):
        raise ExitStatError(
            "this kernel has no tracepoint kvm:kvm_exit: KVM is not loaded",
            "load it with 'modprobe kvm_intel' or 'modprobe kvm_amd'",
        )
    raise ExitStatError("tracefs is not mounted", "mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'")
