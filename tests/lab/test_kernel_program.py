"""The kernel program by itself: real program, real maps, threads of ours in place of vCPU threads."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fire import ARGUMENT, EVERYTHING, run_here
from kvm_host import programs_loaded
from made_up_reports import exits_of, snapshot
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.counts.snapshot import EndedThread, Lost, Thread
from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.attach_plan import AttachPlan, ReasonIn, plan_attachment
from virt_exitstat.kernel.exit_counter import ExitCounter
from virt_exitstat.targets.thread_filter import ThreadFilter

BEFORE = snapshot(0, {})


@pytest.mark.usefixtures("reached")
def test_a_million_events_of_8_threads_on_2_cpus_are_all_counted(counter, fire):
    one = counter()
    pid, tids = fire(one, 8, 125_000, 0x72, 0x78, 0x7B, 0x7C, 0x60)
    read = one.snapshot()
    each = dict.fromkeys((0x72, 0x78, 0x7B, 0x7C, 0x60), 25_000)
    assert exits_of(read) == {Thread(pid, tid): each for tid in tids}
    assert read.lost == Lost()


def test_threads_that_migrate_between_cpus_lose_nothing(counter, fire):
    one = counter()
    pid, tids = fire(one, 4, 6_400, 0x72, cpus=os.cpu_count())
    assert counted(one) == {Thread(pid, tid): {0x72: 6_400} for tid in tids}


def test_threads_that_share_a_cpu_and_always_miss_lose_nothing(counter, fire):
    one = counter()
    pid, tids = fire(one, 4, 5_000, 0x78, cpus=1)
    assert counted(one) == {Thread(pid, tid): {0x78: 5_000} for tid in tids}


def test_more_threads_than_rows_are_lost_to_the_last_exit(counter, fire):
    one = counter(max_vcpus=3)
    pid, tids = fire(one, 5, 1_000, 0x72)
    read = one.snapshot()
    assert len(read.counts) == 3 and set(read.counts) < {Thread(pid, tid) for tid in tids}
    assert all(counts == {0x72: 1_000} for counts in exits_of(read).values())
    assert read.lost == Lost(no_row=2_000)


def test_unknown_reasons_are_counted_under_their_number(counter, fire):
    one = counter(SVM)
    pid, (tid,) = fire(one, 1, 900, 0x72, 0x123456, 0x80000018)
    assert counted(one) == {Thread(pid, tid): {0x72: 300, 0x123456: 300, 0x80000018: 300}}


def test_more_unknown_reasons_than_there_is_room_for_are_lost_not_forgotten(counter, fire):
    one = counter(SVM)
    fire(one, 1, 400, *range(0x10000, 0x10000 + 400))
    read = one.snapshot()
    (counts,) = exits_of(read).values()
    assert sum(counts.values()) + read.lost.no_reason == 400
    assert read.lost.no_reason >= 400 - 256


@pytest.fixture(params=["read by a helper", "read by a cast"])
def cast(request):
    """What reading by a cast takes, None for reading by the helper."""
    if request.param == "read by a helper":
        return None
    found = plan_attachment(Path("/")).plans[0].cast
    return found or pytest.skip("this kernel has no bpf_rdonly_cast() (Linux 6.12 has)")


# Nothing is at 0; the other is where x86-64 maps no memory, for the kernel neither.
@pytest.mark.parametrize("vcpu", [0, 0xFFFF_EB00_0000_0000])
@pytest.mark.parametrize("reason_in", [ReasonIn.VCPU, ReasonIn.VCPU_POINTER])
def test_a_reason_that_cannot_be_read_is_lost_not_taken_for_another(counter, fire, reason_in, vcpu, cast):
    one = counter(plan=AttachPlan(reason_in, (64, 112), "the vCPU is nowhere", cast))
    fire(one, 2, 500, vcpu)
    read = one.snapshot()
    assert all(not counts for counts in read.counts.values())
    assert read.lost == Lost(no_reason=1_000)


#: Before, the reason was the first of three arguments, and the kernel takes the program that reads a third.
two_arguments = pytest.mark.skipif(
    os.uname().release.startswith("5.10."), reason="the raw tracepoint has two arguments since Linux 5.16"
)


@two_arguments
def test_an_attachment_that_the_kernel_refuses_falls_back_with_a_note():
    """Linux 6.1 has two raw arguments: the program that reads a third is refused, the regular tracepoint is taken."""
    plans = plan_attachment(Path("/"), Attachment.TRACEPOINT)
    plans = replace(plans, plans=(ARGUMENT, *plans.plans))
    said = []
    with ExitCounter(EVERYTHING, plans, max_vcpus=64, note=said.append) as counter:
        counter.attach()
    refused, taken = said
    assert refused.startswith("could not attach to the raw tracepoint kvm:kvm_exit: ")
    assert refused.endswith("; falling back")
    assert taken.startswith("attached to the tracepoint kvm:kvm_exit")


def test_maps_that_cannot_be_addressed_directly_are_said(monkeypatch):
    monkeypatch.setattr("virt_exitstat.kernel.maps.shared_maps.FARTHEST", 0)
    said = []
    with ExitCounter(EVERYTHING, plan_attachment(Path("/")), max_vcpus=64, note=said.append) as counter:
        counter.attach()
    assert said[0].startswith("maps are looked up: this kernel takes no value of ")


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize("timed", [False, True])
def test_a_counter_that_is_done_holds_no_descriptor_and_no_memory(timed):
    """Its maps live as long as one is open."""
    plans = plan_attachment(Path("/"))
    with ExitCounter(EVERYTHING, plans, max_vcpus=64):
        pass  # bcc itself opens something the first time
    before = descriptors()
    with ExitCounter(EVERYTHING, plans, max_vcpus=64, timed=timed) as counter:
        counter.attach()
        counter.snapshot()
        assert len(descriptors()) > len(before)
    assert descriptors() == before


def descriptors():
    """What is behind each descriptor of this process."""
    links = sorted(Path("/proc/self/fd").iterdir())
    return [(link.name, link.readlink()) for link in links if link.is_symlink()]


@two_arguments
def test_when_no_way_is_left_the_refusal_is_told_and_nothing_stays():
    """The raw program may not attach here, and no tracepoint's record is 10,000 bytes long."""
    plans = replace(
        plan_attachment(Path("/")), plans=(ARGUMENT, AttachPlan(ReasonIn.RECORD, (10_000,), "the test says so"))
    )
    refused = pytest.raises(ExitStatError, match="could not compile or load the kernel program")
    with refused, ExitCounter(EVERYTHING, plans, max_vcpus=64) as counter:
        counter.attach()
    assert not programs_loaded()


