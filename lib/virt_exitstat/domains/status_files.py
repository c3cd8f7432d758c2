"""libvirt's status files of running domains, kept for its own restart, and the pid files beside them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ExitStatError, NotKvmError, StaleFileError
from ..host.files import AbsentFileError, read_bytes, stat
from ..targets.target import Domain, VCpu
from ..text import escape

#: How to mend a file that is wrong.
REWRITE = "restart libvirt's daemon (libvirtd or virtqemud), which rewrites its status files; domains keep running"

# A file that changed more recently may change unseen.
_SETTLED_NS = 1_000_000_000

# As libvirt's virBufferEscapeString writes them: its pid files have escaped names, its status files have not.
_XML_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


@dataclass(frozen=True)
class StatusFile:
    """All that libvirt wrote down of a running domain, by ids of the pid namespace that libvirt's daemon lives in.

    `vcpus` is None when there is only a pid file. `path` is fit to be shown.
    """

    path: str
    pid: int
    vcpus: tuple[VCpu, ...] | None


def path_of(run_dir: Path, name: str) -> Path:
    """The file of that name in libvirt's directory."""
    # libvirt writes UTF-8 names, whatever the locale is that Python would encode them by.
    return run_dir / os.fsdecode(name.encode(errors="surrogateescape"))


def read_status_file(domain: Domain, run_dir: Path) -> StatusFile | None:
    """The domain's status file, else its pid file; None when there is neither.

    Raises NotKvmError for a domain that QEMU emulates, StaleFileError or ExitStatError for a file that is broken or
    cannot be read.
    """
    if "/" in domain.name or "\0" in domain.name:
        raise ExitStatError(
            f"domain name '{escape(domain.name)}' has a '/' or a NUL", "libvirt itself allows no such name"
        )
    status = path_of(run_dir, f"{domain.name}.xml")
    with contextlib.suppress(AbsentFileError):
        return _parse_status(status, domain)
    for name in dict.fromkeys((domain.name, domain.name.translate(_XML_ESCAPES))):
        path = path_of(run_dir, f"{name}.pid")
        with contextlib.suppress(AbsentFileError):
            text = read_bytes(path)
            if not re.fullmatch(rb"[0-9]{1,9}\s*", text):
                raise StaleFileError(f"{_shown(path)} does not hold a pid", REWRITE)
            return StatusFile(_shown(path), int(text), None)
    return None


def version_of(domain: Domain, run_dir: Path) -> tuple[int, ...] | None:
    """A value that changes when the domain's status file does: libvirt renames a new one over it.

    None when there is none, and for a file that changed just now: it may change once more within the same tick of the
    clock that dates it.
    """
    found = stat(path_of(run_dir, f"{domain.name}.xml"))
    if not found or time.time_ns() - found.st_mtime_ns < _SETTLED_NS:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _shown(path: Path) -> str:
    return escape(os.fsencode(path).decode(errors="surrogateescape"))


def _parse_status(path: Path, domain: Domain) -> StatusFile:
    shown = _shown(path)
    try:
        status = ElementTree.fromstring(read_bytes(path))
        pid = int(status.attrib["pid"])
        vcpus = tuple(
            # An offline vCPU has no thread: it is missing here, or its pid is 0.
            sorted(
                VCpu(number=int(vcpu.attrib["id"]), tid=int(vcpu.attrib["pid"]))
                for vcpu in status.findall("./vcpus/vcpu")
                if vcpu.get("pid", "0") != "0"
            )
        )
    except (ElementTree.ParseError, KeyError, ValueError, LookupError):
        raise ExitStatError(f"{shown} is not a complete status file of libvirt", REWRITE) from None
    described = status.find("./domain")
    if described is not None and described.get("type") != "kvm":
        raise NotKvmError(
            f"domain '{escape(domain.name)}' runs without KVM (type '{escape(described.get('type', ''))}'):"
            " it takes no KVM exits",
            "only domains of type 'kvm' do; see 'virsh dumpxml'",
        )
    return StatusFile(shown, pid, vcpus)
