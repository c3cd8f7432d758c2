"""The time, and waiting for it or for descriptors. A parameter of the program: a test's clock moves on by itself."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Iterable
from datetime import datetime, timezone


class Clock:
    """The time, and waiting. A parameter of the program: a test's clock moves on without waiting."""

    #: How long to wait for an answer that mostly comes at once, in seconds. Keys and signals wait as long, unnoticed.
    grace_s = 0.1

    def monotonic_s(self) -> float:
        """CLOCK_MONOTONIC, in seconds."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The date and time, in UTC."""
        return datetime.now(timezone.utc)

    def wait(self, fds: Iterable[int], timeout_s: float) -> frozenset[int]:
        """Wait until one of the descriptors is readable, at most so long; which ones are."""
        # poll, for select takes no descriptor above 1023 and bcc opens one for each CPU.
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return frozenset(fd for fd, _ in poll.poll(max(0, math.ceil(timeout_s * 1000))))
