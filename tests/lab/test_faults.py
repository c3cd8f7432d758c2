"""What is missing on the host is named, with what to do about it; nothing is left attached.

The lab is thrown away behind the tests, so what is to be missing is really taken away.
"""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvm_host import refusal, start_libvirtd, stop_libvirtd, tool


@contextmanager
def without(path):
    """The file or directory is gone for a while."""
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def test_no_headers_names_the_package():
    release = os.uname().release
    with without(Path("/lib/modules") / release / "build"), without(Path("/lib/modules") / release / "source"):
        status, message, hint = refusal("guest01", "1")
    assert (status, message) == (1, f"no headers of the running kernel {release} in /lib/modules/{release}")
    assert f"apt install linux-headers-{release}" in hint


@pytest.mark.parametrize(
    ("module", "message", "package"),
    [
        ("bcc", "/usr/bin/python3 finds no BPF compiler collection (module bcc)", "python3-bpfcc"),
        ("libvirt.py", "no Python module libvirt", "python3-libvirt"),
        ("tabulate", "no Python module tabulate", "python3-tabulate"),
    ],
)
def test_a_missing_python_module_names_its_package(module, message, package):
    path = Path("/usr/lib/python3/dist-packages") / module
    with without(path if path.exists() else path.with_suffix(".py")):
        status, said, hint = refusal("guest01", "0.1")
    assert (status, said) == (1, message)
    assert hint.startswith(f"install it with 'apt install {package}'")


def test_a_bcc_that_is_something_else_is_not_taken_for_ours(tmp_path):
    (tmp_path / "bcc.py").write_text("'''A body-centred cubic lattice, as on PyPI.'''\n")
    status, message, hint = refusal("guest01", "1", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert status == 1 and "finds no BPF compiler collection" in message and "python3-bpfcc" in hint


def test_another_user_is_told_to_be_root():
    status, message, hint = refusal("guest01", "1", user="nobody", group="nogroup", extra_groups=[])
    assert status == 1 and "cannot connect to libvirt" in message and hint.startswith("run as root")
    pid = tool("--list", "guest01").stdout.split()[-3]
    status, message, hint = refusal("--pid", pid, "1", user="nobody", group="nogroup", extra_groups=[])
    assert (status, message) == (1, f"permission denied looking at process {pid}")
    assert hint.startswith("run as root, or add CAP_")


def test_root_without_its_capabilities_is_told_so():
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon", "./virt-exitstat", "guest01", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "virt-exitstat: counting exits needs all of root's rights, and CAP_PERFMON and CAP_BPF"
    )
    assert "sudo" not in done.stderr and "as root" not in done.stderr


def test_a_process_that_is_not_kvm_is_refused():
    status, message, _ = refusal("--pid", str(os.getpid()), "1")
    assert (status, message) == (3, f"process {os.getpid()} (python3) is not a KVM process")
    status, message, _ = refusal("--pid", "4000000", "1")
    assert (status, message) == (3, "no process with pid 4000000")


def test_a_domain_that_is_shut_off_is_not_running():
    assert refusal("cpuid", "1") == (
        3,
        "domain 'cpuid' is not running",
        "start it with: virsh start cpuid",
    )


def test_vcpu_without_a_domain_asks_which():
    status, message, hint = refusal("--vcpu", "0", "1")
    assert (status, message, hint) == (2, "--vcpu needs a domain when several run", "name one of: guest01, guest02")


@pytest.mark.parametrize("content", ["", "<domstatus pid='1'", "no XML", "<domstatus state='running'/>"])
def test_a_broken_status_file_is_refused(content):
    record = Path("/run/libvirt/qemu/guest02.xml")
    right = record.read_text()
    record.write_text(content)
    try:
        status, message, hint = refusal("guest02", "1")
    finally:
        record.write_text(right)
    assert (status, message) == (1, f"{record} is not a complete status file of libvirt")
    assert hint.startswith("restart libvirt's daemon")


def test_without_a_status_file_the_thread_names_serve():
    whole = tool("--list", "guest01").stdout
    with without(Path("/run/libvirt/qemu/guest01.xml")):
        assert tool("--list", "guest01").stdout == whole


def test_a_full_disk_is_reported():
    with open("/dev/full", "w") as full:
        done = tool("guest01", "0.1", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert "virt-exitstat: cannot write to standard output: No space left on device\nhint: " in done.stderr


def test_libvirtd_that_does_not_run_is_named():
    stop_libvirtd()
    status, message, hint = refusal("guest01", "1")
    start_libvirtd()
    assert status == 1 and "its daemon is not running" in message and "systemctl start libvirtd" in hint
