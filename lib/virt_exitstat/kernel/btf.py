"""Read BTF, the kernel's description of its own types: just enough to find members and count parameters.

Format: Documentation/bpf/btf.rst of the kernel. A small reader proved simpler than libbpf by ctypes, and quicker:
libbpf needs 100 ms to load what is walked here once in 30.
"""

from __future__ import annotations

import array
import struct

#: Kinds of types.
INT, PTR, STRUCT, UNION, TYPEDEF, FUNC, FUNC_PROTO = 1, 2, 4, 5, 8, 12, 13
_MODIFIERS = (TYPEDEF, 9, 10, 11, 18)  # and VOLATILE, CONST, RESTRICT, TYPE_TAG: a type in other clothes

# A type is three 32-bit words (name, info, size or type), some more by its kind, and some for each of its parts.
_KINDS = 20  # FWD and what else is not named here: three words
_MORE_WORDS = {1: 1, 3: 3, 14: 1, 17: 1}  # INT, ARRAY, VAR, DECL_TAG
_WORDS_A_PART = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}  # STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64


# BTF_INT_SIGNED, of the encoding that stands in an integer's fourth word.
_SIGNED = 1

# No kernel's types are nested or renamed as often as this.
_DEEPEST = 32


class BtfError(Exception):
    """The BTF is damaged or does not hold what was asked for; the message says which."""


class Btf:
    """The types of the kernel (`/sys/kernel/btf/vmlinux`), or of one module on top of them (`base`).

    Raises BtfError when `data` is not well-formed BTF in this machine's byte order.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        try:
            magic, version, _, header, type_at, type_size, string_at, string_size = struct.unpack_from(
                "=HBBIIIII", data
            )
            if (magic, version) != (0xEB9F, 1):
                raise BtfError(f"not BTF of version 1 (magic {magic:#x}, version {version})")
            self._words = memoryview(data)[header + type_at : header + type_at + type_size].cast("I")
        except (struct.error, TypeError) as error:
            raise BtfError(f"damaged header: {error}") from None
        self._strings = data[header + string_at : header + string_at + string_size]
        if len(self._words) * 4 != type_size or len(self._strings) != string_size:
            raise BtfError("cut short")
        self._base = base
        self._first_id: int = base._first_id + len(base._starts) if base else 1
        self._first_string: int = base._first_string + len(base._strings) if base else 0
        self._starts: array.array[int] = self._walk()

    def _walk(self) -> array.array[int]:
        """The start of each type's words. Ids count types, so all of them are walked once."""
        words, end, at = self._words, len(self._words), 0
        more = [3 + _MORE_WORDS.get(kind, 0) for kind in range(_KINDS)]
        more[0] = end + 1  # VOID has no entry: what says it does ends the walk, as kinds that are not known do
        a_part = [_WORDS_A_PART.get(kind, 0) for kind in range(_KINDS)]
        starts = array.array("I")
        found = starts.append
        try:
            while at < end:
                found(at)
                info = words[at + 1]
                kind = info >> 24 & 31
                at += more[kind] + a_part[kind] * (info & 0xFFFF)
        except IndexError:
            raise BtfError("cut short in a type, or of a kind that is not known") from None
        if at != end:
            raise BtfError("cut short in a type")
        return starts

    def find(self, name: str, kind: int) -> int:
        """The id of the type of that name and kind in this BTF (its base is not searched)."""
        wanted = self._string_offsets(name)
        words = self._words
        for index, at in enumerate(self._starts):
            if words[at] in wanted and words[at + 1] >> 24 & 31 == kind:
                return self._first_id + index
        raise BtfError(f"no type '{name}'")

    def member(self, type_id: int, path: str) -> tuple[int, int]:
        """Byte offset and type id of a member of a structure; `a.b` is member b of its member a."""
        offset = 0
        for name in path.split("."):
            found = self._member(type_id, self._string_offsets(name))
            if found is None:
                raise BtfError(f"no member '{name}' on the way to '{path}'")
            offset, type_id = offset + found[0], found[1]
        return offset, type_id

    def pointee(self, type_id: int) -> int:
        """The id of the type that a pointer points to."""
        owner, at = self._plain(type_id)
        if owner._kind(at) != PTR:
            raise BtfError(f"type {type_id} is not a pointer")
        return owner._words[at + 2]

    def parameters(self, type_id: int) -> int:
        """The number of parameters of a function's type."""
        owner, at = self._plain(type_id)
        if owner._kind(at) != FUNC_PROTO:
            raise BtfError(f"type {type_id} is not a function")
        return owner._words[at + 1] & 0xFFFF

    def parameter_types(self, type_id: int) -> tuple[int, ...]:
        """The ids of the types of a function's parameters; 0 is void, or `..`."""
        owner, at = self._plain(type_id)
        return tuple(owner._words[at + 4 + 2 * index] for index in range(self.parameters(type_id)))

    def integer(self, type_id: int) -> tuple[int, bool]:
        """The size of an integer in bytes, and whether it is signed."""
        owner, at = self._plain(type_id)
        if owner._kind(at) != INT:
            raise BtfError(f"type {type_id} is not an integer")
        return owner._words[at + 2], bool(owner._words[at + 3] >> 24 & _SIGNED)

    def size(self, type_id: int) -> int:
        """The size of an integer, structure or union, in bytes."""
        owner, at = self._plain(type_id)
        if owner._kind(at) not in (INT, STRUCT, UNION):
            raise BtfError(f"type {type_id} has no size")
        return owner._words[at + 2]

    def _member(self, type_id: int, names: set[int], depth: int = 0) -> tuple[int, int] | None:
        owner, at = self._plain(type_id)
        if owner._kind(at) not in (STRUCT, UNION):
            return None
        if depth > _DEEPEST:
            raise BtfError("structures without end")
        info = owner._words[at + 1]
        for part in range(at + 3, at + 3 + 3 * (info & 0xFFFF), 3):
            name, member_type, bits = owner._words[part : part + 3]
            # With the kind_flag (bit 31 of info), the upper eight bits are the width of a bit field.
            offset = (bits & 0xFFFFFF if info >> 31 else bits) // 8
            if name in names:
                return offset, member_type
            if name == 0:  # an anonymous structure or union: its members are ours
                inner = self._member(member_type, names, depth + 1)
                if inner:
                    return offset + inner[0], inner[1]
        return None

    def _string_offsets(self, name: str) -> set[int]:
        """The place of a name: a module's names are in its own strings or in its base's."""
        offsets = self._base._string_offsets(name) if self._base else set()
        # A module's strings begin with a name, a kernel's with the empty one.
        at = (b"\0" + self._strings).find(b"\0" + name.encode() + b"\0")
        return offsets if at < 0 else {*offsets, self._first_string + at}

    def _kind(self, at: int) -> int:
        return self._words[at + 1] >> 24 & 31

    def _plain(self, type_id: int) -> tuple[Btf, int]:
        """The type behind typedefs and qualifiers: the BTF it stands in, and where its words start."""
        for _ in range(_DEEPEST):
            owner = self if type_id >= self._first_id or not self._base else self._base
            index = type_id - owner._first_id
            if not 0 <= index < len(owner._starts):
                raise BtfError(f"no type with id {type_id}")
            at = owner._starts[index]
            if owner._kind(at) not in _MODIFIERS:
                return owner, at
            type_id = owner._words[at + 2]
        raise BtfError("typedefs without end")
