"""records and json_document: what machines read back is what was counted, whatever names look like."""

import csv
import io
import json

import pytest

from made_up_reports import WHEN_AND_WHERE, lasted, snapshot, timed_report
from virt_exitstat.counts.snapshot import Lost, State, Thread
from virt_exitstat.counts.tally import Tally
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


# -- exits that are timed --

OF_TIMES = ["total_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns", "qemu_ns"]
#: Lengths at the lower end of their buckets, whose percentiles are exact.
TIMES = {
    101: {12: lasted(1 << 22, 7), 10: lasted(64, 5, qemu_ns=4), State.STOPPED: lasted(1 << 16, 3)},
    199: {30: lasted(10, 0, in_flight_ns=500)},
}


def timed(times=None, *, total=False, **more):
    target = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain("guest01", "uuid-1", 1))
    made = timed_report([target], TIMES if times is None else times, seconds=2.0, **more)
    return choose(made, Choice(total=total))


def test_times_are_columns_behind_those_that_were_there():
    """Whoever reads columns by number reads the same as before."""
    plain, of_timed = (render_csv(one).split("\r\n")[0].split(",") for one in (report(), timed()))
    assert of_timed == plain + OF_TIMES


def test_each_record_has_its_times_and_a_stop_is_no_exit():
    found = {(row["tid"], row["reason"]): list(row.values())[8:] for row in read(render_csv(timed()))}
    assert found == {
        ("101", "HLT"): ["12", "7", "3.500", "29360128", "4194304", *["4194304"] * 5, "0"],
        ("101", "CPUID"): ["10", "5", "2.500", "320", "64", *["64"] * 5, "20"],
        ("101", "(stopped)"): ["", "", "", "196608", "65536", *["65536"] * 5, "0"],
        ("199", "IO_INSTRUCTION"): ["30", "1", "0.500", "500", *[""] * 6, "0"],
    }


def test_the_total_of_timed_exits_has_a_record_of_stops_too():
    rows = [row for row in read(render_csv(timed(total=True))) if row["domain"] == "all domains"]
    assert [(row["reason"], row["count"], row["total_ns"]) for row in rows] == [
        ("HLT", "7", "29360128"),
        ("CPUID", "5", "320"),
        ("IO_INSTRUCTION", "1", "500"),
        ("(stopped)", "", "196608"),
    ]


def test_each_record_of_timed_exits_fills_every_column():
    of_all = timed(lost=(1, 1, 1), total=True)
    rows = list(csv.reader(io.StringIO(render_csv(of_all), newline="")))
    assert {len(row) for row in rows} == {11 + len(OF_TIMES)}
    assert [row[9:] for row in rows if row[7].startswith("(lost")] == [["1", *[""] * 9]] * 3
    lines = render_wide(of_all).splitlines()
    assert len(lines) == len(rows) and {len(line.split("  ")[0]) for line in lines[1:]} == {24}


def test_json_without_times_has_no_word_of_them():
    text = render_json(report(total=True))
    assert not [word for word in ("_ns", "time_share", "idle", "untimed", "stopped", "no_room") if word in text]


def test_json_of_timed_exits_has_all_that_it_has_without():
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items()}
        return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__

    def holds(more, less):
        if isinstance(less, dict):
            return [key for key in less if key not in more or not holds(more[key], less[key])] == []
        if isinstance(less, list):
            return len(more) == len(less) and all(map(holds, more, less))
        return more == less

    plain = json.loads(render_json(report(total=True)))
    of_timed = json.loads(
        render_json(timed({101: {12: lasted(9, 7), 10: lasted(9, 5)}, 199: {12: lasted(9, 1)}}, total=True))
    )
    assert holds(shape(of_timed), shape(plain))
    assert not holds(shape(plain), shape(of_timed))


def test_json_tells_idle_rows_and_of_sums_only_busy_time():
    (found,) = json.loads(render_json(timed()))["domains"]
    rows = {row["name"]: row for row in found["reasons"]}
    assert {name: row["idle"] for name, row in rows.items()} == {"HLT": True, "CPUID": False, "IO_INSTRUCTION": False}
    assert {name: row["time_share"] for name, row in rows.items()} == {
        "HLT": None,
        "CPUID": round(320 / 820, 6),
        "IO_INSTRUCTION": round(500 / 820, 6),
    }
    assert (found["total"], found["total_ns"], found["time_share"], found["max_ns"]) == (13, 820, 1.0, 64)
    assert rows["HLT"]["total_ns"] == 7 << 22


def test_json_tells_stops_apart_and_null_where_there_were_none():
    document = json.loads(render_json(timed()))
    (found,) = document["domains"]
    assert (found["stopped"]["count"], found["stopped"]["total_ns"]) == (3, 3 << 16)
    assert not {"share", "time_share", "untimed"} & set(found["stopped"])
    assert {vcpu["tid"]: vcpu["stopped"] and vcpu["stopped"]["count"] for vcpu in found["vcpus"]} == {
        101: 3,
        102: None,
        199: None,
    }


def test_parts_of_the_time_add_up_in_json():
    (found,) = json.loads(render_json(timed(waited_ns={101: 30, 102: 4, 199: 0})))["domains"]
    for table in (found, *found["vcpus"]):
        parts = {key: ns for key, ns in table["time"].items() if key not in ("wall_ns", "waited_ns")}
        assert sum(parts.values()) == table["time"]["wall_ns"]
    assert found["time"]["wall_ns"] == 3 * 2 * 10**9
    assert found["time"]["waited_ns"] == 34
    assert {vcpu["tid"]: vcpu["time"]["waited_ns"] for vcpu in found["vcpus"]} == {101: 30, 102: 4, 199: 0}
    assert json.loads(render_json(timed()))["domains"][0]["time"]["waited_ns"] is None


def test_json_tells_exits_that_were_not_timed():
    document = json.loads(render_json(timed({101: {10: Tally(10, lasted(9, 3), untimed=7)}}, no_block=5)))
    (found,) = document["domains"]
    assert (document["no_room_for_time"], found["untimed"], found["reasons"][0]["untimed"]) == (5, 7, 7)
