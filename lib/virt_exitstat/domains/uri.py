"""libvirt's URI: which one is meant, and whether it is one of this host. Asks nobody."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ..errors import ExitStatError
from ..targets.selection import DEFAULT_URI
from ..text import escape


def choose_uri(uri: str | None = None) -> str:
    """The URI that is meant: `uri`, else $LIBVIRT_DEFAULT_URI, else qemu:///system."""
    return uri or os.environ.get("LIBVIRT_DEFAULT_URI") or DEFAULT_URI


def is_alias(uri: str) -> bool:
    """Whether libvirt.conf may give this name to a URI."""
    return re.fullmatch(r"[a-zA-Z0-9_-]+", uri) is not None


def check_uri(uri: str) -> None:
    """Raise ExitStatError unless it is, whatever the text, one of this host's QEMU driver behind a daemon."""
    try:
        uri.encode()  # as libvirt wants it
        parts = urlsplit(uri)
    except ValueError as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeError) else escape(str(error))
        raise ExitStatError(
            f"'{escape(uri)}' is not a URI: {why}",
            f"only this host's QEMU/KVM domains can be counted; try -c {DEFAULT_URI}",
        ) from None
    driver, _, transport = parts.scheme.partition("+")
    if driver != "qemu":
        raise ExitStatError(
            f"'{escape(uri)}' is not a URI of libvirt's QEMU driver",
            f"only QEMU/KVM domains take KVM exits; try -c {DEFAULT_URI}",
        )
    if parts.netloc or transport not in ("", "unix"):
        raise ExitStatError(
            f"'{escape(uri)}' is on another host, and exits are counted by the kernel they happen in",
            f"run virt-exitstat on that host, for instance: ssh {escape(parts.hostname or 'HOST')} virt-exitstat ..",
        )
    if parts.path.strip("/") == "embed":
        raise ExitStatError(
            f"'{escape(uri)}' is a driver inside virt-exitstat itself, which cannot see the domains of others",
            f"name the daemon that runs the domains, as in -c {DEFAULT_URI}; processes without libvirt: --pid",
        )
