"""One run of counting: what is counted now, and a report of what was counted since the last one. Prints nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from . import processes
from .counter import Counter
from .following import TargetSource
from .report import Provenance, Report, make_report
from .snapshot import CountSnapshot
from .targets import Target, Targets
from .timing import Clock


class Session:
    """Counts `targets`, and what `source` says has come since, until the counter is detached.

    A target is counted and shown until its process is gone: the report of the interval in which it ended is its last.
    `follows` says that the counter can be told of other threads.
    """

    def __init__(
        self, counting: Counter, targets: Targets, source: TargetSource, *, clock: Clock, root: Path, follows: bool
    ) -> None:
        self._counting, self._source, self._clock, self._root, self._follows = counting, source, clock, root, follows
        self._targets = targets
        self._shown = {target.pid: target for target in targets.targets}
        self._now = self._shown
        self._before = CountSnapshot(0.0, {})

    def start(self) -> None:
        """Attach; the first report counts from here on."""
        self._counting.attach()
        self._before = self._counting.snapshot()

    def fileno(self) -> int:
        """Readable when refresh() is worth a call before the next report; -1 when that is not told."""
        return self._source.fileno()

    def refresh(self) -> None:
        """Find out what is to be counted now, and have it counted."""
        alive = {pid: target for pid, target in self._shown.items() if self._is_running(target)}
        # What libvirt no longer lists, or cannot resolve at the moment, counts as long as its process is there.
        self._now = {**alive, **{target.pid: target for target in self._source.find(alive.values())}}
        self._shown = {**self._shown, **{pid: self._merge(target) for pid, target in self._now.items()}}
        if self._follows:
            wanted = Targets(tuple(self._now.values()))
            self._counting.follow(wanted.thread_filter(changes=True))

    def report(self, *, last: bool = False) -> Report:
        """What was counted since the last report, or since the start; with `last`, counting ends.

        A target has ended when its process was gone before the counts were read: nothing of it can be missing.
        """
        ended = self._ended()
        snapshot, time = self._counting.snapshot(), self._clock.utc()
        if last:
            self._counting.detach()
        self.refresh()
        if last:
            ended = self._ended()
        report = make_report(
            replace(self._targets, targets=tuple(self._shown.values())),
            snapshot.since(self._before),
            self._counting.reason_name,
            ended,
            time=time,
            provenance=Provenance(
                os.uname().nodename, os.uname().release, self._counting.isa, self._counting.attachment
            ),
        )
        self._before = snapshot
        self._shown = {pid: self._now.get(pid, target) for pid, target in self._shown.items() if pid not in ended}
        if not last:
            self.keep_house()
        return report

    def keep_house(self) -> None:
        """Have the counter make room. To be called every few seconds while reports are further apart."""
        self._counting.free_rows(lambda thread: not processes.is_running(thread.tgid, self._root, tid=thread.tid))

    def _ended(self) -> frozenset[int]:
        return frozenset(pid for pid, target in self._shown.items() if not self._is_running(target))

    def _is_running(self, target: Target) -> bool:
        return processes.is_running(target.pid, self._root)

    def _merge(self, target: Target) -> Target:
        """The target with the vCPUs and threads that it had since the last report, those unplugged meanwhile too."""
        before = self._shown.get(target.pid, target)
        tids = None if target.tids is None or before.tids is None else target.tids | before.tids
        return replace(target, vcpus=tuple(sorted({*before.vcpus, *target.vcpus})), tids=tids)
