"""Recordings in the lab: a real domain before and after a real change, compared, and real reports shown again.

The domain is a Linux at work; the change gives it an HPET, which it takes for its clock, so that each look at the clock
exits for memory and no longer for ACPI's timer, a port. It starts anew for each recording, before and after the change
alternately: the emulator's host has other work at times, and a domain is as fast as the emulator lets it be.
"""

import contextlib
import json
import shlex
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from kvm_host import Run, tool, virsh, wait_until, work_for
from test_explain import old_xml
from virt_exitstat.arguments.requests import Counting, Timing
from virt_exitstat.cli import main
from virt_exitstat.commands.naming import make_namer
from virt_exitstat.commands.opening import find_targets, open_session
from virt_exitstat.errors import ExitStatus
from virt_exitstat.formats.aligned import lay_out
from virt_exitstat.formats.format import Style
from virt_exitstat.formats.known import FORMATS
from virt_exitstat.reports.choose import Choice
from virt_exitstat.run.output import Output
from virt_exitstat.run.sinks import LogFile
from virt_exitstat.targets.selection import Selection
from virt_exitstat.world import World

#: So many recordings before the change and after it, of so many intervals of a second.
RECORDINGS, INTERVALS = 6, 5

CONSOLE = Path("/var/log/old.console")

#: The exit of a page that is not RAM, of a timer's port, and of an instruction that has to do with neither.
MEMORY, PORT, OTHER = "NPF", "IOIO", "CPUID"


class Log:
    """The file of --log, of a run that counts whatever domain there is."""

    def __init__(self, path):
        self._path = path

    def reports(self, name, since):
        """The whole lines in which the domain was at work all the time, from that time on."""
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        found = []
        for line in lines:
            report = json.loads(line) if line.endswith("\n") else {"domains": ()}
            if any(one["name"] == name for one in report["domains"]):
                ended = datetime.fromisoformat(report["time"].replace("Z", "+00:00"))
                if (ended - since).total_seconds() > report["seconds"]:
                    found.append(line)
        return found


def start(directory, *, hpet):
    """Start the domain, wait until it is at work; since when."""
    with contextlib.suppress(FileNotFoundError):
        CONSOLE.unlink()
    file = directory / "old.xml"
    file.write_text(old_xml(hpet=hpet, console="console=ttyS0"))
    virsh("create", str(file))
    wait_until(lambda: CONSOLE.exists() and "vcpu 0" in CONSOLE.read_text(errors="replace"), "the guest is at work")
    return datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The files before the change and those after it."""
    scratch = tmp_path_factory.mktemp("recordings")
    log = Log(scratch / "log")
    files = {"no": [], "yes": []}
    counting = Run("--time", "-i", "1", "-o", "json", "--log", scratch / "log")
    try:
        for turn in range(RECORDINGS):
            for hpet, those in files.items():
                since = start(scratch, hpet=hpet)
                wait_until(lambda since=since: len(log.reports("old", since)) >= INTERVALS, "it is recorded")
                virsh("destroy", "old")
                those.append(scratch / f"{hpet}{turn}")
                those[-1].write_text("".join(log.reports("old", since)[:INTERVALS]))
        counting.stop_text()
    finally:
        counting.kill()
        if "old" in virsh("list", "--name").split():
            virsh("destroy", "old")
    return files["no"], files["yes"]


def compare(before, after, *options):
    """{(measure, reason): row} of the comparison, which is printed, and its warnings' kinds."""
    files = [file for pair in zip(before, after) for file in pair]
    line = ["--compare", *files, "-d", "old", *options]
    print(tool(*line).stdout)
    (compared,) = json.loads(tool(*line, "-o", "json").stdout)["compared"]
    rows = {(one["measure"], row["reason"]): row for one in compared["measures"] for row in one["rows"]}
    return rows, {warning["kind"] for warning in compared["warnings"]}


def test_a_clock_that_exits_is_claimed_and_what_has_nothing_to_do_with_it_is_not(recordings):
    rows, _ = compare(*recordings, "-r", f"{MEMORY},{PORT},{OTHER}")
    assert (rows["per_second", MEMORY]["claimed"], rows["per_second", MEMORY]["presence"]) == ("more", "new")
    assert (rows["per_second", PORT]["claimed"], rows["time_share", MEMORY]["claimed"]) == ("less", "more")
    assert rows["per_second", PORT]["change"] < -0.5
    assert rows["per_second", OTHER]["claimed"] == "nothing" and rows["per_second", OTHER]["p"] is not None


def test_recordings_without_a_change_claim_nothing(recordings):
    """One of several rows is claimed by chance in one of two hundred runs; nobody wants a test like that."""
    for those in recordings:
        rows, _ = compare(those[::2], those[1::2], "-r", OTHER)
        row = rows["per_second", OTHER]
        assert row["claimed"] == "nothing" or row["p_of_all"] > 0.001


#: What is counted, and how the reports are shown.
COUNTED = {"timed": {"timed": True}, "both": {"timed": True, "detailed": True}}
SHOWN = {
    "": (False, Choice()),
    "-a": (True, Choice()),
    "--total -n 2": (False, Choice(top=2, total=True)),
}


@pytest.mark.parametrize("counted", COUNTED)
def test_real_reports_shown_again_are_those_of_then_to_the_byte(suspended, tmp_path, capfdbinary, counted):
    witnesses = suspended("guest01", "guest02")
    world, counting = World(), Counting(**COUNTED[counted])
    style = Style(lay_out, repeats=True)
    if counting.detailed:
        namer = make_namer(world.root)
        style = replace(style, describe=namer.describe, name_of=namer.name_of)
    reports = []
    with contextlib.ExitStack() as opened:
        found = opened.enter_context(find_targets(Selection(domains=("guest01", "guest02")), Timing(), world))
        session = opened.enter_context(open_session(found, counting, world))
        session.start()
        for _ in range(3):
            work_for(witnesses)
            reports.append(session.report())
        # And one in the middle of their work.
        for witness in witnesses:
            witness.virsh("resume", witness.name)
        goal = witnesses[0].exits() + 1000
        wait_until(lambda: witnesses[0].exits() > goal, "exits are taken")
        reports.append(session.report(last=True))

    def write(name, output, *, per_vcpu=False, choice=Choice()):  # noqa: B008  (frozen)
        with LogFile(tmp_path / name) as log:
            shown = Output(FORMATS[output], replace(style, per_vcpu=per_vcpu), choice, log)
            for report in reports:
                shown.write(report)
        return (tmp_path / name).read_bytes()

    write("recording", "json")
    capfdbinary.readouterr()
    assert all(report.targets[0].table.total.exits for report in reports)
    for output in FORMATS:
        for line, (per_vcpu, choice) in SHOWN.items():
            live = write(f"{output} {line}", output, per_vcpu=per_vcpu, choice=choice)
            assert main(["--replay", str(tmp_path / "recording"), output, *shlex.split(line)]) is ExitStatus.OK
            again, said = capfdbinary.readouterr()
            assert again.splitlines() == live.splitlines(), f"{output} {line}"
            assert (again, said) == (live, b"")


def test_findings_of_real_domains_shown_again_are_those_of_then_to_the_byte(suspended, tmp_path):
    (witness,) = suspended("guest01")
    witness.virsh("resume", witness.name)
    recorded = tool("--explain", "guest01", "-o", "json", "5").stdout
    (tmp_path / "recording").write_text(recorded)
    again = tool("--replay", tmp_path / "recording", "--explain", "-o", "json")
    assert (again.stdout, again.stderr) == (recorded, "")
    assert json.loads(recorded)["domains"][0]["findings"]
