"""--complete: the words that a shell offers where a domain, a vCPU, a reason or a pid is typed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..arguments.requests import Candidates, Complete
from ..domains import libvirtd, threads
from ..errors import ExitStatError, ExitStatus
from ..isa.host import host_isa
from ..isa.known import reason_names
from ..run.sinks import StandardOutput
from ..world import World

#: How long to wait for libvirt, in seconds; the shells give up after 3, and the line stands still meanwhile.
_COMPLETION_S = 2.5


def run(request: Complete, world: World) -> ExitStatus:
    """Print all words that fit, a line each, whatever of them is typed already.

    A message would land in the middle of what the user types: there is none, whatever is wrong.
    """
    words: Sequence[str] = ()
    with contextlib.suppress(Exception):
        words = _find_candidates(request, world)
    StandardOutput().write("".join(f"{word}\n" for word in words))
    return ExitStatus.OK


def _find_candidates(request: Complete, world: World) -> tuple[str, ...]:
    """The words, by whoever knows them. Raises what they raise."""
    pids = request.selection.pids
    if request.what is Candidates.REASONS:
        return _reasons(world.root)
    if request.what is Candidates.WORDS:
        from .about import all_subjects  # only here: it knows much, and a shell waits for every import

        return all_subjects()
    if request.what is Candidates.PIDS:
        return tuple(map(str, threads.find_kvm_processes(world.root)))
    if request.what is Candidates.VCPUS and pids:
        return _common([vcpu.number for vcpu in threads.resolve_process(pid, world.root).vcpus] for pid in sorted(pids))
    with world.make_asker(request.selection, limit_s=_COMPLETION_S, note=lambda _text: None) as asker:
        return asker.ask(functools.partial(_from_libvirt, request))


def _from_libvirt(request: Complete, connection: Any) -> tuple[str, ...]:
    if request.what is Candidates.DOMAINS:
        return tuple(domain.name for domain in libvirtd.running_domains(connection))
    if request.selection.domains:
        wanted = libvirtd.find_domains(connection, request.selection.domains)
        return _common(libvirtd.vcpu_numbers(connection, domain) for domain in wanted)
    running = libvirtd.running_domains(connection)
    return _in_order(number for domain in running for number in libvirtd.vcpu_numbers(connection, domain))


def _reasons(root: Path) -> tuple[str, ...]:
    try:
        return reason_names([host_isa(root)])
    except ExitStatError:
        return reason_names()


def _common(numbers: Iterable[Iterable[int]]) -> tuple[str, ...]:
    # --vcpu refuses a vCPU that one of the domains lacks.
    return _in_order(set.intersection(*map(set, numbers)))


def _in_order(numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(map(str, sorted(set(numbers))))