def test_flags_of_a_vmx_reason_do_not_hide_it(counter, fire):
    one = counter(VMX)
    pid, (tid,) = fire(one, 1, 500, 33, 33 | 1 << 31, 33 | 1 << 26, 33 | 1 << 27, 33 | 1 << 28)
    assert counted(one) == {Thread(pid, tid): {33: 500}}


@pytest.mark.parametrize("isa", [VMX, SVM], ids=["vmx", "svm"])
def test_every_slot_counts_its_own_reason(counter, fire, isa):
    one = counter(isa)
    reasons = [isa.reasons.reason_of(slot) for slot in range(isa.reasons.slots)]
    pid, (tid,) = fire(one, 1, 3 * len(reasons), *reasons)
    assert counted(one) == {Thread(pid, tid): dict.fromkeys(reasons, 3)}


def test_invalid_is_invalid_in_32_and_64_bits(counter, fire):
    one = counter(SVM)
    pid, (tid,) = fire(one, 1, 10, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
    assert counted(one) == {Thread(pid, tid): {0xFFFFFFFF: 10}}


def test_a_filter_with_512_tids_lets_just_those_through(counter, fire):
    tids = frozenset((os.getpid(), tid) for tid in range(1_000_000, 1_000_511)) | {(os.getpid(), os.getpid())}
    wanted = counter(thread_filter=ThreadFilter(threads=tids))
    fire(wanted, 2, 100, 0x72)
    assert counted(wanted) == {}
    run_here(wanted, 0x72)
    assert counted(wanted) == {Thread(os.getpid(), os.getpid()): {0x72: 1}}


def counted(counter):
    """{thread: {reason: exits}} of one snapshot, with what it tells for the last time."""
    return exits_of(counter.snapshot().since(BEFORE))


def test_a_filtered_process_is_not_counted_and_another_is(counter, fire):
    one = counter(thread_filter=ThreadFilter(tgids=frozenset({os.getpid()})))
    fire(one, 2, 1_000, 0x72, cpus=1)
    run_here(one, 0x78)
    fire(one, 2, 1_000, 0x72, cpus=1)
    assert counted(one) == {Thread(os.getpid(), os.getpid()): {0x78: 1}}


def test_a_reused_tid_of_another_process_inherits_nothing(counter, fire):
    for _ in range(10):
        one = counter()
        pid, (tid,) = fire(one, 1, 1_000, 0x72, cpus=1)
        # The next ids that the kernel gives out: another process, one of whose two threads gets the tid. Other programs
        # take ids as well, between these or before them; then it is tried again.
        next_pid = tid - 1 if tid - 1 != pid else tid - 2
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(next_pid - 1))
        other_pid, other_tids = fire(one, 2, 500, 0x78, cpus=1)
        if other_pid != pid and tid in other_tids:
            break
    assert other_pid != pid and tid in other_tids
    others = {Thread(other_pid, other): {0x78: 500} for other in other_tids}
    assert counted(one) == {Thread(pid, tid): {0x72: 1_000}, **others}


