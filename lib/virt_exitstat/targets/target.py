"""Targets: domains, their processes and vCPU threads. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .thread_filter import PidNamespace, ThreadFilter


@dataclass(frozen=True)
class Domain:
    """A running libvirt domain, as libvirt names it."""

    name: str
    uuid: str
    id: int


@dataclass(frozen=True, order=True)
class VCpu:
    """A vCPU by libvirt's number for it, and the host thread that runs it.

    The number is libvirt's (`virsh vcpuinfo`), not KVM's `vcpu_id`, which is the APIC id on x86.
    """

    number: int
    tid: int


@dataclass(frozen=True)
class Target:
    """One QEMU process to be counted.

    `domain` is None for a process that was given with --pid or --tid. `vcpus` are the vCPU threads known when it was
    resolved. `tids` restricts counting to these threads; None means every thread, later ones included. `started` is
    when the process did, in clock ticks since boot (0: not known): with the pid it is an identity, a pid alone is not.
    """

    pid: int
    vcpus: tuple[VCpu, ...]
    domain: Domain | None = None
    tids: frozenset[int] | None = None
    started: int = 0

    @property
    def process(self) -> tuple[int, int]:
        """The process's identity: (pid, started)."""
        return (self.pid, self.started)

    @property
    def label(self) -> str:
        """The domain's name, else `pid N`."""
        return self.domain.name if self.domain else f"pid {self.pid}"


@dataclass(frozen=True)
class Targets:
    """All that one run counts. `everything` is set when processes that are not listed are counted too.

    All ids are those of `namespace`, None for the first one.
    """

    targets: tuple[Target, ...]
    everything: bool = False
    namespace: PidNamespace | None = None

    def thread_filter(self, *, changes: bool = False) -> ThreadFilter:
        """The filter that lets exactly these targets' exits through; `changes` when others may follow."""
        return ThreadFilter(
            tgids=frozenset(target.pid for target in self.targets if target.tids is None),
            threads=frozenset((target.pid, tid) for target in self.targets for tid in target.tids or ()),
            everything=self.everything,
            changes=changes,
            namespace=self.namespace,
        )


def describe_vcpus(numbers: Iterable[int]) -> str:
    """`vCPU 0`, `vCPUs 0-3,6`, `no vCPUs`."""
    some = sorted(set(numbers))
    return f"vCPU{'' if len(some) == 1 else 's'} {_format_numbers(some)}" if some else "no vCPUs"


def _format_numbers(numbers: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
