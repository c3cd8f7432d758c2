"""Command lines on an arm64 host: its reasons, details and advice. `make golden` rewrites the golden files."""

import json
import shlex

import jsonschema
import pytest
from test_command_lines import without_time
from test_schema import SCHEMA, undescribed

REPORTS = {
    "collapsed": "web01 .01",
    "per-vcpu": "-a web01 db01 .01",
    "time": "web01 --time .01",
    "detail": "web01 db01 --detail .01",
    "reason": "web01 -r wfx,hyp_gone,0x2 .01",
    "reason-of-x86": "web01 -r HLT .01",
    "json": "web01 db01 --detail -o json .01",
    "csv": "db01 --detail -o csv .01",
    "explain": "--explain web01 db01 .01",
}


@pytest.fixture()
def arm(world):
    world.run_on_arm64()
    return world


@pytest.mark.parametrize("name", REPORTS)
def test_report(arm, golden, name):
    text = without_time(arm.run(*shlex.split(REPORTS[name])))
    if name not in ("json", "csv"):
        assert all(len(line) < 80 for line in text.splitlines())
    golden(f"arm64-{name}", text)


def test_json_follows_the_schema(arm):
    for options in ("--detail --time", "--explain"):
        text = arm.run(*shlex.split(f"web01 db01 {options} -o json .01"))
        document = json.loads(text.partition("--- stdout\n")[2].partition("--- stderr\n")[0])
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)
        assert undescribed(document, SCHEMA) == []
        assert document["isa"] == "arm64"


def test_idle_time_is_no_cost(arm):
    text = arm.run("web01", "--time", "-o", "json", ".01")
    document = json.loads(text.partition("--- stdout\n")[2].partition("--- stderr\n")[0])
    idle = {reason["name"]: reason["idle"] for reason in document["domains"][0]["reasons"]}
    assert [name for name in idle if idle[name]] == ["WFX"] and len(idle) > 5


@pytest.mark.parametrize(
    ("word", "begins"),
    [
        ("WFX", "WFX: an exit reason of ARM64 (ARM64 0x1)\n"),
        ("EL1_SERROR", "EL1_SERROR: an exit reason of ARM64 (ARM64 0x101)\n"),
        ("wfi-trapped", "wfi-trapped: "),
        ("ICC_SGI1R_EL1", "ICC_SGI1R_EL1: system registers, 0xc65d\n"),
        ("S3_0_C12_C11_5", "ICC_SGI1R_EL1: system registers, 0xc65d\n"),
        ("PSCI_CPU_ON", "PSCI_CPU_ON: calls by HVC, 0xc4000003\n"),
        ("0x9000018", "serial port (PL011): device memory at a fixed address, on arm64, 0x9000000 to\n  0x9000fff\n"),
    ],
)
def test_what_is_known_of_arm64_is_told_on_any_host(world, word, begins):
    assert world.run("--about", word).startswith(f"status 0 OK\n--- stdout\n{begins}")
