"""A recording: the reports of a file, one after the other, and what is wrong with the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from ..errors import ExitStatError
from ..text import plural
from .document import Recorded, read_document
from .documents import NoRecordingError, read_documents
from .fields import MisfitError

# Broken lines that are named; a file may have a billion.
_NAMED = 3


class Recording:
    """The reports of an open file, which is called `label` in errors.

    `on_lines` says whether they stand on a line each, as those of a run of intervals do; known with the first one.
    `is_cut_off`, and `broken`, the number of broken documents before the last one, are known once reports are read.
    """

    def __init__(self, label: str, file: BinaryIO, *, per_vcpu: bool = True) -> None:
        self.label = label
        self._file, self._per_vcpu = file, per_vcpu
        self.on_lines = self.is_cut_off = False
        self.broken = 0
        self._broken_lines: list[int] = []

    def reports(self) -> Iterator[Recorded]:
        """The reports. One at a time is in memory. Raises ExitStatError."""
        first = True
        try:
            for document in read_documents(self._file):
                if document.value is None:
                    if document.is_last:
                        self.is_cut_off = True
                    else:
                        self._note_broken(document.line)
                    continue
                if first:
                    self.on_lines = document.on_one_line
                first = False
                with self._naming(document.line):
                    recorded = read_document(document.value, per_vcpu=self._per_vcpu)
                yield recorded
        except NoRecordingError as error:
            raise NoRecordingError(f"{self.label} {error}", error.hint) from None
        except OSError as error:
            raise ExitStatError(
                f"cannot read {self.label}: {error.strerror}", "give a file that '-o json' has written"
            ) from None

    def _note_broken(self, line: int) -> None:
        self.broken += 1
        if len(self._broken_lines) < _NAMED:
            self._broken_lines.append(line)

    @contextlib.contextmanager
    def _naming(self, line: int) -> Iterator[None]:
        try:
            yield
        except MisfitError as error:
            raise ExitStatError(
                f"{self.label}, line {line}: {error}", "the file was changed, or another program wrote it"
            ) from None

    def troubles(self) -> tuple[str, ...]:
        """What is to be said of the file, once its reports are read."""
        said = []
        if self.broken:
            lines = ", ".join(map(str, self._broken_lines)) + ", .." * (self.broken > len(self._broken_lines))
            said.append(f"{self.label}: {plural(self.broken, 'broken report')} left out, at line {lines}")
        if self.is_cut_off:
            said.append(f"{self.label} is cut off in the middle of a report, and is read up to there")
        return tuple(said)


def only_domains(recorded: Recorded, names: frozenset[str]) -> Recorded:
    """The same with only these domains; all where none is named. A sum of all is then of these."""
    if not names:
        return recorded
    kept = [at for at, shown in enumerate(recorded.report.targets) if shown.target.label in names]
    targets = tuple(recorded.report.targets[at] for at in kept)
    report = replace(recorded.report, targets=targets, total=None)
    return replace(recorded, report=report, explained=tuple(recorded.explained[at] for at in kept))
