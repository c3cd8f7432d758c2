"""Signals that can be waited for, so that none falls between attaching and detaching."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

#: Signals that end a run.
ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

#: Some senders (timeout(1), a shell and sudo) send the same signal twice at a time; that is not impatience.
_IMPATIENT_S = 0.5


class Signals:
    """While it is entered, the signals of `wanted` make `fileno()` readable and do nothing else.

    One that the caller had us ignore (nohup) stays ignored; those that were held back (blocked) are let in, and held
    back again afterwards. One that comes again while the first is not taken, because we hang (in a write to a pipe that
    nobody reads), ends the process as usual, unless we are `patient`.
    """

    def __init__(self, wanted: Iterable[int] = ENDING, *, patient: bool = False) -> None:
        self._wanted, self._patient = tuple(wanted), patient
        self._before: dict[int, Any] = {}
        self._waiting_since: dict[int, float] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._wanted:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._remember)
        self._mask_before = signal.pthread_sigmask(signal.SIG_UNBLOCK, self._before)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader

    def take(self) -> frozenset[int]:
        """The signals that have come since the last time."""
        try:
            came = os.read(self._reader, 4096)
        except BlockingIOError:
            came = b""
        self._waiting_since.clear()
        return frozenset(came) & frozenset(self._before)

    def stop_process(self) -> None:
        """Stop as a shell expects on Ctrl-Z; returns when it continues us."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._remember)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        # The interpreter has written the signal's number to the descriptor.
        since = self._waiting_since.setdefault(number, time.monotonic())
        if not self._patient and time.monotonic() - since > _IMPATIENT_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
