"""Resolves a selection on this host. Targets that cannot be counted are left out of those that can."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..errors import ExitStatError, ExitStatus, NotFoundError, NotKvmError, UsageError
from ..host import processes
from ..targets.selection import Selection
from ..targets.target import Domain, Target, Targets, describe_vcpus
from ..text import escape
from . import libvirtd, threads
from .asker import Asker

_Wanted = TypeVar("_Wanted")
_Found = TypeVar("_Found")


class LeftOut:
    """Domains that cannot be counted. `note` is told of each once; after forget(), once more."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._said: set[Domain] = set()

    def say(self, domain: Domain, text: str) -> None:
        """The domain is left out."""
        if domain not in self._said:
            self._said.add(domain)
            self._note(text)

    def forget(self, domain: Domain) -> None:
        """The domain is left out no longer."""
        self._said.discard(domain)

    def forget_all_but(self, running: set[Domain]) -> None:
        """The others have ended."""
        self._said &= running


@dataclass(frozen=True)
class Resolved:
    """The targets of a selection, and what was found out on the way.

    `named` are the domains that were named, those that cannot be counted (now) too; None when whichever run are meant.
    `status` is the first error's when something that was named is left out: who named it must not take 0 for it.
    """

    targets: Targets
    named: tuple[Domain, ...] | None = None
    status: ExitStatus = ExitStatus.OK


def resolve(
    selection: Selection,
    asker: Asker | None,
    run_dir: Path | None,
    root: Path,
    *,
    note: Callable[[str], None],
    left_out: LeftOut,
    duration_s: float | None = None,
    may_be_none: bool = False,
) -> Resolved:
    """All that is to be counted or listed; `note` and `left_out` are told of what is left out.

    `asker` and `run_dir` are libvirt's, None when it is not asked (Selection.by_libvirt). `duration_s` is the run's,
    which may be an id that was meant. Raises NotFoundError when what is named is not there, the first error when
    nothing of what is there can be counted, or NotFoundError when no domain runs, unless that `may_be_none`.
    """
    if selection.by_libvirt:
        assert asker and run_dir
        look_up = functools.partial(threads.resolve_domain, run_dir=run_dir, root=root)
        found = (_resolve_named if selection.domains else _resolve_running)(selection, asker, look_up, left_out)
    elif selection.all_processes:
        processes.check_not_hidden(root)
        found = Resolved(Targets(threads.kvm_processes(root, note), everything=True))
    else:
        _refuse_id_as_duration(selection, duration_s, root)
        found = _resolve_ids(selection, root, note)
    found = _restrict(found, selection)
    if selection.by_libvirt and not found.targets.targets and not may_be_none:
        assert asker
        raise NotFoundError(
            f"no KVM domain runs at {asker.ask(libvirtd.describe_address)}",
            "start one with 'virsh start'; -c names another URI",
        )
    return replace(found, targets=replace(found.targets, namespace=processes.shown_namespace(root)))


def restrict_target(target: Target, numbers: Iterable[int]) -> Target:
    """The target with only those of the vCPUs that it has."""
    chosen = tuple(vcpu for vcpu in target.vcpus if vcpu.number in frozenset(numbers))
    return replace(target, vcpus=chosen, tids=frozenset(vcpu.tid for vcpu in chosen))


def _resolve_named(
    selection: Selection, asker: Asker, look_up: Callable[[Domain], Target], left_out: LeftOut
) -> Resolved:
    named = asker.ask(functools.partial(libvirtd.find_domains, wanted=selection.domains))
    found, errors = _try_each(named, look_up)
    status = _first_status(errors.values(), is_any_left=bool(found))
    for domain, error in errors.items():
        left_out.say(domain, _describe_error(error))
    return Resolved(Targets(tuple(found)), named, status)


def _resolve_running(
    _selection: Selection, asker: Asker, look_up: Callable[[Domain], Target], left_out: LeftOut
) -> Resolved:
    found, errors = _try_each(asker.ask(libvirtd.running_domains), look_up)
    if not all(isinstance(error, NotKvmError) for error in errors.values()):
        # A domain that has ended since it was listed is no trouble.
        still = asker.ask(libvirtd.running_domains)
        errors = {domain: error for domain, error in errors.items() if domain in still}
    # Emulated domains are none of ours; that all others cannot be counted is no single domain's trouble.
    _first_status((error for error in errors.values() if not isinstance(error, NotKvmError)), is_any_left=bool(found))
    for domain, error in errors.items():
        left_out.say(domain, f"left out: {error}")
    return Resolved(Targets(tuple(found)))


