"""The kernel program's rows and blocks as memory that is read. Written by threads that run meanwhile."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..isa.reasons import ReasonTable
from .durations import Durations
from .layout import Field, block_structure, row_structure, window_slots
from .snapshot import State
from .tally import Tally

#: A vCPU that exits all the time may close a window while it is read. Then it is read again, so often at most.
_TRIES = 200

#: The time in a row's `window` has 56 bits.
_TIME_BITS = 56

#: A histogram's counters have 32 bits. One that was in the upper half and is in the lower one has come round, if it is
#: looked at often enough: half of it takes a million exits a second 35 minutes.
_HALF = 1 << 31


#: {bytes of a number: how struct calls it}.
_FORMATS = {8: "Q", 4: "I", 2: "H"}


class Window(NamedTuple):
    """What a thread did when its row was read: `key` is a raw reason, a State, or None for what is not told.

    It lasts for `length_ns` up to the reading, `qemu_ns` of it in QEMU. A length below 0: it began after the reading.
    """

    key: int | None
    length_ns: int
    qemu_ns: int

    @property
    def is_exit(self) -> bool:
        """Whether it is one of those that are counted when they end: an exit or a stop."""
        return self.key is not None and self.key not in (State.GUEST, State.AHEAD)


class RowMemory:
    """The maps `rows` and, with times, `blocks` of bpf/exitstat.bpf.c, as layout.py says.

    `rows` and `blocks` are their bytes; `capacity` is the number of rows. `detailed`: the program tells details.
    """

    def __init__(
        self,
        rows: memoryview,
        capacity: int,
        table: ReasonTable,
        blocks: memoryview | None = None,
        *,
        detailed: bool = False,
    ) -> None:
        slots = table.slots
        self._structure = row_structure(slots, timed=blocks is not None, detailed=detailed)
        self._slots, self._capacity = slots, capacity
        self._keys: list[int] = [table.reason_of(slot) for slot in range(slots)]
        self._others = window_slots(slots)
        self._bytes, self._words = rows, rows.cast("Q")
        self._blocks = _BlockMemory(blocks) if blocks is not None else None

    def release(self) -> None:
        """Let the memory go; nothing can be read any more."""
        self._words.release()
        self._bytes.release()
        if self._blocks:
            self._blocks.release()

    def taken(self) -> list[tuple[int, int]]:
        """(identity, row) of each row that belongs to a thread."""
        step = self._structure.size // 8
        identities = self._words[self._structure.fields["identity"].at // 8 : self._capacity * step : step].tolist()
        return [(identity, row) for row, identity in enumerate(identities) if identity]

    def read(self, row: int) -> dict[int, Tally]:
        """{raw reason: tally} of a row, whose exits are not timed."""
        exits = self._numbers(self._copy(row), "exits")
        return {self._keys[slot]: Tally(count) for slot, count in enumerate(exits) if count}

    def read_timed(self, row: int, clock_ns: int) -> tuple[dict[int, Tally], Tally | None, Window]:
        """{raw reason or State: tally} of a row, the times of exits without a slot, and what is in flight.

        Of the latter nothing is in the tallies. `clock_ns` was read before, so that no exit is told longer than it was.
        """
        assert self._blocks
        copy, copies = self._copy_all(row)
        window, left, guest = (self._number(copy, field) for field in ("window", "left", "guest"))
        exits = self._numbers(copy, "exits")
        times = {
            slot: self._blocks.read(block, copies[slot]) for slot, block in self._blocks_of(copy) if slot in copies
        }
        tallies = {
            key: Tally(exits[slot], times.get(slot, Durations()))
            for slot, key in enumerate(self._keys)
            if exits[slot] or slot in times
        }
        if self._others.stopped in times:
            tallies[State.STOPPED] = Tally(0, times[self._others.stopped])
        tallies[State.GUEST] = Tally(0, Durations(total_ns=guest))
        unslotted = times.get(self._others.unslotted)
        return tallies, Tally(0, unslotted) if unslotted else None, self._window(window, left, clock_ns)

    def close_window(self, row: int) -> None:
        """Forget what the row's thread does; the next event begins anew. No event may come meanwhile."""
        self._words[self._word_at(row, "window")] = self._others.unknown
        for field in ("left", "what"):
            if field in self._structure.fields:
                self._words[self._word_at(row, field)] = 0

    def clear(self, row: int) -> list[int]:
        """Make it nobody's row, with zeros; the blocks that it had, cleared as well. It must not be in use."""
        blocks = [block for _, block in self._blocks_of(self._copy(row))] if self._blocks else []
        self._bytes[self._structure.place(row)] = bytes(self._structure.size)
        for block in blocks:
            assert self._blocks
            self._blocks.clear(block)
        return blocks

    def look(self) -> None:
        """Look at all times, so that counters that come round are noticed."""
        if self._blocks:
            for _, row in self.taken():
                for _, block in self._blocks_of(self._copy(row)):
                    self._blocks.read(block, self._blocks.copy(block))

    def _window(self, window: int, left: int, clock_ns: int) -> Window:
        slot = window & 0xFF
        length_ns = ((clock_ns << 8) - (window - slot) & (1 << 64) - 1) >> 8
        if length_ns >> _TIME_BITS - 1:
            length_ns -= 1 << _TIME_BITS
        keys: Mapping[int, int] = {
            self._others.unslotted: State.UNSLOTTED,
            self._others.stopped: State.STOPPED,
            self._others.guest: State.GUEST,
        }
        # The program gives out a row before it fills it.
        key = (self._keys[slot] if slot < self._slots else keys.get(slot)) if window else None
        return Window(key, length_ns, max(clock_ns - left, 0) if left else 0)

    def _copy_all(self, row: int) -> tuple[bytes, dict[int, bytes]]:
        """A row and, by slot, its blocks, all of one moment.

        First all are copied; then, until nothing happens meanwhile, only those that may have changed since. Whatever
        takes time stands outside of the copying.
        """
        assert self._blocks
        first = self._copy(row)
        again = dict(self._blocks_of(first))
        copies: dict[int, bytes] = {}
        for _ in range(_TRIES):
            copy = self._copy(row)
            copies.update({slot: self._blocks.copy(block) for slot, block in again.items()})
            after = self._copy(row)
            changed = self._changed_blocks(first, after) if first != after else {}
            if copy == after and changed.keys() <= again.keys():
                break
            again = changed
        return copy, copies

    def _changed_blocks(self, before: bytes, after: bytes) -> dict[int, int]:
        """{slot: block} of those that may have changed between two copies of a row."""
        exits = zip(self._numbers(before, "exits"), self._numbers(after, "exits"))
        slots = {slot for slot, (old, new) in enumerate(exits) if old != new}
        # What was under way ended without being counted again; the other two are not counted in the row.
        slots |= {self._number(before, "window") & 0xFF, self._others.unslotted, self._others.stopped}
        return {slot: block for slot, block in self._blocks_of(after) if slot in slots}

    def _copy(self, row: int) -> bytes:
        return bytes(self._bytes[self._structure.place(row)])

    def _word_at(self, row: int, field: str) -> int:
        return (row * self._structure.size + self._structure.fields[field].at) // 8

    def _number(self, copy: bytes, field: str) -> int:
        return self._numbers(copy, field)[0]

    def _numbers(self, copy: bytes, field: str) -> tuple[int, ...]:
        return _numbers(copy, self._structure.fields[field])

    def _blocks_of(self, copy: bytes) -> list[tuple[int, int]]:
        """(slot, block) of each slot of a row that has one."""
        return [(slot, block) for slot, block in enumerate(self._numbers(copy, "block")) if block]


