"""--explain, with the real rules: findings, and what is said when too little is known."""

import json

import jsonschema
import pytest
from test_schema import SCHEMA, undescribed

from virt_exitstat.counts.snapshot import Thread

#: db01's vCPU, and its reason IO_INSTRUCTION: half of it is the serial port's.
DB01, PORTS = Thread(1200, 1201), 30


@pytest.fixture()
def busy(world):
    """db01 writes to its serial port all the time."""
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    world.counts[DB01] = {PORTS: 99_000}
    return world


def test_a_finding_has_what_was_seen_why_a_change_and_its_price(busy, golden):
    text = busy.run("--explain", "web01", "db01", ".01")
    assert "1. serious: The guest writes to a serial port" in text
    assert all(len(line) < 80 for line in text.splitlines())
    golden("explain-finding", text)


def test_findings_in_json_follow_the_schema(busy):
    text = busy.run("--explain", "db01", "-o", "json", ".01")
    document = json.loads(text.partition("--- stdout\n")[2].partition("--- stderr\n")[0])
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)
    assert undescribed(document, SCHEMA) == []
    (domain,) = document["domains"]
    assert [finding["rule"] for finding in domain["findings"]] == ["serial-console", "emulated-disk"]
    assert domain["findings"][0]["serious"] and domain["findings"][0]["vcpu"] == 0
    assert not domain["too_short"]


def test_a_domain_whose_xml_cannot_be_read_is_judged_without_it(busy, monkeypatch):
    monkeypatch.setattr(type(busy.connection.lookupByName("db01")), "XMLDesc", lambda *_: "<domain")
    text = busy.run("--explain", "db01", ".01")
    assert text.startswith("status 0 OK\n")
    assert "the XML of db01 cannot be read (" in text and "1. serious: The guest writes to a serial port" in text


def test_a_process_is_judged_by_its_exits(busy):
    text = busy.run("--explain", "--pid", "1200", ".01")
    assert (
        "pid 1200: vCPU 0, 10.250 s, 99000 exits: " in text and "1. serious: The guest writes to a serial port" in text
    )
    assert "cannot be read" not in text


def test_too_few_exits_are_too_short_to_judge(world):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    # 99 exits that would be worth a change, if there were more.
    world.counts[DB01] = {PORTS: 99}
    world.detail_ns = 10_000_000
    text = world.run("--explain", "db01", ".01")
    assert "too short to judge" in text


def test_what_the_user_typed_wins_over_ctrl_c(busy):
    busy.press_ctrl_c = True
    assert "1. serious: The guest writes to a serial port" in busy.run("--explain", "db01")
