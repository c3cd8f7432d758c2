"""The kernel program with details: real program, real maps, threads of ours in place of vCPU threads, known events."""

import os
import threading
from pathlib import Path

import pytest

from fire import ARGUMENT, EVERYTHING, run_here, stores
from virt_exitstat.counts.details import Access, Cost, Detail, Kind, Mark
from virt_exitstat.counts.layout import details_for, row_structure
from virt_exitstat.counts.snapshot import EndedThread, State, Thread
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.attach_plan import AttachPlans
from virt_exitstat.kernel.exit_counter import ExitCounter
from virt_exitstat.targets.thread_filter import ThreadFilter

HERE = Thread(os.getpid(), os.getpid())

MSR, IOIO, INTR, NPF, CPUID, HLT = 0x7C, 0x7B, 0x60, 0x400, 0x72, 0x78
TIMER = Detail(Kind.MSR, 0x6E0, Access.WRITE)
SERIAL = Detail(Kind.PORT, 0x3F8, Access.WRITE, 1)
NOTHING = Detail(Kind.NOTHING)


@pytest.fixture()
def detailed(counter):
    """Make counters that tell details."""
    return lambda *arguments, **options: counter(*arguments, detailed=True, **options)


class Vcpu:
    """This thread in place of a vCPU's: what happens to it, event by event."""

    def __init__(self, counter):
        self.counter = counter
        # Whatever another test has left ends here.
        self.enter()
        self._before = self.counter.snapshot()

    def exit(self, reason):
        run_here(self.counter, reason)

    def enter(self):
        run_here(self.counter, event="kvm_entry")

    def return_to_qemu(self, error=0):
        run_here(self.counter, 0, -error & 0xFFFF_FFFF, event="kvm_userspace_exit")

    def msr(self, number, *, write=True, refused=False):
        run_here(self.counter, int(write), number, 0, int(refused), event="kvm_msr")

    def port(self, number, *, out=True, size=1):
        run_here(self.counter, int(out), number, size, 1, event="kvm_pio")

    def tell(self, event, *arguments):
        run_here(self.counter, *arguments, event=event)

    def told(self, reason):
        """{detail: exits} of a reason."""
        return {detail: cost.exits for detail, cost in self.tally(reason).details.items()}

    def tally(self, reason):
        """What has come since the test began."""
        return self.counter.snapshot().since(self._before).counts[HERE][reason]


@pytest.fixture(scope="module")
def shared():
    """A counter for the tests that have no wishes: compiling one takes a while."""
    with ExitCounter(EVERYTHING, AttachPlans(SVM, (ARGUMENT,), ""), max_vcpus=64, detailed=True) as counter:
        yield counter


@pytest.fixture()
def vcpu(shared):
    return Vcpu(shared)


@pytest.mark.usefixtures("reached")
def test_what_is_told_between_exit_and_entry_is_the_exits_cause(detailed):
    vcpu = Vcpu(detailed())
    for _ in range(3):
        vcpu.exit(MSR)
        vcpu.msr(0x6E0)
        vcpu.enter()
    vcpu.exit(MSR)
    vcpu.msr(0xDEAD, write=False, refused=True)
    vcpu.enter()
    assert vcpu.told(MSR) == {TIMER: 3, Detail(Kind.MSR, 0xDEAD, Access.READ, mark=Mark.REFUSED): 1}
    assert vcpu.tally(MSR).untold == 0


def test_what_is_told_before_kvm_exit_is_its_cause_too(vcpu):
    """SVM before Linux 6.12 traces the exit behind its fast path."""
    vcpu.enter()
    vcpu.msr(0x6E0)
    vcpu.exit(MSR)
    vcpu.enter()
    assert vcpu.told(MSR) == {TIMER: 1}


def test_an_exit_that_nothing_was_told_of_says_so_and_takes_nothing_from_the_next(vcpu):
    vcpu.exit(MSR)
    vcpu.enter()
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    vcpu.enter()
    vcpu.exit(MSR)
    vcpu.enter()
    assert vcpu.told(MSR) == {NOTHING: 2, TIMER: 1}


def test_the_first_event_of_the_highest_rank_tells(vcpu):
    vcpu.exit(NPF)
    vcpu.tell("kvm_page_fault", 0, 0xFEE000B0, 0b1110, 0b1110)
    vcpu.tell("kvm_apic", 1, 0xB0)
    vcpu.tell("kvm_mmio", 1, 4, 0xFED000F0)
    vcpu.tell("kvm_mmio", 2, 4, 0xFED000F8)
    vcpu.enter()
    assert vcpu.told(NPF) == {Detail(Kind.MMIO, 0xFED000F0, Access.READ): 1}


