"""The kernel program as it is compiled for arm64: its logic is the same on any machine, and so are raw arguments."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fire import EVERYTHING, run_here
from virt_exitstat.counts.details import Access, Detail, Kind, Mark
from virt_exitstat.counts.snapshot import Thread
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.kernel.attach_plan import AttachPlan, AttachPlans, ReasonIn
from virt_exitstat.kernel.events import choose_events
from virt_exitstat.kernel.program import Program

HERE = Thread(os.getpid(), os.getpid())
PAIR = AttachPlan(ReasonIn.ARGUMENT_PAIR, (), "the test says so")

# ARM_EXCEPTION_* and ESR_ELx_EC_*.
IRQ, EL1_SERROR, TRAP, IL, HYP_GONE, SERROR_PENDING = 0, 1, 2, 3, 0xBADCA11, 1 << 31
WFX, HVC64, SYS64, IABT_LOW, DABT_LOW = 0x01, 0x16, 0x18, 0x20, 0x24

# Of ESR_ELx: the class, and of aborts the write, the walk of page tables, and the kinds of faults.
EC, WRITE, WALK, TRANSLATION, FLAG, PERMISSION = 26, 1 << 6, 1 << 7, 0x07, 0x0B, 0x0F


@pytest.fixture(scope="module")
def program():
    """With events that this kernel need not have: nothing is attached."""
    one = Program(
        EVERYTHING,
        AttachPlans(ARM64, (PAIR,), ""),
        max_vcpus=64,
        timed=True,
        events=choose_events(lambda event: next(iter(event.forms))),
        root=Path("/"),
        debug=False,
        note=lambda _text: None,
    )
    yield one
    one.unload()


class Vcpu:
    """This thread in place of a vCPU's."""

    def __init__(self, program):
        self._program = program
        # Whatever another test has left ends here.
        self.tell("kvm_entry")
        self._before = self._snapshot()

    def tell(self, event, *arguments):
        run_here(SimpleNamespace(program_fds=self._program.fds), *arguments, event=event)

    def exit(self, code, trap_class, *events):
        """An exit with all that comes behind it."""
        self.tell("kvm_exit", code & 0xFFFF_FFFF_FFFF_FFFF, trap_class, 0xFFFF_8000_1234_5678)
        for event in events:
            self.tell(*event)
        self.tell("kvm_entry")

    def exits(self):
        """{reason: exits}."""
        return {reason: tally.exits for reason, tally in self._counts().items() if reason >= 0 and tally.exits}

    def told(self, reason):
        """{detail: exits} of a reason."""
        return {detail: cost.exits for detail, cost in self._counts()[reason].details.items()}

    def _counts(self):
        return self._snapshot().since(self._before).counts[HERE]

    def _snapshot(self):
        return self._program.rows.snapshot(0, 0, lambda _thread: False)


@pytest.fixture()
def vcpu(program):
    return Vcpu(program)


def test_the_class_is_the_reason_of_a_trap_and_nothing_else(vcpu):
    """Behind any other code stands the class of the last trap."""
    for code, trap_class in (
        *[(TRAP, HVC64)] * 3,
        *[(IRQ, HVC64)] * 2,
        (TRAP | SERROR_PENDING, DABT_LOW),
        # As the kernel gives an int that is negative.
        (TRAP | SERROR_PENDING - (1 << 32), DABT_LOW),
        (IRQ | SERROR_PENDING, DABT_LOW),
        (EL1_SERROR, WFX),
        (IL, WFX),
        (HYP_GONE, WFX),
        (TRAP, 0x3F),
        (TRAP, 0),
    ):
        vcpu.exit(code, trap_class)
    assert {ARM64.reasons.name_of(reason): exits for reason, exits in vcpu.exits().items()} == {
        "HVC64": 3,
        "IRQ": 3,
        "DABT_LOW": 2,
        "EL1_SERROR": 1,
        "IL": 1,
        "HYP_GONE": 1,
        "UNKNOWN(0x3f)": 1,
        "UNKNOWN": 1,
    }


def test_each_class_and_code_has_its_counter(vcpu):
    for trap_class in range(64):
        vcpu.exit(TRAP, trap_class)
    for code in (0, 1, 3, 4, 5, 6):
        vcpu.exit(code, 0)
    assert vcpu.exits() == dict.fromkeys([*range(64), 0x100, 0x101, *range(0x103, 0x107)], 1)


