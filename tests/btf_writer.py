"""Write BTF the way the kernel's build does, for tests of what reads it. Format: Documentation/bpf/btf.rst."""

import struct
import sys

KINDS = (
    "VOID INT PTR ARRAY STRUCT UNION ENUM FWD TYPEDEF VOLATILE CONST RESTRICT FUNC FUNC_PROTO VAR DATASEC FLOAT "
    "DECL_TAG TYPE_TAG ENUM64"
).split()

OTHER_ORDER = ">" if sys.byteorder == "little" else "<"


class BtfWriter:
    """The types of a kernel, or of a module on top of them (`base`). Each method adds a type and returns its id.

    Members are (name, type id, offset in bytes), a bit field's offset is (bit, width). A name of "" is anonymous.
    """

    def __init__(self, base=None, *, order="="):
        self._base = base
        self._order = order
        self._types = []
        # As libbpf has it: the empty string stands in the base alone, so a module's strings begin with a name.
        self.strings = b"" if base else b"\0"

    def type(self, kind, name="", size_or_type=0, *, parts=0, words=(), kind_flag=False):
        info = kind_flag << 31 | KINDS.index(kind) << 24 | parts
        self._types.append(self._pack(self._string(name), info, size_or_type, *words))
        return self._first_id() + len(self._types) - 1

    def integer(self, name, size, *, signed=False):
        # BTF_INT_SIGNED is bit 24 of the fourth word.
        return self.type("INT", name, size, words=[signed << 24 | 8 * size])

    def array(self, element, count):
        return self.type("ARRAY", words=[element, element, count])

    def pointer(self, pointee):
        return self.type("PTR", "", pointee)

    def typedef(self, name, of):
        return self.type("TYPEDEF", name, of)

    def structure(self, name, size, members, *, kind="STRUCT"):
        bit_fields = any(isinstance(at, tuple) for _, _, at in members)
        words = []
        for member, member_type, at in members:
            bit, width = at if isinstance(at, tuple) else (8 * at, 0)
            words += [self._string(member), member_type, width << 24 | bit]
        return self.type(kind, name, size, parts=len(members), words=words, kind_flag=bit_fields)

    def union(self, name, size, members):
        return self.structure(name, size, [(member, of, 0) for member, of in members], kind="UNION")

    def function_type(self, parameters):
        words = [word for name, of in parameters for word in (self._string(name), of)]
        return self.type("FUNC_PROTO", parts=len(parameters), words=words)

    def data(self, *, magic=0xEB9F, version=1, more_header=b""):
        types, length = b"".join(self._types), 24 + len(more_header)
        sections = (0, len(types), len(types), len(self.strings))
        header = struct.pack(self._order + "HBBIIIII", magic, version, 0, length, *sections)
        return header + more_header + types + self.strings

    def _pack(self, *words):
        return struct.pack(f"{self._order}{len(words)}I", *words)

    def _string(self, name):
        """Where the name stands, counted through base and module; a module adds only what its base lacks."""
        if not name:
            return 0
        found = self._base._find_string(name) if self._base else -1
        if found >= 0:
            return found
        if self._find_string(name) < 0:
            self.strings += name.encode() + b"\0"
        return self._find_string(name)

    def _find_string(self, name):
        at = (b"\0" + self.strings).find(b"\0" + name.encode() + b"\0")
        return at if at < 0 else self._first_string() + at

    def _first_string(self):
        return len(self._base.strings) if self._base else 0

    def _first_id(self):
        return self._base._first_id() + len(self._base._types) if self._base else 1
