"""Explains missing kernel headers, which bcc needs to compile: why they were not found, how to come by them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import ExitStatError
from ...text import escape
from ..files import AbsentFileError, HostFileError, is_there, list_names, read_text
from .packages import Need, install_hint

_NOT_FOUND = "Unable to find kernel headers"
_MISSING_INCLUDE = re.compile(r"error: '([^']+)' file not found")


class HeadersError(ExitStatError):
    """The running kernel's headers are missing, hidden or incomplete."""


def explain_headers(said: str, root: Path) -> HeadersError | None:
    """The error to show if it is for want of headers that bcc could not compile; `said` is what it and clang said.

    Nothing is asked before bcc has tried: it may find headers that we do not, or load the module that carries them.
    """
    included = _MISSING_INCLUDE.search(said)
    if not included and _NOT_FOUND not in said:
        return None
    # The places where bcc looks, in its order (src/cc/frontends/clang/loader.cc): $BCC_KERNEL_SOURCE; build and source
    # in the modules' directory; kheaders.tar.xz, which it unpacks below /tmp and loads the module kheaders for.
    release = os.uname().release
    modules = root / "lib/modules" / release
    lacking = f": there is no {escape(included.group(1))}" if included else ""
    chosen = os.environ.get("BCC_KERNEL_SOURCE")
    if chosen:
        return HeadersError(
            f"$BCC_KERNEL_SOURCE is {escape(chosen)}, and its kernel headers are incomplete{lacking}",
            f"leave it unset, or have it name the headers of {release}",
        )
    if any(is_there(modules / name / "include") for name in ("build", "source")):
        return HeadersError(
            f"the headers of the running kernel {release} in {modules} are incomplete{lacking}",
            f"{install_hint(Need.HEADERS, root, again=True)}, and the packages that it depends on",
        )
    tar = re.search(r"^tar: .*", said, re.MULTILINE)
    if tar or is_there(root / "sys/kernel/kheaders.tar.xz"):
        why = f": {escape(tar.group())}" if tar else ""
        return HeadersError(
            f"bcc could not unpack the headers that the kernel carries, kheaders.tar.xz, below /tmp{why}",
            "/tmp must be writable and have room (80 MB), and tar and xz be there; or install the headers: "
            + install_hint(Need.HEADERS, root),
        )
    return _explain_no_headers(modules, root)


def _explain_no_headers(modules: Path, root: Path) -> HeadersError:
    release = modules.name
    if not is_there(modules) and _has_modules(root):
        try:
            others = list_names(modules.parent)
        except HostFileError:
            others = ()
        if others:
            return HeadersError(
                f"{modules} is gone, and with it the headers of the running kernel",
                "was the kernel upgraded since the host booted? Then reboot",
            )
        return HeadersError(
            f"{modules.parent} is hidden from this process, and with it the running kernel's headers",
            "leave ProtectKernelModules= out of a systemd unit; give a container the host's /lib/modules and /usr/src",
        )
    build = modules / "build"
    hint = f"{install_hint(Need.HEADERS, root)}, then try again"
    if build.is_symlink():
        hint += f"; a container needs what {build} leads to as well, {escape(str(build.readlink()))}"
    return HeadersError(f"no headers of the running kernel {release} in {modules}", hint)


def _has_modules(root: Path) -> bool:
    try:
        return bool(read_text(root / "proc/modules").strip())
    except AbsentFileError:
        return False
    except HostFileError:
        return True
