"""Documents of a file, one after the other: one on each line, or indented ones. Only one is in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..errors import ExitStatError

#: Bytes of the longest document: a thousand domains with times take some ten MB.
LONGEST = 1 << 28

#: So many lines without a document at the beginning, and the file is another program's.
_STRANGE_LINES = 100

# What stands between documents. NULs are what a host that lost power leaves of a file's end.
_BLANK = b" \t\r\n\0"

# What gzip, xz and zstd begin their files with: logrotate compresses logs.
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")

# Bytes of a line that are looked at before all of it is read.
_FIRST_LOOK = 4096


class NoRecordingError(ExitStatError):
    """The file is not of this program, or of a version that this one does not read."""


class Document(NamedTuple):
    """One document: where it begins, its value, None where it is broken, and whether it stands on one line.

    `is_last` says that nothing follows a broken one: the file is cut off there.
    """

    line: int
    value: Any
    on_one_line: bool
    is_last: bool = False


def read_documents(file: BinaryIO) -> Iterator[Document]:
    """The documents of a file. Raises NoRecordingError for one without any, and OSError."""
    found = False
    for document in _with_end(_split(file)):
        found = found or document.value is not None
        if not found and (document.is_last or document.line >= _STRANGE_LINES):
            raise NoRecordingError("has no whole report", "give a file that '-o json' has written; csv cannot be read")
        yield document
    if not found:
        raise NoRecordingError("is empty", "record with 'virt-exitstat -i 1 -o json >FILE'")


def _with_end(documents: Iterator[Document]) -> Iterator[Document]:
    """The same, where the last one says that it is."""
    before = next(documents, None)
    for document in documents:
        if before:
            yield before
        before = document
    if before:
        yield before._replace(is_last=True)


def _split(file: BinaryIO) -> Iterator[Document]:
    at, line, further = 1, _read_line(file), b""
    while line:
        begins = at
        if line.strip(_BLANK) == b"{":
            text, at, further = _read_indented(file, line, at)
            yield Document(begins, _parse(text), on_one_line=False)
        elif line.strip(_BLANK):
            yield Document(begins, _parse(line), on_one_line=True)
        at += 1
        line, further = further or _read_line(file), b""


def _read_line(file: BinaryIO) -> bytes:
    """The next line at which a document may begin."""
    start = file.readline(_FIRST_LOOK)
    if start.startswith(_PACKED):
        raise NoRecordingError("is compressed", "unpack it, as in 'zcat FILE | virt-exitstat --replay -'")
    if len(start) < _FIRST_LOOK or start.endswith(b"\n"):
        return start
    if not start.lstrip(_BLANK).startswith(b"{"):
        raise NoRecordingError("is no recording", "give a file that '-o json' has written")
    return _checked(start + file.readline(LONGEST))


def _read_indented(file: BinaryIO, first: bytes, at: int) -> tuple[bytes, int, bytes]:
    """A document that is indented, the number of its last line, and a line of the next one where it is cut off."""
    parts, size = [first], len(first)
    for line in iter(lambda: file.readline(LONGEST), b""):
        bare = line.rstrip(_BLANK)
        if bare == b"{" or line.startswith(b'{"'):
            return b"".join(parts), at, line
        at += 1
        size += len(line)
        parts.append(line)
        if size > LONGEST or bare == b"}":
            break
    return _checked(b"".join(parts)), at, b""


def _checked(text: bytes) -> bytes:
    if len(text) > LONGEST:
        raise NoRecordingError(
            f"has a document of more than {LONGEST >> 20} MB", "give a file that '-o json' has written"
        )
    return text


def _parse(text: bytes) -> Any:
    """The value; None for what is no JSON, as of a document that is cut off."""
    try:
        return json.loads(text.strip(_BLANK).decode())
    except (ValueError, RecursionError):
        return None
