"""A libvirtd to test with: the one that runs, else one of our own for as long as the tests take."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from local_libvirt import URI, started_domains


@pytest.fixture(scope="session")
def libvirtd():
    if not Path("/dev/kvm").exists():
        pytest.skip("no /dev/kvm on this machine")
    assert os.geteuid() == 0, "these tests start domains: run them as root"
    if subprocess.run(["virsh", "-q", "-c", URI, "list"], capture_output=True, check=False).returncode == 0:
        yield
        return
    assert shutil.which("libvirtd"), "no libvirtd; 'tests/setup' installs it"
    for directory in ("/run/libvirt", "/var/log/libvirt"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    bus = start_system_bus()
    kvm_mode = Path("/dev/kvm").stat().st_mode
    Path("/dev/kvm").chmod(0o666)  # without udev, QEMU's user may not open it
    # tini reaps what libvirtd's capability probes leave behind; an init that does not costs 40 s for each.
    daemon = subprocess.Popen(
        ["tini", "-s", "-g", "--", "sh", "-c", "virtlogd -d; exec libvirtd"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while subprocess.run(["virsh", "-q", "-c", URI, "list"], capture_output=True, check=False).returncode != 0:
        assert daemon.poll() is None and time.monotonic() < deadline, "libvirtd does not answer"
        time.sleep(0.1)
    yield
    daemon.terminate()
    daemon.wait()
    subprocess.run(["pkill", "-x", "virtlogd"], check=False)
    if bus:
        bus.terminate()
        bus.wait()
    Path("/dev/kvm").chmod(kvm_mode & 0o777)


def answers(path):
    """Whether somebody listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def start_system_bus():
    """Over it libvirtd asks polkit whether an ordinary user may connect; it starts polkit itself."""
    where = Path("/run/dbus/system_bus_socket")
    if answers(where):
        return None
    # One that was killed leaves its socket behind.
    where.unlink(missing_ok=True)
    where.parent.mkdir(exist_ok=True)
    bus = subprocess.Popen(
        ["tini", "-s", "-g", "--", "dbus-daemon", "--system", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not answers(where):
        assert bus.poll() is None and time.monotonic() < deadline, "no system bus: dbus-daemon does not start"
        time.sleep(0.05)
    return bus


@pytest.fixture()
def domain(libvirtd, tmp_path):  # noqa: ARG001  (fixtures cannot use usefixtures)
    """Start domains by (name, vcpus, most vcpus); they are destroyed when the test ends."""
    with started_domains(tmp_path) as start:
        yield start
