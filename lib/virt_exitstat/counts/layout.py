"""The contract between the kernel program and its reader, stated once: how counts lie in the program's maps.

bpf/exitstat.bpf.c is compiled with what layout_macros() makes of it; kernel/rows.py reads by it.
"""

from __future__ import annotations

from .snapshot import Thread

#: A thread's identity and its row in one word: tid, tgid, row, from the top. 22 bits hold every pid: PID_MAX_LIMIT is
#: 4 * 1024 * 1024 (include/linux/threads.h).
ID_BITS, ROW_BITS = 22, 20

#: Rows that there can be: the highest number that fits means that a thread is skipped, the one below it is left free.
MOST_ROWS = (1 << ROW_BITS) - 3

#: The fields of a row, each so many words of 64 bits. None is a word for each slot: the field of that name of a Tally.
ROW_FIELDS: dict[str, int | None] = {"identity": 1, "exits": None}

#: Why an exit is lost, by the program's own account: keys of its map `lost`, fields of snapshot.Lost.
LOST_CAUSES = ("no_row", "no_reason")

#: The maps that hold kernel memory, by name. `wanted` is there only when the filter changes.
MAPS = ("rows", "cache", "row_of", "free_rows", "unslotted", "lost", "wanted")


def row_words(slots: int) -> int:
    """The number of words in a row."""
    return sum(_words_of_fields(slots).values())


def field_at(field: str, slots: int) -> int:
    """The place of a field in a row, in words."""
    words = _words_of_fields(slots)
    return sum(words[name] for name in list(words)[: list(words).index(field)])


def tally_fields() -> tuple[str, ...]:
    """The fields that are numbers of a Tally, one for each slot."""
    return tuple(name for name, words in ROW_FIELDS.items() if words is None)


def thread_of(identity: int) -> Thread:
    """The thread that an identity means."""
    return Thread(tgid=identity >> ROW_BITS & (1 << ID_BITS) - 1, tid=identity >> ID_BITS + ROW_BITS)


def layout_macros(slots: int) -> list[str]:
    """The same for the compiler."""
    fields = (
        f"u64 {name}[{words}];" if words != 1 else f"u64 {name};" for name, words in _words_of_fields(slots).items()
    )
    return [
        f"-DID_BITS={ID_BITS}",
        f"-DROW_BITS={ROW_BITS}",
        f"-DSLOTS={slots}",
        f"-DROW_FIELDS={' '.join(fields)}",
        *(f"-D{name.upper()}={key}" for key, name in enumerate(LOST_CAUSES)),
        f"-DLOST_CAUSES={len(LOST_CAUSES)}",
    ]


def _words_of_fields(slots: int) -> dict[str, int]:
    return {name: slots if words is None else words for name, words in ROW_FIELDS.items()}
