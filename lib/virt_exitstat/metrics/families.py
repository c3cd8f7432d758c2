"""The metrics, a row each: their names, labels and what of the totals they tell. Values and pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .. import __version__
from ..counts.snapshot import Lost
from ..targets.nova import NovaNames
from .buckets import distribution_of
from .family import Family, Kind, Sample
from .totals import DomainTotals, Sum, Totals
from .wanted import Wanted


@dataclass(frozen=True)
class Identity:
    """The labels of a domain. `nova` is None while that is not known."""

    domain: str
    uuid: str
    nova: NovaNames | None = None


@dataclass(frozen=True)
class NamedDomain:
    """The totals of a domain. `who` are its labels, domain and uuid, which no other has."""

    totals: DomainTotals
    who: tuple[str, str]
    nova: NovaNames


def name_domains(
    totals: Totals, identities: Mapping[tuple[int, int], Identity], *, ended: bool = False
) -> tuple[NamedDomain, ...]:
    """The domains by name; with `ended`, also those that have ended. `identities` has each process of the totals.

    Two of the same name and UUID, which libvirt has not, are told apart: of two series with the same labels Prometheus
    keeps one, and says nothing.
    """
    found = []
    for process, domain in totals.domains.items():
        if ended or not domain.has_ended:
            identity = identities[process]
            found.append((readable(identity.domain), readable(identity.uuid), domain.target.started, process, domain))
    found.sort(key=lambda one: one[:4])
    named: dict[tuple[str, str], NamedDomain] = {}
    for name, uuid, _, process, domain in found:
        who = (name, uuid) if (name, uuid) not in named else (f"{name} (pid {domain.target.pid})", uuid)
        named[who] = NamedDomain(domain, who, identities[process].nova or NovaNames())
    return tuple(named.values())


@dataclass(frozen=True)
class Collected:
    """All that metrics tell. `timed`: exits have times. `libvirt_up` is None where libvirt is not asked, `seconds`
    what the last reading took.
    """

    totals: Totals
    domains: tuple[NamedDomain, ...]
    timed: bool = False
    wanted: Wanted = Wanted()  # noqa: RUF009  (frozen)
    libvirt_up: bool | None = None
    seconds: float = 0.0


def readable(text: str) -> str:
    """The text as a label may have it, which is UTF-8: a byte of a name that is none is shown as a number."""
    return text.encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class Metric:
    """One metric. `labels` and `samples` are of a reading.

    `option` is the one that it is told with, if any, and `is_told` says whether it was given.
    """

    name: str
    kind: Kind
    about: str
    labels: Callable[[Wanted], tuple[str, ...]]
    samples: Callable[[Collected], Iterator[Sample]]
    option: str = ""
    is_told: Callable[[Collected], bool] = lambda _collected: True


_OF_DOMAIN = ("domain", "uuid")


def _of_reason(wanted: Wanted) -> tuple[str, ...]:
    return (*_OF_DOMAIN, *(["vcpu"] if wanted.per_vcpu else []), "reason")


def _by_reason(value: Callable[[Sum], float]) -> Callable[[Collected], Iterator[Sample]]:
    """A sample of each domain, vCPU where that is wanted, and reason."""

    def samples(collected: Collected) -> Iterator[Sample]:
        for who, reasons in _sums(collected, per_vcpu=collected.wanted.per_vcpu):
            yield from (((*who, name), value(reasons[name])) for name in sorted(reasons))

    return samples


def _sums(collected: Collected, *, per_vcpu: bool) -> Iterator[tuple[tuple[str, ...], Mapping[str, Sum]]]:
    """(labels, {reason's name: sum}) of each domain, or of each of its vCPUs: those without a number last."""
    for domain in collected.domains:
        if not per_vcpu:
            yield domain.who, domain.totals.reasons
            continue
        for vcpu, reasons in sorted(domain.totals.per_vcpu.items(), key=lambda item: (item[0] is None, item[0] or 0)):
            yield (*domain.who, "" if vcpu is None else str(vcpu)), reasons


def _distributions(collected: Collected) -> Iterator[Sample]:
    for who, reasons in _sums(collected, per_vcpu=False):
        yield from (((*who, name), distribution_of(reasons[name])) for name in sorted(reasons))


def _vcpus(collected: Collected) -> Iterator[Sample]:
    for domain in collected.domains:
        yield domain.who, domain.totals.vcpus


def _info(collected: Collected) -> Iterator[Sample]:
    for domain in collected.domains:
        yield (*domain.who, str(domain.totals.target.pid), *map(readable, domain.nova)), 1


def _lost(collected: Collected) -> Iterator[Sample]:
    for cause, count in zip(Lost._fields, collected.totals.lost):
        yield (cause,), count


def _build(collected: Collected) -> Iterator[Sample]:
    origin = collected.totals.provenance
    if origin:
        yield (__version__, origin.isa.name.lower(), origin.attachment.value, origin.kernel), 1


METRICS = (
    Metric(
        "kvm_exits_total",
        Kind.COUNTER,
        "Exits of a domain's vCPUs from guest mode, by reason.",
        _of_reason,
        _by_reason(lambda one: one.exits),
    ),
    Metric(
        "kvm_exit_seconds_total",
        Kind.COUNTER,
        "Time that these exits took, in KVM and in QEMU. That of HLT, IDLE_HLT and WFX is the guest's idle time: leave"
        " it out of sums.",
        _of_reason,
        _by_reason(lambda one: one.total_ns / 1e9),
        "--time",
        lambda collected: collected.timed,
    ),
    Metric(
        "kvm_exit_duration_seconds",
        Kind.HISTOGRAM,
        "Lengths of the exits that have ended, of all vCPUs of a domain.",
        lambda _wanted: (*_OF_DOMAIN, "reason"),
        _distributions,
        "--histogram",
        lambda collected: collected.timed and collected.wanted.histogram,
    ),
    Metric(
        "kvm_domain_vcpus",
        Kind.GAUGE,
        "vCPU threads of a domain that are counted.",
        lambda _wanted: _OF_DOMAIN,
        _vcpus,
    ),
    Metric(
        "kvm_domain_info",
        Kind.GAUGE,
        "Other names of a domain: its process, and what OpenStack's nova calls it.",
        lambda _wanted: (*_OF_DOMAIN, "pid", *NovaNames._fields),
        _info,
        "--domain-info",
        lambda collected: collected.wanted.domain_info,
    ),
    Metric(
        "virt_exitstat_lost_exits_total",
        Kind.COUNTER,
        "Exits that were seen and are in no other metric, by cause: " + ", ".join(Lost._fields) + ".",
        lambda _wanted: ("cause",),
        _lost,
    ),
    Metric(
        "virt_exitstat_build_info",
        Kind.GAUGE,
        "The program, and how it counts.",
        lambda _wanted: ("version", "isa", "attachment", "kernel"),
        _build,
    ),
    Metric(
        "virt_exitstat_libvirt_up",
        Kind.GAUGE,
        "1 while libvirt answers. While it does not, the domains that are known are counted.",
        lambda _wanted: (),
        lambda collected: iter([((), int(bool(collected.libvirt_up)))]),
        is_told=lambda collected: collected.libvirt_up is not None,
    ),
    Metric(
        "virt_exitstat_collect_duration_seconds",
        Kind.GAUGE,
        "How long it took to read the counts, this time.",
        lambda _wanted: (),
        lambda collected: iter([((), collected.seconds)]),
    ),
)


def make_families(collected: Collected) -> tuple[Family, ...]:
    """All metrics of one reading."""
    return tuple(
        Family(one.name, one.kind, one.about, one.labels(collected.wanted), list(one.samples(collected)))
        for one in METRICS
        if one.is_told(collected)
    )
