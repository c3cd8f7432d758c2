"""A file that is replaced each time, so that a reader finds the old text or the new one, and never a part."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..errors import ExitStatError
from ..text import escape

#: Whoever collects it is another user, whatever our umask is.
_MODE = 0o644


class ReplacedFile:
    """The file at `path`, as node_exporter's textfile collector wants it. It is removed in the end: who reads it later
    must not take it for news. `note` is told once when it cannot be written, and when it can be again.

    Raises ExitStatError when something else is there that must not be replaced.
    """

    def __init__(self, path: Path, note: Callable[[str], None]) -> None:
        self._path, self._note = path, note
        # Open until the next one: so long no other file can have its inode.
        self._written: BinaryIO | None = None
        self._is_failing = False
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise ExitStatError(
                    f"{self._name} is not a regular file, and would be replaced", "give --log the name of a file"
                )
        if path.suffix != ".prom":
            note(f"node_exporter reads only files whose names end in .prom, and not {self._name}")

    def __enter__(self) -> ReplacedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._written:
            with self._written, contextlib.suppress(OSError):
                # Another one's, who writes there too, is left to him.
                if os.path.samestat(self._path.lstat(), os.fstat(self._written.fileno())):
                    self._path.unlink()

    @property
    def _name(self) -> str:
        return escape(str(self._path))

    def _explain(self, error: OSError) -> str:
        return f"cannot write {self._name}: {error.strerror}"

    def write_first(self, text: bytes) -> None:
        """Write it for the first time. Raises ExitStatError when that fails."""
        try:
            self._replace(text)
        except OSError as error:
            raise ExitStatError(self._explain(error), "its directory must exist, be writable and have room") from None

    def write(self, text: bytes) -> None:
        """Write it. When that fails the old text stays, and counters miss nothing by it."""
        try:
            self._replace(text)
        except OSError as error:
            if not self._is_failing:
                self._note(f"{self._explain(error)}; counting goes on, and the next try may succeed")
            self._is_failing = True
            return
        if self._is_failing:
            self._note(f"{self._name} is written again")
        self._is_failing = False

    def _replace(self, text: bytes) -> None:
        # Hidden, and with another end: the collector takes it for none of its files.
        fd, beside = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".new", dir=self._path.parent)
        with contextlib.ExitStack() as undo:
            file = undo.enter_context(open(fd, "wb", buffering=0))
            undo.callback(_remove, beside)
            left = memoryview(text)
            while left:
                left = left[file.write(left) :]
            os.fchmod(fd, _MODE)
            Path(beside).rename(self._path)
            undo.pop_all()
        if self._written:
            self._written.close()
        self._written = file


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()
