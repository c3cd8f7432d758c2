"""One run of counting: which targets are counted now, and a report of the exits since the last one. Prints nothing."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ..clock import Clock
from ..counts.counter import Counter
from ..counts.origin import Provenance
from ..counts.snapshot import CountSnapshot, Thread
from ..host import processes
from ..host.processes import Watch
from ..reports.collapse import make_report
from ..reports.reading import Reading
from ..reports.report import Report
from ..targets.target import Target, Targets


class TargetSource(Protocol):
    """Tells which targets exist now. Never raises: targets it cannot look up are returned unchanged."""

    @property
    def libvirt_up(self) -> bool | None:
        """Whether libvirt has answered the last time; None when it is not asked."""

    def fileno(self) -> int:
        """Readable when targets may have come or gone; -1 when it cannot tell."""

    def find(self, known: Iterable[Target]) -> tuple[Target, ...]:
        """The targets there are now; `known` are those there were."""


class Session:
    """Counts `targets`, and what `source` says has come since, until the counter is detached.

    A target is counted and shown until its process is gone: the report of the interval in which it ended is its last.
    `follows` says that the counter can be told of other threads, `timed` that exits are timed and that waiting for a
    CPU is wanted, `detailed` that their causes are told.
    """

    def __init__(
        self,
        counter: Counter,
        targets: Targets,
        source: TargetSource,
        *,
        clock: Clock,
        root: Path,
        follows: bool,
        timed: bool = False,
        detailed: bool = False,
    ) -> None:
        self._counter, self._source, self._clock, self._root, self._follows = counter, source, clock, root, follows
        self._targets, self._timed, self._detailed = targets, timed, detailed
        # For how long each thread has waited for a CPU since it began to run, when the last report was made.
        self._waited_ns: dict[Thread, int] = {}
        self._before = CountSnapshot(0.0, {})
        # By their process (Target.process): what is there now, what the next report shows, and who of these has ended.
        self._now: dict[tuple[int, int], Target] = {}
        self._shown: dict[tuple[int, int], Target] = {}
        self._ended: frozenset[tuple[int, int]] = frozenset()
        self._watches: dict[tuple[int, int], Watch] = {}
        self._ready = select.epoll()
        if source.fileno() >= 0:
            self._ready.register(source.fileno(), select.EPOLLIN)
        self._show(targets.targets)

    def start(self) -> None:
        """Attach; the first report counts from here on."""
        self._counter.attach()
        self._before = self._counter.snapshot(self.is_gone)
        self._count_waited()

    def fileno(self) -> int:
        """Readable when refresh() is worth a call before the next report."""
        return self._ready.fileno()

    def refresh(self) -> None:
        """Find the targets that exist now, and have them counted."""
        self._end_what_ended()
        alive = {process: target for process, target in self._shown.items() if process not in self._ended}
        # A domain that libvirt no longer lists, or that cannot be resolved now, counts as long as its process exists.
        found = {target.process: target for target in self._source.find(alive.values())}
        self._show({**alive, **found}.values())
        if self._follows:
            wanted = replace(self._targets, targets=tuple(self._now.values()))
            self._counter.follow(wanted.thread_filter(changes=True))

    def report(self, *, last: bool = False) -> Report:
        """The exits since the last report, or since the start; with `last`, counting ends."""
        reading = self.read(last=last)
        return make_report(
            reading.targets,
            reading.delta,
            self._counter.reason_name,
            reading.ended,
            time=reading.time,
            provenance=reading.provenance,
            waited_ns=reading.waited_ns,
            detailed=self._detailed,
        )

    def reason_name(self, reason: int) -> str:
        """The name of a raw reason on this host."""
        return self._counter.reason_name(reason)

    def is_gone(self, thread: Thread) -> bool:
        """Whether the thread has ended."""
        return not processes.is_running(thread.tgid, self._root, tid=thread.tid)

    def read(self, *, last: bool = False) -> Reading:
        """What was counted since the last reading or report, or since the start; with `last`, counting ends.

        A target has ended when its process was gone before the counts were read: nothing of it can be missing.
        """
        self._end_what_ended()
        snapshot, time, ended = self._counter.snapshot(self.is_gone), self._clock.utc(), self._ended
        waited_ns = self._count_waited()
        delta, self._before = snapshot.since(self._before), snapshot
        if last:
            self._counter.detach()
        self.refresh()
        late = self._ended - ended
        if last:
            # Nothing is counted any more, so it makes no difference when they ended.
            for process in late:
                delta = delta.ended(*process)
            ended, late = self._ended, frozenset()
        # A process that ended after the counts were read may have lost its pid to another one already.
        hidden = {pid for pid, _ in late}
        shown = tuple(target for process, target in self._shown.items() if process in late or target.pid not in hidden)
        reading = Reading(
            replace(self._targets, targets=shown),
            delta,
            ended,
            time,
            Provenance(os.uname().nodename, os.uname().release, self._counter.isa, self._counter.attachment),
            waited_ns if self._timed else None,
        )
        for process in ended:
            self._shown.pop(process, None)
            self._watches.pop(process).close()
        self._ended -= ended
        self._shown = {process: self._now.get(process, target) for process, target in self._shown.items()}
        if not last:
            self.keep_house()
        return reading

    def keep_house(self) -> None:
        """Have the counter make room. To be called every few seconds while reports are further apart."""
        self._end_what_ended()
        self._counter.free_rows(self.is_gone)

    def _count_waited(self) -> dict[Thread, int]:
        """For how long each vCPU thread had no CPU to run on since the last time, in ns; left out where unknown."""
        if not self._timed:
            return {}
        before = self._waited_ns
        threads = {
            Thread(target.pid, tid)
            for target in self._shown.values()
            for tid in (*(vcpu.tid for vcpu in target.vcpus), *(target.tids or ()))
        }
        found = {thread: processes.waited_ns(thread.tgid, thread.tid, self._root) for thread in threads}
        self._waited_ns = {thread: ns for thread, ns in found.items() if ns is not None}
        return {thread: ns - before[thread] for thread, ns in self._waited_ns.items() if thread in before}

    def _show(self, targets: Iterable[Target]) -> None:
        self._now = {target.process: target for target in targets}
        self._shown = {**self._shown, **{process: self._merge(target) for process, target in self._now.items()}}
        for process in self._now.keys() - self._watches.keys():
            watch = self._watches[process] = Watch(*process, self._root)
            if watch.fileno() >= 0:
                self._ready.register(watch.fileno(), select.EPOLLIN)

    def _end_what_ended(self) -> None:
        # A descriptor for each process would be many to ask one by one; those of a made-up host have none.
        ready = {fd for fd, _ in self._ready.poll(0, maxevents=len(self._watches) + 1)}
        for process in self._watches.keys() - self._ended:
            watch = self._watches[process]
            if (watch.fileno() < 0 or watch.fileno() in ready) and watch.has_ended():
                watch.close()
                self._ended |= {process}
                # At once, for a process that takes the same pid is counted by the same ids.
                self._counter.end(*process)
                self._before = self._before.ended(*process)
                self._waited_ns = {thread: ns for thread, ns in self._waited_ns.items() if thread.tgid != process[0]}

    def _merge(self, target: Target) -> Target:
        """The target with the vCPUs and threads that it had since the last report, those unplugged meanwhile too."""
        before = self._shown.get(target.process, target)
        tids = None if target.tids is None or before.tids is None else target.tids | before.tids
        return replace(target, vcpus=tuple(sorted({*before.vcpus, *target.vcpus})), tids=tids)