def _resolve_ids(selection: Selection, root: Path, note: Callable[[str], None]) -> Resolved:
    # Of processes or threads.
    found: Sequence[Target]
    if selection.pids:
        found, errors = _try_each(dict.fromkeys(selection.pids), lambda pid: threads.resolve_process(pid, root))
    else:
        tids = tuple(dict.fromkeys(selection.tids))
        _, errors = _try_each(tids, lambda tid: threads.resolve_threads([tid], root))
        found = threads.resolve_threads([tid for tid in tids if tid not in errors], root)
    _refuse_missing(errors.values())
    status = _first_status(errors.values(), is_any_left=bool(found))
    for error in errors.values():
        note(_describe_error(error))
    return Resolved(Targets(tuple(found)), status=status)


def _refuse_id_as_duration(selection: Selection, duration_s: float | None, root: Path) -> None:
    # `--pid A B` means A for B seconds, which is hardly meant when B is a KVM process too, or one of its threads.
    seconds = int(duration_s or 0)
    if seconds != duration_s:
        return
    is_meant = False
    with contextlib.suppress(ExitStatError):  # an id that may not be looked into counts as a duration
        owner = processes.owner_of(seconds, root)
        is_meant = bool(owner and (selection.tids or owner == seconds) and processes.is_kvm_process(owner, root))
    if is_meant:
        option, kind, ids = "--pid", "process", selection.pids
        if selection.tids:
            option, kind, ids = "--tid", "thread", selection.tids
        raise UsageError(
            f"{seconds} is a KVM {kind}, and would be taken for the duration",
            f"several stand with commas: {option} {','.join(map(str, (*ids, seconds)))}; a duration is {seconds}.1",
        )


def _try_each(
    wanted: Iterable[_Wanted], look_up: Callable[[_Wanted], _Found]
) -> tuple[list[_Found], dict[_Wanted, ExitStatError]]:
    """The results, and {what was wanted: its error}."""
    found, errors = [], {}
    for one in wanted:
        try:
            found.append(look_up(one))
        except ExitStatError as error:
            errors[one] = error
    return found, errors


def _refuse_missing(errors: Iterable[ExitStatError]) -> None:
    # A number or name that nothing has is a slip of the fingers, and said before hours are spent on counting the rest.
    for error in errors:
        if isinstance(error, NotFoundError) and not isinstance(error, NotKvmError):
            raise error


def _first_status(errors: Iterable[ExitStatError], *, is_any_left: bool) -> ExitStatus:
    """The first error's, OK without one; raises it when nothing is left to be counted."""
    for error in errors:
        if not is_any_left:
            raise error
        return error.status
    return ExitStatus.OK


def _describe_error(error: ExitStatError) -> str:
    return f"{error}\nhint: {error.hint}"


def _restrict(resolved: Resolved, selection: Selection) -> Resolved:
    # Only the vCPUs that --vcpu names.
    if selection.vcpus is None:
        return resolved
    targets = resolved.targets.targets
    if not (selection.domains or selection.pids) and (resolved.targets.everything or len(targets) > 1):
        labels = ", ".join(escape(target.label) for target in targets[:8])
        raise UsageError(
            "--vcpu needs a domain when several run" if targets else "--vcpu needs a domain, or one process",
            f"name one of: {labels}" if targets else "no KVM process runs now",
        )
    for target in targets:
        _check_vcpus(target, selection.vcpus)
    return replace(
        resolved,
        targets=Targets(tuple(restrict_target(target, selection.vcpus) for target in targets)),
        named=resolved.named or tuple(target.domain for target in targets if target.domain),
    )


def _check_vcpus(target: Target, numbers: frozenset[int]) -> None:
    missing = numbers - {vcpu.number for vcpu in target.vcpus}
    if missing:
        who = f"domain '{escape(target.label)}'" if target.domain else f"process {target.pid}"
        has = f"it has {describe_vcpus(vcpu.number for vcpu in target.vcpus)}"
        if not target.vcpus:
            has = "its threads do not say which vCPU they are; QEMU's '-name debug-threads=on' does, or use --tid"
        raise NotFoundError(f"{who} has no {describe_vcpus(missing)}", has)
