"""The server: connections that are accepted, served as far as they are ready, and closed when their time is over."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType

from ..clock import Clock
from ..host.limits import descriptor_limit
from .connection import Connection
from .message import Page, Request

#: Connections at a time. One more, and the one that has been open for the longest is closed.
_MOST_CONNECTIONS = 64

#: Bytes of bodies that are being sent. More, and the connection that has been open for the longest is closed.
_MOST_BODY_BYTES = 64 << 20

#: Bytes that the kernel may keep of what a client has not taken yet.
_SEND_BUFFER = 1 << 18

#: Descriptors that connections leave free: to read the counts takes some, and each domain that starts takes one.
_SPARE_DESCRIPTORS = 32

#: Without descriptors no connection can be accepted: try again after so many seconds.
_PAUSE_S = 1.0

#: A body below that is not worth compressing, in bytes.
_LEAST_GZIP = 1024


class Server:
    """Serves `answer`'s pages at sockets that listen, which are the caller's to close. serve() is to be called when
    `fileno()` is readable, prepare_wait() before each wait for that.

    Nothing here waits. Requests that are ready at the same time get the same page of `answer`.
    """

    def __init__(self, listening: Sequence[socket.socket], answer: Callable[[str], Page], clock: Clock) -> None:
        self._answer, self._clock = answer, clock
        self._listening = {one.fileno(): one for one in listening}
        # In the order in which they were accepted.
        self._connections: dict[int, Connection] = {}
        self._pages: dict[tuple[str, bool], Page] = {}
        self._paused_until_s: float | None = None
        self._epoll = select.epoll()
        for one in listening:
            one.setblocking(False)
            with contextlib.suppress(OSError):  # a Unix socket's is fixed
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            self._epoll.register(one, select.EPOLLIN)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in [*self._connections.values()]:
            self._drop(connection)
        self._epoll.close()

    def fileno(self) -> int:
        """Readable when serve() is worth a call."""
        return self._epoll.fileno()

    def serve(self) -> None:
        """Accept who has come, read what was sent, send what is taken. Raises what `answer` raises."""
        ready = [fd for fd, _ in self._epoll.poll(0)]
        now_s = self._clock.monotonic_s()
        for fd in ready:
            if fd in self._listening:
                self._accept(self._listening[fd], now_s)
            elif fd in self._connections:
                self._go_on(self._connections[fd], now_s)
        self._pages.clear()
        self._keep_bodies_small()

    def prepare_wait(self) -> float:
        """Close what is overdue; for how many seconds nothing more will be."""
        now_s = self._clock.monotonic_s()
        for connection in [*self._connections.values()]:
            if connection.due_s <= now_s:
                self._drop(connection)
        if self._paused_until_s is not None and self._paused_until_s <= now_s:
            self._listen(select.EPOLLIN)
            self._paused_until_s = None
        due_s = [connection.due_s for connection in self._connections.values()]
        if self._paused_until_s is not None:
            due_s.append(self._paused_until_s)
        return max(0.0, min(due_s, default=math.inf) - now_s)

    def _accept(self, listening: socket.socket, now_s: float) -> None:
        # All who wait, so that those who ask at the same time are answered at the same time.
        for _ in range(_MOST_CONNECTIONS):
            if not self._accept_one(listening, now_s):
                return

    def _accept_one(self, listening: socket.socket, now_s: float) -> bool:
        try:
            accepted, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return False
        except OSError:
            # No descriptors. Who waits stays readable, and would be tried again at once.
            self._listen(0)
            self._paused_until_s = now_s + _PAUSE_S
            return False
        connection = Connection(self._spare_descriptors(accepted), self._page, now_s)
        self._connections[connection.fileno()] = connection
        self._epoll.register(connection, connection.wants)
        if len(self._connections) > _MOST_CONNECTIONS:
            self._drop_oldest()
        return True

    def _spare_descriptors(self, accepted: socket.socket) -> socket.socket:
        # The system gives the lowest number that is free, so a high one says that few are left.
        if accepted.fileno() < descriptor_limit() - _SPARE_DESCRIPTORS or not self._connections:
            return accepted
        self._drop_oldest()
        with accepted:
            return accepted.dup()  # which takes the number that has just become free

    def _go_on(self, connection: Connection, now_s: float) -> None:
        wanted = connection.wants
        if not connection.go_on(now_s):
            self._drop(connection)
        elif connection.wants != wanted:
            self._epoll.modify(connection, connection.wants)

    def _page(self, request: Request) -> Page:
        found = self._pages.get((request.path, request.gzip))
        if not found:
            found = self._pages.get((request.path, False)) or self._answer(request.path)
            self._pages[request.path, False] = found
            if request.gzip and len(found.body) >= _LEAST_GZIP:
                # The fastest level: the next one takes as long as making the page does.
                squeeze = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
                found = replace(found, body=squeeze.compress(found.body) + squeeze.flush(), gzip=True)
            self._pages[request.path, request.gzip] = found
        return found

    def _keep_bodies_small(self) -> None:
        while True:
            bodies = {id(one.body): len(one.body) for one in self._connections.values() if one.body}
            if sum(bodies.values()) <= _MOST_BODY_BYTES or len(bodies) <= 1:
                return
            self._drop_oldest(sending=True)

    def _drop_oldest(self, *, sending: bool = False) -> None:
        for connection in [*self._connections.values()]:
            if connection.body or not sending:
                self._drop(connection)
                return

    def _drop(self, connection: Connection) -> None:
        del self._connections[connection.fileno()]
        connection.close()  # which ends epoll's interest too

    def _listen(self, events: int) -> None:
        for one in self._listening.values():
            self._epoll.modify(one, events)
