"""Files of the kernel and of libvirt, read so that whatever goes wrong is one of our errors and names the file.

Any file below /proc, /sys and /run may be missing or refused: a container, a systemd unit's sandbox, a security module
and a kernel built without it all do that. No caller has to think of it: it gets the text, or an error fit to be shown.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import BinaryIO

from ..errors import ExitStatError
from ..text import escape

_ABSENT = (errno.ENOENT, errno.ESRCH)  # ESRCH: the process ended between opening its file in /proc and reading it

# The system is short of something, which is not the file's fault.
_MORE_FILES = "allow more open files: 'ulimit -n 4096'"
_SHORT_OF = {
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
    errno.ENOMEM: "free memory, or raise the limit of this container or unit",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "lift the limit on a file's size: 'ulimit -f unlimited'",
    errno.EROFS: "it must be writable",
}

_REFUSED = "a container, a unit's sandbox or a security module (SELinux, AppArmor) keeps it even from root"


class HostFileError(ExitStatError):
    """A file or directory of this host cannot be read."""


class AbsentFileError(HostFileError):
    """It is missing, or has gone."""


def read_bytes(path: Path, hint: str = "") -> bytes:
    """The bytes of the file. Raises AbsentFileError or HostFileError; `hint` is used where none is better."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise explain_file(path, error, hint) from error


def read_text(path: Path, hint: str = "") -> str:
    """The same as text: UTF-8 whatever the locale, bytes that are none as surrogates."""
    return read_bytes(path, hint).decode(errors="surrogateescape")


def open_bytes(path: Path, hint: str = "") -> BinaryIO:
    """The file, open for reading bytes. Raises as read_bytes() does."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise explain_file(path, error, hint) from error


def list_names(path: Path, hint: str = "") -> tuple[str, ...]:
    """The names in a directory, in no order. Raises as read_bytes() does."""
    try:
        return tuple(entry.name for entry in path.iterdir())
    except (OSError, ValueError) as error:
        raise explain_file(path, error, hint) from error


def is_there(path: Path) -> bool:
    """Whether it is there as far as can be told. Path.exists() raises for what may not be looked at (before 3.14)."""
    return identify(path) is not None


def identify(path: Path) -> tuple[int, int] | None:
    """Device and inode of what the path leads to, equal for two paths to one file; None where that cannot be told."""
    found = stat(path)
    return (found.st_dev, found.st_ino) if found else None


def stat(path: Path) -> os.stat_result | None:
    """What the system tells of it; None where it tells nothing."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def fdinfo(fd: int, name: str) -> int:
    """A number that the kernel tells of one of our descriptors; 0 when it does not (recursion_misses: since 5.12)."""
    found = re.search(rf"^{name}:\s*([0-9]+)$", read_text(Path(f"/proc/self/fdinfo/{fd}")), re.MULTILINE)
    return int(found.group(1)) if found else 0


def explain_file(path: Path, error: Exception, hint: str = "") -> HostFileError:
    """The error to show when the system refuses to have the file or directory read."""
    number = (isinstance(error, OSError) and error.errno) or 0
    name = escape(str(path))
    if number in _ABSENT:
        return AbsentFileError(f"{name} is missing", hint or _hint_for_missing(path))
    if number in (errno.EACCES, errno.EPERM):
        return HostFileError(f"permission denied reading {name}", (os.geteuid() and "run as root") or hint or _REFUSED)
    hint = _SHORT_OF.get(number, hint) or "is something else mounted over it? 'findmnt -T' shows what is"
    return HostFileError(f"cannot read {name}: {_reason(error)}", hint)


def explain_refusal(error: OSError | MemoryError) -> ExitStatError:
    """The error to show when the system refuses something that is nobody's fault in particular."""
    if isinstance(error, MemoryError):
        return ExitStatError("out of memory", _SHORT_OF[errno.ENOMEM])
    name = f"{escape(os.fsdecode(error.filename))}: " if isinstance(error.filename, (str, bytes)) else ""
    return ExitStatError(
        f"the system refuses: {name}{_reason(error)}", _SHORT_OF.get(error.errno or 0, "--debug shows at what")
    )


def _reason(error: Exception) -> str:
    return escape((isinstance(error, OSError) and error.strerror) or str(error))


def _hint_for_missing(path: Path) -> str:
    if "proc" in path.parts:
        return "is /proc mounted, and whole? ProcSubset=pid of a systemd unit hides most of it"
    return "run virt-exitstat on the host itself, not in a container or sandbox that hides it"
