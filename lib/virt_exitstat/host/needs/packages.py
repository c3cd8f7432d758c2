"""Names of packages and commands to install them, by the host's /etc/os-release."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files import HostFileError, read_text


class Need(enum.Enum):
    """Things to install. The values are words for them, for hosts where the package's name is not known for sure."""

    BCC = "the BPF compiler collection's Python module, bcc"
    LIBVIRT = "libvirt's Python module"
    TABULATE = "the Python module tabulate"
    RICH = "the Python module rich"
    PROMETHEUS_CLIENT = "the Python module prometheus_client"
    HEADERS = "the running kernel's headers"


@dataclass(frozen=True)
class _Family:
    """Distributions that name their packages alike. {release} in a name is the running kernel's."""

    install: str
    reinstall: str
    packages: Mapping[Need, str]
    start: str = "systemctl start {service}"


# Only names that were looked up stand here; the others are said in words.
_FAMILIES = {
    "debian": _Family(
        "apt install",
        "apt reinstall",
        {
            Need.BCC: "python3-bpfcc",
            Need.LIBVIRT: "python3-libvirt",
            Need.TABULATE: "python3-tabulate",
            Need.RICH: "python3-rich",
            Need.PROMETHEUS_CLIENT: "python3-prometheus-client",
            Need.HEADERS: "linux-headers-{release}",
        },
    ),
    "fedora": _Family(
        "dnf install", "dnf reinstall", {Need.BCC: "python3-bcc", Need.HEADERS: "kernel-devel-{release}"}
    ),
    "suse": _Family("zypper install", "zypper install --force", {Need.BCC: "python3-bcc"}),
    "arch": _Family("pacman -S", "pacman -S", {Need.BCC: "python-bcc"}),
    "alpine": _Family("apk add", "apk fix", {Need.BCC: "py3-bcc"}, start="rc-service {service} start"),
}

# Some of their children name only these as what they are like.
_CHILDREN = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora", "opensuse": "suse"}


def install_hint(need: Need, root: Path = Path("/"), *, again: bool = False) -> str:
    """A hint how to install it on the host whose /etc lies below `root`; `again`: it is there, and broken."""
    family = _find_family(root)
    release = os.uname().release
    package = family.packages.get(need) if family else None
    if need is Need.HEADERS and release.endswith("-pve"):
        package = None  # Proxmox VE is a Debian with kernels of its own, whose headers have other names
    command = (family.reinstall if again else family.install) if family else None
    hint = "install it again" if again else "install it"
    if command:
        hint += f" with '{command} {package.format(release=release)}'" if package else f" with '{command}'"
    if not package:
        hint += f": the package of {need.value}"
    if need is not Need.HEADERS and sys.prefix != sys.base_prefix:
        hint += ", and make the venv with --system-site-packages"
    return hint


def start_hint(service: str, root: Path = Path("/")) -> str:
    """The command that starts a service on that host."""
    family = _find_family(root)
    return (family.start if family else "systemctl start {service}").format(service=service)


def _find_family(root: Path) -> _Family | None:
    for path in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = read_text(root / path)
        except HostFileError:
            continue
        named = dict(line.partition("=")[::2] for line in text.splitlines())
        # ID comes before ID_LIKE, which has the closest relative first.
        words = f"{named.get('ID', '')} {named.get('ID_LIKE', '')}".replace('"', "").replace("'", "").split()
        found = (_FAMILIES.get(_CHILDREN.get(word, word)) for word in words)
        return next(filter(None, found), None)
    return None
