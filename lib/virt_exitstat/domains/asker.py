"""Asks libvirt in a thread of its own: it answers late while a domain's hook runs, never when its daemon hangs."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from ..text import escape
from . import libvirtd
from .libvirtd import NoAnswerError

_T = TypeVar("_T")

#: After how many seconds the user is told of the wait. A first connection may start the daemon and ask polkit.
_PATIENCE_S = 2
#: After how many seconds waiting ends. A hook, or locking a big domain's memory, may take minutes; a hang never ends.
_LIMIT_S = 300
#: How long to wait for a connection to end, in seconds: a healthy daemon takes a millisecond.
_CLOSING_S = 0.1


class Answer(Generic[_T]):
    """A question to libvirt, and its answer as soon as there is one."""

    def __init__(self, question: Callable[[Any], _T], tell: Callable[[], None]) -> None:
        self._question, self._tell = question, tell
        self._lock, self._done = threading.Lock(), threading.Event()
        self._is_late = False
        self._error: Exception | None = None

    def wait(self, timeout_s: float) -> bool:
        """Wait for it. When it is not there by then, the asker's descriptor becomes readable once it is."""
        if self._done.wait(timeout_s):
            return True
        with self._lock:
            self._is_late = not self._done.is_set()
            return not self._is_late

    def get(self) -> _T:
        """The answer, which is there. Raises what asking raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def find(self, ask: Callable[[Callable[[Any], _T]], _T]) -> None:
        """Have it, by `ask`. In the asker's thread."""
        try:
            self._result = ask(self._question)
        except Exception as error:  # whatever it is, it is raised where the answer is taken
            self._error = error
        with self._lock:
            self._done.set()
            if self._is_late:
                self._tell()


class Asker:
    """Asks libvirt one question after the other, and nobody waits longer than he wants to.

    All calls into libvirt are made by its thread, opening and closing the connection too. A connection that fails is
    opened anew, by `connect`; `connection` is one that is open, and stays so. One thread only, however many questions
    are given up: each that waits in libvirt's daemon takes one of its few workers. With `watches`, what libvirt tells
    of domains makes `fileno()` readable.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        where: str,
        connection: Any = None,
        watches: bool = False,
        limit_s: float = _LIMIT_S,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._connect, self._where, self._watches = connect, where, watches
        self._limit_s, self._note = limit_s, note
        self._is_waiting_said = False
        # The thread's own: the connection handed in, the one in use, whether it is to be closed, and its events.
        self._given, self._connection, self._is_ours = connection, None, False
        self._watch: int | None = None
        self._thread: threading.Thread | None = None
        self._questions: queue.SimpleQueue[Answer[Any] | None] = queue.SimpleQueue()
        # Events write into it, from libvirt's thread, and may do so after the end.
        self._reader, self._writer = os.pipe()
        self._pipe_lock, self._is_pipe_open = threading.Lock(), True
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The daemon logs an error for a connection that just breaks off; one that hangs is not waited for.
        if self._thread:
            self._questions.put(None)
            self._thread.join(_CLOSING_S)
        with self._pipe_lock:
            self._is_pipe_open = False
        os.close(self._reader)
        os.close(self._writer)

    def ask(self, question: Callable[[Any], _T]) -> _T:
        """The answer. That it is waited for is said, once; raises NoAnswerError when that takes minutes."""
        answer = self.begin(question)
        patience_s = min(_PATIENCE_S, self._limit_s)
        if not answer.wait(patience_s):
            if not self._is_waiting_said:
                self._is_waiting_said = True
                self._note(f"waiting for libvirt at {escape(self._where)}, which is busy or hangs ..")
            if not answer.wait(self._limit_s - patience_s):
                raise NoAnswerError(
                    f"libvirt at {escape(self._where)} has not answered for {self._limit_s:g} s",
                    "does 'virsh list' answer? A hook of a domain may keep it; processes without libvirt: --pid",
                )
        return answer.get()

    def begin(self, question: Callable[[Any], _T]) -> Answer[_T]:
        """Ask, and wait for nothing. A question is a function of the connection (a virConnect)."""
        if not self._thread:
            self._thread = threading.Thread(target=self._run, name="libvirt", daemon=True)
            self._thread.start()
        answer = Answer(question, self._wake)
        self._questions.put(answer)
        return answer

    def fileno(self) -> int:
        """Readable when libvirt has told that a domain came or went, or when a late answer is there."""
        return self._reader

    def hush(self) -> None:
        """Have fileno() no longer readable."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _run(self) -> None:
        while True:
            answer = self._questions.get()
            if answer is None:
                break
            answer.find(self._ask)
        self._close()

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        was_open = self._connection is not None
        try:
            return question(self._open())
        except NoAnswerError:
            self._close()
            if not was_open:
                raise
        # It was open for long, perhaps: the daemon may have been started anew meanwhile.
        return question(self._open())

    def _open(self) -> Any:
        if self._connection is None:
            given, self._given = self._given, None
            self._is_ours = given is None
            self._connection = self._connect() if given is None else given
            self._watch = libvirtd.watch_domains(self._connection, self._wake) if self._watches else None
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._is_ours:
            libvirtd.close_connection(connection, self._watch)

    def _wake(self) -> None:
        with self._pipe_lock, contextlib.suppress(BlockingIOError):  # full: it is readable already
            if self._is_pipe_open:
                os.write(self._writer, b"\0")
