"""Exit reasons of each ISA: raw number <-> dense slot <-> name. Pure functions.

A raw reason is what KVM's `kvm_exit` tracepoint reports. The BPF program counts in dense slots; a reason without a slot
is counted under its raw number. Names (reason_names.py) are those of the kernel's uapi headers without their prefix.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .reason_names import KERNEL_ALIASES, SVM_NAMES, VMX_NAMES


class Isa(enum.IntEnum):
    """Which reason table applies. The values are the tracepoint's `isa` (KVM_ISA_VMX, KVM_ISA_SVM)."""

    VMX = 1
    SVM = 2


@dataclass(frozen=True)
class SlotRange:
    """Reasons `first` .. `first + count - 1` lie in consecutive slots."""

    first: int
    count: int


@dataclass(frozen=True)
class ReasonTable:
    """All that is known of one ISA's reasons. `mask` keeps the bits of a raw value that say why."""

    isa: Isa
    mask: int
    ranges: tuple[SlotRange, ...]
    names: Mapping[int, str] = field(repr=False)

    @property
    def slots(self) -> int:
        """How many slots there are; slot numbers are 0 .. slots - 1."""
        return sum(run.count for run in self.ranges)

    def first_slots(self) -> tuple[tuple[SlotRange, int], ...]:
        """Each range with the slot of its first reason."""
        slot, found = 0, []
        for run in self.ranges:
            found.append((run, slot))
            slot += run.count
        return tuple(found)

    def slot_of(self, reason: int) -> int | None:
        """The slot of a raw reason, flags ignored; None when it has none."""
        for run, slot in self.first_slots():
            if run.first <= reason & self.mask < run.first + run.count:
                return slot + (reason & self.mask) - run.first
        return None

    def reason_of(self, slot: int) -> int:
        """The raw reason that a slot counts. Raises IndexError for a slot that does not exist."""
        for run, first in self.first_slots():
            if first <= slot < first + run.count:
                return run.first + slot - first
        raise IndexError(slot)

    def name_of(self, reason: int, kernel_names: Mapping[int, str] = MappingProxyType({})) -> str:
        """The reason's name: ours, else the running kernel's, else `UNKNOWN(0x..)`."""
        return self.names.get(reason) or kernel_names.get(reason) or f"UNKNOWN({reason:#x})"


def parse_kernel_names(print_fmt: str, isa: Isa) -> dict[int, str]:
    """The running kernel's own names, from the `print fmt` of `events/kvm/kvm_exit/format`.

    The format holds one `__print_symbolic` table for VMX and, behind it, one for SVM. Names are put in our spelling.
    Empty when the format holds no such table.
    """
    tables = print_fmt.split("__print_symbolic(")[1:]
    if len(tables) < isa:
        return {}
    names = {}
    for number, name in re.findall(
        r'\{\s*([^{},"]+?)\s*,\s*"([^"]*)"\s*\}', tables[isa - 1].split("__print_flags(")[0]
    ):
        # Literals as in `10`, `0x040 + 14`, `-1` and, since Linux 7, `0x80000001ull`.
        terms = [int(re.sub("[uUlL]+$", "", term.strip()), 0) for term in number.split("+")]
        names[sum(terms) & 0xFFFFFFFF] = spell_reason(name)
    return names


def spell_reason(kernel_name: str) -> str:
    """The kernel's own name of a reason, as it stands in the format file and in traces, in our spelling."""
    spelled = re.sub(r"\W+", "_", kernel_name).upper()
    return KERNEL_ALIASES.get(spelled, spelled)


# Intel's bits 16-31 are flags: 26 bus lock, 27 enclave, 28 pending MTF, 31 failed entry (SDM vol. 3, 25.9.1).
# With the word that says whose they are, 95 counters are 12 whole cache lines; the highest reason today is 85.
VMX = ReasonTable(isa=Isa.VMX, mask=0xFFFF, ranges=(SlotRange(0, 95),), names=MappingProxyType(VMX_NAMES))

# The ranges hold all that hardware reports, the VMGEXIT events of the kernel's table, and -1, INVALID: with the word
# that says whose they are, 223 counters are 28 whole cache lines. Other VMGEXIT events are counted without a slot.
SVM = ReasonTable(
    isa=Isa.SVM,
    mask=0xFFFFFFFF,
    ranges=(
        SlotRange(0x000, 0xC0),
        SlotRange(0x400, 0x10),
        SlotRange(0x80000000, 7),
        SlotRange(0x80000010, 4),
        SlotRange(0x8000FFFD, 3),
        SlotRange(0xFFFFFFFF, 1),
    ),
    names=MappingProxyType(SVM_NAMES),
)

TABLES: Mapping[Isa, ReasonTable] = MappingProxyType({Isa.VMX: VMX, Isa.SVM: SVM})
