"""libvirt answers late while a domain starts slowly, never while its daemon hangs: reports and signals do not wait."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from kvm_host import (
    CHECKOUT,
    Witness,
    libvirtd_answers,
    refusal,
    start_libvirtd,
    stop_libvirtd,
    tool,
    virsh,
    wait_until,
)

HOOK = Path("/etc/libvirt/hooks/qemu")
SILENT = "virt-exitstat: libvirt has not answered for 3 s; counting goes on with the domains that are known\n"


class Follower:
    """A run of intervals that appends its reports to a file."""

    def __init__(self, directory, *arguments):
        self._log = directory / "log"
        self._process = subprocess.Popen(
            [CHECKOUT / "virt-exitstat", *arguments, "-i", "1", "-o", "json", "--log", self._log],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait_for(1)

    def reports(self):
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    def wait_for(self, more):
        """Until that many more reports are there."""
        goal = len(self.reports()) + more
        wait_until(lambda: len(self.reports()) >= goal, f"{more} more reports")

    def wait_for_domain(self, name):
        def is_reported():
            return any(one["name"] == name and one["total"] for one in self.reports()[-1]["domains"])

        wait_until(is_reported, f"{name} is counted")

    def stop(self):
        """End it by SIGTERM; what it said but for the line that tells it began."""
        self._process.send_signal(signal.SIGTERM)
        _, said = self._process.communicate()
        assert self._process.returncode == 0
        began, _, rest = said.partition("\n")
        assert began.startswith("counting exits of ")
        return rest


@pytest.fixture()
def hung():
    """Stops libvirt's daemon; it goes on behind the test."""
    pid = int(subprocess.run(["pgrep", "-x", "libvirtd"], capture_output=True, text=True, check=True).stdout)

    def hang(*, again=False):
        os.kill(pid, signal.SIGCONT if again else signal.SIGSTOP)

    yield hang
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: libvirtd_answers() or not Path(f"/proc/{pid}").exists(), "it answers")
    # Debian 12's libvirtd was seen to end when it went on: the other tests need one.
    if not libvirtd_answers():
        start_libvirtd()


@pytest.fixture()
def slow_start():
    """Starts the domain cpuid, which takes until release(): libvirt keeps it locked meanwhile."""
    held = Path("/run/held")
    HOOK.parent.mkdir(exist_ok=True)
    HOOK.write_text(f'#!/bin/sh\n[ "$1 $2" = "cpuid prepare" ] && while [ -e {held} ]; do sleep 0.1; done\nexit 0\n')
    HOOK.chmod(0o755)
    held.touch()
    # The daemon looks for hooks when it starts.
    stop_libvirtd()
    start_libvirtd()
    starting = []

    def start():
        starting.append(subprocess.Popen(["virsh", "-q", "start", "cpuid"]))
        # The hook is in the process list when libvirt has locked the domain.
        wait_until(lambda: not subprocess.run(["pgrep", "-f", f"{HOOK} cpuid prepare"]).returncode, "the hook runs")
        return held.unlink

    yield start
    held.unlink(missing_ok=True)
    for one in starting:
        one.wait()
    HOOK.unlink()
    if "running" in virsh("domstate", "cpuid"):
        virsh("destroy", "cpuid")


def resume(name):
    if "paused" in virsh("domstate", name):
        virsh("resume", name)


def test_reports_and_signals_do_not_wait_for_a_daemon_that_hangs(tmp_path, suspended, hung):
    suspended("guest01")
    resume("guest01")
    follower = Follower(tmp_path)
    hung()
    follower.wait_for(8)
    assert follower.stop() == SILENT
    # What was counted meanwhile is in the reports.
    assert all(one["total"] for doc in follower.reports()[1:] for one in doc["domains"] if one["name"] == "guest01")


def test_what_has_come_meanwhile_is_counted_when_libvirt_answers_again(tmp_path, suspended, hung):
    suspended("guest01")
    resume("guest01")
    follower = Follower(tmp_path)
    hung()
    follower.wait_for(6)
    hung(again=True)
    virsh("start", "cpuid")
    follower.wait_for_domain("cpuid")
    virsh("destroy", "cpuid")
    assert follower.stop() == SILENT + "virt-exitstat: libvirt answers again\n"


def test_reports_come_in_time_while_another_domain_starts_slowly(tmp_path, suspended, slow_start):
    (guest01,) = suspended("guest01")
    before = guest01.exits()
    resume("guest01")
    follower = Follower(tmp_path, "guest01")
    release = slow_start()
    follower.wait_for(8)
    # Nobody could suspend guest01 now: the reports are all that is asked for.
    assert follower.stop() == SILENT
    release()
    assert all(one["total"] for doc in follower.reports()[1:] for one in doc["domains"])
    virsh("suspend", "guest01")
    assert sum(one["total"] for doc in follower.reports() for one in doc["domains"]) <= guest01.exits() - before


def test_a_single_report_that_waits_for_libvirt_says_so_and_comes_then(slow_start):
    release = slow_start()
    running = subprocess.Popen(
        [CHECKOUT / "virt-exitstat", "--list", "guest01"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said = running.stderr.readline()
    release()
    listed, rest = running.communicate()
    assert said == "virt-exitstat: waiting for libvirt at qemu:///system, which is busy or hangs ..\n"
    assert (running.returncode, rest) == (0, "") and str(Witness("guest01").pid()) in listed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting(hung, number):
    hung()
    running = subprocess.Popen([CHECKOUT / "virt-exitstat", "guest01", "1"], stderr=subprocess.PIPE, text=True)
    assert running.stderr.readline().startswith("virt-exitstat: waiting for libvirt at ")
    running.send_signal(number)
    assert running.wait() == -number


def test_completion_offers_nothing_when_libvirt_hangs(hung):
    hung()
    done = tool("--complete", "domains")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_driver_of_our_own_is_refused():
    status, message, hint = refusal("-c", "qemu:///embed?root=/tmp/embed", "--list")
    assert status == 1 and "is a driver inside virt-exitstat itself" in message and "qemu:///system" in hint
