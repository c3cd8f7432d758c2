"""Processes and threads of this host, by the ids that /proc shows. The door to /proc.

Processes come and go while they are looked at: one that is not there (any more) is answered by None, False or nothing.
"""

from __future__ import annotations

import os
import re
import select
from pathlib import Path

from ..errors import ExitStatError
from ..targets.thread_filter import PidNamespace
from .files import AbsentFileError, HostFileError, explain_file, is_there, list_names, read_bytes, read_text

#: The first pid namespace, whose ids the kernel program sees by itself (PROC_PID_INIT_INO in include/linux/proc_ns.h).
_FIRST_NAMESPACE = 4026531836

_CAP_SYS_PTRACE = 19


def process_ids(root: Path) -> tuple[int, ...]:
    """The pids of all processes that may be seen, ascending."""
    return tuple(sorted(int(name) for name in list_names(root / "proc") if name.isdigit()))


def is_running(pid: int, root: Path, *, tid: int | None = None) -> bool:
    """Whether the process, or that thread of it, exists."""
    return is_there(_task(pid, tid or pid, root))


def waited_ns(pid: int, tid: int, root: Path) -> int | None:
    """For how long the thread could have run but had no CPU, in ns since it began; None where that is not known."""
    try:
        # Time on a CPU, time waited for one, and how often it got one (Documentation/scheduler/sched-stats.rst).
        numbers = [int(word) for word in read_text(_task(pid, tid, root) / "schedstat").split()]
    except (HostFileError, ValueError):
        return None
    # All are 0 where the kernel does not keep them.
    return numbers[1] if len(numbers) == 3 and any(numbers) else None


def start_time(pid: int, root: Path) -> int:
    """When the process started, in clock ticks since boot; 0 when there is none. With the pid it is an identity.

    Raises ExitStatError when it cannot be read: without descriptors, a process that runs must not be taken for an
    ended one.
    """
    try:
        stat = read_text(root / "proc" / str(pid) / "stat")
    except AbsentFileError:
        return 0
    # The name in parentheses may hold anything, parentheses too; the 20th field behind it (proc_pid_stat(5)).
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[19].isdigit() else 0


def seconds_since_start(started: int, root: Path) -> float | None:
    """For how long a process has run that started so many ticks after the host did; None where that is not known."""
    try:
        up_s = float(read_text(root / "proc/uptime").split()[0])
    except (HostFileError, ValueError, IndexError):
        return None
    return up_s - started / os.sysconf("SC_CLK_TCK") if started else None


class Watch:
    """One process, watched for its end: its pid may be given out again, and then is another's.

    Raises ExitStatError when the system refuses to have it watched.
    """

    def __init__(self, pid: int, started: int, root: Path) -> None:
        self._pid, self._started, self._root = pid, started, root
        self._fd, self._is_over = -1, False
        if root == Path("/"):
            try:
                self._fd = os.pidfd_open(pid)
            except ProcessLookupError:
                self._is_over = True
            except OSError as error:
                raise ExitStatError(
                    f"cannot watch process {pid}: {error.strerror}",
                    "allow more open files ('ulimit -n'), or pidfd_open(2) in this container",
                ) from error
        # Not the process that was meant, if another one took its pid before it was watched.
        self._is_over = self._is_over or self._is_gone()
        if self._is_over:
            self.close()

    def fileno(self) -> int:
        """Readable when the process has ended; -1 when has_ended() alone tells (a made-up root, one that had ended)."""
        return self._fd

    def has_ended(self) -> bool:
        """Whether the process has ended. It takes no more exits then, a zombie neither."""
        if not self._is_over:
            if self._fd >= 0:
                poll = select.poll()
                poll.register(self._fd, select.POLLIN)
                self._is_over = bool(poll.poll(0))
            else:
                self._is_over = self._is_gone()
        return self._is_over

    def close(self) -> None:
        """Watch no longer."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_gone(self) -> bool:
        # By what /proc shows: nothing of that pid, or another process.
        return not is_running(self._pid, self._root) or start_time(self._pid, self._root) != self._started


def process_name(pid: int, root: Path) -> str:
    """The command's name, at most 15 characters; empty when there is no such process."""
    return thread_name(pid, pid, root)


def thread_name(pid: int, tid: int, root: Path) -> str:
    """The thread's name, at most 15 characters; empty when there is no such thread."""
    try:
        return read_bytes(_task(pid, tid, root) / "comm").decode(errors="replace").rstrip("\n")
    except HostFileError:
        return ""


def thread_ids(pid: int, root: Path) -> tuple[int, ...]:
    """The tids of the process; none when it has ended."""
    try:
        return tuple(sorted(int(name) for name in list_names(root / "proc" / str(pid) / "task") if name.isdigit()))
    except AbsentFileError:
        return ()


def arguments(pid: int, root: Path) -> tuple[bytes, ...] | None:
    """The command line as it was given; None when there is no such process."""
    try:
        return tuple(read_bytes(root / "proc" / str(pid) / "cmdline").split(b"\0"))
    except AbsentFileError:
        return None


