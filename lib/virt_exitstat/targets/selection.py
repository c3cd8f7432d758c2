"""The selection: what the user wants counted, in the user's own words. Names are not looked up yet."""

from __future__ import annotations

import re
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


def guess_duration(text: str) -> str:
    """A duration with a unit or a comma, in seconds as text; empty when the text is none."""
    found = re.fullmatch(r"([0-9]+)(?:,([0-9]+))?\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|)", text, re.IGNORECASE)
    if not found or not (found.group(2) or found.group(3)):
        return ""
    number = float(f"{found.group(1)}.{found.group(2) or 0}")
    return f"{number * {'m': 60, 'h': 3600}.get(found.group(3)[:1].lower(), 1):.15g}"
