"""Details: what exactly caused an exit, as the kernel traced it between the exit and the next entry. Values only."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..isa.instruction_set import FaultBits

#: A value as the kernel program makes it: a number, the bytes of a port's access, a mark, and whether the guest wrote.
NUMBER_MASK = (1 << 52) - 1
SIZE_SHIFT, SIZE_MASK = 56, 15
MARK_BIT, WRITE_BIT = 62, 63


class Kind(enum.IntEnum):
    """What a detail is about. The values are those of the kernel program; the names stand in JSON, in lower case."""

    #: Several, of which a recording has only the sum. The number says how many they are; 0: that is not known.
    MORE = -1
    #: The kernel traced nothing that tells the cause.
    NOTHING = 0
    MSR = 1
    PORT = 2
    CPUID = 3
    MMIO = 4
    PAGE_FAULT = 5
    KVM_HYPERCALL = 6
    HYPERV_HYPERCALL = 7
    XEN_HYPERCALL = 8
    CONTROL_REGISTER = 9
    APIC_REGISTER = 10
    AVIC_IPI = 11
    AVIC_REGISTER = 12
    #: An interrupt of the host, by its vector or its line.
    VECTOR = 13
    IRQ = 14
    #: The end of a halt.
    WAKEUP = 15
    #: arm64: a register that KVM emulates, a call by the SMC Calling Convention, an instruction that waits.
    SYSTEM_REGISTER = 16
    SMCCC_CALL = 17
    WAIT = 18


class Access(enum.Enum):
    """What the guest did with it."""

    NONE = ""
    READ = "read"
    WRITE = "write"
    FETCH = "fetch"


class Mark(enum.Enum):
    """What else the kernel told."""

    NONE = ""
    #: Of an MSR: the guest got #GP.
    REFUSED = "refused"
    #: Of MMIO: a doorbell that the kernel itself handles (ioeventfd).
    DOORBELL = "doorbell"
    #: Of a page fault.
    PAGE_THERE = "page there"
    NO_PAGE = "no page"
    RESERVED = "MMIO"
    #: Of a halt: KVM polled until it ended, or the thread slept.
    POLLED = "polled"
    SLEPT = "slept"


class Detail(NamedTuple):
    """One cause of exits.

    `number` is the MSR, the first port, the CPUID leaf, the guest-physical address, the hypercall, the control
    register, the APIC register's offset, the vector or the interrupt's line. Of a wake-up it is the power of two of
    microseconds that it came before; of a page fault 0. Of a system register it is op0, op1, CRn, CRm and op2 as
    instructions have them (2, 3, 4, 4 and 3 bits), of a call its function id, of an instruction that waits 1 for WFE,
    0 for WFI. `size` is bytes of a port's access, else 0. `by_qemu`: KVM returned to QEMU for it.
    """

    kind: Kind
    number: int = 0
    access: Access = Access.NONE
    size: int = 0
    mark: Mark = Mark.NONE
    by_qemu: bool = False

    @property
    def order(self) -> tuple[int, int, str, int, str, bool]:
        """Its place among details that caused as many exits."""
        return self.kind, self.number, self.access.value, self.size, self.mark.value, self.by_qemu


class Cost(NamedTuple):
    """The exits that one detail caused, and what those took that have ended; 0 where exits are not timed."""

    exits: int = 0
    ns: int = 0


def add_up_costs(several: Iterable[Mapping[Detail, Cost]]) -> dict[Detail, Cost] | None:
    """Their sum, by detail; None of none."""
    parts = list(several)
    if not parts:
        return None
    total = dict(parts[0])
    for costs in parts[1:]:
        for detail, cost in costs.items():
            before = total.get(detail)
            total[detail] = Cost(before.exits + cost.exits, before.ns + cost.ns) if before else cost
    return total


#: Kinds of which the kernel tells whether the guest read or wrote.
_ACCESSED = frozenset(
    (
        *(Kind.MSR, Kind.PORT, Kind.MMIO, Kind.CONTROL_REGISTER, Kind.APIC_REGISTER, Kind.AVIC_REGISTER),
        Kind.SYSTEM_REGISTER,
    ),
)


def decode_detail(kind: Kind, value: int, *, by_qemu: bool, fault: FaultBits) -> Detail:
    """The detail that the kernel program means by a kind and a value."""
    number, marked = value & NUMBER_MASK, bool(value >> MARK_BIT & 1)
    if kind is Kind.PAGE_FAULT:
        access = Access.WRITE if value & fault.write else Access.FETCH if value & fault.fetch else Access.READ
        mark = Mark.RESERVED if value & fault.reserved else Mark.PAGE_THERE if value & fault.there else Mark.NO_PAGE
        return Detail(kind, 0, access, 0, mark, by_qemu)
    access = Access.NONE
    if kind in _ACCESSED:
        access = Access.WRITE if value >> WRITE_BIT else Access.READ
    mark = Mark.NONE
    if kind is Kind.WAKEUP:
        mark = Mark.SLEPT if marked else Mark.POLLED
    elif marked:
        mark = Mark.REFUSED if kind is Kind.MSR else Mark.DOORBELL
    return Detail(kind, number, access, value >> SIZE_SHIFT & SIZE_MASK if kind is Kind.PORT else 0, mark, by_qemu)
