"""The instruction sets that are known, and which of them a host has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import ExitStatError
from ..text import escape
from .arm64 import ARM64
from .instruction_set import Isa
from .svm import SVM
from .vmx import VMX

#: A file each.
ISAS: tuple[Isa, ...] = (VMX, SVM, ARM64)

#: The names of those whose guests have a PC's devices.
X86 = (VMX.name, SVM.name)


def reason_names(isas: Iterable[Isa] = ISAS) -> tuple[str, ...]:
    """The names of all their reasons, as reports show them."""
    return tuple(sorted({name for isa in isas for name in isa.reasons.names.values()}))


def find_isa(machine: str, read_cpuinfo: Callable[[], str]) -> Isa:
    """The ISA of a host by its architecture, as uname(2) has it; where that is not enough, by what /proc/cpuinfo says.

    Raises ExitStatError when it is none known.
    """
    for isa in ISAS:
        if isa.machine == machine and not isa.cpu_flag:
            return isa
    # Whatever the architecture's name: a 32-bit personality has another one.
    for line in read_cpuinfo().splitlines():
        if line.startswith("flags"):
            flags = line.partition(":")[2].split()
            for isa in ISAS:
                if isa.cpu_flag and isa.cpu_flag in flags:
                    return isa
            raise ExitStatError(
                "this CPU offers neither VMX nor SVM",
                "enable virtualization in the firmware, or nested virtualization if this host is itself a guest",
            )
    raise ExitStatError(
        f"unsupported architecture {escape(machine) or '(unknown)'}: /proc/cpuinfo shows no x86 CPU",
        "virt-exitstat knows the exit reasons of x86-64 with VMX (Intel) or SVM (AMD), and of arm64 (aarch64)",
    )