def fault(trap_class, bits):
    return "kvm_guest_fault", 0xFFFF_0000, trap_class << EC | 1 << 25 | bits, 0, 0x4000_0000


@pytest.mark.parametrize(
    ("trap_class", "events", "detail"),
    [
        (WFX, [("kvm_wfx_arm64", 0, 1)], Detail(Kind.WAIT, 1)),
        (WFX, [("kvm_wfx_arm64", 0, 0)], Detail(Kind.WAIT, 0)),
        (
            WFX,
            [("kvm_wfx_arm64", 0, 0), ("kvm_vcpu_wakeup", 3_000_000, 1, 1)],
            Detail(Kind.WAKEUP, 12, mark=Mark.SLEPT),
        ),
        (HVC64, [("kvm_hvc_arm64", 0, 0xFFFF_FFFF_8400_0000, 0)], Detail(Kind.SMCCC_CALL, 0x8400_0000)),
        # PSCI's CPU_SUSPEND waits too, and is a call nonetheless.
        (
            HVC64,
            [("kvm_hvc_arm64", 0, 0xC400_0001, 0), ("kvm_vcpu_wakeup", 5, 1, 1)],
            Detail(Kind.SMCCC_CALL, 0xC400_0001),
        ),
        # ICC_SGI1R_EL1 is S3_0_C12_C11_5: what an emulated `msr` of it from x3 gave.
        (SYS64, [("kvm_handle_sys_reg", 0x623A_3076)], Detail(Kind.SYSTEM_REGISTER, 0xC65D, Access.WRITE)),
        # CNTVCT_EL0 is S3_3_C14_C0_2, read into x0.
        (SYS64, [("kvm_handle_sys_reg", 0x6234_F801)], Detail(Kind.SYSTEM_REGISTER, 0xDF02, Access.READ)),
        (
            DABT_LOW,
            [fault(DABT_LOW, TRANSLATION | WRITE), ("kvm_mmio", 2, 4, 0x0900_0000)],
            Detail(Kind.MMIO, 0x0900_0000, Access.WRITE),
        ),
        (
            DABT_LOW,
            [fault(DABT_LOW, TRANSLATION), ("kvm_mmio", 0, 4, 0x0900_0018)],
            Detail(Kind.MMIO, 0x0900_0018, Access.READ),
        ),
        *(
            (trap_class, [fault(trap_class, bits)], Detail(Kind.PAGE_FAULT, 0, access, mark=mark))
            for trap_class, bits, access, mark in (
                (DABT_LOW, TRANSLATION, Access.READ, Mark.NO_PAGE),
                (DABT_LOW, TRANSLATION | WRITE, Access.WRITE, Mark.NO_PAGE),
                (DABT_LOW, PERMISSION | WRITE, Access.WRITE, Mark.PAGE_THERE),
                (DABT_LOW, FLAG, Access.READ, Mark.PAGE_THERE),
                # Level -1 of a table with 52 bits.
                (DABT_LOW, 0x2B, Access.READ, Mark.NO_PAGE),
                (IABT_LOW, TRANSLATION, Access.FETCH, Mark.NO_PAGE),
                (IABT_LOW, PERMISSION, Access.FETCH, Mark.PAGE_THERE),
                # The CPU itself walks the guest's page tables: it writes where it may not, as KVM sees it.
                (DABT_LOW, TRANSLATION | WRITE | WALK, Access.READ, Mark.NO_PAGE),
                (DABT_LOW, PERMISSION | WALK, Access.WRITE, Mark.PAGE_THERE),
            )
        ),
    ],
)
def test_what_arm64s_events_tell(vcpu, trap_class, events, detail):
    vcpu.exit(TRAP, trap_class, *events)
    assert vcpu.told(trap_class) == {detail: 1}


def test_the_hosts_interrupt_is_told_though_it_comes_before_kvm_exit(vcpu):
    """KVM lets interrupts in before it traces the exit."""
    for code, trap_class in ((IRQ, DABT_LOW), (TRAP, HVC64)):
        vcpu.tell("irq_handler_entry", 9)
        vcpu.exit(code, trap_class)
    assert vcpu.told(ARM64.interrupt) == {Detail(Kind.IRQ, 9): 1}
    assert vcpu.told(HVC64) == {Detail(Kind.NOTHING): 1}
