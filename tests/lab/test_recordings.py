"""Recordings in the lab: a real domain before and after a real change, compared, and real reports shown again.

The domain is firmware that works at each tick of its timer, so that what it does each second is known, however fast or
busy the emulator is; the change silences its console.
"""

import contextlib
import json
import shlex
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kvm_host import Run, Witness, tool, virsh, wait_until, work_for
from oracle_x86 import write_rom
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
RECORDINGS, INTERVALS = 6, 4

#: What the guest does at each of its ticks: instructions, and bytes written to the console.
TICKS_PER_SECOND, CPUIDS, BYTES = 50, 6, 16

FIRMWARE = """\
	movw	$tick, 0x20		/* vector 8 */
	movw	$0xf000, 0x22
	mov	$0x1b, %ecx		/* without an APIC the PIC's interrupts are taken */
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x11, %al		/* the PIC: vectors from 8 on */
	out	%al, $0x20
	mov	$8, %al
	out	%al, $0x21
	mov	$4, %al
	out	%al, $0x21
	mov	$1, %al
	out	%al, $0x21
	mov	$0xff, %al
	out	%al, $0x21
	sti
	mov	$0x34, %al		/* the PIT: again and again */
	out	%al, $0x43
	mov	${period}, %ax
	out	%al, $0x40
	mov	%ah, %al
	out	%al, $0x40
	mov	$0xfe, %al		/* its interrupt alone, and only now: none waits while none can be taken */
	out	%al, $0x21
1:	hlt
	jmp	1b

tick:	mov	${cpuids}, %si
1:	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	dec	%si
	jnz	1b
	mov	$0x3f8, %dx
	mov	${bytes}, %si
	mov	$'.', %al
2:	dec	%si
	js	3f
	out	%al, %dx
	jmp	2b
3:	mov	$0x20, %al
	out	%al, $0x20
	iret
"""


@contextlib.contextmanager
def running(written, directory):
    """Inside, the domain `ticks` runs, which writes so many bytes to its console at each tick. Its pid."""
    rom, file = Path("/lab/guest/ticks.rom"), directory / "ticks.xml"
    write_rom(FIRMWARE.format(period=1193182 // TICKS_PER_SECOND, cpuids=CPUIDS, bytes=written), rom, directory)
    xml = Path("/tmp/cpuid.xml").read_text().replace("<name>cpuid</name>", "<name>ticks</name>")
    file.write_text(xml.replace("cpuid.rom", rom.name))
    pid = start(file)
    try:
        yield pid
    finally:
        virsh("destroy", "ticks")
        rom.unlink()


def start(file):
    """Start the domain until it ticks; its pid.

    On a very busy machine KVM in the emulator may wake it out of HLT thousands of times a second and never give it its
    first interrupt. KVM's own counter says so as well.
    """
    for _ in range(10):
        virsh("create", str(file))
        witness, halts = Witness("ticks"), 0
        for _ in range(100):
            time.sleep(0.1)
            halts = witness.halts()
            # Each tick is one HLT and several other exits.
            if 5 < 2 * halts < witness.exits():
                return witness.pid()
        virsh("destroy", "ticks")
    raise AssertionError(f"the domain does not tick, and has halted {halts} times")


def lines_of_ticks(log):
    """{pid: the whole lines of a log in which the domain `ticks` of that pid is at work from beginning to end}."""
    found = {}
    for line in log.read_text().splitlines(keepends=True) if log.exists() else ():
        for domain in json.loads(line)["domains"] if line.endswith("\n") else ():
            if domain["name"] == "ticks" and domain["pid"] in found:
                found[domain["pid"]].append(line)
            elif domain["name"] == "ticks" and any(reason["name"] == "CPUID" for reason in domain["reasons"]):
                found[domain["pid"]] = []
    return found


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The files before the change and those after it, alternately recorded."""
    scratch = tmp_path_factory.mktemp("recordings")
    log, files = scratch / "log", {BYTES: [], 0: []}
    counting = Run("-i", "1", "-o", "json", "--log", log)
    try:
        for turn in range(RECORDINGS):
            for written, those in files.items():
                with running(written, scratch) as pid:
                    wait_until(lambda pid=pid: len(lines_of_ticks(log).get(pid, ())) >= INTERVALS, "it is recorded")
                those.append(scratch / f"{written}-bytes-{turn}.json")
                those[-1].write_text("".join(lines_of_ticks(log)[pid][:INTERVALS]))
        counting.stop_text()
    finally:
        counting.kill()
    return tuple(files.values())


def compare(before, after):
    """{reason: row} of the comparison, which is printed."""
    files = [file for pair in zip(before, after) for file in pair]
    line = ["--compare", *files, "-d", "ticks", "-r", "IOIO,CPUID,HLT"]
    print(tool(*line).stdout)
    (compared,) = json.loads(tool(*line, "-o", "json").stdout)["compared"]
    (rates,) = compared["measures"]
    return {row["reason"]: row for row in rates["rows"]}


def is_like(row):
    """Whether nothing is claimed of it. By chance one in twenty is; one in a thousand may fail the test."""
    return row["claimed"] == "nothing" or row["p_of_all"] > 0.001


def test_a_console_that_is_silenced_is_claimed_and_what_has_nothing_to_do_with_it_is_not(recordings):
    rows = compare(*recordings)
    assert (rows["IOIO"]["claimed"], rows["total"]["claimed"]) == ("less", "less")
    assert rows["IOIO"]["change"] == pytest.approx(1 / (BYTES + 1) - 1, abs=0.02)
    assert is_like(rows["CPUID"]) and is_like(rows["HLT"]), rows
    assert rows["CPUID"]["before"]["median"] == pytest.approx(TICKS_PER_SECOND * CPUIDS, rel=0.1)


def test_recordings_without_a_change_claim_nothing(recordings):
    for those in recordings:
        rows = compare(those[::2], those[1::2])
        assert all(map(is_like, rows.values())), rows


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
