"""Who a domain is, beside what libvirt's API tells: QEMU's own arguments, and nova's names in libvirt's status file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ExitStatError
from ..host import processes
from ..host.files import read_bytes
from ..targets.nova import NovaNames
from ..targets.target import Domain
from .status_files import path_of

# nova's own version stands at the end: `http://openstack.org/xmlns/libvirt/nova/1.1` (nova/virt/libvirt/config.py).
_NOVA = re.compile(r"\{http://openstack\.org/xmlns/libvirt/nova/[0-9.]+\}(\w+)")


# Of QEMU's option lists: a comma in a value is doubled.
_PARTS = re.compile(r"(?:[^,]|,,)+")


def named_by_qemu(pid: int, root: Path) -> tuple[str, str]:
    """The name and the UUID that a QEMU process was given; either is empty where it was given none. Raises nothing."""
    try:
        words = [os.fsdecode(word) for word in processes.arguments(pid, root) or ()]
    except ExitStatError:
        return "", ""
    values = dict(zip(words, words[1:]))
    return _guest_of(values.get("-name", values.get("--name", ""))), values.get("-uuid", values.get("--uuid", ""))


def _guest_of(value: str) -> str:
    """The name in `guest=web01,debug-threads=on`, or in `web01`."""
    for part in _PARTS.findall(value):
        key, equals, name = str(part).partition("=")
        if key == "guest" or not equals:
            return (name if equals else key).replace(",,", ",")
    return ""


def read_nova(domain: Domain, run_dir: Path) -> NovaNames | None:
    """nova's names of a running domain; None while its status file cannot be read. Raises nothing."""
    try:
        status = ElementTree.fromstring(read_bytes(path_of(run_dir, f"{domain.name}.xml")))
    except (ExitStatError, ElementTree.ParseError, LookupError, ValueError):
        return None
    found: dict[str, ElementTree.Element] = {}
    for element in status.iterfind("./domain/metadata//*"):
        named = _NOVA.fullmatch(element.tag)
        if named:
            found.setdefault(named.group(1), element)
    texts = {what: (element.text or "").strip() for what, element in found.items()}
    attributes = {what: element.attrib for what, element in found.items()}
    return NovaNames(
        instance_name=texts.get("name", ""),
        flavor_name=attributes.get("flavor", {}).get("name", ""),
        project_name=texts.get("project", ""),
        project_id=attributes.get("project", {}).get("uuid", ""),
        user_name=texts.get("user", ""),
        user_id=attributes.get("user", {}).get("uuid", ""),
    )
