"""One side of a comparison: the samples of each of its domains, taken from recordings, report by report."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import NamedTuple

from ..reports.report import Report
from .samples import LEAST_KEPT, OVERHEAD, Samples, Span

#: So many numbers of a side, of 8 bytes, are kept; of more, each domain's intervals are thinned. There is more where so
#: many domains run at once that this is little for each.
MOST_NUMBERS = 1 << 20

# So many names of domains are known for an error.
_MOST_LABELS = 100


class Origin(NamedTuple):
    """Where counts are from, in words."""

    host: str
    kernel: str
    isa: str
    attachment: str


class Side:
    """One side of a comparison: recordings, of which the samples of each domain that `wants` lets through are taken.

    Memory is flat: of more than `most_numbers`, intervals are thinned, then domains that have ended are forgotten,
    those of fewest intervals first. `labels` are names of domains, wanted or not, for errors; the first ones.
    """

    def __init__(self, wants: Callable[[str], bool] = lambda _label: True, most_numbers: int = MOST_NUMBERS) -> None:
        self._wants, self._most_numbers = wants, most_numbers
        self.samples: dict[str, Samples] = {}
        self.labels: dict[str, None] = {}
        self.origins: dict[Origin, None] = {}
        self.lost = self.reports = self.forgotten = 0
        # The same files are compared in the same way each time.
        self._chance = random.Random(0)
        self._recording = -1
        self._running: set[tuple[str, int]] | None = None
        self._numbers = 0

    def begin_recording(self) -> None:
        """The next report is the first one of another recording."""
        self._recording += 1
        self._running = None

    def add(self, report: Report) -> None:
        """Take one report."""
        self.reports += 1
        self.lost += sum(report.lost)
        of, ends = report.provenance, report.time.timestamp()
        self.origins.setdefault(Origin(of.host, of.kernel, of.isa.name, of.attachment.value))
        if len(self.labels) < _MOST_LABELS:
            self.labels.update(dict.fromkeys(shown.target.label for shown in report.targets))
        targets = [shown for shown in report.targets if self._wants(shown.target.label)]
        running = {(shown.target.label, shown.target.pid) for shown in targets}
        for shown in targets:
            label = shown.target.label
            if label in self.samples:
                self._numbers -= self.samples[label].size
            samples = self.samples.setdefault(label, Samples(label, chance=self._chance))
            has_begun = self._running is not None and (label, shown.target.pid) not in self._running
            if has_begun or shown.ended or report.seconds <= 0:
                samples.came_and_went += 1
            else:
                samples.add(shown.table, self._recording)
                samples.vcpus.update(shown.vcpus)
                samples.note_time(self._recording, Span(of.host, ends - report.seconds, ends))
            self._numbers += samples.size
        self._running = running
        if self._numbers > self._most_numbers:
            self._make_room({label for label, _ in running})

    def _make_room(self, running: Collection[str]) -> None:
        rows = sum([len(self.samples[label].values) + 2 for label in running])
        self._most_numbers = max(self._most_numbers, rows * (2 * LEAST_KEPT + OVERHEAD))
        if self._numbers <= self._most_numbers:
            return
        for samples in self.samples.values():
            samples.thin()
        self._numbers = sum([samples.size for samples in self.samples.values()])
        if self._numbers <= self._most_numbers:
            return
        ended = sorted(
            (one for one in self.samples.values() if one.label not in running), key=lambda one: one.intervals
        )
        for samples in ended:
            # So many at once that this is done seldom.
            if self._numbers <= self._most_numbers * 3 / 4:
                break
            self._numbers -= samples.size
            self.forgotten += 1
            del self.samples[samples.label]
