"""records and json_document: what machines read back is what was counted, whatever names look like."""

import csv
import io
import json

import pytest

from made_up_reports import WHEN_AND_WHERE, snapshot
from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.formats import json_document, records
from virt_exitstat.formats.aligned import lay_out
from virt_exitstat.formats.format import Style
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.reports.choose import Choice, choose
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

NAMES = [
    "guest01",
    "a,b",
    'say "hi"',
    "line\nbreak",
    "cr\rlf\r\n",
    "tab\t",
    " ends ",
    "=1+1",
    "\x1b[2J",
    "ü🐧",
    "'",
    ";",
]


def report(name="guest01", *, lost=(), total=False):
    target = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain(name, "uuid-1", 1))
    counts = {Thread(100, 101): {12: 7, 10: 5}, Thread(100, 199): {12: 1}}
    delta = snapshot(2.0, counts, Lost(*lost))
    made = make_report(Targets((target,)), delta, VMX.reasons.name_of, **WHEN_AND_WHERE)
    return choose(made, Choice(total=total))


def render_csv(report, *, header=True):
    return records.render_csv(report, Style(lay_out, header=header))


def render_wide(report):
    return records.render_wide(report, Style(lay_out)).rstrip("\n")


def render_json(report, *, one_line=True):
    return json_document.render_json(report, Style(lay_out, repeats=one_line))


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_csv_gives_back_the_name(name):
    assert {row["domain"] for row in read(render_csv(report(name)))} == {name}


@pytest.mark.parametrize("name", NAMES)
def test_json_gives_back_the_name(name):
    for one_line in (True, False):
        assert json.loads(render_json(report(name), one_line=one_line))["domains"][0]["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_json_lines_are_lines_and_ascii(name):
    text = render_json(report(name))
    assert text.isascii() and len(text.splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_wide_table_is_safe_for_a_terminal(name):
    text = render_wide(report(name))
    assert all(line.isprintable() for line in text.split("\n")) and len(text.split("\n")) == 4


def test_csv_leaves_nul_out():
    assert read(render_csv(report("a\0b")))[0]["domain"] == "ab"


def test_csv_lines_end_as_rfc_4180_says():
    text = render_csv(report())
    assert text.count("\r\n") == text.count("\n") == 4 and text.endswith("\r\n")


def test_a_row_for_each_vcpu_and_reason_in_stable_columns():
    text = render_csv(report())
    assert text.split("\r\n")[0] == "time,seconds,domain,uuid,pid,vcpu,tid,reason,code,count,per_second"
    assert [tuple(row.values())[4:] for row in read(text)] == [
        ("100", "0", "101", "HLT", "12", "7", "3.500"),
        ("100", "0", "101", "CPUID", "10", "5", "2.500"),
        ("100", "", "199", "HLT", "12", "1", "0.500"),
    ]
    assert {(row["time"], row["seconds"]) for row in read(text)} == {("2026-11-22T19:53:01.250Z", "2.000")}


def test_without_the_header_there_are_the_same_rows():
    text = render_csv(report())
    assert render_csv(report(), header=False) == text.partition("\r\n")[2]


def test_lost_exits_are_rows_of_no_process_with_a_name_that_no_reason_has():
    rows = read(render_csv(report("", lost=(30, 0, 2))))[3:]
    assert [(row["pid"], row["domain"], row["reason"], row["code"], row["count"]) for row in rows] == [
        ("", "", "(lost: no_row)", "", "30"),
        ("", "", "(lost: recursion)", "", "2"),
    ]
    assert not any(name.startswith("(") for name in VMX.reasons.names.values())


def test_the_total_is_rows_of_no_process():
    rows = [row for row in read(render_csv(report(total=True))) if not row["pid"]]
    assert [(row["domain"], row["uuid"], row["reason"], row["count"]) for row in rows] == [
        ("all domains", "", "HLT", "8"),
        ("all domains", "", "CPUID", "5"),
    ]


def test_json_has_its_fields_in_a_stable_order():
    document = json.loads(render_json(report()))
    assert list(document) == [
        "format_version",
        "time",
        "host",
        "kernel",
        "isa",
        "attachment",
        "seconds",
        "lost",
        "domains",
        "all_domains",
    ]
    assert list(document["domains"][0]["vcpus"][0])[:2] == ["vcpu", "tid"]


def test_a_thread_without_a_number_is_null_in_json():
    vcpus = json.loads(render_json(report()))["domains"][0]["vcpus"]
    assert [(vcpu["vcpu"], vcpu["tid"], vcpu["total"]) for vcpu in vcpus] == [(0, 101, 12), (None, 199, 1), (1, 102, 0)]


def test_each_record_fills_every_column():
    rows = csv.reader(io.StringIO(render_csv(report(lost=(1, 1, 1), total=True)), newline=""))
    assert {len(row) for row in rows} == {11}
