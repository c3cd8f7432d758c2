"""memory: rows and blocks read as the kernel program writes them, over bytes that are made up."""

import struct

import pytest

from virt_exitstat.counts.durations import BUCKETS, Durations, bucket_of
from virt_exitstat.counts.layout import block_structure, row_structure, window_slots
from virt_exitstat.counts.memory import RowMemory
from virt_exitstat.counts.snapshot import State
from virt_exitstat.counts.tally import Tally
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

NOW_NS = 10**15


class Bytes:
    """Two rows and seven blocks of an ISA, and how to write to them."""

    def __init__(self, isa, *, timed=True):
        self.table = isa.reasons
        self.row, self.block = row_structure(self.table.slots, timed=timed), block_structure()
        self.rows, self.blocks = bytearray(2 * self.row.size), bytearray(8 * self.block.size)
        self.memory = RowMemory(memoryview(self.rows), 2, self.table, memoryview(self.blocks) if timed else None)

    def set(self, field, number, index=0, row=0):
        self._set(self.rows, row * self.row.size, self.row.fields[field], number, index)

    def set_block(self, block, field, number, index=0):
        self._set(self.blocks, block * self.block.size, self.block.fields[field], number, index)

    def _set(self, where, at, field, number, index):
        form = {8: "=Q", 4: "=I", 2: "=H"}[field.width]
        struct.pack_into(form, where, at + field.at + index * field.width, number)

    def slot(self, reason):
        return self.table.slot_of(reason)

    def window(self, slot, length_ns, now_ns=NOW_NS):
        self.set("window", (now_ns - length_ns << 8 | slot) & (1 << 64) - 1)

    def read(self, now_ns=NOW_NS):
        return self.memory.read_timed(0, now_ns)


@pytest.fixture(params=[VMX, SVM], ids=["vmx", "svm"])
def made(request):
    return Bytes(request.param)


def test_a_row_without_times_has_exits_only():
    made = Bytes(SVM, timed=False)
    made.set("identity", 77, row=1)
    made.set("exits", 5, made.slot(0x72), row=1)
    assert made.memory.taken() == [(77, 1)]
    assert made.memory.read(1) == {0x72: Tally(5)}
    assert made.memory.clear(1) == []
    assert made.memory.taken() == [] and made.memory.read(1) == {}


def test_times_are_those_of_the_blocks_that_the_row_names(made):
    hlt = made.slot(made.table.reason_of(12))
    made.set("exits", 3, hlt)
    made.set("block", 4, hlt)
    for field, number in (("total", 900), ("max", 700), ("qemu", 50)):
        made.set_block(4, field, number)
    made.set_block(4, "bucket", 1, bucket_of(700))
    made.set_block(4, "bucket", 2, bucket_of(100))
    made.set("guest", 12_345)
    tallies, unslotted, window = made.read()
    buckets = {bucket_of(700): 1, bucket_of(100): 2}
    time = Durations(total_ns=900, finished_ns=900, qemu_ns=50, max_ns=700, buckets=buckets)
    assert tallies == {made.table.reason_of(12): Tally(3, time), State.GUEST: Tally(0, Durations(total_ns=12_345))}
    assert unslotted is None and window.key is None


def test_what_is_in_flight_is_told_apart(made):
    others = window_slots(made.table.slots)
    reason = made.table.reason_of(10)
    keys = {10: reason, others.unslotted: State.UNSLOTTED, others.stopped: State.STOPPED, others.guest: State.GUEST}
    for slot, key in {**keys, others.unknown: None}.items():
        made.window(slot, 5_000)
        window = made.read()[2]
        assert (window.key, window.length_ns, window.qemu_ns) == (key, 5_000, 0)
        assert window.is_exit == (key in (reason, State.UNSLOTTED, State.STOPPED))
    made.set("left", NOW_NS - 1_500)
    assert made.read()[2].qemu_ns == 1_500


def test_a_row_that_was_given_out_this_moment_does_nothing_yet(made):
    made.set("identity", 77)
    assert made.read()[2].key is None


def test_a_window_that_begins_after_the_clock_was_read_has_a_length_below_0(made):
    made.window(10, -250)
    made.set("left", NOW_NS + 100)
    assert made.read()[2][1:] == (-250, 0)


@pytest.mark.parametrize("length_ns", [1_000, 10**12, -300])
def test_56_bits_of_time_come_round(made, length_ns):
    """After 833 days: the window began before, and the clock is behind it, or the other way round."""
    now_ns = (1 << 56) + 500
    made.window(10, length_ns, now_ns)
    assert made.read(now_ns)[2].length_ns == length_ns


