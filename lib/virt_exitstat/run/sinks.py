"""Sinks of text: standard output, or a file that is appended to."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..errors import ExitStatError
from ..host.streams import write_stream
from ..text import escape


class Sink(Protocol):
    """Takes text. Errors of the file or pipe behind it are met in write(), not later."""

    def is_empty(self) -> bool:
        """Whether nothing stands there yet."""

    def write(self, text: str) -> None:
        """Write it all, now. Raises ExitStatError, or BrokenPipeError when nobody reads any more."""


class StandardOutput:
    """This process's standard output."""

    def __init__(self) -> None:
        self._written = False

    def is_empty(self) -> bool:
        """Whether nothing has been written yet."""
        return not self._written

    def write(self, text: str) -> None:
        """Print it."""
        self._written = True
        try:
            write_stream(sys.stdout, text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ExitStatError(
                f"cannot write to standard output: {error.strerror}", "make room, or write elsewhere"
            ) from None


class LogFile:
    """A file that is appended to. Raises ExitStatError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self.reopen()

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def reopen(self) -> None:
        """Open what has that name now, as is needed after logrotate has moved the file away."""
        self._close()
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._explain("open", error, "its directory must exist and be writable") from None

    def is_empty(self) -> bool:
        """Whether the file is empty, by whomever."""
        return os.fstat(self._fd).st_size == 0

    def write(self, text: str) -> None:
        """Append it."""
        left = text.encode(errors="backslashreplace")
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            raise self._explain("write to", error, "make room, or give --log another file") from None

    def _close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def _explain(self, what: str, error: OSError, hint: str) -> ExitStatError:
        return ExitStatError(f"cannot {what} {escape(str(self._path))}: {error.strerror}", hint)
