"""The terminal as the live view needs it, given back as it was. The door to termios."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from collections.abc import Iterator, Sequence

from ..run.signals import Signals

# Alternate screen, no cursor, no wrapping at the right margin (a name that the terminal takes for wider than we do must
# not break the lines); and all that back, with no colour left behind.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"


class TerminalGoneError(Exception):
    """The terminal was closed, its window or connection with it. There is nobody left to tell."""


class Terminal:
    """The terminal on stdin and stdout; ours from enter() to leave() or the end of the block.

    A write to a terminal that takes nothing more is given up when a signal of `wakeup` has come.
    """

    def __init__(self, wakeup: Signals) -> None:
        self.keyboard = sys.stdin.fileno()
        self.entered = False
        self._wakeup = wakeup.fileno()
        self._encoding = sys.stdout.encoding
        # Opened anew, because O_NONBLOCK on the file that we share with the shell would be the shell's too. Without it,
        # a terminal that takes nothing more (a stalled ssh) would keep us from hearing SIGTERM.
        try:
            path = f"/proc/self/fd/{sys.stdout.fileno()}"
            self._screen = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:  # another user's terminal, after su
            self._screen = os.dup(sys.stdout.fileno())

    def __enter__(self) -> Terminal:
        sys.stdout.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        os.close(self._screen)

    def enter(self) -> None:
        """Take the terminal: keys come one by one and unseen, Ctrl-S is a key like others. Raises TerminalGoneError."""
        with _noticed_gone():
            self._before = termios.tcgetattr(self.keyboard)
            ours = termios.tcgetattr(self.keyboard)
            ours[0] &= ~termios.IXON
            ours[3] &= ~(termios.ICANON | termios.ECHO)
            ours[6][termios.VMIN], ours[6][termios.VTIME] = 1, 0
            self.entered = True
            termios.tcsetattr(self.keyboard, termios.TCSANOW, ours)
            self._write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back as it was; one that has gone (SIGHUP) needs nothing."""
        if not self.entered:
            return
        self.entered = False
        with contextlib.suppress(OSError, termios.error):
            if self._screen not in self._wait(timeout_ms=0):
                termios.tcflush(self._screen, termios.TCOFLUSH)
            os.write(self._screen, _LEAVE.encode())
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.keyboard, termios.TCSANOW, self._before)

    def read(self) -> bytes:
        """The bytes that were typed, at least one. Raises TerminalGoneError."""
        with _noticed_gone():
            typed = os.read(self.keyboard, 4096)
        if not typed:
            raise TerminalGoneError
        return typed

    def has_more(self, timeout_ms: int) -> bool:
        """Whether more was typed, or is within this time."""
        poll = select.poll()
        poll.register(self.keyboard, select.POLLIN)
        return bool(poll.poll(timeout_ms))

    def size(self) -> tuple[int, int]:
        """Columns and lines. Raises TerminalGoneError."""
        with _noticed_gone():
            width, height = os.get_terminal_size(self._screen)
        return (width, height) if width and height else (80, 24)  # a serial line does not say

    def draw(self, lines: Sequence[str]) -> None:
        """Write lines of the full width over the ones before, in one piece: nothing is cleared, so nothing flickers.

        Raises TerminalGoneError.
        """
        # Each line is put in its place: with line feeds, a window that has just become smaller would scroll.
        with _noticed_gone():
            self._write("".join(f"\x1b[{row};1H{line}" for row, line in enumerate(lines, 1)))

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        while data:
            try:
                data = data[os.write(self._screen, data) :]
            except BlockingIOError:
                if self._wakeup in self._wait(timeout_ms=None):
                    return  # whatever it is ends us or has the screen drawn again

    def _wait(self, timeout_ms: int | None) -> frozenset[int]:
        """The descriptors that are ready: the screen when it takes more, `wakeup` when a signal has come."""
        # poll, for select takes no descriptor above 1023 and there is one for each domain.
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._screen, select.POLLOUT)
        return frozenset(fd for fd, _ in poll.poll(timeout_ms))


@contextlib.contextmanager
def _noticed_gone() -> Iterator[None]:
    try:
        yield
    except (OSError, termios.error) as error:
        raise TerminalGoneError from error