def test_all_of_vgas_memory_is_one_detail(vcpu):
    for gpa in (0x9FFFF, 0xA0000, 0xB8000, 0xBFFFF, 0xC0000):
        vcpu.exit(NPF)
        vcpu.tell("kvm_mmio", 2, 4, gpa)
        vcpu.enter()
    assert {detail.number: exits for detail, exits in vcpu.told(NPF).items()} == {0x9FFFF: 1, 0xA0000: 3, 0xC0000: 1}


def test_an_interrupt_tells_of_the_exits_that_are_for_it_and_of_no_other(vcpu):
    for reason in (INTR, MSR):
        vcpu.exit(reason)
        vcpu.tell("local_timer_entry", 0xEC)
        vcpu.enter()
    vcpu.exit(MSR)
    vcpu.tell("local_timer_entry", 0xEC)
    vcpu.msr(0x6E0)
    vcpu.enter()
    assert vcpu.told(INTR) == {Detail(Kind.VECTOR, 0xEC): 1}
    assert vcpu.told(MSR) == {NOTHING: 1, TIMER: 1}


@pytest.mark.parametrize("event", ["kvm_msr", "kvm_pio", "kvm_page_fault", "kvm_vcpu_wakeup"])
def test_an_interrupt_finds_the_rank_before_the_value(shared, event):
    """It comes between any two instructions. Where it found the value but no rank, it wrote its own value over it.

    No test can make it come right there, so that the order of the program's two writes is looked at.
    """
    row = row_structure(SVM.reasons.slots, detailed=True).fields
    assert stores(shared.program_fds[event]) == [row["what"].at, row["value"].at]


def test_an_exit_without_entry_is_told_when_the_next_one_comes(vcpu):
    """VMX in Linux 5.10 goes back into the guest without kvm_entry."""
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    vcpu.exit(IOIO)
    vcpu.port(0x3F8)
    vcpu.enter()
    assert vcpu.told(MSR) == {TIMER: 1}
    assert vcpu.told(IOIO) == {SERIAL: 1}


def test_what_qemu_handled_is_marked(vcpu):
    for _ in range(2):
        vcpu.exit(IOIO)
        vcpu.port(0x3F8)
        vcpu.return_to_qemu()
        vcpu.enter()
    # The port is told when QEMU has read it.
    vcpu.exit(IOIO)
    vcpu.return_to_qemu()
    vcpu.port(0x1F0, out=False, size=2)
    vcpu.enter()
    vcpu.exit(IOIO)
    vcpu.port(0x3F8)
    vcpu.enter()
    assert vcpu.told(IOIO) == {
        SERIAL._replace(by_qemu=True): 2,
        Detail(Kind.PORT, 0x1F0, Access.READ, 2, by_qemu=True): 1,
        SERIAL: 1,
    }


def test_a_signal_ends_the_exit_and_what_comes_behind_it_is_nobodys(vcpu):
    vcpu.exit(HLT)
    vcpu.tell("kvm_vcpu_wakeup", 3_000_000, 1, 1)
    vcpu.return_to_qemu(error=4)
    vcpu.tell("kvm_vcpu_wakeup", 1_000, 0, 1)
    vcpu.enter()
    assert vcpu.told(HLT) == {Detail(Kind.WAKEUP, 12, mark=Mark.SLEPT): 1}


@pytest.mark.parametrize(("ns", "power"), [(0, 0), (999, 0), (1_000, 1), (1_999, 1), (255_999, 8), (256_000, 9)])
def test_a_wakeup_is_told_by_a_power_of_two_that_is_longer(vcpu, ns, power):
    vcpu.exit(HLT)
    vcpu.tell("kvm_vcpu_wakeup", ns, 0, 1)
    vcpu.enter()
    assert vcpu.told(HLT) == {Detail(Kind.WAKEUP, power, mark=Mark.POLLED): 1}
    assert ns // 1_000 < 2**power


def test_an_exit_in_flight_is_not_told_yet(vcpu):
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    assert (vcpu.told(MSR), vcpu.tally(MSR).untold) == ({}, 1)
    vcpu.enter()
    assert (vcpu.told(MSR), vcpu.tally(MSR).untold) == ({TIMER: 1}, 0)


def test_exits_that_are_not_told_are_so_in_every_reason(vcpu):
    vcpu.exit(HLT)
    assert vcpu.tally(HLT).details == {} and vcpu.tally(HLT).untold == 1


def test_a_reason_without_a_slot_has_details_too(vcpu):
    vcpu.exit(0xABCD)
    vcpu.msr(0x6E0)
    vcpu.enter()
    assert vcpu.told(0xABCD) == {TIMER: 1}


