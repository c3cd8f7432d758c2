"""The running kernel's own names of exit reasons, from the text of `events/kvm/kvm_exit/format`. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .instruction_set import Isa, KernelTable

_PAIR = re.compile(r'\{\s*([^{},"]+?)\s*,\s*"([^"]*)"\s*\}')

# A term of a literal: `10`, `0x040`, `-1`; since Linux 7 `0x80000001ull`; on arm64 `(((0x16UL)))`.
_TERM = re.compile(r"(-?(?:0x[0-9a-f]+|0|[1-9][0-9]*))[ul]*", re.IGNORECASE)


def name_reasons(isa: Isa, event_format: str) -> Isa:
    """The ISA with the running kernel's names for reasons that are newer than this program."""
    return isa.with_names(parse_kernel_names(isa, event_format))


def parse_kernel_names(isa: Isa, event_format: str) -> dict[int, str]:
    """The running kernel's names of the ISA's reasons, in our spelling: {raw reason: name}.

    `print fmt` has a `__print_symbolic` table for each ISA, or several for one. Empty when one of this ISA's is not
    there. A literal that is not a number is skipped: a kernel without TRACE_DEFINE_ENUM prints the constant's name.
    """
    tables = event_format.split("__print_symbolic(")[1:]
    if len(tables) <= max(table.position for table in isa.kernel_tables):
        return {}
    return {reason: name for table in isa.kernel_tables for reason, name in _parse_table(table, tables[table.position])}


def _parse_table(table: KernelTable, text: str) -> Iterator[tuple[int, str]]:
    for literal, name in _PAIR.findall(text.split("__print_flags(")[0]):
        number = _parse_number(literal)
        if number is not None and number not in table.without and name:
            yield table.first + number, table.spell(name)


def _parse_number(literal: str) -> int | None:
    """A literal or a sum of them, as in `0x040 + 14`, as 32 bits."""
    terms = [_TERM.fullmatch(term.strip(" \t()")) for term in literal.split("+")]
    numbers = [int(term.group(1), 0) for term in terms if term]
    return sum(numbers) & 0xFFFFFFFF if len(numbers) == len(terms) else None
