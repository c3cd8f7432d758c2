"""Every JSON that the tests know is described by the schema, and nothing in it is not."""

import json
from pathlib import Path

import jsonschema
import pytest

from made_up_reports import domain, lasted, timed_report
from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.snapshot import State
from virt_exitstat.counts.tally import Tally
from virt_exitstat.formats import json_document
from virt_exitstat.formats.format import Style

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((GOLDEN.parents[2] / "lib/virt_exitstat/formats/report.schema.json").read_text())
GOLDEN_JSON = sorted(path for path in GOLDEN.glob("*.txt") if "json" in path.stem and "list" not in path.stem)


def documents(path):
    """The documents of a golden file: one that is indented, or one a line."""
    text = path.read_bytes().decode().partition("--- stdout\n")[2].partition("--- stderr\n")[0]
    text = text.replace("YYYY-MM-DDThh:mm:ss.sssZ", "2026-11-22T19:53:01.000Z")
    return [json.loads(text)] if text.startswith("{\n") else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("path", GOLDEN_JSON, ids=[path.stem for path in GOLDEN_JSON])
def test_golden_json_follows_the_schema(path):
    found = documents(path)
    assert found
    for document in found:
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)
        assert undescribed(document, SCHEMA) == []


@pytest.mark.parametrize(
    "times",
    [
        # Both were seen in the lab, in two of 600 reports: one exit was read as it ended, before its time stood there.
        {48: Tally(1116, lasted(900, 1116), untimed=1)},
        {48: Tally(1116, lasted(900, 1117), untimed=-1)},
        {State.STOPPED: Durations(in_flight=-1)},
    ],
)
def test_a_report_follows_it_in_whichever_moment_an_exit_was_read(times):
    made = timed_report([domain("d", 100)], {101: {12: lasted(5_000, 9), **times}})
    document = json.loads(json_document.render_json(made, Style(lambda _grid: "", repeats=True)))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)


def test_the_schema_is_a_schema_of_this_version():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["format_version"] == {"const": json_document.FORMAT_VERSION}


@pytest.mark.parametrize(
    ("field", "wrong"), [("format_version", 2), ("time", "now"), ("isa", "arm"), ("seconds", "1"), ("domains", {})]
)
def test_the_schema_refuses_what_is_wrong(field, wrong):
    document = {**documents(GOLDEN / "json.txt")[0], field: wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("where", "field", "wrong"),
    [
        ((), "no_room_for_time", -1),
        (("domains", 0), "total_ns", "5"),
        (("domains", 0), "untimed", None),
        (("domains", 0), "stopped", []),
        (("domains", 0), "time", {"wall_ns": 5}),
        (("domains", 0, "time"), "guest_ns", -1),
        (("domains", 0, "time"), "waited_ns", 0.5),
        (("domains", 0, "stopped"), "count", None),
        (("domains", 0, "vcpus", 0, "time"), "idle_ns", None),
        (("domains", 0, "reasons", 0), "idle", "yes"),
        (("domains", 0, "reasons", 0), "time_share", 1.5),
        (("domains", 0, "reasons", 0), "p99_9_ns", 0.5),
        (("domains", 0, "reasons", 0), "max_is_bound", None),
        (("domains", 0, "vcpus", 0, "reasons", 0), "qemu_ns", None),
        (("domains", 0, "others"), "mean_ns", "-"),
        (("all_domains", "time"), "wall_ns", None),
    ],
)
def test_the_schema_refuses_what_is_wrong_with_times(where, field, wrong):
    (document,) = documents(GOLDEN / "time-json-total-top.txt")
    place = document
    for key in where:
        place = place[key]
    assert field in place
    place[field] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)


def test_the_schema_wants_each_part_of_the_time():
    (document,) = documents(GOLDEN / "time-json-total-top.txt")
    whole = document["domains"][0]["time"]
    for part in whole:
        document["domains"][0]["time"] = {name: ns for name, ns in whole.items() if name != part}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft7Validator)


def test_without_times_a_document_has_none_of_their_fields():
    """So that it is to the byte what it was before there were times."""
    (plain,) = documents(GOLDEN / "json-total-top.txt")
    (timed,) = documents(GOLDEN / "time-json-total-top.txt")
    assert set(timed) - set(plain) == {"no_room_for_time"}
    of_time = set(timed["domains"][0]) - set(plain["domains"][0])
    assert {"time", "stopped", "total_ns", "untimed"} < of_time
    assert not of_time & set(SCHEMA["definitions"]["table"]["required"])


def undescribed(value, schema, where=""):
    """The fields that the schema has no word for; JSON Schema itself lets them pass."""
    if isinstance(value, list):
        return [name for one in value for name in undescribed(one, schema["items"], where)]
    if not isinstance(value, dict):
        return []
    if "patternProperties" in schema:
        return []  # its names are numbers, and validate() has looked at them
    described = described_fields(schema)
    missing = [f"{where}{name}" for name in value if name not in described]
    return missing + [
        name for key in value if key in described for name in undescribed(value[key], described[key], f"{where}{key}.")
    ]


def described_fields(schema):
    fields = dict(schema.get("properties", {}))
    parts = [*schema.get("allOf", []), *schema.get("oneOf", [])]
    if "$ref" in schema:
        parts.append(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    for part in parts:
        for name, described in described_fields(part).items():
            fields.setdefault(name, described)
    return fields
