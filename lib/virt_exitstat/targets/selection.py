"""The selection: what the user wants counted, in the user's own words. Names are not looked up yet."""

from __future__ import annotations

from dataclasses import dataclass

#: The URI when neither --connect nor the environment names one.
DEFAULT_URI = "qemu:///system"


@dataclass(frozen=True)
class Selection:
    """Domains by name, UUID or id; or processes; or threads. None of these means every running domain.

    `vcpus` restricts it to vCPUs by libvirt's number. `uri` is libvirt's, None for the default.
    """

    domains: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    all_processes: bool = False
    tids: tuple[int, ...] = ()
    vcpus: frozenset[int] | None = None
    uri: str | None = None

    @property
    def by_libvirt(self) -> bool:
        """Whether libvirt says what is counted: domains, and not processes or threads."""
        return not (self.pids or self.tids or self.all_processes)
