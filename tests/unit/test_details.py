"""details: the kernel's words decoded, and their sums."""

import random

import pytest

from virt_exitstat.counts.details import (
    MARK_BIT,
    NUMBER_MASK,
    SIZE_SHIFT,
    WRITE_BIT,
    Access,
    Cost,
    Detail,
    Kind,
    Mark,
    decode_detail,
)
from virt_exitstat.counts.tally import Tally, add_up
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

WROTE, MARKED = 1 << WRITE_BIT, 1 << MARK_BIT

TIMER = Detail(Kind.MSR, 0x6E0, Access.WRITE)
SERIAL = Detail(Kind.PORT, 0x3F8, Access.WRITE, 1, by_qemu=True)


def decode(kind, value, isa=VMX, *, by_qemu=False):
    return decode_detail(kind, value, by_qemu=by_qemu, fault=isa.fault)


@pytest.mark.parametrize(
    ("kind", "value", "detail"),
    [
        (Kind.NOTHING, 0, Detail(Kind.NOTHING)),
        (Kind.MSR, 0x6E0 | WROTE, TIMER),
        (Kind.MSR, 0xC001_0015, Detail(Kind.MSR, 0xC001_0015, Access.READ)),
        (Kind.MSR, 0xDEAD | MARKED, Detail(Kind.MSR, 0xDEAD, Access.READ, mark=Mark.REFUSED)),
        (Kind.PORT, 0x3F8 | WROTE | 1 << SIZE_SHIFT, Detail(Kind.PORT, 0x3F8, Access.WRITE, 1)),
        (Kind.PORT, 0xFFFF | 4 << SIZE_SHIFT, Detail(Kind.PORT, 0xFFFF, Access.READ, 4)),
        (Kind.CPUID, 0x8000_0001, Detail(Kind.CPUID, 0x8000_0001)),
        (Kind.MMIO, 0xFEE0_00B0 | WROTE, Detail(Kind.MMIO, 0xFEE0_00B0, Access.WRITE)),
        (Kind.MMIO, NUMBER_MASK, Detail(Kind.MMIO, NUMBER_MASK, Access.READ)),
        (Kind.MMIO, 0xFE00_3004 | WROTE | MARKED, Detail(Kind.MMIO, 0xFE00_3004, Access.WRITE, mark=Mark.DOORBELL)),
        (Kind.KVM_HYPERCALL, 5, Detail(Kind.KVM_HYPERCALL, 5)),
        (Kind.HYPERV_HYPERCALL, 0x5C, Detail(Kind.HYPERV_HYPERCALL, 0x5C)),
        (Kind.XEN_HYPERCALL, 29, Detail(Kind.XEN_HYPERCALL, 29)),
        (Kind.CONTROL_REGISTER, 3 | WROTE, Detail(Kind.CONTROL_REGISTER, 3, Access.WRITE)),
        (Kind.APIC_REGISTER, 0x300 | WROTE, Detail(Kind.APIC_REGISTER, 0x300, Access.WRITE)),
        (Kind.AVIC_IPI, 1, Detail(Kind.AVIC_IPI, 1)),
        (Kind.AVIC_REGISTER, 0x80, Detail(Kind.AVIC_REGISTER, 0x80, Access.READ)),
        (Kind.VECTOR, 0xEC, Detail(Kind.VECTOR, 0xEC)),
        (Kind.IRQ, 45, Detail(Kind.IRQ, 45)),
        (Kind.SYSTEM_REGISTER, 0xC65D | WROTE, Detail(Kind.SYSTEM_REGISTER, 0xC65D, Access.WRITE)),
        (Kind.SYSTEM_REGISTER, 0xDF02, Detail(Kind.SYSTEM_REGISTER, 0xDF02, Access.READ)),
        (Kind.SMCCC_CALL, 0xC400_0003, Detail(Kind.SMCCC_CALL, 0xC400_0003)),
        (Kind.WAIT, 1, Detail(Kind.WAIT, 1)),
        (Kind.WAKEUP, 8 | MARKED, Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT)),
        (Kind.WAKEUP, 0, Detail(Kind.WAKEUP, 0, mark=Mark.POLLED)),
    ],
)
def test_each_kind_is_decoded(kind, value, detail):
    assert decode(kind, value) == detail
    assert decode(kind, value, by_qemu=True) == detail._replace(by_qemu=True)