def test_rows_of_threads_that_are_gone_serve_again_and_keep_their_counts(counter, fire):
    one = counter(max_vcpus=4)
    expected = {}
    for _ in range(8):
        pid, tids = fire(one, 3, 100, 0x72, 0x123456)
        expected.update({Thread(pid, tid): {0x72: 50, 0x123456: 50} for tid in tids})
        one.free_rows(lambda thread: not Path(f"/proc/{thread.tgid}/task/{thread.tid}").exists())
    read = one.snapshot()
    assert (exits_of(read.since(BEFORE)), read.lost) == (expected, Lost())


def test_an_ended_process_keeps_its_counts_and_its_ids_start_from_nothing(counter):
    """This process stands for one that has ended and for the one that took its ids."""
    one, here = counter(max_vcpus=4), os.getpid()
    for _ in range(3):
        run_here(one, 0x72)
        run_here(one, 0x123456)
    one.end(here, 77)
    run_here(one, 0x72)
    run_here(one, 0x123456)
    ended, anew = EndedThread(here, here, 77), Thread(here, here)
    assert counted(one) == {ended: {0x72: 3, 0x123456: 3}, anew: {0x72: 1, 0x123456: 1}}
    # It is told once: whoever goes on counting keeps nothing of those who have ended.
    assert counted(one) == {anew: {0x72: 1, 0x123456: 1}}
    one.end(here, 78)
    one.end(12345, 1)
    assert counted(one) == {EndedThread(here, here, 78): {0x72: 1, 0x123456: 1}}
    assert counted(one) == {}
    assert one.snapshot().lost == Lost()


def test_rows_are_not_touched_while_there_is_room(counter, fire):
    one = counter(max_vcpus=64)
    fire(one, 2, 10, 0x72)
    one.free_rows(lambda _: pytest.fail("asked though most rows are free"))


def test_the_maps_of_4096_vcpus_take_less_than_8_mb(counter):
    assert counter(SVM, max_vcpus=4096).map_bytes() < 8_000_000


def test_a_counter_that_follows_counts_who_is_wanted_at_the_time(counter, fire):
    """This thread is skipped and cached as skipped, then wanted, by its process and by itself, then skipped again."""
    here = Thread(os.getpid(), os.getpid())
    one = counter(thread_filter=ThreadFilter(tgids=frozenset({1}), changes=True))
    run_here(one, 0x72)
    assert counted(one) == {}
    one.follow(ThreadFilter(tgids=frozenset({here.tgid}), changes=True))
    run_here(one, 0x72)
    assert counted(one) == {here: {0x72: 1}}
    one.follow(ThreadFilter(threads=frozenset({here}), changes=True))
    run_here(one, 0x78)
    fire(one, 2, 1_000, 0x72)
    assert counted(one) == {here: {0x72: 1, 0x78: 1}}
    one.follow(ThreadFilter(threads=frozenset({(here.tgid, 1)}), changes=True))
    run_here(one, 0x78)
    assert counted(one) == {here: {0x72: 1, 0x78: 1}}
    assert one.snapshot().lost == Lost()


def test_a_filter_that_changes_lets_through_from_the_start_what_it_says(counter):
    one = counter(thread_filter=ThreadFilter(tgids=frozenset({os.getpid()}), changes=True))
    run_here(one, 0x72)
    assert counted(one) == {Thread(os.getpid(), os.getpid()): {0x72: 1}}


def test_the_cache_is_cleared_once_more_at_the_next_housekeeping(counter):
    """For a miss that was under way while the filter changed: what it cached is put there by hand."""
    one = counter(thread_filter=ThreadFilter(tgids=frozenset({1}), changes=True))
    run_here(one, 0x72)
    cache = one._program.maps.memory("cache")
    stale = bytes(cache)
    one.follow(ThreadFilter(tgids=frozenset({os.getpid()}), changes=True))
    cache[:] = stale
    run_here(one, 0x72)
    assert counted(one) == {}
    one.free_rows(lambda _: False)
    run_here(one, 0x72)
    assert counted(one) == {Thread(os.getpid(), os.getpid()): {0x72: 1}}


def test_more_than_there_is_room_for_cannot_be_followed(counter):
    with pytest.raises(ExitStatError, match=r"than there is room for \(4\)"):
        counter(thread_filter=ThreadFilter(tgids=frozenset(range(1, 6)), changes=True), max_vcpus=4)
    assert not programs_loaded()
