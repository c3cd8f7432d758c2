"""A real libvirtd tells of domains that come and go, and may go and come back itself."""

import functools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from local_libvirt import CHECKOUT, URI, virsh
from virt_exitstat.clock import Clock
from virt_exitstat.domains import libvirtd as driver
from virt_exitstat.domains.asker import Asker
from virt_exitstat.domains.resolve import LeftOut
from virt_exitstat.domains.sources import RunningDomains
from virt_exitstat.targets.selection import Selection

PREFIX = f"exitstat-{os.getpid()}"
ROOT = Path("/")
DAEMON = Path("/run/libvirtd.pid")


@pytest.fixture()
def running(libvirtd):  # noqa: ARG001
    """What runs, by a source that is asked again when libvirt tells something; and what it noted."""
    notes, known = [], ()
    with Asker(lambda: driver.open_connection(URI, events=True), where=URI, watches=True) as asker:
        source = RunningDomains(
            Selection(),
            None,
            asker,
            run_dir=asker.ask(functools.partial(driver.run_directory, root=ROOT)),
            root=ROOT,
            clock=Clock(),
            note=notes.append,
            left_out=LeftOut(notes.append),
        )

        def wait_until(true):
            nonlocal known
            known = source.find(known)
            while not true({target.label: target for target in known}):
                # While libvirt does not answer, only a report is a reason to look again: here each second.
                assert Clock().wait([source.fileno()], 1) or time.monotonic() < deadline, "libvirt tells nothing"
                known = source.find(known)

        deadline = time.monotonic() + 60
        yield wait_until, notes


def test_domains_that_start_and_end_are_told_at_once(running, domain):
    wait_until, notes = running
    name = f"{PREFIX}-event"
    wait_until(lambda found: name not in found)
    domain(name, 2)
    wait_until(lambda found: name in found and len(found[name].vcpus) == 2)
    virsh("destroy", name)
    wait_until(lambda found: name not in found)
    assert notes == []


@pytest.fixture()
def stopped(libvirtd):  # noqa: ARG001
    """Stops libvirt's daemon, which then holds its connections open and answers nothing; it goes on behind the test."""
    daemon = int(DAEMON.read_text())
    yield lambda: os.kill(daemon, signal.SIGSTOP), lambda: os.kill(daemon, signal.SIGCONT)
    os.kill(daemon, signal.SIGCONT)


def test_a_daemon_that_hangs_is_not_waited_for_and_taken_back(running, domain, stopped):
    wait_until, notes = running
    hang, go_on = stopped
    name = domain(f"{PREFIX}-hang")
    wait_until(lambda found: name in found)
    hang()
    wait_until(lambda found: name in found and notes)
    assert "; counting goes on with the domains that are known" in notes[0]
    go_on()
    wait_until(lambda found: name in found and len(notes) == 2)
    assert notes[1] == "libvirt answers again"
    # What it tells is heard again too.
    domain(f"{name}-later")
    wait_until(lambda found: f"{name}-later" in found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_list_waits_for_a_daemon_that_hangs_and_says_so_until_a_signal(domain, stopped, number):
    hang, go_on = stopped
    name = domain(f"{PREFIX}-waits")
    hang()
    command = [CHECKOUT / "virt-exitstat", "-c", URI, "--list", name]
    patient, impatient = (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    )
    for process in (patient, impatient):
        assert process.stderr.readline().startswith(f"virt-exitstat: waiting for libvirt at {URI}, which is busy")
    impatient.send_signal(number)
    assert impatient.communicate() == ("", "")
    assert impatient.returncode == -number
    go_on()
    listed, rest = patient.communicate()
    assert (patient.returncode, rest) == (0, "") and listed.splitlines()[1].startswith(name)


#: Stops the daemon when it has answered and the list is about to be shown.
STOPPED_BEHIND_THE_ANSWER = """
import os, signal, sys
from virt_exitstat import cli
from virt_exitstat.commands import listing
resolve, daemon = listing.resolve, int(sys.argv.pop(1))
def resolve_and_stop(*arguments, **more):
    found = resolve(*arguments, **more)
    os.kill(daemon, signal.SIGSTOP)
    return found
listing.resolve = resolve_and_stop
cli.run_cli()
"""


def test_a_daemon_that_hangs_behind_the_answer_does_not_hold_up_the_end(domain, stopped):  # noqa: ARG001
    """Closing a connection asks the daemon too."""
    name = domain(f"{PREFIX}-ends")
    done = subprocess.run(
        ["/usr/bin/python3", "-c", STOPPED_BEHIND_THE_ANSWER, DAEMON.read_text(), "-c", URI, "--list", name],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "lib")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "") and name in done.stdout
