"""All tables of names, and what a word that an administrator typed means in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..counts.details import Kind
from .entry import Named, Table
from .tables import apic, cpuid, hypercalls, interrupts, memory, msrs, ports
from .tables.arm64 import calls, registers
from .tables.arm64 import memory as virt

#: Each table, in the order in which they are shown. Of two of a kind that have a number the first one counts.
TABLES: tuple[Table, ...] = (
    msrs.MSRS,
    msrs.AMD_MSRS,
    apic.X2APIC,
    msrs.KVM_MSRS,
    msrs.HYPERV_MSRS,
    ports.PORTS,
    ports.PCI_PORTS,
    memory.REGIONS,
    memory.PCI_MEMORY,
    cpuid.LEAVES,
    hypercalls.KVM_CALLS,
    hypercalls.HYPERV_CALLS,
    hypercalls.XEN_CALLS,
    apic.REGISTERS,
    apic.AVIC_REGISTERS,
    apic.AVIC_IPIS,
    interrupts.CONTROL_REGISTERS,
    interrupts.VECTORS,
    registers.REGISTERS,
    calls.CALLS,
    calls.INSTRUCTIONS,
    virt.REGIONS,
    virt.PCI_MEMORY,
)

# What may stand before a number, and what it then is.
_KINDS: Mapping[str, Kind] = {
    "msr": Kind.MSR,
    "port": Kind.PORT,
    "mmio": Kind.MMIO,
    "leaf": Kind.CPUID,
    "cpuid": Kind.CPUID,
    "cpuid leaf": Kind.CPUID,
    "hypercall": Kind.KVM_HYPERCALL,
    "hyper-v call": Kind.HYPERV_HYPERCALL,
    "xen call": Kind.XEN_HYPERCALL,
    "apic": Kind.APIC_REGISTER,
    "vector": Kind.VECTOR,
    "register": Kind.SYSTEM_REGISTER,
    "system register": Kind.SYSTEM_REGISTER,
    "call": Kind.SMCCC_CALL,
}

# A number that stands alone is one of these: of the others nobody would look up the bare number.
_ALONE = (Kind.MSR, Kind.PORT, Kind.MMIO)

# Nor an address that may be a port as well.
_ADDRESSES = 0x10000

_NUMBER = re.compile(r"(?:(?P<kind>[a-z -]*[a-z]) +)?(?:0x(?P<hex>[0-9a-f]{1,16})|(?P<decimal>[0-9]{1,20}))")


def find_number(kind: Kind, number: int) -> tuple[Table, Named] | None:
    """What a number is called among those of a kind, and the table that says so."""
    for table in TABLES:
        if table.kind is kind:
            found = table.find(number)
            if found:
                return table, found
    return None


def find_word(word: str) -> list[tuple[Table, Named]]:
    """What the word means, the best first: a number ('0x6e0', 'leaf 13'), or a name in whatever case.

    A number alone is an MSR, a port or an address. A name is found by all of it ('TSC_DEADLINE'), by its first words
    ('serial') and by words within it ('DEADLINE'). Nothing found is an empty list.
    """
    word = " ".join(word.lower().split())
    register = registers.parse_generic(word)
    if register is not None:
        return _find_numbers((Kind.SYSTEM_REGISTER,), register)
    number = _NUMBER.fullmatch(word)
    if number and (number["kind"] is None or number["kind"] in _KINDS):
        value = int(number["hex"], 16) if number["hex"] else int(number["decimal"])
        if number["kind"]:
            return _find_numbers((_KINDS[number["kind"]],), value)
        return _find_numbers([kind for kind in _ALONE if kind is not Kind.MMIO or value >= _ADDRESSES], value)
    return _find_names(word)


def all_words() -> list[str]:
    """The names that find_word() knows, sorted, each once; some have spaces."""
    return sorted({entry.name for table in TABLES for entry in table.entries})


def _find_numbers(kinds: Iterable[Kind], number: int) -> list[tuple[Table, Named]]:
    """Of each kind what it is called, or, where instruction sets differ, what on each."""
    found: dict[tuple[Kind, tuple[str, ...]], tuple[Table, Named]] = {}
    for kind in kinds:
        for table in TABLES:
            entry = table.find(number) if table.kind is kind else None
            if entry:
                found.setdefault((kind, table.isas), (table, entry))
    register = None
    if Kind.MMIO in kinds and apic.PAGE < number <= apic.PAGE + 0xFFF:
        register = find_number(Kind.APIC_REGISTER, number - apic.PAGE)
    return [*found.values(), *([register] if register else [])]


def _find_names(word: str) -> list[tuple[Table, Named]]:
    if not word:
        return []
    # Words are what stands between spaces, underscores and other marks.
    within = re.compile(rf"(?<![0-9a-z]){re.escape(word)}(?![0-9a-z])")
    ranked = []
    for table in TABLES:
        # AVIC's registers are the APIC's once more.
        if table is apic.AVIC_REGISTERS:
            continue
        for entry in table.entries:
            name = entry.name.lower()
            match = within.search(name)
            if match:
                ranked.append((0 if name == word else 1 if match.start() == 0 else 2, table, entry))
    return [(table, entry) for _, table, entry in sorted(ranked, key=lambda each: each[0])]
