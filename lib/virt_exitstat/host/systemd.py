"""systemd's side of a service: sockets that it opened for us, and what it wants to be told. Eight lines of protocol."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

from ..errors import ExitStatError

#: The first descriptor that it hands over (sd_listen_fds(3)).
_FIRST_FD = 3


def inherited_sockets(
    environment: MutableMapping[str, str] = os.environ, *, first: int = _FIRST_FD
) -> list[socket.socket]:
    """The listening sockets of a socket unit; none where there is no such unit. To be called once: what we start later
    must not take them for its own. Raises ExitStatError for a descriptor that is something else.
    """
    pid, number = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not number.isdigit():
        return []
    found = []
    for fd in range(first, first + int(number)):
        try:
            os.set_inheritable(fd, False)
            # Not made anew: a unit's sandbox may allow no socket of that family.
            one = socket.socket(fileno=fd)
            listens = one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if not listens:
                # Else it would be closed with the object, at any time.
                one.detach()
        except OSError:
            listens = False
        if not listens:
            raise ExitStatError(
                f"descriptor {fd}, handed over by LISTEN_FDS, is no socket that listens for connections",
                "a socket unit needs ListenStream= and Accept=no",
            )
        found.append(one)
    return found


def notify(state: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell it `READY=1` or the like (sd_notify(3)); nothing where it does not listen."""
    path = environment.get("NOTIFY_SOCKET", "")
    if path[:1] not in ("/", "@"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        # "@" stands for the NUL of an abstract address.
        sender.sendto(state.encode(), path if path[0] == "/" else "\0" + path[1:])
