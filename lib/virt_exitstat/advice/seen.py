"""Values that a rule may look at: the causes of exits, the domain's XML, the host's facts. No door behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from xml.etree.ElementTree import Element

from ..counts.details import Access, Detail, Kind, Mark
from ..targets.host_facts import HostFacts

#: First and last number, both among them.
Range = tuple[int, int]

# One host CPU, and no list of several.
_HOST_CPU = re.compile("[0-9]{1,5}")

#: Reasons whose time is the guest's sleep, on any ISA.
IDLE = frozenset({"HLT", "IDLE_HLT", "WFX"})

#: An instruction that waits, and is no sleep: WFE.
_SPIN = (Kind.WAIT, 1)


@dataclass(frozen=True)
class Cause:
    """Exits of one vCPU that have the same reason and the same detail.

    `vcpu` is libvirt's number, None where it is not known. `share` is the measured part of that vCPU thread's wall time
    that these exits took, 0 to 1; of idle reasons it is the time asleep.
    """

    reason_name: str
    detail: Detail
    vcpu: int | None
    per_second: float
    share: float

    @property
    def is_idle(self) -> bool:
        """Whether the guest had nothing to do meanwhile."""
        return self.reason_name in IDLE and (self.detail.kind, self.detail.number) != _SPIN

    @property
    def cost(self) -> float:
        """The part of a CPU that these exits took from it. Sleeping takes none of it, polling in place of it does."""
        return 0.0 if self.is_idle and self.detail.mark is not Mark.POLLED else self.share


@dataclass(frozen=True)
class Seen:
    """All that is known of a domain: its exits in `seconds`, its live XML, its host.

    What may be missing is None, and a question about it has the answer None, "not known". `waited` is {vCPU: part of
    the time that it could have run but had no CPU}. `job` says whether libvirt works on the domain, as in a migration
    or a dump.
    """

    causes: tuple[Cause, ...]
    seconds: float
    isa_name: str
    xml: Element | None = field(default=None, compare=False)
    host: HostFacts = field(default_factory=HostFacts)
    waited: Mapping[int | None, float | None] = field(default_factory=dict, hash=False)
    vcpus: int = 0
    up_seconds: float | None = None
    job: bool | None = None

    # -- the exits --

    def at(self, kind: Kind, *ranges: Range, access: Access | None = None) -> tuple[Cause, ...]:
        """The causes of a kind whose number lies in one of the ranges; without ranges, all of that kind."""
        return tuple(
            cause
            for cause in self.causes
            if cause.detail.kind is kind
            and (access is None or cause.detail.access is access)
            and (not ranges or any(first <= cause.detail.number <= last for first, last in ranges))
        )

    def reasons(self, *names: str) -> tuple[Cause, ...]:
        """The causes of these reasons, whatever their detail. `*` stands for any characters: `WRITE_CR*`."""
        return tuple(
            cause for cause in self.causes if any(fnmatchcase(cause.reason_name, pattern) for pattern in names)
        )

    # -- the domain --

    def has(self, path: str) -> bool | None:
        """Whether the XML has such an element, by a path below <domain>: `devices/disk/target[@bus='ide']`."""
        return None if self.xml is None else self.xml.find(path) is not None

    def timer(self, name: str) -> bool | None:
        """Whether a clock's timer is present; None where the XML does not say."""
        timer = None if self.xml is None else self.xml.find(f"clock/timer[@name='{name}']")
        # libvirt's default for a timer that is named (formatdomain, Time keeping).
        return None if timer is None else timer.get("present", "yes") == "yes"

    def feature(self, path: str) -> bool | None:
        """Whether a feature such as `hyperv/stimer` is on. The Hyper-V modes that take all of the host's mean each."""
        if self.xml is None:
            return None
        hyperv = self.xml.find("features/hyperv")
        whole = hyperv is not None and hyperv.get("mode") in ("passthrough", "host-model")
        found = self.xml.find(f"features/{path}")
        if found is None:
            return whole and path.startswith("hyperv/")
        return found.get("state", "on") == "on"

    def cpu_feature(self, name: str) -> bool | None:
        """Whether the XML gives the guest's CPU this feature (True), takes it (False), or leaves it to the model."""
        found = None if self.xml is None else self.xml.find(f"cpu/feature[@name='{name}']")
        return None if found is None else found.get("policy", "require") in ("require", "force", "optional")

    @property
    def windows(self) -> bool | None:
        """Whether the guest is Windows: by libosinfo's mark, else by Hyper-V's features, else by what it does."""
        if self.at(Kind.HYPERV_HYPERCALL) or self.at(Kind.MSR, (0x40000000, 0x400001FF)):
            return True
        if self.xml is None:
            return None
        marks = [element.get("id", "") for element in self.xml.iter() if element.tag.endswith("}os")]
        if marks:
            return any("microsoft.com/" in mark for mark in marks)
        return self.xml.find("features/hyperv") is not None

    @property
    def pinned(self) -> bool | None:
        """Whether each vCPU has one host CPU."""
        if self.xml is None:
            return None
        sets = {pin.get("vcpu"): pin.get("cpuset", "") for pin in self.xml.iterfind("cputune/vcpupin")}
        return 0 < self.vcpus <= len(sets) and all(_HOST_CPU.fullmatch(cpuset) for cpuset in sets.values())

    @property
    def isolated(self) -> bool | None:
        """Whether each vCPU is pinned to one host CPU that the host's kernel isolates."""
        if not self.pinned or self.xml is None or self.host.isolated is None:
            return self.pinned and None
        return all(int(pin.get("cpuset", "")) in self.host.isolated for pin in self.xml.iterfind("cputune/vcpupin"))

    @property
    def most_waited(self) -> float | None:
        """The largest part of the time that a vCPU waited for a CPU."""
        known = [part for part in self.waited.values() if part is not None]
        return max(known) if known else None
