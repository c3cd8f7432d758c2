"""signals: each can be waited for, none is lost, and all is as before behind it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from virt_exitstat.clock import Clock
from virt_exitstat.run.signals import Signals

LIB = Path(__file__).resolve().parents[2] / "lib"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_makes_the_descriptor_readable(number):
    with Signals() as signals:
        os.kill(os.getpid(), number)
        assert Clock().wait([signals.fileno()], 600) == {signals.fileno()}
        assert signals.take() == {number}
        assert signals.take() == frozenset()


def test_handlers_are_as_before_behind_it():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Signals():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.take() == {signal.SIGTERM}
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_same_signal_twice_at_a_time_is_one():
    with Signals() as signals:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.take() == {signal.SIGINT}


def test_a_process_that_hangs_is_ended_by_the_second_signal():
    """It writes to a pipe that nobody reads, so it never takes the first."""
    script = (
        "import os; from virt_exitstat.run import signals\nwith signals.Signals():\n  while 1: os.write(1, bytes(9**6))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env={"PYTHONPATH": str(LIB)})
    try:
        assert process.stdout.read(1) == b"\0"  # it is in there
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == -signal.SIGINT
    finally:
        process.kill()
        process.stdout.close()
