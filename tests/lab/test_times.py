"""Where a vCPU's time goes: domains that do one thing for ever have their time there, and none of it is missing.

All of them work in turn, once, beside two runs of the tool: one that reports at its end, one that reports each second.
"""

import json
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kvm_host import Run, Witness, programs_loaded, virsh, wait_until

#: {domain: what it does, from the reset vector on}: real-mode code that fits into the 16 bytes there.
CODE = {
    "sleeping": "fa f4 eb fd",  # cli; 1: hlt; jmp 1b
    "burning": "eb fe",  # 1: jmp 1b
    "writing": "ba f8 03 ee eb fd",  # mov $0x3f8, %dx; 1: out %al, (%dx); jmp 1b
}
DOMAINS = (*CODE, "cpuid")

#: An exit by port I/O, on SVM and on VMX.
PORT_IO = ("IOIO", "IO_INSTRUCTION")

PARTS = ("guest_ns", "kvm_ns", "qemu_ns", "idle_ns", "stopped_ns", "unseen_ns")


@dataclass
class Story:
    """What was done, and what the tool said of it."""

    #: {domain: KVM's own count}.
    exits: dict = field(default_factory=dict)
    #: {name of a moment: CLOCK_MONOTONIC in ns}.
    at: dict = field(default_factory=dict)
    #: {domain: what the report at the end says}, and a list of such, one for each interval.
    whole: dict = field(default_factory=dict)
    intervals: list = field(default_factory=list)
    #: {domain: (first, end)}: the intervals in which it did one thing.
    steady: dict = field(default_factory=dict)
    #: How many of them had ended before a domain was killed.
    alive: int = 0

    def note(self, moment):
        self.at[moment] = time.monotonic_ns()

    def between(self, first, last):
        return self.at[last] - self.at[first]

    def steady_intervals(self, name):
        """What they say of vCPU 0."""
        return [vcpu_of(domains[name]) for domains in self.intervals[slice(*self.steady[name])]]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("times")
    try:
        for name in CODE:
            virsh("create", str(domain_xml(name, scratch)), "--paused")
        virsh("start", "cpuid", "--paused")
        return tell(scratch / "log")
    finally:
        for name in set(DOMAINS) & set(virsh("list", "--name").split()):
            virsh("destroy", name)


def domain_xml(name, scratch):
    """The file with the XML of a domain of CODE, which is made of that of `cpuid`."""
    # 64 KiB that end at 4 GiB, as image/amd64/cpuid.S has it. QEMU's user has to read them.
    firmware = Path("/lab/guest", f"{name}.rom")
    firmware.write_bytes((bytes(0xFFF0) + bytes.fromhex(CODE[name])).ljust(0x10000, b"\0"))
    xml = re.sub(r" *<uuid>.*\n", "", virsh("dumpxml", "cpuid"))
    for old, new in (
        (">cpuid<", f">{name}<"),
        ("/lab/guest/cpuid.rom", str(firmware)),
        (">1</vcpu>", ">2</vcpu>"),
        ("</devices>", "<serial type='null'/></devices>"),
    ):
        assert old in xml
        xml = xml.replace(old, new)
    file = scratch / f"{name}.xml"
    file.write_text(xml)
    return file


def tell(log):
    """Let the domains work in turn, beside two runs of the tool."""
    told = Story()
    told.note("begun")
    command = (*DOMAINS, "--time", "-o", "json")
    with ThreadPoolExecutor() as at_once, ExitStack() as at_failure:
        starting = [at_once.submit(Run, *command, *more) for more in ((), ("-i", "1", "--log", str(log)))]
        for run in starting:
            at_failure.callback(run.result().kill)
        let_work(told, lambda: log.read_text().count("\n"))
        at_failure.pop_all()
    told.note("ending")
    whole, by_interval = (run.result().stop_text() for run in starting)
    told.note("ended")
    assert by_interval == ""
    told.whole = by_domain(whole)
    told.intervals = [by_domain(line) for line in log.read_text().splitlines()]
    return told


