"""The contract between the kernel program and its reader, stated once: how counts lie in the program's maps.

bpf/exitstat.bpf.c is compiled with what layout_macros() makes of it; kernel/rows.py and memory.py read by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .durations import BUCKETS, LONGEST_UNITS, UNIT_BITS
from .snapshot import Thread

#: A thread's identity and its row in one word: tid, tgid, row, from the top. 22 bits hold every pid: PID_MAX_LIMIT is
#: 4 * 1024 * 1024 (include/linux/threads.h).
ID_BITS, ROW_BITS = 22, 20

#: Rows that there can be: the highest number that fits means that a thread is skipped, the one below it is left free.
MOST_ROWS = (1 << ROW_BITS) - 3

#: Why an exit is lost, by the program's own account: keys of its map `lost`, fields of snapshot.Lost.
LOST_CAUSES = ("no_row", "no_reason")

#: Why an exit is counted but not timed, by the program's own account: more keys of that map.
UNTIMED_CAUSES = ("no_block",)

#: The maps that hold kernel memory, by name. Some are there only when the filter changes, or exits are timed.
MAPS = ("rows", "cache", "row_of", "free_rows", "unslotted", "lost", "wanted", "blocks", "free_blocks")

#: Rows and blocks are whole cache lines, in bytes.
CACHE_LINE = 64

#: Blocks that there can be: their numbers have 16 bits, and 0 is none.
MOST_BLOCKS = 65_535

#: The lower bits of a row's `window` when they are no slot; the one behind the slots are exits without a slot.
_UNKNOWN = 0xFF

#: {C's type: bytes}.
_BYTES = {"u64": 8, "u32": 4, "u16": 2}


class Field(NamedTuple):
    """A field of a structure: its C type, its place in bytes, and how many numbers it holds."""

    type: str
    at: int
    numbers: int

    @property
    def width(self) -> int:
        """Bytes of one number."""
        return _BYTES[self.type]

    @property
    def end(self) -> int:
        """Where it ends, in bytes."""
        return self.at + self.width * self.numbers


class Structure(NamedTuple):
    """A structure of the program, of whole cache lines."""

    fields: Mapping[str, Field]
    size: int


class WindowSlots(NamedTuple):
    """The lower bits of a row's `window` that are no reason's slot."""

    unslotted: int
    stopped: int
    guest: int
    unknown: int = _UNKNOWN


def row_structure(slots: int, *, timed: bool) -> Structure:
    """A row of so many slots. `exits` are those of a Tally, one for each slot; the rest is for exits that are timed."""
    fields = {"identity": ("u64", 1), "exits": ("u64", slots)}
    if timed:
        # What each event touches stands in one cache line. `block`: numbers of blocks, by slot, unslotted and stopped.
        fields = dict.fromkeys(("identity", "window", "left", "guest"), ("u64", 1))
        fields.update(exits=("u64", slots), block=("u16", slots + 2))
    return _structure(fields)


def block_structure() -> Structure:
    """The times of one thread and slot."""
    return _structure({"total": ("u64", 1), "max": ("u64", 1), "qemu": ("u64", 1), "bucket": ("u32", BUCKETS)})


def window_slots(slots: int) -> WindowSlots:
    """What stands behind so many slots."""
    return WindowSlots(unslotted=slots, stopped=slots + 1, guest=slots + 2)


def blocks_for(rows: int) -> int:
    """Blocks for so many rows: a thread takes one for each reason it meets, most meet fewer than ten."""
    return min(MOST_BLOCKS, 12 * rows + 64)


def thread_of(identity: int) -> Thread:
    """The thread that an identity means."""
    return Thread(tgid=identity >> ROW_BITS & (1 << ID_BITS) - 1, tid=identity >> ID_BITS + ROW_BITS)


def layout_macros(slots: int, rows: int, *, timed: bool) -> list[str]:
    """The same for the compiler."""
    causes = (*LOST_CAUSES, *UNTIMED_CAUSES) if timed else LOST_CAUSES
    macros = {
        "THREADS": rows,
        "ID_BITS": ID_BITS,
        "ROW_BITS": ROW_BITS,
        "SLOTS": slots,
        "ROW_FIELDS": _declare(row_structure(slots, timed=timed)),
        **{name.upper(): key for key, name in enumerate(causes)},
        "LOST_CAUSES": len(causes),
    }
    if timed:
        others = window_slots(slots)
        macros.update(
            TIME=1,
            BLOCK_FIELDS=_declare(block_structure()),
            BLOCKS=blocks_for(rows),
            BUCKETS=BUCKETS,
            UNIT_BITS=UNIT_BITS,
            LONGEST_UNITS=LONGEST_UNITS,
            STOPPED=others.stopped,
            GUEST=others.guest,
            UNKNOWN=others.unknown,
        )
    return [f"-D{name}={value}" for name, value in macros.items()]


def _structure(fields: Mapping[str, tuple[str, int]]) -> Structure:
    placed: dict[str, Field] = {}
    at = 0
    for name, (of_type, numbers) in fields.items():
        placed[name] = Field(of_type, at, numbers)
        at = placed[name].end
    return Structure(placed, -(-at // CACHE_LINE) * CACHE_LINE)


def _declare(structure: Structure) -> str:
    return " ".join(
        f"{field.type} {name}[{field.numbers}];" if field.numbers != 1 else f"{field.type} {name};"
        for name, field in structure.fields.items()
    )
