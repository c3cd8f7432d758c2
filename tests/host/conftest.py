"""A libvirtd to test with: the one that runs, else one of our own for as long as the tests take."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from local_libvirt import URI, domain_xml, virsh


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
    Path("/dev/kvm").chmod(kvm_mode & 0o777)


@pytest.fixture()
def domain(libvirtd, tmp_path):  # noqa: ARG001  (fixtures cannot use usefixtures)
    """Start domains by (name, vcpus, most vcpus); they are destroyed when the test ends."""
    started = []

    def start(name, vcpus=1, most=None):
        xml = tmp_path / f"{len(started)}.xml"
        xml.write_text(domain_xml(name, vcpus, most or vcpus))
        virsh("create", str(xml))
        started.append(name)
        return name

    yield start
    for name in started:
        virsh("destroy", name, check=False)
