"""Reports written to where they go, each at once."""

from __future__ import annotations

from dataclasses import replace

from ..formats.format import Format, Style
from ..reports.choose import Choice, choose
from ..reports.report import Report
from .sinks import Sink


class Output:
    """Writes what `choice` leaves of reports to a sink."""

    def __init__(self, how: Format, style: Style, choice: Choice, sink: Sink) -> None:
        self._how, self._style, self._choice, self._sink = how, style, choice, sink

    def write(self, report: Report) -> None:
        """Write one report, flushed."""
        style = replace(self._style, is_first=self._sink.is_empty())
        text = self._how.render(choose(report, self._choice), style)
        if text:
            self._sink.write(text)
