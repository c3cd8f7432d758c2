"""Standard input, output and error: the loss of one spoils neither the others nor the exit status.

Python's own streams keep what could not be written and fail once more when they are flushed at exit (status 120), lose
the rest of a short write when they are unbuffered (PYTHONUNBUFFERED), and `print(file=sys.stderr)` prints to standard
output when standard error was closed: sys.stderr is None then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
from typing import BinaryIO, TextIO


def open_missing_streams() -> None:
    """Have descriptors 0 to 2 lead somewhere. To be called first: else the next file that is opened gets the number of
    one that was closed, and what a library prints lands in it.
    """
    for fd in range(3):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:  # and a library that prints to it would print to standard output
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)


def write_stream(stream: TextIO, text: str) -> None:
    """Write all of it, now. Raises OSError; nothing is left in the stream that could fail again."""
    try:
        fd = stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        stream.write(text)
        return
    data = text.encode(stream.encoding, "backslashreplace")
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # whoever shares it has set O_NONBLOCK
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()


def open_input() -> BinaryIO:
    """Standard input as bytes. Closing them leaves it open."""
    return os.fdopen(0, "rb", closefd=False)


def say(text: str) -> None:
    """Tell the user something beside the report, a line or several. Where standard error is closed, full or read by
    nobody, it is not said: the report is worth more than what is said beside it.
    """
    with contextlib.suppress(OSError, ValueError):
        write_stream(sys.stderr, f"{text}\n")


def drop_unwritten() -> None:
    """Drop what Python could not write: flushing it at exit would change the exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            setattr(sys, name, None)
