"""A command in a pseudo-terminal, and a terminal emulator that shows what a user would see."""

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
import time

import pyte

#: Never waited for: after this long without what is waited for, there is a defect.
_GIVE_UP_S = 20


class PtyScreen:
    """`command` as the leader of a session on its own terminal of `columns` x `lines`."""

    def __init__(self, command, columns=80, lines=24, *, env=None, pass_fds=()):
        self.master, self.slave = os.openpty()
        self.raw = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._set_size(columns, lines)
        self.attributes_before = self.attributes()
        self.process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            pass_fds=pass_fds,
            env={**os.environ, "TERM": "xterm-256color", **(env or {})},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    # -- what the user does --

    def send(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns, lines):
        self._screen.resize(lines, columns)
        self._set_size(columns, lines)

    def kill(self, number):
        self.process.send_signal(number)

    def hang_up(self):
        os.close(self.slave)
        os.close(self.master)

    # -- what the user sees --

    @property
    def lines(self):
        return self._screen.display

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def cells(self):
        """{line: {column: pyte's Char}}: with colours."""
        return self._screen.buffer

    @property
    def size(self):
        return self._screen.columns, self._screen.lines

    @property
    def is_alternate(self):
        # pyte knows no alternate screen.
        return self.raw.rfind(b"\x1b[?1049h") > self.raw.rfind(b"\x1b[?1049l")

    @property
    def is_restored(self):
        wraps = pyte.modes.DECAWM in self._screen.mode
        return (
            not self.is_alternate
            and not self._screen.cursor.hidden
            and wraps
            and self.attributes() == self.attributes_before
        )

    @property
    def after_leaving(self):
        """What was written on the normal screen since it was come back to."""
        return "" if self.is_alternate else self.raw.rpartition(b"\x1b[?1049l")[2].decode().replace("\r\n", "\n")

    @property
    def unread_keys(self):
        """Bytes that were typed and that the process has not read."""
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]

    def attributes(self):
        return termios.tcgetattr(self.slave)

    # -- waiting --

    def wait_for(self, wanted):
        """Read until `wanted` (a text on the screen, or a predicate) is there."""
        is_there = wanted if callable(wanted) else lambda: wanted in self.text
        give_up = time.monotonic() + _GIVE_UP_S
        while not is_there():
            assert time.monotonic() < give_up, f"waited for {wanted!r}; the screen shows:\n{self.text}"
            self.read(1)

    def wait_for_end(self):
        """The exit status. The terminal is read meanwhile, or the process might wait for us."""
        self.wait_for(lambda: self.process.poll() is not None)
        while self.read(0):
            pass
        return self.process.returncode

    def read(self, timeout_s):
        """Take in what the process has written; whether there was something."""
        if not select.select([self.master], [], [], min(timeout_s, 0.05))[0]:
            return False
        data = os.read(self.master, 65536)
        self.raw += data
        self._stream.feed(data)
        return True

    def _set_size(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
