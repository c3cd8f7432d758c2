"""Prerequisites of counting: rights and memory; and an explanation when bcc fails."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable
from pathlib import Path

from ..errors import ExitStatError
from ..host.files import AbsentFileError, HostFileError, read_text
from ..host.needs.headers import explain_headers
from ..host.processes import effective_capabilities
from ..isa.host import read_format
from ..text import escape

_CAP_SYS_ADMIN = 21
_CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}

# bcc prints these before the cause of a failure, because it always tries to load the module kheaders.
_NO_CAUSE = ("modprobe: ", "rmmod: ", "Unable to find kernel headers", "chdir(", "WARNING: ", "tar: ")

# The verifier on bpf_get_ns_current_pid_tgid before Linux 5.7; all else that the program calls is older.
_UNKNOWN_FUNCTION = re.compile(r"(?:unknown|invalid) func ")

_MORE = "--debug shows the whole output"


def check_privileges(root: Path) -> None:
    """Raise ExitStatError when this process may not load BPF programs that trace."""
    if _is_in_user_namespace(root):
        # Capabilities count only in the first user namespace (bpf_capable(), perfmon_capable()).
        raise ExitStatError(
            "this process is in a user namespace, and its root may not load BPF programs",
            "run virt-exitstat on the host itself, or in a container with the host's user ids (privileged)",
        )
    effective = effective_capabilities(root)
    # CAP_BPF and CAP_PERFMON exist since Linux 5.8; before, CAP_SYS_ADMIN is needed.
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if not missing or effective >> _CAP_SYS_ADMIN & 1:
        return
    names = " and ".join(missing)
    if os.geteuid():
        raise ExitStatError(
            "counting exits needs root", f"run with sudo, or add {names}; 'man virt-exitstat' says more"
        )
    raise ExitStatError(
        f"counting exits needs all of root's rights, and {names} {'is' if len(missing) == 1 else 'are'} taken away",
        f"give a container --privileged, or add {names}; a unit has a CapabilityBoundingSet=",
    )


def check_events(root: Path, events: Iterable[str], option: str) -> None:
    """Raise ExitStatError when this kernel lacks one of KVM's events that an option needs."""
    for event in events:
        try:
            read_format("kvm", event, root)
        except AbsentFileError:
            raise ExitStatError(
                f"this kernel has no tracepoint kvm:{event}, and {option} needs it",
                f"leave {option} out to count only",
            ) from None


def explain_load(said: str, root: Path) -> ExitStatError:
    """The error to show when bcc could not compile or load; `said` is what it, the compiler and the kernel said."""
    headers = explain_headers(said, root)
    if headers:
        return headers
    if _UNKNOWN_FUNCTION.search(said):
        return ExitStatError(
            "this kernel cannot tell a program the ids of a pid namespace, the only ones known here (Linux 5.7 can)",
            "run virt-exitstat on the host itself, or in a container with the host's processes (--pid=host)",
        )
    hint = ""
    if _is_refused(said) or "Cannot allocate memory" in said:
        # Without CAP_SYS_RESOURCE the limit stays as it was; before Linux 5.11 the kernel refuses maps by it.
        limited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY
        if limited and os.geteuid():
            hint = "if it lacks memory, 'ulimit -l unlimited' first; "
        elif limited:
            hint = "if it lacks memory, raise the container's or unit's limit of locked memory (memlock); "
        elif _is_refused(said):
            hint = _refused_hint()
    return _explain(f"bcc could not compile or load the kernel program: {_find_cause(said)}", said, hint)


def explain_attach(said: str, what: str) -> ExitStatError:
    """The error to show when the kernel refuses to attach the program to `what`."""
    # Debian's kernels have a level 3, their default, at which only CAP_SYS_ADMIN may open the regular tracepoint.
    hint = "run as root, or 'sysctl kernel.perf_event_paranoid=2'; " if os.geteuid() else ""
    if not hint and _is_refused(said):
        hint = _refused_hint()
    return _explain(f"could not attach to the {what}: {_find_cause(said)}", said, hint)


def _explain(message: str, said: str, hint: str) -> ExitStatError:
    if "Too many open files" in said:
        hint = "allow more open files with 'ulimit -n 4096'; "
    return ExitStatError(message, hint + _MORE)


def _find_cause(said: str) -> str:
    lines = [escape(line.strip()) for line in said.splitlines() if line.strip()]
    errors = (line for line in lines if "error: " in line)
    causes = (line for line in lines if not line.startswith(_NO_CAUSE))
    return next(errors, None) or next(causes, None) or next(iter(lines), "without telling why")


def _is_refused(said: str) -> bool:
    return "Operation not permitted" in said or "Permission denied" in said


def _refused_hint() -> str:
    if os.geteuid():
        return "run as root; "
    return "root may do it, but not in every container, sandbox (seccomp) or lockdown: run it on the host itself; "


def _is_in_user_namespace(root: Path) -> bool:
    try:
        # The first one has all ids of 32 bits but the last.
        return read_text(root / "proc/self/uid_map").split() not in ([], ["0", "0", "4294967295"])
    except HostFileError:
        return False  # a kernel without user namespaces lacks the file
