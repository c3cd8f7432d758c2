"""A socket that listens at an address of this host, and where a browser finds what a socket serves."""

from __future__ import annotations

import errno
import os
import socket

from ..arguments.requests import Address
from ..errors import ExitStatError
from ..text import escape

#: Connections that wait to be accepted; the kernel refuses more.
_BACKLOG = 128

_HINTS = {
    errno.EADDRINUSE: "'ss -lntp sport = :{port}' shows who has it; give another port",
    errno.EADDRNOTAVAIL: "'ip address' shows the addresses of this host",
    errno.EACCES: "ports below 1024 are root's; give one above",
    errno.EAFNOSUPPORT: "this kernel, or a unit's RestrictAddressFamilies=, has no such addresses",
}


def listen_at(address: Address) -> socket.socket:
    """A socket that listens there. Raises ExitStatError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        # Never a name: asking for one may take minutes.
        where = socket.getaddrinfo(address.host, address.port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _explain(address, error) from None
    try:
        # A port whose last connections are not forgotten yet may be taken; one that somebody listens on may not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] is every address, as in other programs, whatever net.ipv6.bindv6only says.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(where[0][4])
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _explain(address, error) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """Where a browser finds what is served there."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        # Bytes that begin with NUL are an abstract address.
        return f"unix:{escape(os.fsdecode(name).replace(chr(0), '@', 1))}"
    host = f"[{name[0]}]" if listening.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}/metrics"


def _explain(address: Address, error: OSError) -> ExitStatError:
    hint = _HINTS.get(error.errno or 0, "give an address of this host, as in 127.0.0.1:{port} or [::1]:{port}")
    return ExitStatError(f"cannot listen at {address}: {error.strerror}", hint.format(port=address.port))
