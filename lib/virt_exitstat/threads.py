"""Domain -> QEMU pid -> vCPU threads, from libvirt's records and from /proc. The door to /proc and /run.

libvirt's API tells neither pids nor thread ids; its record on this host does: a status file that it keeps for its own
restart, rewritten when vCPUs are plugged. What it says is checked against /proc before it is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from .errors import ExitStatError, NotFoundError, NotKvmError, StaleRecordError
from .targets import Domain, Target, VCpu
from .terminal import escape

# What QEMU names its vCPU threads (accel/kvm/kvm-accel-ops.c: "CPU %d/KVM") when asked for names, as libvirt does.
_VCPU_THREAD = re.compile(r"CPU (\d+)/(KVM|TCG)")

_REWRITE = "restart libvirt's daemon (libvirtd or virtqemud), which rewrites its records; domains keep running"


def resolve_domain(domain: Domain, run_dir: Path, root: Path) -> Target:
    """The QEMU process and vCPU threads of a running domain.

    `run_dir` holds libvirt's records (`domains.run_directory`); `/proc` lies below `root`. Raises StaleRecordError when
    the record and /proc disagree, NotKvmError for a domain that QEMU emulates, ExitStatError when there is no record.
    """
    try:
        return _resolve_domain(domain, run_dir, root)
    except StaleRecordError:
        # A vCPU that is plugged just now is in /proc and in the record at different times.
        return _resolve_domain(domain, run_dir, root)


def resolve_process(pid: int, root: Path) -> Target:
    """A KVM process that libvirt need not know; vCPUs are told by the names of its threads."""
    if not _is_kvm_process(pid, root):
        if not is_running(pid, root):
            raise NotFoundError(f"no process with pid {pid}", "'virt-exitstat --list' shows the domains' pids")
        raise NotKvmError(
            f"process {pid} ({escape(_comm(root / 'proc' / str(pid)))}) is not a KVM process",
            "'virt-exitstat --list' shows the domains' pids",
        )
    # /proc/TID is there for every thread, though no listing shows it.
    owner = _process_of_thread(pid, root)
    if owner != pid:
        raise NotFoundError(f"{pid} is a thread of process {owner}", f"give '--tid {pid}', or '--pid {owner}'")
    return Target(pid=pid, vcpus=_vcpus_by_thread_name(pid, root))


def resolve_threads(tids: Iterable[int], root: Path) -> tuple[Target, ...]:
    """The processes that the threads belong to, each restricted to the threads given."""
    wanted: dict[int, set[int]] = {}
    for tid in tids:
        wanted.setdefault(_process_of_thread(tid, root), set()).add(tid)
    return tuple(
        Target(
            pid=pid,
            vcpus=tuple(vcpu for vcpu in resolve_process(pid, root).vcpus if vcpu.tid in chosen),
            tids=frozenset(chosen),
        )
        for pid, chosen in sorted(wanted.items())
    )


def kvm_processes(root: Path) -> tuple[Target, ...]:
    """Every process of this host that has a KVM virtual machine open."""
    return tuple(Target(pid=pid, vcpus=_vcpus_by_thread_name(pid, root)) for pid in find_kvm_processes(root))


def find_kvm_processes(root: Path) -> tuple[int, ...]:
    """The pids of KVM processes. One that we may not look into (a sandbox, another user's) is one if its threads say
    so.
    """
    found = []
    for pid in sorted(int(entry.name) for entry in (root / "proc").iterdir() if entry.name.isdigit()):
        try:
            wanted = _is_kvm_process(pid, root)
        except ExitStatError:
            wanted = bool(_vcpus_by_thread_name(pid, root))
        if wanted:
            found.append(pid)
    return tuple(found)


def current_vcpus(target: Target, run_dir: Path | None, root: Path) -> tuple[VCpu, ...]:
    """The target's vCPU threads as they are now; none when it has ended."""
    try:
        if target.domain and run_dir:
            now = resolve_domain(target.domain, run_dir, root)
        else:
            now = resolve_process(target.pid, root)
    except ExitStatError:
        return ()
    return now.vcpus if now.pid == target.pid else ()


def is_running(pid: int, root: Path, *, tid: int | None = None) -> bool:
    """Whether the process, or that thread of it, exists."""
    return (root / "proc" / str(pid) / "task" / str(tid or pid)).exists()


def _resolve_domain(domain: Domain, run_dir: Path, root: Path) -> Target:
    if "/" in domain.name:
        raise ExitStatError(f"domain name '{escape(domain.name)}' has a '/'", "libvirt itself allows no such name")
    record = run_dir / f"{domain.name}.xml"
    text = _read_record(record)
    if text is not None:
        pid, vcpus = _parse_status(text, record)
        _check_uuid(pid, domain, record, root)
        for vcpu in vcpus:
            if not is_running(pid, root, tid=vcpu.tid):
                raise StaleRecordError(
                    f"{escape(str(record))} is stale: thread {vcpu.tid} of vCPU {vcpu.number} is not in process {pid}",
                    _REWRITE,
                )
        return Target(pid=pid, vcpus=vcpus, domain=domain)

    # Without a status file: the pid file and the threads' names. A compromised QEMU can rename its threads, so this
    # comes second.
    record = run_dir / f"{domain.name}.pid"
    text = _read_record(record)
    if text is None:
        raise ExitStatError(
            f"libvirt has no record of domain '{escape(domain.name)}' in {escape(str(run_dir))}",
            "run virt-exitstat where libvirt's daemon runs, not in a container beside it",
        )
    if not re.fullmatch(r"[0-9]{1,9}\s*", text):
        raise StaleRecordError(f"{escape(str(record))} does not hold a pid", _REWRITE)
    pid = int(text)
    _check_uuid(pid, domain, record, root)
    return Target(pid=pid, vcpus=_vcpus_by_thread_name(pid, root), domain=domain)


def _read_record(record: Path) -> str | None:
    try:
        return record.read_text(errors="surrogateescape")
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ExitStatError(f"permission denied reading {escape(str(record))}", "run as root") from None


def _parse_status(text: str, record: Path) -> tuple[int, tuple[VCpu, ...]]:
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
    except (ElementTree.ParseError, KeyError, ValueError):
        raise ExitStatError(f"{escape(str(record))} is not a complete status file of libvirt", _REWRITE) from None
    described = status.find("./domain")
    if described is not None and described.get("type") != "kvm":
        name = escape(described.findtext("name") or record.stem)
        raise NotKvmError(
            f"domain '{name}' runs without KVM (type '{escape(described.get('type', ''))}'): it takes no KVM exits",
            "only domains of type 'kvm' do; see 'virsh dumpxml'",
        )
    return pid, vcpus


def _check_uuid(pid: int, domain: Domain, record: Path, root: Path) -> None:
    try:
        arguments = (root / "proc" / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        raise StaleRecordError(f"{escape(str(record))} is stale: no process {pid}", _REWRITE) from None
    if domain.uuid.encode() not in arguments:
        raise StaleRecordError(
            f"{escape(str(record))} is stale: process {pid} does not run domain '{escape(domain.name)}'", _REWRITE
        )


def _vcpus_by_thread_name(pid: int, root: Path) -> tuple[VCpu, ...]:
    vcpus = []
    try:
        for task in (root / "proc" / str(pid) / "task").iterdir():
            # The whole name must match: `CPU 1` is not `CPU 10`.
            named = _VCPU_THREAD.fullmatch(_comm(task))
            if named:
                vcpus.append(VCpu(number=int(named.group(1)), tid=int(task.name)))
    except OSError:
        return ()  # it ended while we looked
    return tuple(sorted(vcpus))


def _comm(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def _process_of_thread(tid: int, root: Path) -> int:
    try:
        status = (root / "proc" / str(tid) / "status").read_text(errors="replace")
    except OSError:
        raise NotFoundError(f"no thread with tid {tid}", "'virt-exitstat --list' shows the vCPUs' tids") from None
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Tgid:"))


def _is_kvm_process(pid: int, root: Path) -> bool:
    try:
        # Listing them and reading them are two rights: CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
        links = [_link_target(descriptor) for descriptor in (root / "proc" / str(pid) / "fd").iterdir()]
    except PermissionError:
        raise ExitStatError(f"permission denied looking at process {pid}", "run as root") from None
    except OSError:
        return False  # no such process, or it ended while we looked
    return any(link.startswith("anon_inode:kvm-vm") for link in links)


def _link_target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except PermissionError:
        raise
    except OSError:
        return ""  # closed while we looked
