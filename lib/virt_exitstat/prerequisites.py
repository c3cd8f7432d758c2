"""What counting needs of this host and this process: rights, headers, memory."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from .errors import ExitStatError
from .host_files import is_there, read_text

_CAP_SYS_ADMIN = 21
_CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}


def raise_memory_limit() -> bool:
    """Let maps of any size be made; False where that is not allowed."""
    # Before Linux 5.11 maps count against RLIMIT_MEMLOCK.
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        return False
    return True


def check_privileges(root: Path) -> None:
    """Raise ExitStatError when this process may not load BPF programs that trace."""
    status = root / "proc/self/status"
    found = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", read_text(status), re.MULTILINE)
    if not found:
        raise ExitStatError(
            f"{status} does not say which rights this process has", "is the kernel's /proc mounted there?"
        )
    effective = int(found.group(1), 16)
    # CAP_BPF and CAP_PERFMON exist since Linux 5.8; before, CAP_SYS_ADMIN is needed.
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if missing and not effective >> _CAP_SYS_ADMIN & 1:
        raise ExitStatError(
            "counting exits needs root", f"run with sudo, or add {' and '.join(missing)}; 'man virt-exitstat' says more"
        )


def check_headers(root: Path) -> None:
    """Raise ExitStatError when bcc will not find the running kernel's headers."""
    # The places where bcc looks, in its order (src/cc/frontends/clang/kbuild_helper.cc, loader.cc).
    release = os.uname().release
    modules = root / "lib/modules" / release
    if "BCC_KERNEL_SOURCE" in os.environ or is_there(root / "sys/kernel/kheaders.tar.xz"):
        return
    if not any(is_there(modules / name) for name in ("build", "source")):
        raise ExitStatError(
            f"no headers of the running kernel {release} in {modules}",
            f"install them with 'apt install linux-headers-{release}', then try again",
        )


def attach_hint() -> str:
    """What to do when the kernel refuses to attach the program; empty for root."""
    # Debian's kernels have a level 3, their default, at which only CAP_SYS_ADMIN may open the regular tracepoint.
    return "run as root, or 'sysctl kernel.perf_event_paranoid=2'; " if os.geteuid() else ""
