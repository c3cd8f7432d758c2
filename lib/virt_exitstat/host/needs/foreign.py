"""Packages that are not Python's own, imported so that a missing one is told from one that is there and broken."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator

from ...errors import ExitStatError
from ...text import escape
from .packages import Need, install_hint

_NOT_ITS_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@contextlib.contextmanager
def importing(module: str, need: Need, *, missing: str = "", hint: str = "") -> Iterator[None]:
    """The block imports `module`, or something below it. Raises ExitStatError when that fails in whatever way.

    `missing` is the message when it is not installed, `hint` what more can be done then.
    """
    try:
        yield
    except Exception as error:
        # A module that is there may fail in any way: a library of another version, a file that is half written.
        more = f"; {hint}" if hint else ""
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise ExitStatError(missing or f"no Python module {module}", install_hint(need) + more) from error
        if isinstance(error, OSError) and error.errno in _NOT_ITS_FAULT:
            raise
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise ExitStatError(
            f"the Python module {module} is installed but broken: {escape(said)}",
            f"{install_hint(need, again=True)}, with the libraries that it needs, for {sys.executable}{more}",
        ) from error
