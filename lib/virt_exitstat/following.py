"""What is to be counted, asked again while it is counted: domains and processes come and go, vCPUs are plugged."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from . import domains, processes, threads
from .errors import ExitStatError, NotKvmError
from .options import Options
from .resolve import restrict_target
from .targets import Domain, Target
from .timing import Clock

#: A domain that starts may be listed without a record for as long, in seconds.
_STARTING_S = 5


class TargetSource(Protocol):
    """What says which targets there are now. Raises nothing: what cannot be found out stays as it was known."""

    def fileno(self) -> int:
        """Readable when targets may have come or gone; -1 when it cannot tell."""

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:
        """The targets there are now; `known` are those there were."""


class KnownTargets:
    """Targets that stay the same, with the vCPUs they have now."""

    def __init__(self, run_dir: Path | None, root: Path) -> None:
        self._run_dir, self._root = run_dir, root

    def fileno(self) -> int:
        """Never readable."""
        return -1

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:
        """Those that still run."""
        return tuple(
            replace(target, vcpus=threads.current_vcpus(target, self._run_dir, self._root) or target.vcpus)
            for target in known
            if processes.is_running(target.pid, self._root)
        )


class EveryProcess:
    """Every KVM process of the host."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fileno(self) -> int:
        """Never readable."""
        return -1

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:  # noqa: ARG002  (whoever it was)
        """Whatever runs now."""
        return threads.kvm_processes(self._root)


class RunningDomains:
    """The domains that the command line names, or all, whenever they run.

    libvirt's daemon may go and come back meanwhile. `connect` opens a new connection; `note` takes what the user should
    know. Libvirt's events write into a pipe, from a thread of their own.
    """

    def __init__(
        self,
        options: Options,
        first: Iterable[Target],
        connection: Any,
        *,
        connect: Callable[[], Any],
        run_dir: Path,
        root: Path,
        clock: Clock,
        note: Callable[[str], None],
    ) -> None:
        self._connection, self._connect, self._note = connection, connect, note
        self._run_dir, self._root, self._clock = run_dir, root, clock
        self._vcpus = options.vcpus
        named = {target.domain for target in first if target.domain} if options.domains or options.vcpus else None
        self._uuids = None if named is None else {domain.uuid for domain in named}
        # A domain that was named by its name may be defined anew and is another one to libvirt.
        self._names = {domain.name for domain in named or () if domain.name in options.domains}
        self._left_out: set[Domain] = set()
        self._unresolved_since: dict[Domain, float] = {}
        self._is_gone = False
        self._reconnecting: threading.Thread | None = None
        self._reconnected: Any = None
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        domains.watch_domains(connection, self._wake)

    def fileno(self) -> int:
        """Readable when libvirt has told that a domain came or went."""
        return self._reader

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:
        """The domains that run now, each with its process and vCPUs of now."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        running = self._list()
        if running is None:
            return KnownTargets(self._run_dir, self._root).find(known)
        found = (self._resolve(domain) for domain in running if self._is_wanted(domain))
        return tuple(target for target in found if target)

    def _is_wanted(self, domain: Domain) -> bool:
        return self._uuids is None or domain.uuid in self._uuids or domain.name in self._names

    def _resolve(self, domain: Domain) -> Target | None:
        if domain in self._left_out:
            return None
        try:
            target = threads.resolve_domain(domain, self._run_dir, self._root)
        except NotKvmError as error:
            self._left_out.add(domain)
            self._note(f"left out: {error}")
            return None
        except ExitStatError as error:
            # Most often it is just starting or ending, and libvirt's record is not written yet or gone.
            now_s = self._clock.monotonic_s()
            if now_s - self._unresolved_since.setdefault(domain, now_s) > _STARTING_S:
                self._unresolved_since[domain] = math.inf
                self._note(f"left out: {error}")
            return None
        self._unresolved_since.pop(domain, None)
        return restrict_target(target, self._vcpus) if self._vcpus is not None else target

    def _list(self) -> tuple[Domain, ...] | None:
        """The running domains; None when libvirt does not answer."""
        is_new = self._reconnected is not None
        if is_new:
            self._connection, self._reconnected = self._reconnected, None
            domains.watch_domains(self._connection, self._wake)
        try:
            running = domains.running_domains(self._connection)
        except ExitStatError as error:
            if not self._is_gone:
                self._note(f"{error}; counting goes on with the domains that are known")
            self._is_gone = True
            # In a thread, for a daemon that hangs is waited for without end; and not at once when that was in vain.
            if not is_new and not (self._reconnecting and self._reconnecting.is_alive()):
                self._reconnecting = threading.Thread(target=self._reconnect, name="reconnect", daemon=True)
                self._reconnecting.start()
            return None
        if self._is_gone:
            self._note("libvirt answers again")
        self._is_gone = False
        return running

    def _reconnect(self) -> None:
        with contextlib.suppress(ExitStatError):
            self._reconnected = self._connect()
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is readable already
            os.write(self._writer, b"\0")
