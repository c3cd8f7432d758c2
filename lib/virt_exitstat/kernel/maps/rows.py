"""The rows that the kernel program counts in: handed out, read, taken back; and who is wanted."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...counts.details import Cost, Detail
from ...counts.durations import NO_TIME, Durations
from ...counts.layout import LOST_CAUSES, blocks_for, lost_keys, thread_of
from ...counts.memory import RowMemory, Window
from ...counts.snapshot import AnyThread, CountSnapshot, EndedThread, Lost, State, Thread
from ...counts.tally import Tally, add_up_by_reason
from ...errors import ExitStatError
from ...isa.reasons import ReasonTable
from ...targets.thread_filter import ThreadFilter
from .detail_map import DetailMap
from .shared_maps import Maps

#: Seconds between two looks at the times' counters, which come round.
_LOOK_S = 600


class Rows:
    """The maps of a loaded bpf/exitstat.bpf.c, with room for `capacity` threads.

    bpf/exitstat.bpf.c says of each map who writes and who reads it. `details` is None unless they are wanted.
    """

    def __init__(
        self,
        maps: Maps,
        table: ReasonTable,
        capacity: int,
        thread_filter: ThreadFilter,
        *,
        timed: bool,
        details: DetailMap | None = None,
    ) -> None:
        self._maps, self._capacity, self._timed, self._details = maps, capacity, timed, details
        self._filter = ThreadFilter()
        # Of rows taken back since the last snapshot.
        self._gone: dict[AnyThread, Mapping[int, Tally]] = {}
        self._clear_again = False
        for row in range(capacity):
            maps["free_rows"].push(ctypes.c_uint32(row))
        if timed:
            self._free_blocks(range(1, blocks_for(capacity)))
        if thread_filter.changes:
            self._want(thread_filter.keys(), ())
        self._filter = thread_filter
        blocks = maps.memory("blocks") if timed else None
        self._rows = RowMemory(maps.memory("rows"), capacity, table, blocks, detailed=bool(details))
        # Only where exits are timed: what the last snapshot said, when all times were last looked at, and what threads
        # did when they were left out.
        self._told: dict[AnyThread, Mapping[int, Tally]] = {}
        self._looked_ns = 0
        self._begun_ns = time.monotonic_ns()
        self._left_out: dict[AnyThread, Mapping[int, Tally]] = {}

    def release(self) -> None:
        """Let the mapped memory go; nothing can be read any more."""
        self._rows.release()

    def snapshot(self, recursion_misses: int, missed_events: int, is_gone: Callable[[Thread], bool]) -> CountSnapshot:
        """Read all counts. May be called while attached: each counter is one word that only its thread writes.

        What a thread that is gone did last has no time any more. What it says of rows that were taken back is said
        once: the next snapshot has it no more.
        """
        # First of all: an exit that ends meanwhile is told later, rather than longer.
        clock_ns = time.monotonic_ns()
        counts: dict[AnyThread, Mapping[int, Tally]] = {}
        unslotted = self._read_unslotted()
        # Just before the exits that they are of: an exit that ends meanwhile is told later.
        captured = self._details.capture() if self._details else ()
        for identity, row in self._rows.taken():
            thread = thread_of(identity)
            if self._timed:
                _add(counts, thread, self._read_timed(row, thread, unslotted.pop(thread, {}), clock_ns, is_gone))
            else:
                _add(counts, thread, self._rows.read(row))
        for other, tallies in unslotted.items():
            _add(counts, other, tallies)
        if self._details:
            details = self._details.decode(captured)
            # A thread that has details has a row.
            counts = {thread: _with_details(tallies, details.get(thread, {})) for thread, tallies in counts.items()}
        self._told, self._looked_ns = dict(counts) if self._timed else {}, clock_ns
        gone, self._gone = self._gone, {}
        causes = lost_keys(timed=self._timed, detailed=bool(self._details))
        found = {cause: self._lost(key) for key, cause in enumerate(causes)}
        lost = {cause: found[cause] for cause in LOST_CAUSES}
        # Since counting was prepared: as a float, the time since the host's start is less exact than a nanosecond.
        time_s = (clock_ns - self._begun_ns) / 1e9
        return CountSnapshot(
            time_s,
            counts,
            Lost(**lost, recursion=recursion_misses),
            gone,
            found.get("no_block", 0),
            found.get("no_detail", 0),
            missed_events,
        )

    def free_rows(self, is_gone: Callable[[Thread], bool]) -> None:
        """Keep the counts of threads that are gone and give their rows to new threads.

        Looks at the threads only when half of the rows are taken. Each CPU's cache is cleared before a row is read for
        the last time: from then on a thread that comes with the same identity misses and gets a row of its own.
        """
        if self._clear_again:
            self._clear_again = False
            self._maps.clear_cache()
        if self._timed and time.monotonic_ns() - self._looked_ns > _LOOK_S * 10**9:
            self._looked_ns = time.monotonic_ns()
            self._rows.look()
        taken = self._rows.taken()
        if len(taken) * 2 >= self._capacity:
            self._take_back([(identity, row) for identity, row in taken if is_gone(thread_of(identity))])

    def end(self, tgid: int, started: int) -> None:
        """Keep the counts of a process that has ended as those of EndedThreads, and give its rows to new threads."""
        self._take_back([(identity, row) for identity, row in self._rows.taken() if thread_of(identity).tgid == tgid])
        for thread, tallies in self._read_unslotted().items():
            if thread.tgid == tgid:
                _add(self._gone, thread, tallies)
        for key in [key for key, _ in self._maps["unslotted"].items() if thread_of(key.identity).tgid == tgid]:
            del self._maps["unslotted"][key]
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
            self._maps.clear_cache()
            self._clear_again = True
            if self._timed or self._details:
                self._leave_out(before - after, after)

    def _want(self, more: Iterable[int], fewer: Iterable[int]) -> None:
        wanted = self._maps["wanted"]
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
        row_of = self._maps["row_of"]
        # Its keys are ids of the first pid namespace, which those in the rows need not be.
        key_of = {row.value: key for key, row in row_of.items()}
        for _, row in gone:
            del row_of[key_of[row]]
        self._maps.clear_cache()
        details = self._details.decode(self._details.capture()) if self._details else {}
        unslotted = self._read_unslotted()
        for identity, row in gone:
            thread = thread_of(identity)
            if self._timed:
                # Exits without a slot are told beside the rows; here is their time.
                of_thread = dict.fromkeys(unslotted.get(thread, {}), Tally())
                tallies: Mapping[int, Tally] = self._read_timed(row, thread, of_thread, 0, lambda _thread: True)
            else:
                tallies = self._rows.read(row)
            if self._details:
                tallies = _with_details(tallies, details.get(thread, {}))
            _add(self._gone, thread, tallies)
            self._left_out.pop(thread, None)
            self._told.pop(thread, None)
            self._free_blocks(self._rows.clear(row))
            self._maps["free_rows"].push(ctypes.c_uint32(row))
        if self._details:
            self._details.delete({thread_of(identity) for identity, _ in gone})

    def _free_blocks(self, blocks: Iterable[int]) -> None:
        for block in blocks:
            self._maps["free_blocks"].push(ctypes.c_uint32(block))

    def _read_unslotted(self) -> dict[Thread, dict[int, Tally]]:
        """{thread: {raw reason: tally}} of exits without a slot. Their times stand in the thread's row."""
        found: dict[Thread, dict[int, Tally]] = {}
        for key, count in self._maps["unslotted"].items():
            tally = Tally(count.value, untimed=count.value if self._timed else 0)
            found.setdefault(thread_of(key.identity), {})[key.reason] = tally
        return found

    def _lost(self, cause: int) -> int:
        return int(self._maps["lost"].sum(cause).value)

    def _read_timed(
        self,
        row: int,
        thread: Thread,
        unslotted: Mapping[int, Tally],
        clock_ns: int,
        is_gone: Callable[[Thread], bool],
    ) -> dict[int, Tally]:
        """{raw reason or State: tally} of a row, what is in flight included, and never less than was told before."""
        tallies, of_unslotted, window = self._rows.read_timed(row, clock_ns)
        key = window.key
        told = self._told.get(thread, {})
        # Times of exits without a slot are told together. Mostly there is one such reason, and then they are its own;
        # when another one comes, that one keeps what was told.
        alone = next(iter(unslotted)) if len(unslotted) == 1 else State.UNSLOTTED
        rest = (of_unslotted or Tally()).time or NO_TIME
        for reason, tally in unslotted.items():
            own = rest if reason == alone else replace(told.get(reason, Tally()).time or NO_TIME, in_flight=0)
            tallies[reason] = replace(tally, time=own)
            rest -= own
        if rest:
            tallies[State.UNSLOTTED] = Tally(0, rest)
        if key == State.UNSLOTTED:
            key = alone
        ahead_ns = 0
        if key is not None and not is_gone(thread):
            tallies[key] = tallies.get(key, Tally()) + Tally(0, _in_flight(window))
            ahead_ns = max(-window.length_ns, 0)
        # Always there: the next reading takes it back.
        tallies[State.AHEAD] = Tally(0, Durations(total_ns=ahead_ns))
        for reason, tally in self._left_out.get(thread, {}).items():
            tallies[reason] = tallies.get(reason, Tally()) + tally
        for reason, tally in told.items():
            if reason != State.AHEAD and tally.time:
                now = tallies.get(reason, Tally())
                time_now = (now.time or NO_TIME).not_before(tally.time)
                if time_now is not now.time:
                    tallies[reason] = Tally(now.exits, time_now)
        for reason, tally in tallies.items():
            if tally.time is not None and not isinstance(reason, State):
                untimed = tally.exits - tally.time.finished - tally.time.in_flight
                if untimed != tally.untimed:
                    tallies[reason] = Tally(tally.exits, tally.time, untimed)
        return tallies

    def _leave_out(self, dropped: frozenset[int], wanted: frozenset[int]) -> None:
        """Close what threads do that are no longer wanted: what they do unseen is not to be told later."""
        clock_ns = time.monotonic_ns()
        for identity, row in self._rows.taken():
            thread = thread_of(identity)
            keys = {thread.tgid << 32, thread.tgid << 32 | thread.tid}
            if keys & dropped and not keys & wanted:
                window = self._rows.read_timed(row, clock_ns)[2] if self._timed else None
                self._rows.close_window(row)
                if window and window.key is not None:
                    time_of = replace(_in_flight(window), in_flight=0)
                    before = self._left_out.get(thread, {})
                    self._left_out[thread] = add_up_by_reason((before, {window.key: Tally(0, time_of)}))


def _in_flight(window: Window) -> Durations:
    return Durations(total_ns=max(window.length_ns, 0), qemu_ns=window.qemu_ns, in_flight=int(window.is_exit))


def _add(counts: dict[AnyThread, Mapping[int, Tally]], thread: AnyThread, tallies: Mapping[int, Tally]) -> None:
    counts[thread] = add_up_by_reason((counts[thread], tallies)) if thread in counts else tallies


def _with_details(tallies: Mapping[int, Tally], details: Mapping[int, Mapping[Detail, Cost]]) -> Mapping[int, Tally]:
    """A thread's {raw reason or State: tally} with {raw reason: details}. Exits of which nothing was told have none."""
    reasons = [reason for reason in {**tallies, **details} if not isinstance(reason, State)]
    found = {reason: replace(tallies.get(reason, Tally()), details=details.get(reason, {})) for reason in reasons}
    return {**tallies, **found}