def test_a_page_fault_tells_its_kind_and_no_address(detailed):
    vcpu = Vcpu(detailed(VMX))
    for error in (0b000001, 0b001001, 0b000010, 0b000100):
        vcpu.exit(48)
        # Linux 5.10 has it behind the address, later ones one further (events.py).
        vcpu.tell("kvm_page_fault", 0x1234000, error, error)
        vcpu.enter()
    assert vcpu.told(48) == {
        Detail(Kind.PAGE_FAULT, 0, Access.READ, mark=Mark.NO_PAGE): 1,
        Detail(Kind.PAGE_FAULT, 0, Access.READ, mark=Mark.PAGE_THERE): 1,
        Detail(Kind.PAGE_FAULT, 0, Access.WRITE, mark=Mark.NO_PAGE): 1,
        Detail(Kind.PAGE_FAULT, 0, Access.FETCH, mark=Mark.NO_PAGE): 1,
    }


def test_an_event_of_a_thread_that_takes_no_exits_takes_no_row(shared):
    """Interrupts come in any thread of QEMU."""
    before = set(shared.snapshot().counts)

    def interrupted():
        run_here(shared, 0xEC, event="local_timer_entry")
        run_here(shared, 1, 0x6E0, 0, 0, event="kvm_msr")

    thread = threading.Thread(target=interrupted)
    thread.start()
    thread.join()
    assert set(shared.snapshot().counts) == before


def test_a_thread_that_is_not_wanted_has_no_details(detailed):
    counter = detailed(SVM, ThreadFilter(tgids=frozenset({1})))
    vcpu = Vcpu(counter)
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    vcpu.enter()
    assert counter.snapshot().counts == {}


def test_details_that_find_no_room_are_said_and_totals_hold(detailed):
    counter = detailed(max_vcpus=1)
    vcpu, room, more = Vcpu(counter), details_for(1), 40
    for leaf in range(room + more):
        vcpu.exit(CPUID)
        vcpu.tell("kvm_cpuid", leaf)
        vcpu.enter()
    found = counter.snapshot()
    tally = found.counts[HERE][CPUID]
    assert (tally.exits, len(tally.details), tally.untold) == (room + more, room, more)
    assert found.no_detail == more
    # What is known already goes on being counted.
    vcpu.exit(CPUID)
    vcpu.tell("kvm_cpuid", 5)
    vcpu.enter()
    assert vcpu.told(CPUID)[Detail(Kind.CPUID, 5)] == 2


def test_details_of_a_process_that_has_ended_are_kept_and_their_room_is_free_again(detailed):
    counter = detailed()
    vcpu = Vcpu(counter)
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    vcpu.enter()
    before = counter.snapshot()
    counter.end(os.getpid(), 7)
    vcpu.exit(MSR)
    vcpu.enter()
    now = counter.snapshot()
    # The same ids, another process.
    assert now.gone[EndedThread(*HERE, 7)][MSR].details == {TIMER: Cost(1, 0)}
    assert now.counts[HERE][MSR].details == {NOTHING: Cost(1, 0)}
    assert before.counts[HERE][MSR].details == {TIMER: Cost(1, 0)}


def test_details_have_the_time_of_their_exits(detailed):
    counter = detailed(timed=True)
    vcpu = Vcpu(counter)
    for number in (0x6E0, 0x80B, 0x6E0):
        vcpu.exit(MSR)
        vcpu.msr(number)
        vcpu.enter()
    vcpu.exit(MSR)
    tally = vcpu.tally(MSR)
    assert sum(cost.ns for cost in tally.details.values()) == tally.time.finished_ns > 0
    assert sum(cost.exits for cost in tally.details.values()) == tally.time.finished == 3
    assert (tally.untold, tally.time.in_flight) == (1, 1)


def test_without_time_details_have_none(vcpu):
    vcpu.exit(MSR)
    vcpu.msr(0x6E0)
    vcpu.enter()
    assert vcpu.tally(MSR).details == {TIMER: Cost(1, 0)}
    assert vcpu.tally(MSR).time is None
    assert not any(isinstance(reason, State) for reason in vcpu.counter.snapshot().counts[HERE])


def test_threads_have_details_of_their_own(shared):
    told = {}

    def work(number):
        vcpu = Vcpu(shared)
        for _ in range(number):
            vcpu.exit(MSR)
            vcpu.msr(number)
            vcpu.enter()
        told[Thread(os.getpid(), threading.get_native_id())] = number

    threads = [threading.Thread(target=work, args=(number,)) for number in (11, 22, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = shared.snapshot().counts
    assert {thread: counts[thread][MSR].details for thread in told} == {
        thread: {Detail(Kind.MSR, number, Access.WRITE): Cost(number, 0)} for thread, number in told.items()
    }


def test_every_event_of_this_kernel_that_tells_details_has_its_program(shared):
    names = set(shared.program_fds)
    assert {
        "kvm_exit",
        "kvm_entry",
        "kvm_userspace_exit",
        "kvm_msr",
        "kvm_mmio",
        "local_timer_entry",
    } <= names
    missing = [name for name in names if not list(Path("/sys/kernel/tracing/events").glob(f"*/{name}"))]
    assert missing == []
