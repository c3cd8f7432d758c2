"""One client's connection: its request is read, the response is sent, both as far as that goes without waiting."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable

from .message import MOST_BYTES, BadRequestError, Page, Request, head_of, parse_request

#: For how many seconds a client may send its request, take the response, and close when it has it. Prometheus gives a
#: scrape ten seconds, unless it is told otherwise.
_REQUEST_S, _RESPONSE_S, _CLOSING_S = 10, 30, 2

#: So much is sent before others have their turn, in bytes.
_PIECE = 1 << 18


class Connection:
    """A connection that was accepted. `answer` makes the page for a request."""

    def __init__(self, accepted: socket.socket, answer: Callable[[Request], Page], now_s: float) -> None:
        accepted.setblocking(False)
        self._socket, self._answer = accepted, answer
        self._received = b""
        self._pieces: list[memoryview] = []
        self._is_answered = False
        #: The body that is being sent: several connections may share one.
        self.body = b""
        #: When it is closed, whatever the client does.
        self.due_s = now_s + _REQUEST_S
        #: What epoll is to wait for.
        self.wants = select.EPOLLIN

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """End it at once."""
        self.body = b""
        self._pieces = []
        self._socket.close()

    def go_on(self, now_s: float) -> bool:
        """Read or send what can be; False when the connection is over. Raises what `answer` raises."""
        try:
            if self._pieces:
                return self._send(now_s)
            received = self._socket.recv(MOST_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:  # the client has gone, or broke off
            return False
        # What it says after its request is not heard; closing before that was read would spoil the response.
        if received and not self._is_answered:
            self._hear(received, now_s)
        return bool(received)

    def _hear(self, received: bytes, now_s: float) -> None:
        self._received += received
        try:
            request = parse_request(self._received)
            page = self._answer(request) if request else None
        except BadRequestError as error:
            request, page = None, error.page
        if page:
            self._begin(page, now_s, is_head=bool(request and request.is_head))

    def _begin(self, page: Page, now_s: float, *, is_head: bool) -> None:
        self._is_answered, self._received = True, b""
        self.body = b"" if is_head else page.body
        self._pieces = [memoryview(part) for part in (head_of(page), self.body) if part]
        self.due_s, self.wants = now_s + _RESPONSE_S, select.EPOLLOUT

    def _send(self, now_s: float) -> bool:
        sent = self._socket.send(self._pieces[0][:_PIECE])
        self._pieces[0] = self._pieces[0][sent:]
        if not self._pieces[0]:
            del self._pieces[0]
        if not self._pieces:
            self.body = b""
            self.due_s, self.wants = now_s + _CLOSING_S, select.EPOLLIN
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        return True
