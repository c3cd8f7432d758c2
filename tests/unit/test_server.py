"""server: real sockets on loopback. Whatever one client does, the others are served and nothing piles up."""

import gzip
import os
import socket
import threading
import urllib.error
import urllib.request

import pytest
from refusals import refuses

from virt_exitstat.arguments.requests import Address
from virt_exitstat.clock import Clock
from virt_exitstat.errors import ExitStatError
from virt_exitstat.web import server as web_server
from virt_exitstat.web.listening import listen_at, url_of
from virt_exitstat.web.message import Page, error_page
from virt_exitstat.web.server import Server

LARGE = b"0123456789abcdef" * (1 << 18)  # 4 MB, more than the kernel takes at once


class SomeClock(Clock):
    """A clock that is set."""

    now_s = 1000.0

    def monotonic_s(self):
        return self.now_s


class Site:
    """A server with its pages, and clients that are served by turns in one thread."""

    def __init__(self, host="127.0.0.1"):
        self.clock, self.asked = SomeClock(), []
        self.listening = listen_at(Address(host, 0))
        self.address = self.listening.getsockname()
        self.pages = {"/": lambda: Page(b"home"), "/large": lambda: Page(bytes(LARGE)), "/again": self._again}
        self.server = Server([self.listening], self._answer, self.clock)
        self._clients = []

    def _again(self):
        return Page(f"{len(self.asked)}".encode() * 1000)

    def _answer(self, path):
        self.asked.append(path)
        return self.pages.get(path, lambda: error_page(404))()

    def connect(self, text=b""):
        client = socket.create_connection(self.address[:2])
        self._clients.append(client)
        client.setblocking(False)
        client.sendall(text)
        return client

    def turn(self, times=10):
        for _ in range(times):
            self.server.serve()
            self.server.prepare_wait()

    def read(self, client):
        """All that the client is sent, with its end; what it reads makes room for more."""
        found = b""
        for _ in range(100_000):
            self.turn(1)
            try:
                part = client.recv(1 << 20)
            except BlockingIOError:
                continue
            if not part:
                return found
            found += part
        raise AssertionError(f"no end after {len(found)} bytes")

    def get(self, path="/"):
        return self.read(self.connect(b"GET %s HTTP/1.1\r\n\r\n" % path.encode()))

    @property
    def connections(self):
        return len(self.server._connections)

    def close(self):
        for client in self._clients:
            client.close()
        self.server.__exit__(None, None, None)
        self.listening.close()


@pytest.fixture()
def site():
    one = Site()
    yield one
    one.close()


def body(response):
    return response.partition(b"\r\n\r\n")[2]


def test_a_page_is_served_and_the_connection_ends(site):
    response = site.get("/")
    assert response.startswith(b"HTTP/1.1 200 OK\r\n") and body(response) == b"home"
    site.turn()
    # Until the client closes, too, what it still says is read.
    assert site.connections == 1
    site._clients[0].close()
    site.turn()
    assert site.connections == 0


def test_a_page_that_is_not_there(site):
    assert site.get("/nothing").startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_head_has_no_body(site):
    response = site.read(site.connect(b"HEAD / HTTP/1.1\r\n\r\n"))
    assert b"Content-Length: 4\r\n" in response and body(response) == b""


def test_a_large_page_is_whole(site):
    assert body(site.get("/large")) == LARGE


def test_who_takes_gzip_gets_it(site):
    response = site.read(site.connect(b"GET /large HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n"))
    assert b"Content-Encoding: gzip\r\n" in response and gzip.decompress(body(response)) == LARGE
    assert b"gzip" not in site.read(site.connect(b"GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n"))


def test_ipv6():
    try:
        one = Site("::1")
    except ExitStatError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert url_of(one.listening) == f"http://[::1]:{one.address[1]}/metrics"
    assert body(one.get("/")) == b"home"
    one.close()


def test_what_comes_at_the_same_time_is_read_once_and_what_comes_later_anew(site):
    clients = [site.connect(b"GET /again HTTP/1.1\r\n\r\n") for _ in range(8)]
    assert {body(site.read(client)) for client in clients} == {b"1" * 1000}
    assert body(site.get("/again")) == b"2" * 1000


@pytest.mark.parametrize(
    "text",
    [b"", b"GET", b"GET / HTTP/1.1\r\nA: b", b"\n", b"\x16\x03\x01\x02\x00\x01" * 2000, b"GET / \n\n", b"x" * 9000],
)
def test_a_client_that_hangs_or_talks_garbage_keeps_nobody_waiting(site, text):
    for _ in range(5):
        site.connect(text)
    site.turn()
    assert body(site.get("/")) == b"home"


def test_fifty_connections_that_say_nothing_are_closed_in_time_and_the_others_are_served(site):
    quiet = [site.connect() for _ in range(50)]
    site.turn(100)
    assert site.connections == 50
    assert site.server.prepare_wait() == 10
    assert body(site.get("/")) == b"home"
    site.clock.now_s += 10.5
    site.turn()
    assert site.connections == 0 and quiet[0].recv(1) == b""
    assert site.server.prepare_wait() == float("inf")


def test_of_three_hundred_connections_the_newest_are_kept(site):
    for number in range(300):
        site.connect()
        site.turn(1)
        assert site.connections <= min(number + 1, 64)
    assert site.connections == 64
    assert body(site.get("/")) == b"home"


