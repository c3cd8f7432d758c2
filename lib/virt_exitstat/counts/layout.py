"""The contract between the kernel program and its reader, stated once: how counts lie in the program's maps.

bpf/exitstat.bpf.c is compiled with what layout_macros() makes of it; kernel/maps/ and memory.py read by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .details import MARK_BIT, NUMBER_MASK, SIZE_SHIFT, WRITE_BIT, Kind
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

#: Why an exit's detail is not known, likewise.
UNTOLD_CAUSES = ("no_detail",)

#: The maps that hold kernel memory, by name. Some are there only when the filter changes, exits are timed or details
#: wanted.
MAPS = ("rows", "cache", "row_of", "free_rows", "unslotted", "lost", "wanted", "blocks", "free_blocks", "details")

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


class WhatBits(NamedTuple):
    """A word that says what caused an exit, from the bottom: the reason, the kind, whether QEMU handled it."""

    kind: int = 32
    by_qemu: int = 40


class Structure(NamedTuple):
    """A structure of the program, and its size in bytes."""

    fields: Mapping[str, Field]
    size: int

    def place(self, number: int) -> slice:
        """Where the one of that number lies in a map."""
        return slice(number * self.size, (number + 1) * self.size)


class WindowSlots(NamedTuple):
    """The lower bits of a row's `window` that are no reason's slot."""

    unslotted: int
    stopped: int
    guest: int
    unknown: int = _UNKNOWN


def row_structure(slots: int, *, timed: bool = False, detailed: bool = False) -> Structure:
    """A row of so many slots. `exits` are those of a Tally, one for each slot.

    The rest is for exits that are timed, or whose details are wanted: what each event touches stands in one cache line.
    `block` are numbers of blocks, by slot, unslotted and stopped.
    """
    names = ["identity", *["window"] * (timed or detailed), *["left", "guest"] * timed, *["what", "value"] * detailed]
    fields = dict.fromkeys(names, ("u64", 1))
    fields["exits"] = ("u64", slots)
    if timed:
        fields["block"] = ("u16", slots + 2)
    return _structure(fields)


def detail_structures() -> tuple[Structure, Structure]:
    """A key and a value of the map `details`."""
    return (
        _structure(dict.fromkeys(("identity", "what", "value"), ("u64", 1)), unit=8),
        _structure(dict.fromkeys(("exits", "ns"), ("u64", 1)), unit=8),
    )


def block_structure() -> Structure:
    """The times of one thread and slot."""
    return _structure({"total": ("u64", 1), "max": ("u64", 1), "qemu": ("u64", 1), "bucket": ("u32", BUCKETS)})


def window_slots(slots: int) -> WindowSlots:
    """What stands behind so many slots."""
    return WindowSlots(unslotted=slots, stopped=slots + 1, guest=slots + 2)


def blocks_for(rows: int) -> int:
    """Blocks for so many rows: a thread takes one for each reason it meets, most meet fewer than ten."""
    return min(MOST_BLOCKS, 12 * rows + 64)


def details_for(rows: int) -> int:
    """Details for so many rows: an ordinary thread has a few dozen."""
    return max(64 * rows, 2048)


def thread_of(identity: int) -> Thread:
    """The thread that an identity means."""
    return Thread(tgid=identity >> ROW_BITS & (1 << ID_BITS) - 1, tid=identity >> ID_BITS + ROW_BITS)


def lost_keys(*, timed: bool, detailed: bool) -> tuple[str, ...]:
    """The keys of the map `lost`, in order: names of causes."""
    return (*LOST_CAUSES, *UNTIMED_CAUSES * timed, *UNTOLD_CAUSES * detailed)


def layout_macros(slots: int, rows: int, *, timed: bool = False, detailed: bool = False) -> list[str]:
    """The same for the compiler."""
    causes = lost_keys(timed=timed, detailed=detailed)
    macros = {
        "THREADS": rows,
        "ID_BITS": ID_BITS,
        "ROW_BITS": ROW_BITS,
        "SLOTS": slots,
        "ROW_FIELDS": _declare(row_structure(slots, timed=timed, detailed=detailed)),
        **{name.upper(): key for key, name in enumerate(causes)},
        "LOST_CAUSES": len(causes),
    }
    if timed or detailed:
        others = window_slots(slots)
        macros.update(STOPPED=others.stopped, GUEST=others.guest, UNKNOWN=others.unknown)
    if detailed:
        key, value = detail_structures()
        macros.update(
            DETAIL=1,
            DETAILS=details_for(rows),
            DETAIL_KEY=_declare(key),
            DETAIL_VALUE=_declare(value),
            KIND_SHIFT=WhatBits().kind,
            BY_QEMU=f"{1 << WhatBits().by_qemu:#x}ULL",
            NUMBER_MASK=f"{NUMBER_MASK:#x}ULL",
            SIZE_SHIFT=SIZE_SHIFT,
            MARK_BIT=MARK_BIT,
            WRITE_BIT=WRITE_BIT,
            **{f"KIND_{kind.name}": int(kind) for kind in Kind},
        )
    if timed:
        macros.update(
            TIME=1,
            BLOCK_FIELDS=_declare(block_structure()),
            BLOCKS=blocks_for(rows),
            BUCKETS=BUCKETS,
            UNIT_BITS=UNIT_BITS,
            LONGEST_UNITS=LONGEST_UNITS,
        )
    return [f"-D{name}={value}" for name, value in macros.items()]


def _structure(fields: Mapping[str, tuple[str, int]], unit: int = CACHE_LINE) -> Structure:
    placed: dict[str, Field] = {}
    at = 0
    for name, (of_type, numbers) in fields.items():
        placed[name] = Field(of_type, at, numbers)
        at = placed[name].end
    return Structure(placed, -(-at // unit) * unit)


def _declare(structure: Structure) -> str:
    return " ".join(
        f"{field.type} {name}[{field.numbers}];" if field.numbers != 1 else f"{field.type} {name};"
        for name, field in structure.fields.items()
    )
