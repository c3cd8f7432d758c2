"""What a shell offers where a domain, a vCPU, a reason or a pid is to be typed. What fails offers nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..arguments.options import Candidates, Options
from ..domains import libvirtd, threads
from ..domains.asker import Asker
from ..errors import ExitStatError
from ..isa.host import host_isa
from ..isa.instruction_set import Isa
from ..isa.known import ISAS


def find_candidates(options: Options, asker: Asker, root: Path) -> tuple[str, ...]:
    """All words that fit, whatever of them is typed already.

    `options` is the command line as far as it stands. Raises ExitStatError, or what libvirt raises, when whoever has to
    be asked does not answer.
    """
    if options.complete is Candidates.REASONS:
        return _reasons(root)
    if options.complete is Candidates.PIDS:
        return tuple(map(str, threads.find_kvm_processes(root)))
    if options.complete is Candidates.VCPUS and options.pids:
        return _common(
            [vcpu.number for vcpu in threads.resolve_process(pid, root).vcpus] for pid in sorted(options.pids)
        )
    return asker.ask(functools.partial(_from_libvirt, options))


def _from_libvirt(options: Options, connection: Any) -> tuple[str, ...]:
    if options.complete is Candidates.DOMAINS:
        return tuple(domain.name for domain in libvirtd.running_domains(connection))
    if options.domains:
        wanted = libvirtd.find_domains(connection, options.domains)
        return _common(libvirtd.vcpu_numbers(connection, domain) for domain in wanted)
    running = libvirtd.running_domains(connection)
    return _in_order(number for domain in running for number in libvirtd.vcpu_numbers(connection, domain))


def _reasons(root: Path) -> tuple[str, ...]:
    try:
        isas: tuple[Isa, ...] = (host_isa(root),)
    except ExitStatError:
        isas = ISAS
    return tuple(sorted({name for isa in isas for name in isa.reasons.names.values()}))


def _common(numbers: Iterable[Iterable[int]]) -> tuple[str, ...]:
    # --vcpu refuses a vCPU that one of the domains lacks.
    return _in_order(set.intersection(*map(set, numbers)))


def _in_order(numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(map(str, sorted(set(numbers))))
