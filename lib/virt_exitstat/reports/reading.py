"""Readings: what was counted since the one before, and of what. Reports and metrics are made of them. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..counts.origin import Provenance
from ..counts.snapshot import CountSnapshot, Thread
from ..targets.target import Targets


@dataclass(frozen=True)
class Reading:
    """The counts of a time, read at `time` (UTC).

    `targets` carry the vCPUs known at its end as well as at its start. `ended` are the processes (Target.process) that
    are gone, whose threads are EndedThreads in `delta`. `waited_ns` is for how long threads waited for a CPU;
    None where that is not wanted.
    """

    targets: Targets
    delta: CountSnapshot
    ended: frozenset[tuple[int, int]]
    time: datetime
    provenance: Provenance
    waited_ns: Mapping[Thread, int] | None = None
