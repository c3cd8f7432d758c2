"""The exit reasons of an instruction set: raw number <-> dense slot <-> name. Pure functions.

A raw reason is the number that KVM's `kvm_exit` tracepoint reports. The BPF program counts in dense slots; a reason
without a slot is counted under its raw number. Names are those of the kernel's uapi headers without their prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

# A raw code, also as the name that a report makes of it.
_CODE = re.compile(r"UNKNOWN\((?P<shown>0X[0-9A-F]{1,8})\)|(?P<hex>0X[0-9A-F]{1,8})|(?P<decimal>[0-9]{1,10})")


@dataclass(frozen=True)
class SlotRange:
    """Reasons `first` .. `first + length - 1` lie in consecutive slots."""

    first: int
    length: int


@dataclass(frozen=True)
class ReasonTable:
    """The reasons of one ISA. `mask` keeps the bits of a raw value that say why; `names` is {raw reason: name}."""

    mask: int
    ranges: tuple[SlotRange, ...]
    names: Mapping[int, str] = field(repr=False, hash=False)

    @property
    def slots(self) -> int:
        """The number of slots; they are numbered 0 .. slots - 1."""
        return sum(run.length for run in self.ranges)

    def first_slots(self) -> tuple[tuple[SlotRange, int], ...]:
        """Each range with the slot of its first reason."""
        slot, found = 0, []
        for run in self.ranges:
            found.append((run, slot))
            slot += run.length
        return tuple(found)

    def slot_of(self, reason: int) -> int | None:
        """The slot of a raw reason, flags ignored; None when it has none."""
        for run, slot in self.first_slots():
            if run.first <= reason & self.mask < run.first + run.length:
                return slot + (reason & self.mask) - run.first
        return None

    def reason_of(self, slot: int) -> int:
        """The raw reason that a slot counts. Raises IndexError for a slot that does not exist."""
        for run, first in self.first_slots():
            if first <= slot < first + run.length:
                return run.first + slot - first
        raise IndexError(slot)

    def name_of(self, reason: int) -> str:
        """The reason's name, `UNKNOWN(0x..)` when it has none."""
        return self.names.get(reason) or f"UNKNOWN({reason:#x})"

    def find(self, word: str) -> frozenset[int]:
        """The raw reasons that a name (in any case, `UNKNOWN(0x..)` too) or a raw code means. Empty: it means none."""
        wanted = word.strip().upper()
        named = frozenset(reason for reason, name in self.names.items() if name == wanted)
        code = None if named else _CODE.fullmatch(wanted)
        if not code:
            return named
        number = int(code["decimal"]) if code["decimal"] else int(code["shown"] or code["hex"], 16)
        return frozenset({number & self.mask})

    def similar_names(self, word: str) -> tuple[str, ...]:
        """Up to four names that may have been meant by a word that means none."""
        import difflib  # only here: completion asks often, and this takes a while to import

        wanted, names = word.strip().upper(), sorted(set(self.names.values()))
        # A part of a name (EPT, MSR) is a commoner mistake than a slip of the pen.
        parts = [name for name in names if wanted and any(part.startswith(wanted) for part in name.split("_"))]
        return tuple((parts or difflib.get_close_matches(wanted, names, n=3))[:4])

    def with_names(self, names: Mapping[int, str]) -> ReasonTable:
        """The same table, in which reasons without a name have that of `names`."""
        return replace(self, names=MappingProxyType({**names, **self.names}))
