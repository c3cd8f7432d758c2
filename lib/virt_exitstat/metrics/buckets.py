"""Buckets of Prometheus' classic histograms, made of the log-linear ones that the kernel program counts in. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..counts.durations import bucket_of
from .family import Distribution
from .totals import Sum

#: Upper bounds in ns: powers of 4, from a microsecond (an exit that KVM handles) to a quarter of a second (a halt).
#: Each is where a log-linear bucket begins, so that no exit is counted on the wrong side.
BOUNDS_NS = tuple(1024 * 4**power for power in range(10))

_ENDS: Mapping[float, int] = {bound_ns / 1e9: bucket_of(bound_ns) for bound_ns in BOUNDS_NS}


def distribution_of(one: Sum) -> Distribution:
    """The lengths of the exits that have finished."""
    found = sorted(one.buckets.items())
    up_to, at, below = {}, 0, 0
    for bound_s, end in _ENDS.items():
        while at < len(found) and found[at][0] < end:
            below += found[at][1]
            at += 1
        up_to[bound_s] = below
    return Distribution(up_to, sum(one.buckets.values()), one.finished_ns / 1e9)