class _BlockMemory:
    """The map `blocks`: `max`, `total` and `qemu` of a block only grow, as do its counters until they come round."""

    def __init__(self, blocks: memoryview) -> None:
        self._structure, self._bytes = block_structure(), blocks
        # (block, bucket) of counters in their upper half, and what those that came round had before.
        self._high: set[tuple[int, int]] = set()
        self._before: dict[tuple[int, int], int] = {}

    def release(self) -> None:
        self._bytes.release()

    def copy(self, block: int) -> bytes:
        return bytes(self._bytes[self._structure.place(block)])

    def read(self, block: int, copy: bytes) -> Durations:
        """What a copy of the block says."""
        fields = self._structure.fields
        (total,), (longest,), (qemu,) = (_numbers(copy, fields[name]) for name in ("total", "max", "qemu"))
        counters = _numbers(copy, fields["bucket"])
        buckets = {bucket: exits for bucket, exits in enumerate(counters) if exits}
        if self._high or self._before or max(counters) >= _HALF:
            buckets = dict(self._carry(block, counters))
        return Durations(total_ns=total, qemu_ns=qemu, finished_ns=total, max_ns=longest, buckets=buckets)

    def clear(self, block: int) -> None:
        self._bytes[self._structure.place(block)] = bytes(self._structure.size)
        self._high = {place for place in self._high if place[0] != block}
        self._before = {place: exits for place, exits in self._before.items() if place[0] != block}

    def _carry(self, block: int, counters: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        for bucket, exits in enumerate(counters):
            place = (block, bucket)
            if exits >= _HALF:
                self._high.add(place)
            elif place in self._high:
                self._high.discard(place)
                self._before[place] = self._before.get(place, 0) + 2 * _HALF
            if exits or place in self._before:
                yield bucket, exits + self._before.get(place, 0)


def _numbers(copy: bytes, field: Field) -> tuple[int, ...]:
    return struct.unpack_from(f"={field.numbers}{_FORMATS[field.width]}", copy, field.at)
