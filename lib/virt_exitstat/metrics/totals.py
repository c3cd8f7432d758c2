"""Totals: readings added up since the exporter's start, for counters that only grow. Values and pure functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ..counts.origin import Provenance
from ..counts.snapshot import EndedThread, Lost, Thread
from ..counts.tally import Tally
from ..reports.reading import Reading
from ..targets.target import Target

#: A vCPU's number; None for threads that could not be named.
_VCpuNumber = Optional[int]

#: {raw reason or State: tally} of a thread.
_Tallies = Mapping[int, Tally]


class Sum(NamedTuple):
    """What was counted of a reason.

    `total_ns` is all the time that the exits took, `finished_ns` and `buckets` (counts.durations) of those that have
    finished. Where exits are not timed all these are nothing.
    """

    exits: int = 0
    total_ns: int = 0
    finished_ns: int = 0
    buckets: Mapping[int, int] = {}


#: {name of a reason: sum}. By the name, for a kernel may have one for several raw reasons: they are one series.
_Reasons = Mapping[str, Sum]


@dataclass(frozen=True)
class DomainTotals:
    """One domain (or process) since it was first counted.

    `seen` are the threads that have taken exits and still run, of a process that does not name its vCPUs' threads;
    elsewhere none. `per_vcpu` is empty unless it is wanted, and has no buckets. `has_ended`: its process is gone.
    """

    target: Target
    seen: frozenset[int] = frozenset()
    reasons: _Reasons = field(default_factory=dict)
    per_vcpu: Mapping[_VCpuNumber, _Reasons] = field(default_factory=dict)
    has_ended: bool = False

    @property
    def vcpus(self) -> int:
        """How many of its vCPUs are counted. It does not depend on when they took an exit last."""
        known, tids = self.target.vcpus, self.target.tids
        if tids is None:
            # One that was plugged in again has two threads and is one vCPU.
            return len({vcpu.number for vcpu in known}) if known else len(self.seen)
        numbers = {vcpu.number for vcpu in known if vcpu.tid in tids}
        return len(numbers) + len(tids - {vcpu.tid for vcpu in known})


@dataclass(frozen=True)
class Totals:
    """All that was counted since the start, by process (Target.process).

    A domain that ends leaves; one that starts again is another process and begins at 0, which rate() takes for a reset.
    `provenance` is None before the first reading.
    """

    domains: Mapping[tuple[int, int], DomainTotals] = field(default_factory=dict)
    lost: Lost = Lost()  # noqa: RUF009  (a NamedTuple is as immutable as a number)
    provenance: Provenance | None = None


def add_reading(
    totals: Totals,
    reading: Reading,
    reason_name: Callable[[int], str],
    is_gone: Callable[[Thread], bool],
    *,
    per_vcpu: bool = False,
    histogram: bool = False,
) -> Totals:
    """The totals with one more reading. Domains that ended before it are gone, those that ended in it are there.

    `is_gone` says whether a thread has ended; it is asked of few.
    """
    name_of = functools.lru_cache(maxsize=None)(reason_name)
    # By (pid, when it started), or (pid, None) while it runs.
    counted: dict[tuple[int, int | None], dict[int, _Tallies]] = {}
    for thread, tallies in reading.delta.counts.items():
        started = thread.started if isinstance(thread, EndedThread) else None
        counted.setdefault((thread.tgid, started), {})[thread.tid] = tallies
    domains = {}
    for target in reading.targets.targets:
        has_ended = target.process in reading.ended
        threads = counted.get(target.process if has_ended else (target.pid, None), {})
        before = totals.domains.get(target.process) or DomainTotals(target)
        domains[target.process] = DomainTotals(
            target,
            _see(before.seen, target, threads, is_gone),
            _add(before.reasons, threads.values(), name_of, histogram=histogram),
            _add_by_vcpu(before.per_vcpu, target, threads, name_of) if per_vcpu else {},
            has_ended,
        )
    lost = Lost(*map(sum, zip(totals.lost, reading.delta.lost)))
    return Totals(domains, lost, reading.provenance)


def _see(
    before: frozenset[int], target: Target, threads: Mapping[int, _Tallies], is_gone: Callable[[Thread], bool]
) -> frozenset[int]:
    if target.vcpus or target.tids is not None:
        return frozenset()
    seen = before | threads.keys()
    # When all have ended, so does the process: it had vCPUs for as long as it is told.
    return frozenset(tid for tid in seen if not is_gone(Thread(target.pid, tid))) or seen


def _add_by_vcpu(
    before: Mapping[_VCpuNumber, _Reasons],
    target: Target,
    threads: Mapping[int, _Tallies],
    name_of: Callable[[int], str],
) -> Mapping[_VCpuNumber, _Reasons]:
    number_of = {vcpu.tid: vcpu.number for vcpu in target.vcpus}
    found = dict(before)
    for tid, tallies in threads.items():
        number = number_of.get(tid)
        found[number] = _add(found.get(number, {}), [tallies], name_of, histogram=False)
    return found


def _add(
    reasons: _Reasons, of_threads: Iterable[_Tallies], name_of: Callable[[int], str], *, histogram: bool
) -> _Reasons:
    # Tally.__add__ would add details and histograms that nobody asked for: with thousands of vCPUs, a wait.
    found = dict(reasons)
    for tallies in of_threads:
        for reason, tally in tallies.items():
            if reason < 0:
                continue  # a State is no exit
            name, time = name_of(reason), tally.time
            before = found.get(name, _NOTHING)
            if time is None:
                found[name] = Sum(before.exits + tally.exits)
                continue
            buckets = _add_buckets(before.buckets, time.buckets) if histogram else before.buckets
            # The time of an exit in flight is told once more when it ends, as a nanosecond less perhaps.
            total_ns, finished_ns = max(time.total_ns, 0), max(time.finished_ns, 0)
            found[name] = Sum(
                before.exits + tally.exits, before.total_ns + total_ns, before.finished_ns + finished_ns, buckets
            )
    return found


def _add_buckets(before: Mapping[int, int], grown: Mapping[int, int]) -> Mapping[int, int]:
    found = dict(before)
    for bucket, exits in grown.items():
        found[bucket] = found.get(bucket, 0) + exits
    return found


_NOTHING = Sum()
