"""systemd: sockets that it hands over, and what it is told."""

import gc
import os
import socket

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.systemd import inherited_sockets, notify


def environment(number=1, pid=None, **more):
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(number), "LISTEN_FDNAMES": "x", **more}


@pytest.fixture(params=["IPv4", "Unix"])
def listening(request, tmp_path):
    with socket.socket(socket.AF_INET if request.param == "IPv4" else socket.AF_UNIX) as one:
        one.bind(("127.0.0.1", 0) if request.param == "IPv4" else str(tmp_path / "socket"))
        one.listen()
        yield one


def test_the_sockets_of_a_unit_are_taken_once(listening):
    os.set_inheritable(listening.fileno(), True)
    variables = environment(OTHER="1")
    (found,) = inherited_sockets(variables, first=listening.fileno())
    assert found.getsockname() == listening.getsockname() and found.family == listening.family
    assert not os.get_inheritable(found.fileno())
    assert variables == {"OTHER": "1"}
    found.detach()


@pytest.mark.parametrize(
    "variables", [{}, environment(pid=1), environment(number="many"), environment(number=0), {"LISTEN_FDS": "1"}]
)
def test_sockets_of_another_process_are_not_ours(variables):
    assert inherited_sockets(variables, first=100_000) == []


def test_what_does_not_listen_is_refused(tmp_path):
    with (
        socket.socket() as quiet,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        open(tmp_path / "x", "w") as file,
    ):
        for fd in (quiet.fileno(), datagrams.fileno(), file.fileno(), 100_000):
            with refuses(ExitStatError, f"descriptor {fd}, handed over by LISTEN_FDS") as caught:
                inherited_sockets(environment(), first=fd)
            assert "Accept=no" in caught.value.hint
        # It is still open, and its owner's.
        del caught
        gc.collect()
        assert [os.fstat(one.fileno()).st_size for one in (quiet, datagrams, file)] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told(kind, tmp_path):
    name = f"@virt-exitstat-{os.getpid()}" if kind == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0"))
        notify("READY=1", {"NOTIFY_SOCKET": name})
        assert receiver.recv(100) == b"READY=1"


@pytest.mark.parametrize("variables", [{}, {"NOTIFY_SOCKET": "/no/such/socket"}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nobody_is_told(variables):
    notify("READY=1", variables)