def owner_of(tid: int, root: Path) -> int | None:
    """The pid of the process that the thread belongs to; None when there is no such thread."""
    # /proc/TID is there for every thread, though no listing shows it.
    return next(iter(_status_numbers(tid, "Tgid", root)), None)


def ids_in_namespaces(tid: int, root: Path) -> tuple[int, ...]:
    """The thread's id in the pid namespace that /proc shows, and in each one below it down to the thread's own."""
    # NSpid came with Linux 4.1.
    return _status_numbers(tid, "NSpid", root) or (tid,)


def ancestors(pid: int, root: Path) -> tuple[int, ...]:
    """The pids of its parent, its parent's parent and so on, as far as they may be seen."""
    found: list[int] = []
    while True:
        parent = next(iter(_status_numbers(found[-1] if found else pid, "PPid", root)), 0)
        # Ids that are used again while we look could lead in a circle.
        if parent in (0, pid, *found):
            return tuple(found)
        found.append(parent)


def is_kvm_process(pid: int, root: Path) -> bool:
    """Whether it has a KVM virtual machine open. Raises ExitStatError when we may not look into it."""
    directory = root / "proc" / str(pid) / "fd"
    # Listing them and reading them are two rights.
    try:
        names = list_names(directory)
    except AbsentFileError:
        return False
    except HostFileError as error:
        if isinstance(error.__cause__, PermissionError):
            raise _not_permitted(pid, "CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE") from error
        raise
    try:
        return any(_link_target(directory / name).startswith("anon_inode:kvm-vm") for name in names)
    except PermissionError as error:
        raise _not_permitted(pid, "CAP_SYS_PTRACE") from error


def shown_namespace(root: Path) -> PidNamespace | None:
    """The pid namespace whose ids /proc shows; None for the first one.

    That need not be ours: `unshare --pid` without `--mount-proc` leaves the /proc of before. Raises ExitStatError when
    it cannot be told.
    """
    if not is_there(root / "proc/self/ns/pid"):
        return None  # a kernel without pid namespaces
    # In a /proc of our own namespace we have one id. The first process of a namespace tells of another's.
    whose = "1" if len(_status_numbers("self", "NSpid", root)) > 1 else "self"
    file = root / "proc" / whose / "ns/pid"
    try:
        found = file.stat()
    except OSError as error:
        if whose == "1":
            raise ExitStatError(
                "/proc shows the ids of another pid namespace than ours, and may not tell of which",
                "mount our own with 'mount -t proc proc /proc', or run virt-exitstat on the host itself",
            ) from error
        raise explain_file(file, error) from error
    if found.st_ino == _FIRST_NAMESPACE:
        return None
    # As the kernel has it: the minor number in the lower 20 bits (include/linux/kdev_t.h).
    return PidNamespace(os.major(found.st_dev) << 20 | os.minor(found.st_dev), found.st_ino)


def effective_capabilities(root: Path) -> int:
    """The rights of this process, a bit for each capability. Raises ExitStatError when /proc does not say."""
    status = root / "proc/self/status"
    found = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", read_text(status), re.MULTILINE)
    if not found:
        raise ExitStatError(
            f"{status} does not say which rights this process has", "is the kernel's own /proc mounted there?"
        )
    return int(found.group(1), 16)


def check_not_hidden(root: Path) -> None:
    """Raise ExitStatError when /proc hides other users' processes from us."""
    try:
        mounts = read_text(root / "proc/self/mountinfo")
    except HostFileError:
        return
    # The last mount on a place is the one that is seen (proc_pid_mountinfo(5)); hidepid=0 or off hides nothing.
    seen = [line for line in mounts.splitlines() if line.split()[4:5] == ["/proc"]][-1:]
    found = re.search(r"\bhidepid=(?!0\b|off\b)\w+", seen[0]) if seen else None
    if found and not effective_capabilities(root) >> _CAP_SYS_PTRACE & 1:
        raise ExitStatError(
            f"/proc hides the processes of other users from us ({found.group()})",
            f"{_need('CAP_SYS_PTRACE')}; for a systemd unit, ProtectProc=default does as well",
        )


def _not_permitted(pid: int, capabilities: str) -> ExitStatError:
    return ExitStatError(f"permission denied looking at process {pid}", _need(capabilities))


def _need(capabilities: str) -> str:
    return f"{'run as root, or ' if os.geteuid() else 'root lacks a right here: '}add {capabilities}"


def _task(pid: int, tid: int, root: Path) -> Path:
    return root / "proc" / str(pid) / "task" / str(tid)


def _status_numbers(process: int | str, name: str, root: Path) -> tuple[int, ...]:
    """The numbers behind a name in its status; empty when the process has gone or the kernel lacks the field."""
    try:
        status = read_text(root / "proc" / str(process) / "status")
    except AbsentFileError:
        return ()
    found = re.search(rf"^{name}:((?:\s+[0-9]{{1,10}})+)$", status, re.MULTILINE)
    return tuple(map(int, found.group(1).split())) if found else ()


def _link_target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except PermissionError:
        raise
    except OSError:
        return ""  # closed while we looked