def let_work(told, reports):
    """All that happens; `reports` says how many there were at intervals."""
    sleeping, burning, writing, cpuid = witnesses = [Witness(name) for name in DOMAINS]
    before = {witness.name: witness.exits() for witness in witnesses}

    def wait_for_reports(number):
        """(first, end) of so many intervals that begin from now on."""
        first = reports() + 1
        wait_until(lambda: reports() >= first + number, f"{number} reports are written")
        return first, first + number

    def wait_for_exits(witness, more):
        goal = witness.exits() + more
        wait_until(lambda: witness.exits() >= goal, f"{witness.name} takes {more} exits")

    told.note("sleeping resumes")
    virsh("resume", "sleeping")
    wait_until(lambda: sleeping.halts() == 1, "it has halted")
    told.note("sleeping has halted")
    told.steady["sleeping"] = wait_for_reports(2)

    virsh("resume", "cpuid")
    wait_until(lambda: cpuid.halts() == 1, "it has halted")
    # QEMU takes the vCPU out of KVM for a moment to look at it.
    virsh("qemu-monitor-command", "--hmp", "cpuid", "info registers")
    told.steady["cpuid"] = wait_for_reports(1)

    virsh("resume", "writing")
    wait_for_exits(writing, 1000)
    virsh("suspend", "writing")

    virsh("resume", "burning")
    wait_for_exits(burning, 50)
    told.note("burning is suspended")
    virsh("suspend", "burning")
    told.note("burning has been suspended")
    time.sleep(2)
    told.note("burning is resumed")
    virsh("resume", "burning")
    wait_for_exits(burning, 1)
    told.note("burning has been resumed")
    wait_for_exits(burning, 50)
    told.note("burning is suspended again")
    virsh("suspend", "burning")

    told.exits = {witness.name: witness.exits() - before[witness.name] for witness in witnesses}
    pid, told.alive = sleeping.pid(), reports()
    told.note("sleeping is killed")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "its QEMU is gone")
    told.note("sleeping is gone")
    wait_for_reports(1)


def by_domain(document):
    return {domain["name"]: domain for domain in json.loads(document)["domains"]}


def vcpu_of(domain, number=0):
    (found,) = (vcpu for vcpu in domain["vcpus"] if vcpu["vcpu"] == number)
    return found


def reason(table, *names):
    (found,) = (row for row in table["reasons"] if row["name"] in names)
    return found


def spent(table, *, idle):
    """The ns of its idle reasons, or of the others."""
    return sum(row["total_ns"] for row in table["reasons"] if row["idle"] == idle)


# -- adding up --


def test_the_parts_of_every_report_are_the_whole(story):
    for domains in (story.whole, *story.intervals):
        for domain in domains.values():
            for table in (domain, *domain["vcpus"]):
                parts = table["time"]
                assert sum(parts[part] for part in PARTS) == parts["wall_ns"]
                assert min(parts[part] for part in PARTS) >= 0
                assert parts["kvm_ns"] + parts["qemu_ns"] == spent(table, idle=False) == table["total_ns"]
                assert parts["idle_ns"] == spent(table, idle=True)
                assert parts["stopped_ns"] == (table["stopped"] or {"total_ns": 0})["total_ns"]


def test_a_domains_time_is_that_of_its_vcpus(story):
    for domains in (story.whole, *story.intervals):
        for name, domain in domains.items():
            assert [vcpu["vcpu"] for vcpu in domain["vcpus"]] == ([0, 1] if name in CODE else [0])
            for part in (*PARTS, "wall_ns"):
                assert domain["time"][part] == sum(vcpu["time"][part] for vcpu in domain["vcpus"])


def test_every_exit_is_counted_and_timed(story):
    for name, domain in story.whole.items():
        assert sum(row["count"] for row in domain["reasons"]) == domain["total"] == story.exits[name]
        assert {row["name"]: row["untimed"] for row in domain["reasons"] if row["untimed"]} == {}
        assert sum(domains[name]["total"] for domains in story.intervals if name in domains) == domain["total"]
    assert reason(story.whole["cpuid"], "CPUID")["count"] == 23000


def test_the_whole_is_the_time_that_passed(story):
    for domain in story.whole.values():
        for vcpu in domain["vcpus"]:
            assert story.between("sleeping resumes", "ending") <= vcpu["time"]["wall_ns"]
            assert vcpu["time"]["wall_ns"] <= story.between("begun", "ended")


def test_nothing_is_unseen_of_a_vcpu_that_was_seen_before(story):
    for name in DOMAINS:
        vcpus = [vcpu_of(domains[name]) for domains in story.intervals[: story.alive]]
        begun = [number for number, vcpu in enumerate(vcpus) if vcpu["total"]]
        assert {vcpu["time"]["unseen_ns"] for vcpu in vcpus[begun[0] + 1 :]} == {0}, name


def test_a_vcpu_that_the_guest_never_started_is_unseen(story):
    for name in CODE:
        vcpu = vcpu_of(story.whole[name], 1)
        assert vcpu["total"] == 0
        assert vcpu["time"]["unseen_ns"] == vcpu["time"]["wall_ns"]


# -- one thing for ever --


