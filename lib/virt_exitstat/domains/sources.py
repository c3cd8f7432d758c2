"""Finds the targets again while a run is on: domains and processes start and stop, vCPUs are plugged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from ..clock import Clock
from ..errors import ExitStatError, NotKvmError
from ..host import processes
from ..targets.selection import Selection
from ..targets.target import Domain, Target
from . import libvirtd, threads
from .asker import Answer, Asker
from .resolve import LeftOut, restrict_target
from .status_files import version_of

#: For how many seconds a domain that starts may be listed without a status file.
_STARTING_S = 5
#: After how many seconds without an answer the user is told. libvirt takes one or two to start most domains.
_SILENT_S = 3


class KnownTargets:
    """Always the same targets, with the vCPUs they have now."""

    #: Libvirt is not asked.
    libvirt_up: bool | None = None

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

    #: Libvirt is not asked.
    libvirt_up: bool | None = None

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

    Libvirt is asked beside the caller: what it has not answered shortly is found when it has, and until then the
    targets are those that are known. `named` are the domains that are wanted, None for all; `note` and `left_out` take
    what the user should know.
    """

    def __init__(
        self,
        selection: Selection,
        named: Iterable[Domain] | None,
        asker: Asker,
        *,
        run_dir: Path,
        root: Path,
        clock: Clock,
        note: Callable[[str], None],
        left_out: LeftOut,
    ) -> None:
        self._asker, self._note, self._left_out = asker, note, left_out
        self._run_dir, self._root, self._clock = run_dir, root, clock
        self._vcpus = selection.vcpus
        self._named = None if named is None else frozenset(named)
        # A domain that was named by its name may be defined anew and is another one to libvirt.
        self._names = {domain.name for domain in self._named or () if domain.name in selection.domains}
        self._uuids = {domain.uuid for domain in self._named or ()}
        self._emulated: set[Domain] = set()
        # By the version of the status file that they were found by.
        self._resolved: dict[Domain, tuple[tuple[int, ...], Target]] = {}
        self._unresolved_since: dict[Domain, float] = {}
        self._answer: Answer[tuple[Domain, ...]] | None = None
        self._asked_s = 0.0
        self._is_outdated = self._is_silent = False

    @property
    def libvirt_up(self) -> bool:
        """Whether libvirt has answered the last time that it was asked."""
        return not self._is_silent

    def fileno(self) -> int:
        """Readable when libvirt has told that a domain came or went, or has answered at last."""
        return self._asker.fileno()

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:
        """The domains that run now, each with its process and vCPUs of now."""
        running = self._list()
        if running is None:
            return KnownTargets(self._run_dir, self._root).find(known)
        self._forget_all_but(running)
        alive = {target.process for target in known}
        found = (self._find_one(domain, alive) for domain in running if self._is_wanted(domain))
        return tuple(target for target in found if target)

    def _find_one(self, domain: Domain, alive: set[tuple[int, int]]) -> Target | None:
        """The domain's target. It is looked up again only when its process or its status file is another."""
        version = version_of(domain, self._run_dir)
        before = self._resolved.get(domain)
        if version and before and before[0] == version and before[1].process in alive:
            return before[1]
        target = self._resolve(domain)
        if version and target:
            self._resolved[domain] = version, target
        return target

    def _forget_all_but(self, running: Iterable[Domain]) -> None:
        # Each start makes another Domain: its id is new.
        there = set(running)
        self._emulated &= there
        self._resolved = {domain: kept for domain, kept in self._resolved.items() if domain in there}
        self._unresolved_since = {domain: since for domain, since in self._unresolved_since.items() if domain in there}
        self._left_out.forget_all_but(there)

    def _is_wanted(self, domain: Domain) -> bool:
        return self._named is None or domain.name in self._names or domain.uuid in self._uuids

    def _resolve(self, domain: Domain) -> Target | None:
        if domain in self._emulated:
            return None
        try:
            target = threads.resolve_domain(domain, self._run_dir, self._root)
        except NotKvmError as error:
            self._emulated.add(domain)
            self._left_out.say(domain, f"left out: {error}")
            return None
        except ExitStatError as error:
            # Most often it is just starting or ending, and libvirt's status file is not written yet or gone.
            now_s = self._clock.monotonic_s()
            if now_s - self._unresolved_since.setdefault(domain, now_s) > _STARTING_S:
                self._left_out.say(domain, f"left out: {error}")
            return None
        self._unresolved_since.pop(domain, None)
        self._left_out.forget(domain)
        return restrict_target(target, self._vcpus) if self._vcpus is not None else target

    def _list(self) -> tuple[Domain, ...] | None:
        """The running domains; None until libvirt has answered."""
        self._asker.hush()
        if self._answer is None:
            self._answer = self._ask()
            is_there = self._answer.wait(self._clock.grace_s)
        else:
            # One question at a time, however many events come: what they tell of is asked when it is answered.
            is_there = self._answer.wait(0)
            self._is_outdated = self._is_outdated or not is_there
        if not is_there:
            if self._clock.monotonic_s() - self._asked_s > _SILENT_S:
                self._say_silent(f"libvirt has not answered for {_SILENT_S} s")
            return None
        answer, self._answer = self._answer, None
        if self._is_outdated:
            self._is_outdated = False
            self._answer = self._ask()
            self._answer.wait(0)
        try:
            running = answer.get()
        except ExitStatError as error:
            self._say_silent(str(error))
            return None
        if self._is_silent:
            self._note("libvirt answers again")
        self._is_silent = False
        return running

    def _ask(self) -> Answer[tuple[Domain, ...]]:
        self._asked_s = self._clock.monotonic_s()
        return self._asker.begin(libvirtd.running_domains)

    def _say_silent(self, why: str) -> None:
        if not self._is_silent:
            self._note(f"{why}; counting goes on with the domains that are known")
        self._is_silent = True
