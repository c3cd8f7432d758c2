"""What the command line names, found on this host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import domains, processes, threads
from .errors import ExitStatError, NotFoundError, NotKvmError, UsageError
from .options import Options
from .targets import Target, Targets, describe_vcpus
from .terminal import escape


def resolve(
    options: Options, connection: Any, run_dir: Path | None, root: Path, note: Callable[[str], None]
) -> Targets:
    """All that is to be counted or listed; `note` is told of domains that are left out.

    `connection` and `run_dir` are libvirt's, None when it is not asked (Options.by_libvirt). Raises NotFoundError when
    what is named is not there, or when no domain runs and none is waited for (only with --interval it is).
    """
    found = _restrict(_resolve(options, connection, run_dir, root, note), options)
    return replace(found, namespace=processes.shown_namespace(root))


def restrict_target(target: Target, numbers: Iterable[int]) -> Target:
    """The target with only those of the vCPUs that it has."""
    chosen = tuple(vcpu for vcpu in target.vcpus if vcpu.number in frozenset(numbers))
    return replace(target, vcpus=chosen, tids=frozenset(vcpu.tid for vcpu in chosen))


def _resolve(
    options: Options, connection: Any, run_dir: Path | None, root: Path, note: Callable[[str], None]
) -> Targets:
    if options.all_processes:
        return Targets(threads.kvm_processes(root), everything=True)
    if options.tids:
        return Targets(threads.resolve_threads(options.tids, root))
    if options.pids:
        return Targets(tuple(threads.resolve_process(pid, root) for pid in dict.fromkeys(options.pids)))
    assert run_dir
    if options.domains:
        wanted = domains.find_domains(connection, options.domains)
        return Targets(tuple(threads.resolve_domain(domain, run_dir, root) for domain in wanted))
    found = []
    for domain in domains.running_domains(connection):
        try:
            found.append(threads.resolve_domain(domain, run_dir, root))
        except NotKvmError as error:
            note(f"left out: {error}")
        except ExitStatError:
            if any(domain == still for still in domains.running_domains(connection)):
                raise
            # It ended between the list and the look at its threads.
    waits = options.interval_s and not options.vcpus
    if not found and not options.list and not waits:
        raise NotFoundError(
            f"no KVM domain runs at {connection.getURI()}", "start one with 'virsh start'; -c names another URI"
        )
    return Targets(tuple(found))


def _restrict(targets: Targets, options: Options) -> Targets:
    # Only the vCPUs that --vcpu names.
    if options.vcpus is None:
        return targets
    named = options.domains or options.pids
    if not named and (targets.everything or len(targets.targets) > 1):
        raise UsageError(
            "--vcpu needs a domain when several run",
            "name one of: " + ", ".join(escape(target.label) for target in targets.targets[:8]),
        )
    for target in targets.targets:
        _check_vcpus(target, options.vcpus)
    return Targets(tuple(restrict_target(target, options.vcpus) for target in targets.targets))


def _check_vcpus(target: Target, numbers: frozenset[int]) -> None:
    missing = numbers - {vcpu.number for vcpu in target.vcpus}
    if missing:
        who = f"domain '{escape(target.label)}'" if target.domain else f"process {target.pid}"
        has = f"it has {describe_vcpus(vcpu.number for vcpu in target.vcpus)}"
        if not target.vcpus:
            has = "its threads do not say which vCPU they are; QEMU's '-name debug-threads=on' does, or use --tid"
        raise NotFoundError(f"{who} has no {describe_vcpus(missing)}", has)
