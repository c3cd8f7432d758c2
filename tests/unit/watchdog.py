"""For code that must end on whatever input: a hang becomes a failure."""

import contextlib
import signal

import pytest


@contextlib.contextmanager
def ends(within_s=20):
    """The block ends; if not, it is broken off. The limit is generous: it is never waited for."""

    def break_off(*_):
        pytest.fail(f"still running after {within_s} s")

    before = signal.signal(signal.SIGALRM, break_off)
    signal.alarm(within_s)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
