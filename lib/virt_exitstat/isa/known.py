"""The instruction sets that are known, and which of them a CPU has."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ExitStatError
from .instruction_set import Isa
from .svm import SVM
from .vmx import VMX

#: A file each.
ISAS: tuple[Isa, ...] = (VMX, SVM)


def reason_names(isas: Iterable[Isa] = ISAS) -> tuple[str, ...]:
    """The names of all their reasons, as reports show them."""
    return tuple(sorted({name for isa in isas for name in isa.reasons.names.values()}))


def find_isa(cpuinfo: str) -> Isa:
    """The ISA of the CPUs that the text of /proc/cpuinfo describes. Raises ExitStatError when it is none known."""
    for line in cpuinfo.splitlines():
        if line.startswith("flags"):
            flags = line.partition(":")[2].split()
            for isa in ISAS:
                if isa.cpu_flag in flags:
                    return isa
            raise ExitStatError(
                "this CPU offers neither VMX nor SVM",
                "enable virtualization in the firmware, or nested virtualization if this host is itself a guest",
            )
    raise ExitStatError(
        "unsupported architecture: /proc/cpuinfo shows no x86 CPU",
        "virt-exitstat knows the exit reasons of x86-64 with VMX (Intel) or SVM (AMD)",
    )