def test_a_slow_reader_has_half_a_minute(site):
    slow = site.connect(b"GET /large HTTP/1.1\r\n\r\n")
    site.turn()
    assert site.server.prepare_wait() == 30
    assert body(site.get("/large")) == LARGE
    site.clock.now_s += 29
    site.turn()
    assert site.connections >= 1
    site.clock.now_s += 1.5
    site.turn()
    assert site.connections == 0
    assert len(site.read(slow)) < len(LARGE)


def test_slow_readers_cannot_pile_up_pages(site):
    """Each has a page of its own; only so many bytes of pages are kept."""
    for _ in range(60):
        site.connect(b"GET /large HTTP/1.1\r\n\r\n")
        site.turn(3)
    bodies = {id(one.body): len(one.body) for one in site.server._connections.values()}
    assert len(site.asked) == 60
    assert sum(bodies.values()) <= 64 << 20
    assert body(site.get("/large")) == LARGE


def test_a_page_larger_than_all_that_is_kept_is_served_all_the_same(site, monkeypatch):
    monkeypatch.setattr(web_server, "_MOST_BODY_BYTES", 1000)
    site.connect(b"GET /large HTTP/1.1\r\n\r\n")
    assert body(site.get("/large")) == LARGE


def test_a_client_that_goes_in_the_middle_is_forgotten(site):
    for text in (b"GET /la", b"GET /large HTTP/1.1\r\n\r\n"):
        client = site.connect(text)
        site.turn(2)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # with a reset
        client.close()
        site.turn()
        assert site.connections == 0
    assert body(site.get("/")) == b"home"


def test_what_is_said_after_the_request_does_not_spoil_the_response(site):
    client = site.connect(b"GET / HTTP/1.1\r\n\r\n" + b"more " * 1000)
    site.turn(1)
    client.sendall(b"and more " * 1000)
    assert body(site.read(client)) == b"home"


def test_without_descriptors_nobody_is_lost_and_nothing_spins(site):
    class Full:
        def __getattr__(self, name):
            return getattr(site.listening, name)

        def accept(self):
            raise OSError(24, "Too many open files")

    site.server._listening[site.listening.fileno()] = Full()
    client = site.connect(b"GET / HTTP/1.1\r\n\r\n")
    site.turn(2)
    assert site.server._epoll.poll(0) == [], "it would be readable all the time"
    assert 0 < site.server.prepare_wait() <= 1
    site.server._listening[site.listening.fileno()] = site.listening
    site.clock.now_s += 1
    assert body(site.read(client)) == b"home"


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(24, "no descriptors"), BlockingIOError()])
def test_what_the_answer_raises_is_raised_and_not_taken_for_the_clients(site, error):
    def fail():
        raise error

    site.pages["/"] = fail
    site.connect(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(type(error)):
        site.turn()


def test_a_client_library_is_content():
    """urllib, in another thread, with a server whose loop waits for its descriptor."""
    clock = Clock()
    listening = listen_at(Address("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    found = []

    def ask():
        for _ in range(20):
            with urllib.request.urlopen(url, timeout=10) as response:
                found.append(response.read())
        try:
            urllib.request.urlopen(urllib.request.Request(url, data=b"x" * 10_000), timeout=10)
        except urllib.error.HTTPError as error:
            found.append(error.code)

    with listening, Server([listening], lambda _path: Page(LARGE), clock) as server:
        client = threading.Thread(target=ask)
        client.start()
        while client.is_alive():
            clock.wait([server.fileno()], min(server.prepare_wait(), 0.05))
            server.serve()
    assert found == [LARGE] * 20 + [405]


# -- sockets --


def test_a_port_in_use_is_refused(site):
    port = site.address[1]
    with refuses(ExitStatError, f"cannot listen at 127.0.0.1:{port}: Address already in use") as caught:
        listen_at(Address("127.0.0.1", port))
    assert f"sport = :{port}" in caught.value.hint


def test_an_address_that_is_not_ours_is_refused():
    with refuses(ExitStatError, "cannot listen at 192.0.2.1:9000: Cannot assign requested address") as caught:
        listen_at(Address("192.0.2.1", 9000))
    assert "ip address" in caught.value.hint


def test_a_zone_that_is_not_there_is_refused():
    with refuses(ExitStatError, "cannot listen at [fe80::1%nothing]:9000: "):
        listen_at(Address("fe80::1%nothing", 9000))


def test_a_port_is_free_again_at_once(site):
    """Though connections of before wait for their end (TIME_WAIT)."""
    site.get("/")
    port = site.address[1]
    site.server.__exit__(None, None, None)
    site.listening.close()
    listen_at(Address("127.0.0.1", port)).close()
    site.server = Server([], site._answer, site.clock)


def test_a_unix_socket_has_a_name(tmp_path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "metrics"))
        assert url_of(one) == f"unix:{tmp_path}/metrics"
    with socket.socket(socket.AF_UNIX) as one:
        name = f"virt-exitstat {os.getpid()}\n".encode() + b"\xff"
        one.bind(b"\0" + name)
        # "@" as systemd and ss write it.
        assert url_of(one) == f"unix:@virt-exitstat {os.getpid()}\\n\\udcff"
