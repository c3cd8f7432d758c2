"""asker: libvirt is asked by one thread, and nobody waits for it longer than he wants to."""

import os
import threading
from pathlib import Path

import pytest

from virt_exitstat.clock import Clock
from virt_exitstat.domains.asker import Asker
from virt_exitstat.domains.libvirtd import NoAnswerError


class Connection:
    """Knows who closed it, and what it is watched by."""

    closed_by = None
    tell = None

    def domainEventRegisterAny(self, _domain, _event, callback, opaque):  # noqa: N802
        self.tell = lambda: callback(self, None, 0, 0, opaque)
        return 7

    def domainEventDeregisterAny(self, watch):  # noqa: N802
        assert watch == 7
        self.tell = None

    def setKeepAlive(self, *_):  # noqa: N802
        pass

    def close(self):
        self.closed_by = threading.current_thread().name


@pytest.fixture()
def held():
    """What a question may wait for; let go behind the test."""
    held = threading.Event()
    yield held
    held.set()


def readable(asker):
    return bool(Clock().wait([asker.fileno()], 0))


def asking_thread(_connection):
    return threading.current_thread()


def test_opening_asking_and_closing_are_done_by_its_thread():
    connection, opened_by = Connection(), []

    def connect():
        opened_by.append(threading.current_thread())
        return connection

    with Asker(connect, where="here") as asker:
        thread = asker.ask(asking_thread)
        assert asker.ask(asking_thread) is thread is not threading.current_thread()
    thread.join()
    assert opened_by == [thread] and connection.closed_by == thread.name


def test_nothing_is_opened_before_something_is_asked():
    with Asker(lambda: pytest.fail("opened"), where="here"):
        pass


def test_a_connection_that_was_handed_in_stays_open():
    connection = Connection()
    with Asker(lambda: pytest.fail("opened"), where="here", connection=connection) as asker:
        assert asker.ask(lambda given: given) is connection
        thread = asker.ask(asking_thread)
    thread.join()
    assert connection.closed_by is None


@pytest.mark.parametrize("error", [NoAnswerError("no", "none"), ValueError("a fault of ours")])
def test_what_asking_raises_is_raised_where_the_answer_is_wanted(error):
    def question(_connection):
        raise error

    with Asker(Connection, where="here") as asker:
        with pytest.raises(type(error)) as raised:
            asker.ask(question)
        assert raised.value is error
        assert asker.ask(lambda _connection: "the next question is answered")


def test_a_connection_that_fails_is_closed_and_opened_anew_once_and_watched_again():
    opened = []

    def connect():
        opened.append(Connection())
        return opened[-1]

    def question(connection):
        if connection is not opened[-1] or (len(opened) == 1 and broken):
            raise NoAnswerError("no", "none")
        return "answer"

    broken = False
    with Asker(connect, where="here", watches=True) as asker:
        assert asker.ask(question) == "answer"
        broken = True
        assert asker.ask(question) == "answer"
        assert len(opened) == 2 and opened[0].closed_by and not opened[0].tell
        opened[1].tell()
        assert readable(asker)
        asker.hush()
        assert not readable(asker)


def test_a_daemon_that_is_not_there_is_asked_once_a_question():
    opened = []

    def connect():
        opened.append(1)
        raise NoAnswerError("its daemon is not running", "start it")

    with Asker(connect, where="here") as asker:
        for questions in (1, 2):
            with pytest.raises(NoAnswerError, match="not running"):
                asker.ask(asking_thread)
            assert len(opened) == questions


def test_an_answer_in_time_is_not_told_of_and_a_late_one_is(held):
    with Asker(Connection, where="here") as asker:
        assert asker.begin(lambda _connection: 1).wait(600)
        assert not readable(asker)
        late = asker.begin(lambda _connection: held.wait())
        assert not late.wait(0)
        held.set()
        assert Clock().wait([asker.fileno()], 600)
        assert late.wait(0) and late.get()


def test_waiting_is_said_once_and_given_up_at_last(held):
    notes = []
    with Asker(Connection, where="here\x1b", limit_s=0, note=notes.append) as asker:
        for _ in range(2):
            with pytest.raises(NoAnswerError, match=r"libvirt at here\\x1b has not answered for 0 s"):
                asker.ask(lambda _connection: held.wait())
    assert notes == ["waiting for libvirt at here\\x1b, which is busy or hangs .."]


def test_a_thread_that_libvirt_keeps_is_not_waited_for_at_the_end(held):
    with Asker(Connection, where="here") as asker:
        assert not asker.begin(lambda _connection: held.wait()).wait(0)
    assert not held.is_set()


def open_descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("questions", [0, 1])
def test_no_descriptor_stays_open_behind_it(questions):
    before = open_descriptors()
    with Asker(Connection, where="here") as asker:
        for _ in range(questions):
            asker.ask(asking_thread)
    assert open_descriptors() == before


def test_what_libvirt_tells_after_the_end_goes_into_nobody_elses_file(held):
    connection = Connection()
    with Asker(lambda: None, where="here", connection=connection, watches=True) as asker:
        asker.ask(asking_thread)
        late = asker.begin(lambda _connection: held.wait())
        assert not late.wait(0)
    # These take the numbers of the descriptors that are closed now.
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        connection.tell()
        held.set()
        assert late.wait(600)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
    finally:
        os.close(reader)
        os.close(writer)
