"""An instruction set as a value: all that the program knows of it, from the CPU's flag to KVM's structures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from ..errors import UsageError
from ..text import escape
from .reasons import ReasonTable


@dataclass(frozen=True)
class ReasonPlace:
    """Where KVM keeps the reason of a vCPU's last exit, in the names of its types (BTF).

    `struct` is the vendor's structure; its member `vcpu` is what the raw tracepoint is given. The reason is the first
    of `paths` that exists, the newest kernel's first: members of that structure or, with a `pointer`, of the one that
    this member points to. It has one of `sizes` in bytes, and its first four are read.
    """

    struct: str
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    pointer: str | None = None


class Argument(NamedTuple):
    """An argument of a tracepoint: its name, its size in bytes, and whether it is signed."""

    name: str
    size: int
    signed: bool


@dataclass(frozen=True)
class ReasonPair:
    """A reason that two numbers tell: a code, and the class of a trap, the first two of the event's `arguments`.

    With the code `trap` the class is the reason, else it means nothing, and the reason is `codes` + the code. Of a code
    only the bits of `code_mask` count. The event's record has fields of the same names.
    """

    arguments: tuple[Argument, ...]
    code_mask: int
    trap: int
    codes: int


class KernelTable(NamedTuple):
    """A table of names in the event's `print fmt`: its position among those that stand there.

    `first` is added to its numbers, but for those that are no reasons, `without`. `spellings` is {the kernel's name:
    ours} where the two differ.
    """

    position: int
    first: int = 0
    without: frozenset[int] = frozenset()
    spellings: Mapping[str, str] = MappingProxyType({})

    def spell(self, kernel_name: str) -> str:
        """The kernel's own name of a reason, as its event's format and its traces have it, in our spelling."""
        spelled = re.sub(r"\W+", "_", kernel_name).upper()
        return self.spellings.get(spelled, spelled)


class FaultBits(NamedTuple):
    """Bits of what is told of a page fault: what the guest did, and any that says that the page is there.

    `reserved` is AMD's sign of memory that belongs to a device; 0 where there is none.
    """

    write: int
    fetch: int
    there: int
    reserved: int = 0

    @property
    def mask(self) -> int:
        """All of them."""
        return self.write | self.fetch | self.there | self.reserved


@dataclass(frozen=True)
class Isa:
    """One instruction set.

    `name` is the vendor's, and in lower case JSON's. `machine` is the architecture as uname(2) has it; where it has
    several, `cpu_flag` tells them apart in /proc/cpuinfo. `module` is KVM's module for it, "" where KVM is built in.
    `idle` are the raw reasons that mean that the guest has nothing to do, `interrupt` the one that means that the host
    was interrupted; `fault` tells page faults. `kernel_tables` are those of its tables that the event's `print fmt`
    names reasons by. `place` is where the reason is.
    """

    name: str
    machine: str
    module: str
    reasons: ReasonTable
    idle: frozenset[int]
    interrupt: int
    fault: FaultBits
    kernel_tables: tuple[KernelTable, ...] = field(repr=False, hash=False)
    place: ReasonPlace | ReasonPair
    cpu_flag: str = ""

    def with_names(self, names: Mapping[int, str]) -> Isa:
        """The same, in which reasons without a name have that of `names`, {raw reason: name}."""
        return replace(self, reasons=self.reasons.with_names(names))

    def find_reasons(self, words: Iterable[str]) -> frozenset[int]:
        """The raw reasons that names, as reports show them, or raw codes mean. Raises UsageError for any other word."""
        found: set[int] = set()
        for word in words:
            reasons = self.reasons.find(word)
            if not reasons:
                raise UsageError(f"--reason: {self.name} has no exit reason '{escape(word)}'", self._hint(word))
            found |= reasons
        return frozenset(found)

    def _hint(self, word: str) -> str:
        similar = self.reasons.similar_names(word)
        if similar:
            return f"did you mean {' or '.join(similar)}?"
        return "a report shows the names; a raw code will do, as in 0x40"