def test_a_guest_that_sleeps_is_idle_although_no_exit_ends(story):
    steady = story.steady_intervals("sleeping")
    assert len(steady) == 2
    for vcpu in steady:
        assert vcpu["total"] == 0
        assert vcpu["time"]["idle_ns"] == vcpu["time"]["wall_ns"] > 0
        assert reason(vcpu, "HLT")["total_ns"] == vcpu["time"]["idle_ns"]


@pytest.mark.xfail(
    strict=True, reason="after a stop, a guest that is still halted is told as stopped until it wakes up"
)
def test_a_guest_that_sleeps_on_after_qemu_has_looked_at_it_is_idle(story):
    (vcpu,) = story.steady_intervals("cpuid")
    assert vcpu["time"]["idle_ns"] == vcpu["time"]["wall_ns"] > 0


def test_a_guest_that_burns_its_cpu_is_in_the_guest(story):
    spent_in = vcpu_of(story.whole["burning"])["time"]
    had_cpu = spent_in["wall_ns"] - spent_in["unseen_ns"] - spent_in["stopped_ns"] - spent_in["waited_ns"]
    assert spent_in["guest_ns"] > had_cpu / 2
    assert spent_in["idle_ns"] == spent_in["qemu_ns"] == 0


def test_a_guest_that_writes_to_a_port_is_in_qemu(story):
    vcpu = vcpu_of(story.whole["writing"])
    writes = reason(vcpu, *PORT_IO)
    assert writes["qemu_ns"] > writes["total_ns"] / 2
    assert vcpu["time"]["qemu_ns"] == writes["qemu_ns"] > vcpu["time"]["kvm_ns"]
    assert vcpu["time"]["idle_ns"] == 0


def test_a_cpuid_is_not_in_qemu(story):
    cpuid = story.whole["cpuid"]
    assert reason(cpuid, "CPUID")["total_ns"] > 0
    assert cpuid["time"]["qemu_ns"] == 0


# -- stops and ends --


def test_a_suspended_domain_is_stopped_and_no_exit_is_as_long(story):
    vcpu = vcpu_of(story.whole["burning"])
    held_ns = story.between("burning has been suspended", "burning is resumed")
    # The second time it is suspended until the end.
    assert (vcpu["stopped"]["count"], vcpu["stopped"]["max_is_bound"]) == (2, False)
    first_ns = vcpu["stopped"]["max_ns"]
    assert held_ns <= first_ns <= story.between("burning is suspended", "burning has been resumed")
    assert first_ns < vcpu["time"]["stopped_ns"] <= first_ns + story.between("burning is suspended again", "ended")
    assert max(row["max_ns"] for row in vcpu["reasons"]) < held_ns


def test_a_domain_that_is_killed_in_its_sleep_is_idle_until_then(story):
    sleeping = story.whole["sleeping"]
    assert sleeping["ended"]
    halted = reason(sleeping, "HLT")
    assert (halted["count"], halted["untimed"]) == (1, 0)
    told = [domains["sleeping"] for domains in story.intervals if "sleeping" in domains]
    assert told[-1]["ended"] and not any(domain["ended"] for domain in told[:-1])
    for idle_ns in (sleeping["time"]["idle_ns"], sum(domain["time"]["idle_ns"] for domain in told)):
        assert story.between("sleeping has halted", "sleeping is killed") <= idle_ns
        assert idle_ns <= story.between("sleeping resumes", "sleeping is gone")


@pytest.mark.usefixtures("story")
def test_reports_go_on_while_qemu_is_frozen_in_an_exit(tmp_path):
    """By SIGSTOP, which finds the vCPU in QEMU most of the time; else it is a stop. No exit is taken meanwhile."""
    log = tmp_path / "log"
    virsh("create", str(domain_xml("writing", tmp_path)), "--paused")
    writing = Witness("writing")
    with ExitStack() as behind:
        behind.callback(virsh, "destroy", "writing")
        run = Run("writing", "--time", "-o", "json", "-i", "0.5", "--log", str(log))
        behind.callback(run.kill)
        virsh("resume", "writing")
        wait_until(lambda: writing.exits() >= 1000, "it works")
        behind.callback(os.kill, writing.pid(), signal.SIGCONT)
        os.kill(writing.pid(), signal.SIGSTOP)
        goal = log.read_text().count("\n") + 3
        wait_until(lambda: log.read_text().count("\n") >= goal, "3 reports are written")
        run.stop_text()
    vcpu = vcpu_of(by_domain(log.read_text().splitlines()[goal - 1])["writing"])
    assert vcpu["total"] == 0
    assert vcpu["time"]["wall_ns"] in (vcpu["time"]["qemu_ns"], vcpu["time"]["stopped_ns"])


@pytest.mark.usefixtures("story")
def test_nothing_stays_attached():
    assert not programs_loaded()
