"""A real libvirtd tells of domains that come and go, and may go and come back itself."""

import os
import signal
from pathlib import Path

import pytest

from local_libvirt import URI, virsh
from virt_exitstat import domains
from virt_exitstat.following import RunningDomains
from virt_exitstat.options import Options
from virt_exitstat.timing import Clock

PREFIX = f"exitstat-{os.getpid()}"
ROOT = Path("/")


@pytest.fixture()
def running(libvirtd):  # noqa: ARG001  (fixtures cannot use usefixtures)
    """What runs, by a source that is asked again when libvirt tells something; and what it noted."""
    domains.run_event_loop()
    connection = domains.open_connection(URI)
    notes, known = [], ()
    source = RunningDomains(
        Options(),
        (),
        connection,
        connect=lambda: domains.open_connection(URI),
        run_dir=domains.run_directory(connection, ROOT),
        root=ROOT,
        clock=Clock(),
        note=notes.append,
    )

    def wait_until(true):
        nonlocal known
        known = source.find(known)
        while not true({target.label: target for target in known}):
            assert Clock().wait([source.fileno()], 60), "libvirt tells nothing"
            known = source.find(known)

    return wait_until, notes


def test_domains_that_start_and_end_are_told_at_once(running, domain):
    wait_until, notes = running
    name = f"{PREFIX}-event"
    wait_until(lambda found: name not in found)
    domain(name, 2)
    wait_until(lambda found: name in found and len(found[name].vcpus) == 2)
    virsh("destroy", name)
    wait_until(lambda found: name not in found)
    assert notes == []


def test_a_daemon_that_hangs_is_given_up_and_taken_back(running, domain):
    """A stopped process holds its connections open and answers nothing."""
    wait_until, notes = running
    name = domain(f"{PREFIX}-hang")
    wait_until(lambda found: name in found)
    daemon = int(Path("/run/libvirtd.pid").read_text())
    os.kill(daemon, signal.SIGSTOP)
    try:
        wait_until(lambda found: name in found and notes)
        assert "; counting goes on with the domains that are known" in notes[0]
    finally:
        os.kill(daemon, signal.SIGCONT)
    wait_until(lambda found: name in found and len(notes) == 2)
    assert notes[1] == "libvirt answers again"