@pytest.mark.parametrize(
    ("isa", "bits", "access", "mark"),
    [
        (ARM64, 0b000, Access.READ, Mark.NO_PAGE),
        (ARM64, 0b001, Access.WRITE, Mark.NO_PAGE),
        (ARM64, 0b101, Access.WRITE, Mark.PAGE_THERE),
        (ARM64, 0b110, Access.FETCH, Mark.PAGE_THERE),
        (SVM, 0b00000, Access.READ, Mark.NO_PAGE),
        (SVM, 0b00111, Access.WRITE, Mark.PAGE_THERE),
        (SVM, 0b10100, Access.FETCH, Mark.NO_PAGE),
        (SVM, 0b01101, Access.READ, Mark.RESERVED),
        (VMX, 0b000001, Access.READ, Mark.NO_PAGE),
        (VMX, 0b000010, Access.WRITE, Mark.NO_PAGE),
        (VMX, 0b101010, Access.WRITE, Mark.PAGE_THERE),
        (VMX, 0b001100, Access.FETCH, Mark.PAGE_THERE),
    ],
)
def test_a_page_fault_is_decoded_as_its_isa_tells_it(isa, bits, access, mark):
    assert decode(Kind.PAGE_FAULT, bits, isa) == Detail(Kind.PAGE_FAULT, 0, access, 0, mark)


@pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
def test_the_reason_of_a_host_interrupt_is_one(isa):
    names = {"VMX": "EXTERNAL_INTERRUPT", "SVM": "INTR", "ARM64": "IRQ"}
    assert isa.reasons.name_of(isa.interrupt) == names[isa.name]


def test_details_add_up_and_what_is_missing_is_not_told():
    one = Tally(10, details={TIMER: Cost(6, 600), SERIAL: Cost(3, 30)})
    other = Tally(5, details={TIMER: Cost(5, 50)})
    both = one + other
    assert both.details == {TIMER: Cost(11, 650), SERIAL: Cost(3, 30)}
    assert (one.untold, other.untold, both.untold) == (1, 0, 1)


def test_what_has_no_details_is_not_what_was_not_wanted():
    assert Tally(3).untold == (Tally(3) + Tally(4)).untold == (Tally(5) - Tally(3)).untold == 0
    assert Tally(3, details={}).untold == (Tally(3, details={}) + Tally(0)).untold == 3
    # One that came after the report before, and has not ended.
    assert (Tally(5, details={TIMER: Cost(4)}) - Tally(4, details={TIMER: Cost(4)})).untold == 1
    assert (Tally(1, details={}) - Tally()).details == {}


def test_details_of_an_interval_are_what_has_come_since():
    earlier = Tally(10, details={TIMER: Cost(6, 600), SERIAL: Cost(3, 30)})
    later = Tally(14, details={TIMER: Cost(6, 600), SERIAL: Cost(7, 95), Detail(Kind.NOTHING): Cost(1, 0)})
    delta = later - earlier
    assert delta.details == {SERIAL: Cost(4, 65), Detail(Kind.NOTHING): Cost(1, 0)}
    # One that was in flight has ended, so one more ended than began.
    assert (delta.exits, delta.untold) == (4, -1)


def test_an_exit_in_flight_that_ends_is_a_difference_though_no_exit_has_come():
    delta = Tally(10, details={TIMER: Cost(10)}) - Tally(10, details={TIMER: Cost(9)})
    assert delta and delta.exits == 0 and delta.untold == -1


def test_sums_of_intervals_are_the_whole():
    numbers = random.Random(5)
    steps, now = [Tally()], {}
    for _ in range(30):
        for detail in numbers.sample([TIMER, SERIAL, Detail(Kind.NOTHING), Detail(Kind.CPUID, 7)], 2):
            before = now.get(detail, Cost())
            now[detail] = Cost(before.exits + numbers.randrange(5), before.ns + numbers.randrange(900))
        steps.append(Tally(sum(cost.exits for cost in now.values()) + numbers.randrange(3), details=dict(now)))
    deltas = [later - earlier for earlier, later in zip(steps, steps[1:])]
    whole = add_up(deltas)
    assert {detail: cost for detail, cost in whole.details.items() if cost != Cost()} == {
        detail: cost for detail, cost in steps[-1].details.items() if cost != Cost()
    }
    assert (whole.exits, whole.untold) == (steps[-1].exits, steps[-1].untold)
