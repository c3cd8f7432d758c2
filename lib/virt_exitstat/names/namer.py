"""Turns a detail into words: what the guest did, to what, and who handled it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..counts.details import Access, Detail, Kind, Mark
from ..isa.known import X86
from .known import TABLES
from .tables import apic, memory
from .tables.arm64 import memory as virt
from .tables.arm64 import registers

_NOTHING: Mapping[int, str] = {}
_NONE_TOLD: Mapping[Detail, str] = {}


class Namer:
    """Names details of guests on one host.

    `isa_name` is the host's, Isa.name. `irq_lines` and `header_msrs` are what host.py made of this host's files:
    {line: device}, and {MSR: name} for MSRs that no table has. `told` are names that a recording has, which hold before
    all others. Names of lines and of recordings are foreign text: escape what comes out.
    """

    def __init__(
        self,
        isa_name: str,
        *,
        irq_lines: Mapping[int, str] = _NOTHING,
        header_msrs: Mapping[int, str] = _NOTHING,
        told: Mapping[Detail, str] = _NONE_TOLD,
    ) -> None:
        self._tables = [table for table in TABLES if not table.isas or isa_name in table.isas]
        self._is_pc = isa_name in X86
        self._told = told
        self._irq_lines = irq_lines
        self._header_msrs = header_msrs

    def name_of(self, detail: Detail) -> str:
        """What its number is called; "" when unknown, or when its kind has no names."""
        kind, number = detail.kind, detail.number
        if detail in self._told:
            return self._told[detail]
        if kind is Kind.IRQ:
            return self._irq_lines.get(number, "")
        if kind is Kind.MMIO:
            return self._name_address(detail)
        return self._look_up(kind, number) or (self._header_msrs.get(number, "") if kind is Kind.MSR else "")

    def describe(self, detail: Detail) -> str:
        """All of it, as a table's row shows it: 'write 0x6e0 TSC_DEADLINE', 'out 0x3f8 serial 1, by QEMU'."""
        words = " ".join(filter(None, _WORDERS[detail.kind](detail, self.name_of(detail))))
        return f"{words}, by QEMU" if detail.by_qemu else words

    def _look_up(self, kind: Kind, number: int) -> str:
        found = (table.find(number) for table in self._tables if table.kind is kind)
        return next((entry.name for entry in found if entry), "")

    def _name_address(self, detail: Detail) -> str:
        address, is_doorbell = detail.number, detail.mark is Mark.DOORBELL
        if is_doorbell or detail.access is Access.WRITE:
            board = memory if self._is_pc else virt
            queue = memory.virtio_queue(address, board.REGIONS, board.PCI_MEMORY, is_doorbell=is_doorbell)
            if queue is not None:
                # Its row begins with the word "doorbell" if KVM said that it is one.
                return f"virtio, queue {queue}" if is_doorbell else f"virtio doorbell, queue {queue}"
        if is_doorbell:
            return memory.PCI_DEVICE
        if self._is_pc and apic.PAGE <= address <= apic.PAGE + 0xFFF:
            register = self._look_up(Kind.APIC_REGISTER, address - apic.PAGE)
            if register:
                return f"local {register}"
        return self._look_up(Kind.MMIO, address)


# Each gives the words of a row, of which empty ones are left out.
_Worder = Callable[[Detail, str], tuple[str, ...]]


def _nothing(_detail: Detail, _name: str) -> tuple[str, ...]:
    return ("nothing told",)


def _register(detail: Detail, name: str) -> tuple[str, ...]:
    refused = "(refused)" if detail.mark is Mark.REFUSED else ""
    return (detail.access.value, hex(detail.number), name, refused)


def _system_register(detail: Detail, name: str) -> tuple[str, ...]:
    # Nobody knows these by their number.
    return (detail.access.value, name or registers.generic_name(detail.number))


def _port(detail: Detail, name: str) -> tuple[str, ...]:
    way = {Access.READ: "in", Access.WRITE: "out"}.get(detail.access, "port")
    size = f"({detail.size} bytes)" if detail.size > 1 else ""
    return (way, hex(detail.number), name, size)


def _address(detail: Detail, name: str) -> tuple[str, ...]:
    way = "doorbell" if detail.mark is Mark.DOORBELL else detail.access.value
    return (way, hex(detail.number), name)


def _page_fault(detail: Detail, _name: str) -> tuple[str, ...]:
    return (", ".join(filter(None, (detail.access.value, detail.mark.value))) or "page fault",)


def _control_register(detail: Detail, name: str) -> tuple[str, ...]:
    return (detail.access.value, name or f"CR{detail.number}")


def _avic_ipi(detail: Detail, name: str) -> tuple[str, ...]:
    return ("IPI:", name or f"cause {detail.number}")


def _wait(detail: Detail, name: str) -> tuple[str, ...]:
    return (name or f"wait {detail.number}",)


def _wakeup(detail: Detail, _name: str) -> tuple[str, ...]:
    way = detail.mark.value if detail.mark in (Mark.POLLED, Mark.SLEPT) else "woke"
    return (way, "<", _round_time(detail.number))


# A power of two of microseconds, where 1024 of one unit are one of the next: nobody minds the 2 %.
def _round_time(power: int) -> str:
    if power < 10:
        return f"{1 << power}us"
    return f"{1 << (power - 10)}ms" if power < 20 else f"{1 << (power - 20)}s"


# By a word before the number, which is decimal or not.
def _numbered(word: str, write: Callable[[int], str]) -> _Worder:
    return lambda detail, name: (word, write(detail.number), name)


_WORDERS: Mapping[Kind, _Worder] = {
    Kind.MORE: lambda _detail, _name: ("more",),
    Kind.NOTHING: _nothing,
    Kind.MSR: _register,
    Kind.PORT: _port,
    Kind.CPUID: _numbered("leaf", hex),
    Kind.MMIO: _address,
    Kind.PAGE_FAULT: _page_fault,
    Kind.KVM_HYPERCALL: _numbered("hypercall", str),
    Kind.HYPERV_HYPERCALL: _numbered("Hyper-V call", hex),
    Kind.XEN_HYPERCALL: _numbered("Xen call", str),
    Kind.CONTROL_REGISTER: _control_register,
    Kind.APIC_REGISTER: _register,
    Kind.AVIC_IPI: _avic_ipi,
    Kind.AVIC_REGISTER: _register,
    Kind.VECTOR: _numbered("vector", hex),
    Kind.IRQ: _numbered("IRQ", str),
    Kind.WAKEUP: _wakeup,
    Kind.SYSTEM_REGISTER: _system_register,
    Kind.SMCCC_CALL: _numbered("call", hex),
    Kind.WAIT: _wait,
}
