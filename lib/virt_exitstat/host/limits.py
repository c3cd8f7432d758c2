"""This process's limits, told, and raised as far as the system allows."""

from __future__ import annotations

import contextlib
import resource


def raise_memory_limit() -> None:
    """Let maps of any size be made, where that is allowed."""
    # Before Linux 5.11 maps count against RLIMIT_MEMLOCK.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def raise_descriptor_limit() -> None:
    """Let as many files be open as may be: each process that is counted takes one, and bcc one for each CPU."""
    # The usual limit, 1,024, is there for select(2), which nothing here calls.
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def descriptor_limit() -> int:
    """Every descriptor that this process may have is below it."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
