"""Keeps what bcc and clang print from the screen and the report, and turns what they raise into one of our errors."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from ..errors import ExitStatError
from .streams import say


@contextlib.contextmanager
def quiet_stderr(debug: bool, explain: Callable[[str], ExitStatError]) -> Iterator[None]:
    """Turn what a library raises into the error that `explain` makes of all that was printed and raised.

    With `debug`, what was printed is shown, on standard error. What was meant for standard output is kept from there
    too: bcc says that it finds no headers there, in the middle of our report.
    """
    printed = ""
    try:
        with _diverted_output() as scratch:
            try:
                yield
            finally:
                _flush_c()
                scratch.seek(0)
                printed = scratch.read().decode(errors="replace")
    except ExitStatError:
        raise
    except Exception as error:
        raise explain(f"{printed}\n{error}") from error
    finally:
        if debug and printed:
            say(printed.rstrip("\n"))


@contextlib.contextmanager
def _diverted_output() -> Iterator[IO[bytes]]:
    with contextlib.ExitStack() as undo:
        scratch = undo.enter_context(_open_scratch())
        for fd in (1, 2):
            saved = os.dup(fd)
            undo.callback(os.close, saved)
            undo.callback(os.dup2, saved, fd)
            os.dup2(scratch.fileno(), fd)
        yield scratch


def _flush_c() -> None:
    # C's standard output is a buffer of its own, which would be written when descriptor 1 is ours again.
    ctypes.CDLL(None).fflush(None)


def _open_scratch() -> IO[bytes]:
    # In memory, because a full disk or a read-only /tmp must not prevent counting.
    try:
        return os.fdopen(os.memfd_create("what bcc says"), "w+b", buffering=0)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return tempfile.TemporaryFile(buffering=0)
