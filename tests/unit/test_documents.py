"""documents: a file of JSON is read one document at a time, however long it is and whatever becomes of it."""

import io
import itertools
import json
import tracemalloc
from pathlib import Path

import jsonschema
import pytest
from refusals import refuses

from made_up_reports import domain, lasted, report, timed_report
from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.snapshot import State
from virt_exitstat.counts.tally import Tally
from virt_exitstat.formats.format import Style
from virt_exitstat.formats.json_document import render_json
from virt_exitstat.recordings.documents import NoRecordingError, read_documents
from virt_exitstat.recordings.recording import Recording

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "lib/virt_exitstat/formats/report.schema.json").read_text())

LINE = b'{"a": 1}\n'
INDENTED = json.dumps({"a": {"b": [1, {}]}}, indent=2).encode() + b"\n"


def read(text):
    return [(one.line, one.value) for one in read_documents(io.BytesIO(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LINE * 2, [(1, {"a": 1}), (2, {"a": 1})]),
        (LINE[:-1], [(1, {"a": 1})]),
        (INDENTED + INDENTED, [(1, {"a": {"b": [1, {}]}}), (9, {"a": {"b": [1, {}]}})]),
        (INDENTED + LINE + INDENTED, [(1, {"a": {"b": [1, {}]}}), (9, {"a": 1}), (10, {"a": {"b": [1, {}]}})]),
        (LINE + b"{half\n" + LINE, [(1, {"a": 1}), (2, None), (3, {"a": 1})]),
        (b"\0\0\n\n" + LINE, [(3, {"a": 1})]),
        (LINE + INDENTED[:12] + b"\n" + INDENTED, [(1, {"a": 1}), (2, None), (5, {"a": {"b": [1, {}]}})]),
    ],
)
def test_documents_stand_on_lines_or_are_indented(text, found):
    assert len(INDENTED.splitlines()) == 8
    assert read(text) == found


def test_only_the_last_broken_one_is_the_end_of_a_file_that_is_cut_off():
    found = list(read_documents(io.BytesIO(LINE + b"{half\n" + LINE + b"{half")))
    assert [(one.value, one.is_last) for one in found if one.value is None] == [(None, False), (None, True)]


def test_a_file_of_another_program_is_refused_early():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = (b"some words\n" * (len(buffer) // 11 + 1))[: len(buffer)]
            return len(buffer)

    with refuses(NoRecordingError, "has no whole report"):
        list(read_documents(io.BufferedReader(Endless())))


class Repeated(io.RawIOBase):
    """A file that is a text so many times, of which nothing is kept."""

    def __init__(self, text, times):
        self._parts, self._left = itertools.repeat(text, times), b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while len(self._left) < len(buffer):
            part = next(self._parts, b"")
            if not part:
                break
            self._left += part
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.parametrize("text", [LINE, INDENTED], ids=["on a line", "indented"])
def test_a_document_that_memory_would_not_hold_is_refused(monkeypatch, text):
    """A line is looked at before it is read to its end."""
    long = text.replace(b"1", b" " * 5000 + b"1", 1)
    monkeypatch.setattr("virt_exitstat.recordings.documents.LONGEST", len(long))
    assert read(long) == read(text)
    monkeypatch.setattr("virt_exitstat.recordings.documents.LONGEST", 5000)
    with refuses(NoRecordingError, "has a document of more than"):
        read(long)


def test_broken_reports_are_counted_and_three_of_them_named():
    made = report([domain("d", 100)], {101: {"x": 1}})
    line = render_json(made, Style(lambda _grid: "", repeats=True)).replace('"code": "x"', '"code": 1').encode()
    recording = Recording("night", io.BytesIO(line + b'{"a":\n' * 500 + line))
    assert len(list(recording.reports())) == 2
    assert recording.troubles() == ("night: 500 broken reports left out, at line 2, 3, 4, ..",)


@pytest.mark.parametrize(
    "times",
    [
        # Both were seen in the lab, in two of 600 reports: one exit was read as it ended, before its time stood there.
        {48: Tally(1116, lasted(900, 1116), untimed=1)},
        {48: Tally(1116, lasted(900, 1117), untimed=-1)},
        {State.STOPPED: Durations(in_flight=-1)},
    ],
)
def test_a_report_is_read_again_in_whichever_moment_an_exit_was_read(times):
    made = timed_report([domain("d", 100)], {101: {12: lasted(5_000, 9), **times}})
    style = Style(lambda _grid: "", repeats=True)
    line = render_json(made, style)
    jsonschema.validate(json.loads(line), SCHEMA, cls=jsonschema.Draft7Validator)
    (again,) = Recording("night", io.BytesIO(line.encode())).reports()
    assert render_json(again.report, style) == line


def test_memory_is_flat_however_long_a_recording_is():
    made = report(
        [domain(f"d{at}", at * 100) for at in range(1, 40)],
        {at * 100 + 1: {str(n): n for n in range(1, 9)} for at in range(1, 40)},
    )
    line = render_json(made, Style(lambda _grid: "", repeats=True)).replace('"code": "', '"code": 1, "x": "').encode()

    def peak(times):
        tracemalloc.start()
        read = sum(1 for _ in Recording("file", io.BufferedReader(Repeated(line, times)), per_vcpu=False).reports())
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read == times
        return found

    assert peak(60) < 1.2 * peak(6)
