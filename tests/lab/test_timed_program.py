"""The kernel program with times: real program, real maps, threads of ours in place of vCPU threads, known events."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fire import EVERYTHING, compile_fire, run_here
from kvm_host import CHECKOUT, programs_loaded, wait_until
from made_up_reports import exits_of
from virt_exitstat.counts.layout import blocks_for
from virt_exitstat.counts.snapshot import EndedThread, Lost, State, Thread
from virt_exitstat.counts.tally import add_up
from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.attach_plan import plan_attachment
from virt_exitstat.kernel.exit_counter import ExitCounter
from virt_exitstat.targets.thread_filter import ThreadFilter

EINTR = 4
HERE = Thread(os.getpid(), os.getpid())


@pytest.fixture()
def timed(counter):
    """Make counters that time exits."""
    return lambda *arguments, **options: counter(*arguments, timed=True, **options)


def is_gone(thread):
    return not Path(f"/proc/{thread.tgid}/task/{thread.tid}").exists()


def exit_here(counter, reason):
    run_here(counter, reason)


def enter_here(counter):
    run_here(counter, event="kvm_entry")


def return_here(counter, error=0):
    run_here(counter, 0, -error & 0xFFFF_FFFF, event="kvm_userspace_exit")


def checked(tallies):
    """{reason: tally} without the states, of which each sum holds."""
    found = {reason: tally for reason, tally in tallies.items() if not isinstance(reason, State)}
    for tally in found.values():
        assert tally.time.finished + tally.time.in_flight + tally.untimed == tally.exits
        assert tally.time.finished_ns >= tally.time.max_ns
        assert tally.time.total_ns >= tally.time.qemu_ns
    return found


def finished(tallies):
    return {reason: tally.time.finished for reason, tally in checked(tallies).items()}


def all_ns(tallies):
    """All that a thread did, up to the reading."""
    sign = {State.AHEAD: -1}
    return sum(sign.get(key, 1) * tally.time.total_ns for key, tally in tallies.items())


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(("isa", "reasons"), [(SVM, (0x72, 0x78, 0x7B, 0x7C, 0x60)), (VMX, (10, 12, 30, 32, 1))])
def test_threads_that_change_cpus_are_timed_to_the_last_exit(timed, fire, isa, reasons):
    one = timed(isa)
    events = [event for reason in reasons for event in (reason, "entry")]
    pid, tids = fire(one, 8, 10_000, *events, cpus=os.cpu_count())
    read = one.snapshot(is_gone)
    assert set(read.counts) == {Thread(pid, tid) for tid in tids}
    for tallies in read.counts.values():
        assert finished(tallies) == dict.fromkeys(reasons, 1_000)
        assert all(tally.exits == 1_000 and tally.untimed == 0 for tally in checked(tallies).values())
        assert tallies[State.GUEST].time.total_ns > 0
    assert (read.lost, read.no_block) == (Lost(), 0)


def test_threads_that_share_a_cpu_are_timed_to_the_last_exit(timed, fire):
    one = timed()
    fire(one, 4, 4_000, 0x72, "entry", 0x7B, "return", "entry", 0x7C, "kick", "entry", cpus=1)
    for tallies in one.snapshot(is_gone).counts.values():
        assert finished(tallies) == dict.fromkeys((0x72, 0x7B, 0x7C), 500)
        assert tallies[State.STOPPED].time.finished == 500


def test_an_exit_without_an_entry_is_counted_and_not_timed(timed, fire):
    one = timed()
    fire(one, 1, 400, 0x72, 0x72, 0x78, "entry")
    (tallies,) = one.snapshot(is_gone).counts.values()
    assert {reason: (tally.exits, tally.untimed) for reason, tally in checked(tallies).items()} == {
        0x72: (200, 200),
        0x78: (100, 0),
    }


def test_an_entry_without_an_exit_is_nothing(timed, fire):
    one = timed()
    fire(one, 1, 30, "entry", "entry", "kick", "return")
    (tallies,) = one.snapshot(is_gone).counts.values()
    assert {key: tally for key, tally in tallies.items() if tally} == {}


def test_blocks_that_run_out_are_told(timed, fire):
    one = timed(max_vcpus=1)
    reasons = range(100)
    fire(one, 1, 2_000, *(event for reason in reasons for event in (reason, "entry")))
    read = one.snapshot(is_gone)
    (tallies,) = read.counts.values()
    room = blocks_for(1) - 1
    assert room < 100
    found = checked(tallies)
    assert {tally.exits for tally in found.values()} == {10}
    assert sorted(tally.untimed for tally in found.values()) == [0] * room + [10] * (100 - room)
    assert read.no_block == 10 * (100 - room)
    assert read.lost == Lost()


def test_a_return_because_of_a_signal_ends_the_exit_and_begins_a_stop(timed):
    one = timed()
    enter_here(one)
    exit_here(one, 0x72)
    return_here(one, EINTR)
    time.sleep(0.2)
    stopped = one.snapshot().counts[HERE]
    return_here(one, EINTR)
    return_here(one)
    enter_here(one)
    tallies = one.snapshot().counts[HERE]
    assert finished(stopped) == finished(tallies) == {0x72: 1}
    assert stopped[0x72] == tallies[0x72]
    assert (stopped[State.STOPPED].time.finished, stopped[State.STOPPED].time.in_flight) == (0, 1)
    assert (tallies[State.STOPPED].time.finished, tallies[State.STOPPED].time.in_flight) == (1, 0)
    assert tallies[State.STOPPED].time.total_ns > stopped[State.STOPPED].time.total_ns >= 0.2e9
    assert tallies[0x72].time.qemu_ns == 0


def test_the_time_in_qemu_is_from_the_first_return_to_the_entry(timed):
    one = timed()
    exit_here(one, 0x7B)
    return_here(one)
    time.sleep(0.05)
    first = one.snapshot().counts[HERE][0x7B].time
    return_here(one)
    time.sleep(0.05)
    enter_here(one)
    exit_here(one, 0x72)
    enter_here(one)
    tallies = one.snapshot().counts[HERE]
    assert 0.05e9 <= first.qemu_ns <= first.total_ns
    assert max(first.qemu_ns, 0.1e9) <= tallies[0x7B].time.qemu_ns <= tallies[0x7B].time.total_ns
    assert tallies[0x72].time.qemu_ns == 0


def test_an_exit_in_flight_grows_by_the_clock_and_so_does_the_guest(timed):
    one = timed()
    exit_here(one, 0x78)
    before, after = one.snapshot(), (time.sleep(0.1), one.snapshot())[1]
    grown = after.counts[HERE][0x78].time.total_ns - before.counts[HERE][0x78].time.total_ns
    assert abs(grown - (after.time_s - before.time_s) * 1e9) <= 1
    assert checked(after.counts[HERE])[0x78].time.in_flight == 1
    enter_here(one)
    before, after = one.snapshot(), (time.sleep(0.1), one.snapshot())[1]
    grown = after.counts[HERE][State.GUEST].time.total_ns - before.counts[HERE][State.GUEST].time.total_ns
    assert abs(grown - (after.time_s - before.time_s) * 1e9) <= 1
    assert after.counts[HERE][0x78] == before.counts[HERE][0x78]


def test_what_a_thread_does_adds_up_to_the_time_that_passes(timed):
    one = timed()
    enter_here(one)
    first = one.snapshot()
    for _ in range(50):
        exit_here(one, 0x72)
        enter_here(one)
        exit_here(one, 0x7B)
        return_here(one)
        enter_here(one)
        exit_here(one, 0x78)
        return_here(one, EINTR)
        enter_here(one)
        read = one.snapshot()
        passed_ns = (read.time_s - first.time_s) * 1e9
        assert abs(all_ns(read.counts[HERE]) - all_ns(first.counts[HERE]) - passed_ns) <= 2


def test_no_time_goes_backwards_while_threads_run(timed, tmp_path):
    one = timed()
    fds = list(one.program_fds.values())
    binary = compile_fire(tmp_path)
    command = [binary, ",".join(map(str, fds)), "2", "60000", "0", "0x72", "entry", "0x7B", "return", "entry"]
    told = {}
    with subprocess.Popen(command, pass_fds=fds, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            read = one.snapshot(is_gone)
            for thread, tallies in read.counts.items():
                for key, tally in tallies.items():
                    before = told.get((thread, key))
                    if before and key != State.AHEAD:
                        assert tally.time.total_ns >= before.time.total_ns
                        assert tally.time.qemu_ns >= before.time.qemu_ns
                    told[thread, key] = tally
    assert len(told) >= 6
    for tallies in one.snapshot(is_gone).counts.values():
        assert finished(tallies) == {0x72: 12_000, 0x7B: 12_000}


def test_a_thread_that_ends_in_an_exit_has_no_time_after_it(timed, fire):
    one = timed()
    pid, (tid,) = fire(one, 1, 3, 0x72, "entry", 0x78)
    first = one.snapshot(is_gone).counts[Thread(pid, tid)]
    time.sleep(0.1)
    second = one.snapshot(is_gone).counts[Thread(pid, tid)]
    assert first == second
    assert {reason: (tally.exits, tally.untimed) for reason, tally in checked(second).items()} == {
        0x72: (1, 0),
        0x78: (1, 1),
    }


def test_what_was_told_of_an_exit_in_flight_stays_when_its_process_ends(timed):
    """This process stands for the one that ends."""
    one = timed()
    exit_here(one, 0x78)
    time.sleep(0.05)
    before = one.snapshot()
    one.end(os.getpid(), 77)
    delta = one.snapshot().since(before.ended(os.getpid(), 77))
    assert {key: tally for tallies in delta.counts.values() for key, tally in tallies.items() if tally.exits} == {}
    assert all(tally.time.total_ns == 0 for tallies in delta.counts.values() for tally in tallies.values())
    assert EndedThread(*HERE, 77) in before.ended(os.getpid(), 77).counts


def test_who_takes_the_ids_of_an_ended_process_begins_without_its_times(timed):
    """This process stands for both."""
    one = timed()
    exit_here(one, 0x78)
    time.sleep(0.05)
    assert one.snapshot().counts[HERE][0x78].time.total_ns >= 0.05e9
    one.end(os.getpid(), 77)
    exit_here(one, 0x78)
    enter_here(one)
    anew = one.snapshot().counts[HERE][0x78]
    assert anew.time.total_ns == anew.time.finished_ns and (anew.exits, anew.untimed) == (1, 0)


@pytest.mark.parametrize("reasons", [(0x123456,), (0x123456, 0x123457)])
def test_times_without_a_slot_are_told_once_when_a_process_ends(timed, reasons):
    one = timed()
    before = one.snapshot()
    for reason in reasons:
        for _ in range(5):
            exit_here(one, reason)
            enter_here(one)
    told = one.snapshot()
    one.end(os.getpid(), 77)
    ended = one.snapshot().since(told.ended(os.getpid(), 77))
    assert all(tally.exits == tally.untimed == 0 for of in ended.counts.values() for tally in of.values())
    whole = add_up(told.since(before).counts[HERE].values())
    assert whole.time.finished == whole.exits == 5 * len(reasons)
    # Exits of both reasons are in the sum; of which they are is not known.
    assert whole.untimed == (0 if len(reasons) == 1 else 10)


def test_a_second_reason_without_a_slot_leaves_the_first_what_it_was_told(timed):
    one = timed()
    exit_here(one, 0x123456)
    enter_here(one)
    first = one.snapshot()
    exit_here(one, 0x123457)
    enter_here(one)
    second = one.snapshot().since(first).counts[HERE]
    assert 0x123456 not in second
    assert (second[0x123457].exits, second[State.UNSLOTTED].time.finished) == (1, 1)


def test_who_is_followed_anew_takes_no_time_along(timed):
    """This thread is wanted, then not, then wanted again; what it does unseen belongs to no exit and to no guest."""
    one = timed(thread_filter=ThreadFilter(tgids=frozenset({os.getpid()}), changes=True))
    enter_here(one)
    exit_here(one, 0x72)
    time.sleep(0.02)
    one.follow(ThreadFilter(tgids=frozenset({1}), changes=True))
    left = one.snapshot().counts[HERE]
    time.sleep(0.1)
    assert one.snapshot().counts[HERE] == left
    enter_here(one)
    exit_here(one, 0x7C)
    one.follow(ThreadFilter(tgids=frozenset({os.getpid()}), changes=True))
    assert one.snapshot().counts[HERE] == left
    enter_here(one)
    exit_here(one, 0x78)
    enter_here(one)
    back = one.snapshot().counts[HERE]
    assert finished(back) == {0x72: 0, 0x78: 1}
    assert back[0x72] == left[0x72] and back[0x72].untimed == 1
    assert back[0x72].time.total_ns >= 0.02e9
    assert back[0x78].time.total_ns < 0.1e9 or back[0x78].time.total_ns == back[0x78].time.max_ns


def test_rows_and_blocks_of_threads_that_are_gone_serve_again(timed, fire):
    one = timed(max_vcpus=4)
    reasons = (0x72, 0x78, 0x7B, 0x7C, 0x60)
    expected = {}
    before = one.snapshot(is_gone)
    deltas = {}
    for _ in range(10):
        pid, tids = fire(one, 3, 100, *(event for reason in reasons for event in (reason, "entry")))
        expected.update({Thread(pid, tid): dict.fromkeys(reasons, 10) for tid in tids})
        one.free_rows(is_gone)
        read = one.snapshot(is_gone)
        for thread, tallies in read.since(before).counts.items():
            deltas[thread] = tallies
        before = read
    assert 10 * 3 * len(reasons) > blocks_for(4)
    assert {thread: finished(tallies) for thread, tallies in deltas.items()} == expected
    assert (before.lost, before.no_block) == (Lost(), 0)


def test_a_reason_without_a_slot_is_timed_and_several_are_timed_together(timed, fire):
    one = timed()
    fire(one, 1, 200, 0x123456, "entry")
    (tallies,) = one.snapshot(is_gone).counts.values()
    assert finished(tallies) == {0x123456: 100} and State.UNSLOTTED not in tallies
    two = timed()
    fire(two, 1, 400, 0x123456, "entry", 0x123457, "entry")
    (tallies,) = two.snapshot(is_gone).counts.values()
    assert {reason: (tally.exits, tally.untimed) for reason, tally in checked(tallies).items()} == {
        0x123456: (100, 100),
        0x123457: (100, 100),
    }
    assert tallies[State.UNSLOTTED].time.finished == 200


def test_a_thread_that_is_not_wanted_is_neither_counted_nor_timed(timed, fire):
    one = timed(thread_filter=ThreadFilter(tgids=frozenset({os.getpid()})))
    fire(one, 2, 100, 0x72, "entry", 0x7B, "kick")
    assert exits_of(one.snapshot()) == {}
    enter_here(one)
    assert set(one.snapshot().counts) == {HERE}


def test_the_memory_of_times(timed):
    assert timed(SVM, max_vcpus=4096).map_bytes() < 36_000_000
    assert timed(SVM, max_vcpus=1024).map_bytes() < 10_000_000


# -- attaching --


def test_when_one_of_the_three_is_refused_nothing_stays_attached(monkeypatch):
    """A program that reads a second argument may not attach to an event that has only one, as kvm:kvm_fpu has."""
    refused = {b"kvm_entry": b"enter_guest", b"kvm_fpu": b"leave_kernel"}
    monkeypatch.setattr("virt_exitstat.kernel.program.WINDOW", refused)
    plans = plan_attachment(Path("/"))
    with ExitCounter(EVERYTHING, plans, max_vcpus=64, timed=True) as counter:
        with pytest.raises(ExitStatError, match="could not attach to the raw tracepoint kvm:kvm_fpu: "):
            counter.attach()
        assert "kvm_entry" not in attached()
    assert not programs_loaded()


def test_ctrl_c_between_two_attachments_leaves_nothing():
    for event in ("kvm_entry", "kvm_userspace_exit", "kvm_exit"):
        tool = subprocess.Popen([CHECKOUT / "virt-exitstat", "--time"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda event=event: event in attached(), f"{event} is attached")
        tool.send_signal(signal.SIGINT)
        out, _ = tool.communicate()
        # A report of what was counted so far, as for Ctrl-C at any later time.
        assert tool.returncode == 0 and b"guest01: " in out
        assert not programs_loaded()


def attached():
    """What the kernel says of raw tracepoints that have a program. bpftool stumbles over one that goes meanwhile."""
    return subprocess.run(["bpftool", "-j", "link"], capture_output=True, text=True, check=False).stdout
