"""Files of the kernel and of libvirt, read so that whatever goes wrong is one of our errors and names the file.

Any file below /proc, /sys and /run may be missing or refused: a container, a systemd unit's sandbox, a security module
and a kernel built without it all do that. No caller has to think of it: it gets the text, or an error fit to be shown.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from .errors import ExitStatError
from .terminal import escape

_ABSENT = (errno.ENOENT, errno.ESRCH)  # ESRCH: the process ended between opening its file in /proc and reading it

_REFUSED = "a container, a unit's sandbox or a security module (SELinux, AppArmor) keeps it even from root"


class HostFileError(ExitStatError):
    """A file or directory of this host cannot be read."""


class AbsentFileError(HostFileError):
    """It is not there, or no longer."""


def read_bytes(path: Path, hint: str = "") -> bytes:
    """What stands in the file. Raises AbsentFileError or HostFileError; `hint` stands where none is better."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise explain_file(path, error, hint) from error


def read_text(path: Path, hint: str = "") -> str:
    """The same as text: UTF-8 whatever the locale, bytes that are none as surrogates."""
    return read_bytes(path, hint).decode(errors="surrogateescape")


def list_names(path: Path, hint: str = "") -> tuple[str, ...]:
    """The names in a directory, in no order. Raises as read_bytes() does."""
    try:
        return tuple(entry.name for entry in path.iterdir())
    except (OSError, ValueError) as error:
        raise explain_file(path, error, hint) from error


def is_there(path: Path) -> bool:
    """Whether it is there as far as can be told. Path.exists() raises for what may not be looked at (before 3.14)."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def fdinfo(fd: int, name: str) -> int:
    """A number that the kernel tells of one of our descriptors; 0 when it does not (recursion_misses: since 5.12)."""
    found = re.search(rf"^{name}:\s*([0-9]+)$", read_text(Path(f"/proc/self/fdinfo/{fd}")), re.MULTILINE)
    return int(found.group(1)) if found else 0


def explain_file(path: Path, error: Exception, hint: str = "") -> HostFileError:
    """The error to show when the system refuses to have the file or directory read."""
    number = error.errno if isinstance(error, OSError) else None
    name = escape(str(path))
    if number in _ABSENT:
        return AbsentFileError(f"{name} is missing", hint or _hint_for_missing(path))
    if number in (errno.EACCES, errno.EPERM):
        return HostFileError(f"permission denied reading {name}", (os.geteuid() and "run as root") or hint or _REFUSED)
    if number in (errno.EMFILE, errno.ENFILE):
        return HostFileError(f"cannot read {name}: {os.strerror(number)}", "allow more open files: 'ulimit -n 4096'")
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return HostFileError(
        f"cannot read {name}: {escape(said)}", hint or "is something else mounted over it? 'findmnt -T' shows what is"
    )


def _hint_for_missing(path: Path) -> str:
    if "proc" in path.parts:
        return "is /proc mounted, and whole? ProcSubset=pid of a systemd unit hides most of it"
    return "run virt-exitstat on the host itself, not in a container or sandbox that hides it"
