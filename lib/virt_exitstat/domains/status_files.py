"""libvirt's records of running domains: its status file, kept for its own restart, and the pid file beside it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ExitStatError, NotKvmError, StaleRecordError
from ..host.files import AbsentFileError, read_bytes
from ..targets.target import Domain, VCpu
from ..text import escape

#: What mends a record that is wrong.
REWRITE = "restart libvirt's daemon (libvirtd or virtqemud), which rewrites its records; domains keep running"

# As libvirt's virBufferEscapeString writes them: its pid files have escaped names, its status files have not.
_XML_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


@dataclass(frozen=True)
class Record:
    """What libvirt wrote down of a running domain: ids of the pid namespace that libvirt's daemon lives in.

    `vcpus` is None when only the pid is recorded. `path` is fit to be shown.
    """

    path: str
    pid: int
    vcpus: tuple[VCpu, ...] | None


def read_record(domain: Domain, run_dir: Path) -> Record | None:
    """The domain's status file, else its pid file; None when there is neither.

    Raises NotKvmError for a domain that QEMU emulates, StaleRecordError or ExitStatError for a file that does not hold
    what it should or cannot be read.
    """
    if "/" in domain.name or "\0" in domain.name:
        raise ExitStatError(
            f"domain name '{escape(domain.name)}' has a '/' or a NUL", "libvirt itself allows no such name"
        )
    text, path = _read(run_dir, f"{domain.name}.xml")
    if text is not None:
        return _parse_status(text, path, domain)
    for name in dict.fromkeys((domain.name, domain.name.translate(_XML_ESCAPES))):
        text, path = _read(run_dir, f"{name}.pid")
        if text is not None:
            if not re.fullmatch(rb"[0-9]{1,9}\s*", text):
                raise StaleRecordError(f"{path} does not hold a pid", REWRITE)
            return Record(path, int(text), None)
    return None


def _read(run_dir: Path, name: str) -> tuple[bytes | None, str]:
    # libvirt writes UTF-8 names, whatever the locale is that Python would encode them by.
    path = run_dir / os.fsdecode(name.encode(errors="surrogateescape"))
    shown = escape(f"{run_dir}/{name}")
    try:
        return read_bytes(path), shown
    except AbsentFileError:
        return None, shown


def _parse_status(text: bytes, path: str, domain: Domain) -> Record:
    try:
        status = ElementTree.fromstring(text)
        pid = int(status.attrib["pid"])
        vcpus = tuple(
            # A vCPU that is offline has no thread, and is not listed or has no pid.
            sorted(
                VCpu(number=int(vcpu.attrib["id"]), tid=int(vcpu.attrib["pid"]))
                for vcpu in status.findall("./vcpus/vcpu")
                if vcpu.get("pid", "0") != "0"
            )
        )
    except (ElementTree.ParseError, KeyError, ValueError, LookupError):
        raise ExitStatError(f"{path} is not a complete status file of libvirt", REWRITE) from None
    described = status.find("./domain")
    if described is not None and described.get("type") != "kvm":
        raise NotKvmError(
            f"domain '{escape(domain.name)}' runs without KVM (type '{escape(described.get('type', ''))}'):"
            " it takes no KVM exits",
            "only domains of type 'kvm' do; see 'virsh dumpxml'",
        )
    return Record(path, pid, vcpus)
