"""loop: one wait for the time, signals and libvirt; reports neither drift nor get lost."""

import os
import signal

import pytest

from virt_exitstat.clock import Clock
from virt_exitstat.run.loop import run_reports
from virt_exitstat.run.schedule import Schedule
from virt_exitstat.run.signals import Signals


class FakeClock(Clock):
    """Moves on when it is waited for; `at` says what happens when: {seconds: function}."""

    def __init__(self, at=None):
        self.now_s, self.at = 0.0, dict(at or {})

    def monotonic_s(self):
        return self.now_s

    def wait(self, fds, timeout_s):
        ready = super().wait(fds, 0)
        if ready or not timeout_s:
            return ready
        until_s = self.now_s + timeout_s
        self.now_s = min([until_s, *self.at])
        assert self.now_s < 1000, "nothing has ended the run"
        if self.now_s in self.at:
            self.at.pop(self.now_s)()
        return super().wait(fds, 0)


class FakeSession:
    """Reports are the times they were made at."""

    def __init__(self, clock):
        self.clock, self.refreshed, self.kept_house = clock, [], []
        self.reader, self.writer = os.pipe()

    def fileno(self):
        return self.reader

    def refresh(self):
        os.read(self.reader, 1)
        self.refreshed.append(self.clock.now_s)

    def keep_house(self):
        self.kept_house.append(self.clock.now_s)

    def report(self, *, last=False):
        return (self.clock.now_s, "last") if last else self.clock.now_s

    def tell_of_an_event(self):
        os.write(self.writer, b"x")


def send(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.fixture()
def run():
    """Count by a clock: what was shown, the last report at the end, and the session."""

    def run(clock, interval_s=None, duration_s=None, session=None, **more):
        session, shown = session or FakeSession(clock), []
        schedule = Schedule(clock.now_s, interval_s, duration_s)
        with Signals() as signals:
            listeners = {signals.fileno(): lambda: bool(signals.take())}
            run_reports(session, schedule, clock, show=shown.append, **{"listeners": listeners, **more})
        return [*shown, session.report(last=True)], session

    return run


def test_without_an_interval_there_is_one_report(run):
    assert run(FakeClock(), duration_s=7.5)[0] == [(7.5, "last")]


def test_the_last_interval_is_what_is_left(run):
    assert run(FakeClock(), 2, 5)[0] == [2, 4, (5, "last")]


def test_count_ends_the_run(run):
    assert run(FakeClock(), 2, reports=3)[0] == [2, 4, (6, "last")]
    assert run(FakeClock(), 2, 3, reports=3)[0] == [2, (3, "last")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_what_there_is(run, number):
    assert run(FakeClock({4.25: send(number)}), 2)[0] == [2, 4, (4.25, "last")]


def test_a_listener_that_does_not_end_the_run_shifts_no_report(run):
    clock, heard = FakeClock({3: lambda: os.write(writer, b"x")}), []
    reader, writer = os.pipe()
    listeners = {reader: lambda: heard.append((clock.now_s, os.read(reader, 9)))}
    assert run(clock, 2, 6, listeners=listeners)[0] == [2, 4, (6, "last")]
    assert heard == [(3, b"x")]


def test_what_comes_before_each_wait_says_how_long_it_takes_at_most(run):
    clock, waits = FakeClock(), []
    assert run(clock, 2, 4, before_wait=lambda: waits.append(clock.now_s) or 0.5)[0] == [2, (4, "last")]
    assert waits == [0, 0.5, 1, 1.5, 2, 2, 2.5, 3, 3.5, 4]


def test_an_event_is_looked_at_at_once_and_shifts_no_report(run):
    clock = FakeClock()
    session = FakeSession(clock)
    clock.at = {0.5: session.tell_of_an_event, 2.75: session.tell_of_an_event}
    assert run(clock, 2, 6, session=session)[0] == [2, 4, (6, "last")]
    assert session.refreshed == [0.5, 2.75]


def test_an_event_is_looked_at_on_a_host_that_is_always_late():
    clock = FakeClock()
    session = FakeSession(clock)
    session.tell_of_an_event()

    def draw_slowly():
        clock.now_s += 5
        return 1000

    run_reports(session, Schedule(0, 2, 20), clock, listeners={}, show=[].append, before_wait=draw_slowly)
    assert session.refreshed == [5]


def test_a_long_wait_is_used_to_keep_house(run):
    _, session = run(FakeClock(), duration_s=21)
    assert session.kept_house[:4] == [5, 10, 15, 20]


def test_what_show_raises_ends_the_run():
    clock = FakeClock()
    schedule = Schedule(0, 1)

    def show(_):
        raise BrokenPipeError

    with Signals() as signals, pytest.raises(BrokenPipeError):
        run_reports(FakeSession(clock), schedule, clock, listeners={signals.fileno(): signals.take}, show=show)
    assert clock.now_s == 1
