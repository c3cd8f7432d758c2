"""A report's domain as advice sees it: what exactly caused its exits, on which vCPU, at what cost. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from ..advice.seen import Cause, Seen
from ..counts.details import Detail, Kind
from ..targets.host_facts import HostFacts
from .report import Row, TargetReport, VCpuReport

#: Exits of which nothing was told.
_NOTHING = Detail(Kind.NOTHING)


def see(
    shown: TargetReport,
    isa_name: str,
    *,
    host: HostFacts,
    xml: Element | None,
    job: bool | None,
    up_seconds: float | None,
) -> Seen:
    """What was seen of a domain, whose exits are timed and have details; the rest is as Seen says."""
    waited: Mapping[int | None, float | None] = {vcpu.vcpu: _waited(vcpu) for vcpu in shown.per_vcpu}
    return Seen(
        causes=tuple(cause for vcpu in shown.per_vcpu for row in vcpu.table.rows for cause in _causes(vcpu, row)),
        seconds=shown.table.seconds,
        isa_name=isa_name,
        xml=xml,
        host=host,
        waited=waited,
        vcpus=len(shown.vcpus),
        up_seconds=up_seconds,
        job=job,
    )


def _causes(vcpu: VCpuReport, row: Row) -> list[Cause]:
    account = vcpu.table.account
    wall_ns = account.wall_ns if account else 0
    causes = []
    for line in row.details:
        share = line.ns / wall_ns if wall_ns else 0.0
        if line.exits > 0:
            causes.append(Cause(row.reason_name, line.detail or _NOTHING, vcpu.vcpu, line.per_second, share))
    return causes


def _waited(vcpu: VCpuReport) -> float | None:
    """The part of the time that a vCPU could have run but had no CPU."""
    account = vcpu.table.account
    if not account or account.waited_ns is None or not account.wall_ns:
        return None
    return account.waited_ns / account.wall_ns