def test_stops_and_reasons_without_a_slot_have_blocks_too(made):
    others = window_slots(made.table.slots)
    for block, slot in enumerate((others.stopped, others.unslotted), 1):
        made.set("block", block, slot)
        made.set_block(block, "total", block * 100)
    tallies, unslotted, _ = made.read()
    assert tallies[State.STOPPED].time.total_ns == 100
    assert unslotted.time.total_ns == 200


def test_counters_that_come_round_go_on(made):
    made.set("identity", 77)
    made.set("block", 1, 10)
    for number, right in (
        (1 << 31, 1 << 31),
        (5, (1 << 32) + 5),
        (6, (1 << 32) + 6),
        ((1 << 32) - 1, (2 << 32) - 1),
        (0, 2 << 32),
    ):
        made.set_block(1, "bucket", number, BUCKETS - 1)
        assert made.read()[0][made.table.reason_of(10)].time.finished == right


def test_a_look_is_enough_to_notice_that(made):
    made.set("identity", 77)
    made.set("block", 1, 10)
    made.set_block(1, "bucket", 3 << 30, 7)
    made.memory.look()
    made.set_block(1, "bucket", 6, 7)
    assert made.read()[0][made.table.reason_of(10)].time.finished == (1 << 32) + 6


def test_a_row_is_cleared_with_its_blocks(made):
    made.set("identity", 77)
    made.set("block", 3, 10)
    made.set("block", 5, 11)
    made.set_block(3, "bucket", 1 << 31, 4)
    made.set_block(5, "total", 99)
    made.set_block(6, "total", 1)
    made.read()
    assert made.memory.clear(0) == [3, 5]
    assert not any(made.rows) and sum(made.blocks) == 1
    # Whoever gets the block begins from nothing, though the counter comes down from its upper half.
    made.set("block", 3, 10)
    made.set_block(3, "bucket", 2, 4)
    assert made.read()[0][made.table.reason_of(10)].time.finished == 2


def test_a_thread_that_is_no_longer_timed_begins_anew(made):
    made.window(10, 5_000)
    made.set("left", 1)
    made.memory.close_window(0)
    assert made.read()[2][::2] == (None, 0)


def test_memory_that_is_let_go_is_no_longer_read(made):
    made.memory.release()
    with pytest.raises(ValueError, match="released"):
        made.read()


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("in_exit", [False, True])
@pytest.mark.parametrize("where", ["_copy", "copy"])
@pytest.mark.parametrize("moments", [(0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2), tuple(range(12))])
def test_what_ends_while_a_row_is_read_is_told_whole(made, monkeypatch, moments, where, in_exit, at_once):
    """Its thread goes on whenever something is copied: exits for two reasons in turn, and the guest, 100 ns each."""
    guest, state = window_slots(made.table.slots).guest, {"copies": 0, "ended": 0, "guest": 0, 10: 1, 11: 1}
    for block, slot in enumerate((10, 11), 1):
        made.set("block", block, slot)
        made.set("exits", 1, slot)
        made.set_block(block, "total", 2_000)
    made.window(10 if in_exit else guest, 5_000)

    def go_on():
        state["ended"] += 1
        exits, began = divmod(state["ended"] + in_exit, 2)
        slot, begun_ns = 10 + exits % 2, 5_000 - 100 * state["ended"]
        if began:
            state[slot] += 1
            made.set("exits", state[slot], slot)
            made.window(slot, begun_ns)
            state["guest"] += 100
            made.set("guest", state["guest"])
        else:
            ended = 10 if state["ended"] == 1 else 10 + (exits - 1) % 2
            made.window(guest, begun_ns)
            made.set_block(ended - 9, "total", 2_000 + 100 * (1 + state.setdefault(f"total {ended}", 0)))
            state[f"total {ended}"] += 1

    def copy_and_go_on(number):
        copied = copy(number)
        state["copies"] += 1
        if state["copies"] - 1 in moments:
            for _ in range(at_once):
                go_on()
        return copied

    owner = made.memory if where == "_copy" else made.memory._blocks
    copy = getattr(owner, where)
    monkeypatch.setattr(owner, where, copy_and_go_on)
    tallies, _, window = made.read()
    assert state["ended"] == at_once * len(moments)
    assert sum(tally.time.total_ns for tally in tallies.values()) + window.length_ns == 9_000
