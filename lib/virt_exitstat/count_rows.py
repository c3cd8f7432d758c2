"""The kernel program's count rows, read by mmap: whose row it is, and that thread's counts."""

from __future__ import annotations

import mmap

from .exit_reasons import ReasonTable
from .snapshot import Thread


class CountRows:
    """The map `rows` of bpf/exitstat.bpf.c: `threads` rows, each the thread's identity and a word for each slot.

    May be read while the program runs: each counter is one word that only its thread writes.
    """

    def __init__(self, map_fd: int, threads: int, table: ReasonTable) -> None:
        self._table = table
        self._row_words = 1 + table.slots
        self._used = threads * self._row_words
        size = -(-8 * self._used // mmap.PAGESIZE) * mmap.PAGESIZE
        self._words = memoryview(mmap.mmap(map_fd, size, mmap.MAP_SHARED)).cast("Q")

    def release(self) -> None:
        """Let the memory go; nothing can be read any more."""
        self._words.release()

    def taken(self) -> list[tuple[int, int]]:
        """(identity, row) of each row that belongs to a thread."""
        identities = self._words[: self._used : self._row_words].tolist()
        return [(identity, row) for row, identity in enumerate(identities) if identity]

    def read(self, row: int) -> dict[int, int]:
        """{raw reason: exits} of a row."""
        start = row * self._row_words + 1
        counts = self._words[start : start + self._table.slots].tolist()
        return {self._table.reason_of(slot): count for slot, count in enumerate(counts) if count}

    def clear(self, row: int) -> None:
        """Make it nobody's row, with zeros. It must not be in use."""
        start = row * self._row_words
        self._words[start : start + self._row_words] = memoryview(bytes(8 * self._row_words)).cast("Q")


def thread_of(identity: int) -> Thread:
    """The thread that an identity of the kernel program means."""
    # The layout of `identity` in bpf/exitstat.bpf.c: tid 22 bits, tgid 22 bits, 20 bits for the row.
    return Thread(tgid=identity >> 20 & 0x3FFFFF, tid=identity >> 42)
