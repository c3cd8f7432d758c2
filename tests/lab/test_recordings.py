"""Recordings in the lab: a real domain before and after a real change, compared, and shown again.

The domain is a Linux at work; the change gives it an HPET, which it takes for its clock, so that each look at it exits.
"""

import csv
import io
import json

import pytest

from kvm_host import Witness, tool, virsh, wait_until
from test_explain import old_xml

#: So many intervals of a second are recorded each time.
INTERVALS = 24

#: Exits for a page that is not RAM, on SVM and on VMX.
MMIO = {"NPF", "EPT_MISCONFIG"}


def start(directory, *, hpet):
    file = directory / "old.xml"
    file.write_text(old_xml(hpet=hpet, console="console=ttyS0"))
    virsh("create", str(file))
    guest = Witness("old")
    # Firmware and the kernel's start are over then.
    wait_until(lambda: guest.exits() > 30_000, "the guest is at work")


def record(path):
    done = tool("old", "--time", "-i", "1", "--count", str(INTERVALS), "-o", "json", "--log", path)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two before the change, one after it."""
    scratch = tmp_path_factory.mktemp("recordings")
    files = [scratch / name for name in ("before", "again", "after")]
    try:
        start(scratch, hpet="no")
        for file in files[:2]:
            record(file)
        virsh("destroy", "old")
        start(scratch, hpet="yes")
        record(files[2])
    finally:
        if "old" in virsh("list", "--name").split():
            virsh("destroy", "old")
    return files


def compare(before, after):
    """{(measure, reason): row} of the comparison, which is printed."""
    print(tool("--compare", before, after).stdout)
    done = tool("--compare", before, after, "-o", "json")
    (compared,) = json.loads(done.stdout)["compared"]
    return {(one["measure"], row["reason"]): row for one in compared["measures"] for row in one["rows"]}


def test_a_clock_that_exits_is_new_and_takes_time(recordings):
    before, _, after = recordings
    rows = compare(before, after)
    (reason,) = {name for measure, name in rows if name in MMIO and rows[measure, name]["after"]["median"] > 0}
    rate = rows["per_second", reason]
    # Whether it is claimed depends on how evenly a busy emulator lets the guest run.
    assert rate["after"]["low"] > 50 and (rate["before"]["median"], rate["before"]["high"]) == (0, 0)
    assert rate["claimed"] == ("more" if rate["p"] is not None else "nothing")
    assert rows["time_share", reason]["after"]["low"] > 0


def test_what_is_compared_with_itself_claims_nothing(recordings):
    before, again, _ = recordings
    assert {row["claimed"] for row in compare(before, before).values()} == {"nothing"}
    # Of two recordings without a change this is chance, in one of twenty: it is printed, not asserted.
    compare(before, again)


def test_a_recording_shown_again_has_the_exits_that_were_recorded(recordings):
    for path in recordings:
        rows = csv.DictReader(io.StringIO(tool("--replay", path, "csv").stdout))
        shown = {}
        for row in rows:
            if row["reason"] != "(stopped)":
                shown[row["time"]] = shown.get(row["time"], 0) + int(row["count"])
        documents = [json.loads(line) for line in path.read_text().splitlines()]
        assert shown == {one["time"]: one["domains"][0]["total"] for one in documents}
        assert len(documents) >= INTERVALS
