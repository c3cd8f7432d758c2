"""The rows that the kernel program counts in: handed out, read, taken back; and who is wanted."""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..counts.layout import LOST_CAUSES, MAPS, field_at, row_words, tally_fields, thread_of
from ..counts.snapshot import AnyThread, CountSnapshot, EndedThread, Lost, Thread
from ..counts.tally import Tally, add_up_by_reason
from ..errors import ExitStatError
from ..host.files import fdinfo
from ..isa.reasons import ReasonTable
from ..targets.thread_filter import ThreadFilter


class Rows:
    """The maps of a loaded bpf/exitstat.bpf.c, with room for `capacity` threads; `bpf` is bcc's BPF object.

    bpf/exitstat.bpf.c says of each map who writes and who reads it.
    """

    def __init__(self, bpf: Any, table: ReasonTable, capacity: int, thread_filter: ThreadFilter) -> None:
        self._bpf, self._capacity = bpf, capacity
        self._filter = ThreadFilter()
        # Of rows taken back since the last snapshot.
        self._gone: dict[AnyThread, Mapping[int, Tally]] = {}
        self._clear_again = False
        for row in range(capacity):
            bpf[b"free_rows"].push(ctypes.c_uint32(row))
        if thread_filter.changes:
            self._want(thread_filter.keys(), ())
        self._filter = thread_filter
        self._rows = _RowMemory(bpf[b"rows"].map_fd, capacity, table)

    def release(self) -> None:
        """Let the mapped memory go; nothing can be read any more."""
        self._rows.release()

    def snapshot(self, recursion_misses: int) -> CountSnapshot:
        """Read all counts. May be called while attached: each counter is one word that only its thread writes.

        What it says of rows that were taken back is said once: the next snapshot has it no more.
        """
        now = time.monotonic()
        counts: dict[AnyThread, Mapping[int, Tally]] = {}
        for identity, row in self._rows.taken():
            _add(counts, thread_of(identity), self._rows.read(row))
        for key, count in self._bpf[b"unslotted"].items():
            _add(counts, thread_of(key.identity), {key.reason: Tally(exits=count.value)})
        gone, self._gone = self._gone, {}
        lost = {cause: self._bpf[b"lost"].sum(key).value for key, cause in enumerate(LOST_CAUSES)}
        return CountSnapshot(now, counts, Lost(**lost, recursion=recursion_misses), gone)

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Keep the counts of threads that are gone and give their rows to new threads.

        Looks at the threads only when half of the rows are taken. Each CPU's cache is cleared before a row is read for
        the last time: from then on a thread that comes with the same identity misses and gets a row of its own.
        """
        if self._clear_again:
            self._clear_again = False
            self._clear_cache()
        taken = self._rows.taken()
        if len(taken) * 2 >= self._capacity:
            self._take_back([(identity, row) for identity, row in taken if is_gone(thread_of(identity))])

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads, and give its rows to new threads."""
        self._take_back([(identity, row) for identity, row in self._rows.taken() if thread_of(identity).tgid == tgid])
        unslotted = self._bpf[b"unslotted"]
        for key, count in unslotted.items():
            if thread_of(key.identity).tgid == tgid:
                _add(self._gone, thread_of(key.identity), {key.reason: Tally(exits=count.value)})
                del unslotted[key]
        for thread in [thread for thread in self._gone if isinstance(thread, Thread) and thread.tgid == tgid]:
            self._gone[EndedThread(*thread, started)] = self._gone.pop(thread)

    def follow(self, thread_filter: ThreadFilter) -> None:
        """Count other threads from now on; those that are no longer wanted keep their counts.

        Whoever the old filter skipped is cached as skipped, so each CPU's cache is cleared behind the change, and once
        more at the next housekeeping: a miss that was under way may have cached what the old filter said.
        """
        before, after = self._filter.keys(), thread_filter.keys()
        self._filter = thread_filter
        if before != after:
            self._want(after - before, before - after)
            self._clear_cache()
            self._clear_again = True

    def memory_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        names = [name for name in MAPS if name != "wanted" or self._filter.changes]
        return sum(fdinfo(self._bpf[name.encode()].map_fd, "memlock") for name in names)

    def _want(self, more: Iterable[int], fewer: Iterable[int]) -> None:
        wanted = self._bpf[b"wanted"]
        for key in fewer:
            del wanted[ctypes.c_uint64(key)]
        try:
            for key in more:
                wanted[ctypes.c_uint64(key)] = ctypes.c_uint32(1)
        except Exception:  # bcc raises nothing more special when a map is full
            raise ExitStatError(
                f"more domains and vCPUs are to be counted than there is room for ({self._capacity})",
                "raise --max-vcpus",
            ) from None

    def _take_back(self, gone: list[tuple[int, int]]) -> None:
        # Keep the counts of (identity, row) of threads that are gone.
        if not gone:
            return
        row_of = self._bpf[b"row_of"]
        # Its keys are ids of the first pid namespace, which those in the rows need not be.
        key_of = {row.value: key for key, row in row_of.items()}
        for _, row in gone:
            del row_of[key_of[row]]
        self._clear_cache()
        for identity, row in gone:
            _add(self._gone, thread_of(identity), self._rows.read(row))
            self._rows.clear(row)
            self._bpf[b"free_rows"].push(ctypes.c_uint32(row))

    def _clear_cache(self) -> None:
        cache = self._bpf[b"cache"]
        cache[ctypes.c_uint32(0)] = cache.Leaf()


class _RowMemory:
    """The map `rows` of bpf/exitstat.bpf.c: `capacity` rows, as layout.ROW_FIELDS says.

    May be read while the program runs: each counter is one word that only its thread writes.
    """

    def __init__(self, map_fd: int, capacity: int, table: ReasonTable) -> None:
        self._row_words = row_words(table.slots)
        self._reasons = [table.reason_of(slot) for slot in range(table.slots)]
        self._identity_at = field_at("identity", table.slots)
        self._tally_at = {name: field_at(name, table.slots) for name in tally_fields()}
        self._used = capacity * self._row_words
        size = -(-8 * self._used // mmap.PAGESIZE) * mmap.PAGESIZE
        self._words = memoryview(mmap.mmap(map_fd, size, mmap.MAP_SHARED)).cast("Q")

    def release(self) -> None:
        """Let the memory go; nothing can be read any more."""
        self._words.release()

    def taken(self) -> list[tuple[int, int]]:
        """(identity, row) of each row that belongs to a thread."""
        identities = self._words[self._identity_at : self._used : self._row_words].tolist()
        return [(identity, row) for row, identity in enumerate(identities) if identity]

    def read(self, row: int) -> dict[int, Tally]:
        """{raw reason: tally} of a row."""
        start = row * self._row_words
        slots = len(self._reasons)
        fields = {name: self._words[start + at : start + at + slots].tolist() for name, at in self._tally_at.items()}
        counted = {slot for numbers in fields.values() for slot, number in enumerate(numbers) if number}
        return {
            self._reasons[slot]: Tally(**{name: numbers[slot] for name, numbers in fields.items()}) for slot in counted
        }

    def clear(self, row: int) -> None:
        """Make it nobody's row, with zeros. It must not be in use."""
        start = row * self._row_words
        self._words[start : start + self._row_words] = memoryview(bytes(8 * self._row_words)).cast("Q")


def _add(counts: dict[AnyThread, Mapping[int, Tally]], thread: AnyThread, tallies: Mapping[int, Tally]) -> None:
    counts[thread] = add_up_by_reason((counts[thread], tallies)) if thread in counts else tallies
