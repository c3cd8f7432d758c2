"""The map of details: what exactly caused the exits of each thread. Written by threads that run meanwhile."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Collection, Iterable
from typing import Any, Optional

from ...counts.details import Cost, Detail, Kind, decode_detail
from ...counts.layout import WhatBits, detail_structures, thread_of
from ...counts.snapshot import AnyThread, Thread
from ...isa.instruction_set import FaultBits

#: Copies a whole map (fd, room for keys, room for values, how many there are at most): the number of entries, or None
#: where that is not possible.
ReadAll = Callable[[int, Any, Any, int], Optional[int]]

#: (identity, what, value, exits, ns) of each.
Entries = Iterable[tuple[int, int, int, int, int]]

_KEY, _VALUE = (structure.size for structure in detail_structures())


class DetailMap:
    """bpf/exitstat.bpf.c's map `details`, with room for `capacity`; `table` is bcc's, `fault` the ISA's."""

    def __init__(self, table: Any, capacity: int, fault: FaultBits, read_all: ReadAll) -> None:
        self._table, self._capacity, self._fault, self._read_all = table, capacity, fault, read_all
        self._keys, self._values = ((ctypes.c_char * (size * capacity))() for size in (_KEY, _VALUE))
        # (what, value) -> what they mean; most threads meet the same.
        self._known: dict[tuple[int, int], tuple[int, Detail]] = {}

    def capture(self) -> Entries:
        """All entries, (identity, what, value, exits, ns) of each, as soon as possible: see decode()."""
        # Nothing is deleted meanwhile, so each comes once.
        count = self._read_all(self._table.map_fd, self._keys, self._values, self._capacity)
        if count is None:
            return [(key.identity, key.what, key.value, cost.exits, cost.ns) for key, cost in self._table.items()]
        keys, values = bytes(memoryview(self._keys)[: count * _KEY]), bytes(memoryview(self._values)[: count * _VALUE])
        return (key + value for key, value in zip(struct.iter_unpack("=3Q", keys), struct.iter_unpack("=2Q", values)))

    def decode(self, entries: Entries) -> dict[AnyThread, dict[int, dict[Detail, Cost]]]:
        """{thread: {raw reason: {detail: cost}}} of what was captured."""
        found: dict[AnyThread, dict[int, dict[Detail, Cost]]] = {}
        threads: dict[int, dict[int, dict[Detail, Cost]]] = {}
        known = self._known
        for identity, what, value, exits, ns in entries:
            meaning = known.get((what, value))
            if meaning is None:
                meaning = known[(what, value)] = self._decode(what, value)
            reason, detail = meaning
            if identity not in threads:
                threads[identity] = found.setdefault(thread_of(identity), {})
            details = threads[identity].setdefault(reason, {})
            # Several bits of a page fault mean the same.
            before = details.get(detail)
            details[detail] = Cost(before.exits + exits, before.ns + ns) if before else Cost(exits, ns)
        return found

    def delete(self, threads: Collection[Thread]) -> None:
        """Forget those of threads that are gone."""
        for identity, what, value, _, _ in list(self.capture()):
            if thread_of(identity) in threads:
                del self._table[self._table.Key(identity, what, value)]

    def _decode(self, what: int, value: int) -> tuple[int, Detail]:
        bits = WhatBits()
        kind = Kind(what >> bits.kind & 0xFF)
        by_qemu = bool(what >> bits.by_qemu & 1)
        return what & 0xFFFFFFFF, decode_detail(kind, value, by_qemu=by_qemu, fault=self._fault)
