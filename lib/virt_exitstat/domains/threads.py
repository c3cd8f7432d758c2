"""Domain -> QEMU pid -> vCPU threads, from libvirt's status files and from /proc.

libvirt's API tells neither pids nor thread ids. Its status file on this host does, and is rewritten when vCPUs are
plugged. Its contents are checked against /proc before they are believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import ExitStatError, NotFoundError, NotKvmError, StaleFileError
from ..host import processes
from ..host.files import identify
from ..targets.target import Domain, Target, VCpu
from ..text import escape
from .status_files import REWRITE, StatusFile, read_status_file

# The names that QEMU gives its vCPU threads (accel/kvm/kvm-accel-ops.c: "CPU %d/KVM") when asked, as libvirt does.
_VCPU_THREAD = re.compile(r"CPU (\d+)/(KVM|TCG)")

# libvirt's daemons that run QEMU, and the sockets that they listen on for those who only read.
_DAEMONS = {"libvirtd": "libvirt-sock-ro", "virtqemud": "virtqemud-sock-ro"}


def resolve_domain(domain: Domain, run_dir: Path, root: Path) -> Target:
    """The QEMU process and vCPU threads of a running domain.

    `run_dir` holds libvirt's status files (`libvirtd.run_directory`); `/proc` lies below `root`. Raises StaleFileError
    when the file and /proc disagree, NotKvmError for a domain that QEMU emulates, ExitStatError when there is no file.
    """
    try:
        return _resolve_domain(domain, run_dir, root)
    except StaleFileError:
        # A vCPU that is plugged just now is in /proc and in the file at different times.
        return _resolve_domain(domain, run_dir, root)


def resolve_process(pid: int, root: Path) -> Target:
    """A KVM process that libvirt need not know; vCPUs are told by the names of its threads."""
    if not processes.is_kvm_process(pid, root):
        if not processes.is_running(pid, root):
            processes.check_not_hidden(root)
            raise NotFoundError(f"no process with pid {pid}", "'virt-exitstat --list' shows the domains' pids")
        raise NotKvmError(
            f"process {pid} ({escape(processes.process_name(pid, root))}) is not a KVM process",
            "'virt-exitstat --list' shows the domains' pids",
        )
    owner = _process_of_thread(pid, root)
    if owner != pid:
        raise NotFoundError(f"{pid} is a thread of process {owner}", f"give '--tid {pid}', or '--pid {owner}'")
    return _target(pid, _vcpus_by_thread_name(pid, root), root)


def resolve_threads(tids: Iterable[int], root: Path) -> tuple[Target, ...]:
    """The processes that the threads belong to, each restricted to the threads given."""
    wanted: dict[int, set[int]] = {}
    for tid in tids:
        wanted.setdefault(_process_of_thread(tid, root), set()).add(tid)
    return tuple(_restrict(resolve_process(pid, root), chosen) for pid, chosen in sorted(wanted.items()))


def kvm_processes(root: Path, note: Callable[[str], None] = lambda _text: None) -> tuple[Target, ...]:
    """Every process of this host that has a KVM virtual machine open; `note` is told of each that cannot be counted."""
    found = []
    for pid in find_kvm_processes(root):
        try:
            found.append(_target(pid, _vcpus_by_thread_name(pid, root), root))
        except ExitStatError as error:
            note(f"left out: {error}")
    return tuple(found)


def find_kvm_processes(root: Path) -> tuple[int, ...]:
    """The pids of KVM processes. One that we may not look into (a sandbox, another user's) is one if its threads say
    so.
    """
    found = []
    for pid in processes.process_ids(root):
        try:
            wanted = processes.is_kvm_process(pid, root)
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
    return now.vcpus if now.process == target.process else ()


def _restrict(target: Target, tids: Iterable[int]) -> Target:
    chosen = frozenset(tids)
    return replace(target, vcpus=tuple(vcpu for vcpu in target.vcpus if vcpu.tid in chosen), tids=chosen)


def _resolve_domain(domain: Domain, run_dir: Path, root: Path) -> Target:
    file = read_status_file(domain, run_dir)
    if file is None:
        raise ExitStatError(
            f"libvirt has no status file of domain '{escape(domain.name)}' in {escape(str(run_dir))}",
            _where_status_files_are(run_dir, root),
        )
    pid, vcpus = _find_process(file, domain, root)
    return replace(_target(pid, vcpus, root), domain=domain)


def _find_process(file: StatusFile, domain: Domain, root: Path) -> tuple[int, tuple[VCpu, ...]]:
    """The process that runs the domain and the domain's vCPU threads, by the ids that /proc shows."""
    uuid = domain.uuid.encode()
    found = _find_as_written(file, uuid, root) or _find_in_namespace(file, uuid, root)
    if found:
        return found
    arguments = processes.arguments(file.pid, root)
    if arguments is None:
        processes.check_not_hidden(root)
        raise StaleFileError(f"{file.path} is stale: no process {file.pid}", REWRITE)
    if uuid not in arguments:
        raise StaleFileError(
            f"{file.path} is stale: process {file.pid} does not run domain '{escape(domain.name)}'", REWRITE
        )
    gone = [vcpu for vcpu in file.vcpus or () if not processes.is_running(file.pid, root, tid=vcpu.tid)]
    which = f"thread {gone[0].tid} of vCPU {gone[0].number} is" if gone else "vCPU threads are"
    raise StaleFileError(f"{file.path} is stale: {which} not in process {file.pid}", REWRITE)


def _find_as_written(file: StatusFile, uuid: bytes, root: Path) -> tuple[int, tuple[VCpu, ...]] | None:
    """The process in the file, or a descendant of it: of an <emulator> that is a script without `exec`, libvirt writes
    down the shell, and the vCPU threads are its child's.
    """
    if uuid not in (processes.arguments(file.pid, root) or ()):
        return None
    if file.vcpus is None:
        # A compromised QEMU can rename its threads, so their names come second.
        for pid in _wrapper_and_emulators(file.pid, uuid, root):
            vcpus = _vcpus_by_thread_name(pid, root)
            if vcpus:
                return pid, vcpus
        return file.pid, ()
    for pid in _wrapper_and_emulators(file.pid, uuid, root):
        if all(processes.is_running(pid, root, tid=vcpu.tid) for vcpu in file.vcpus):
            return pid, file.vcpus
    return None


def _find_in_namespace(file: StatusFile, uuid: bytes, root: Path) -> tuple[int, tuple[VCpu, ...]] | None:
    """A container's domain, seen from outside: the ids in the file are those of a pid namespace below the one shown."""
    found = []
    for pid in _running_domain(uuid, root):
        ids = {tid: processes.ids_in_namespaces(tid, root) for tid in processes.thread_ids(pid, root)}
        for level in range(1, len(ids.get(pid, ()))):
            tid_of = {known[level]: tid for tid, known in ids.items() if len(known) > level}
            if file.vcpus and all(vcpu.tid in tid_of for vcpu in file.vcpus):
                found.append((pid, tuple(VCpu(vcpu.number, tid_of[vcpu.tid]) for vcpu in file.vcpus)))
            elif not file.vcpus and ids[pid][level] == file.pid:
                found.append((pid, _vcpus_by_thread_name(pid, root) if file.vcpus is None else ()))
    return found[0] if len(found) == 1 else None


def _wrapper_and_emulators(wrapper: int, uuid: bytes, root: Path) -> Iterator[int]:
    """The process, then its descendants that run the domain and have vCPU threads, for whom all of /proc is read."""
    yield wrapper
    for pid in _running_domain(uuid, root):
        if pid != wrapper and wrapper in processes.ancestors(pid, root) and _vcpus_by_thread_name(pid, root):
            yield pid


def _running_domain(uuid: bytes, root: Path) -> tuple[int, ...]:
    """Every process that has the domain's UUID as an argument."""
    return tuple(pid for pid in processes.process_ids(root) if uuid in (processes.arguments(pid, root) or ()))


def _target(pid: int, vcpus: tuple[VCpu, ...], root: Path) -> Target:
    if len(processes.ids_in_namespaces(pid, root)) > 1 and processes.shown_namespace(root):
        # The kernel tells a thread's ids in its own pid namespace or in the first one, in none between.
        raise ExitStatError(
            f"process {pid} is in a pid namespace below this one, where the kernel does not tell its ids",
            "run virt-exitstat in that namespace ('nsenter -t PID -p -m'), or on the host itself",
        )
    return Target(pid=pid, vcpus=vcpus, started=processes.start_time(pid, root))


def _where_status_files_are(run_dir: Path, root: Path) -> str:
    # A daemon that sees the directories we see has just not written the file.
    ours = {identify(run_dir), identify(root / "run/libvirt/qemu")}
    for pid in processes.process_ids(root):
        socket = _DAEMONS.get(processes.process_name(pid, root))
        theirs = identify(root / "proc" / str(pid) / "root/run/libvirt/qemu") if socket else None
        if theirs and theirs not in ours:
            return (
                f"a daemon runs in a container: -c 'qemu+unix:///system?socket=/proc/{pid}/root/run/libvirt/{socket}'"
            )
    return "it is kept where libvirt's daemon runs, for as long as the domain does; 'virsh list' shows what runs"


def _vcpus_by_thread_name(pid: int, root: Path) -> tuple[VCpu, ...]:
    vcpus = []
    for tid in processes.thread_ids(pid, root):
        # The whole name must match: `CPU 1` is not `CPU 10`.
        named = _VCPU_THREAD.fullmatch(processes.thread_name(pid, tid, root))
        if named:
            vcpus.append(VCpu(number=int(named.group(1)), tid=tid))
    return tuple(sorted(vcpus))


def _process_of_thread(tid: int, root: Path) -> int:
    owner = processes.owner_of(tid, root)
    if owner is None:
        processes.check_not_hidden(root)
        raise NotFoundError(f"no thread with tid {tid}", "'virt-exitstat --list' shows the vCPUs' tids")
    return owner
