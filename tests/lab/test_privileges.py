"""The capabilities that virt-exitstat(8) documents suffice for another user than root, and none of them is idle."""

import re
import subprocess
from pathlib import Path

import pytest

from kvm_host import CHECKOUT, programs_loaded, start_libvirtd, stop_libvirtd, virsh

_PAGE = (CHECKOUT / "man/virt-exitstat.8").read_text()
DOCUMENTED = [name.lower() for name in re.findall(r"^\.It Dv CAP_(\w+)", _PAGE, re.MULTILINE)]
# The page says that this one is for --pid and --tid.
BY_PID_ONLY = "sys_ptrace"


@pytest.fixture(scope="module", autouse=True)
def _libvirt_for_any_user():
    """libvirt lets any user read, as polkit does on a host."""
    with open("/etc/libvirt/libvirtd.conf", "a") as configuration:
        configuration.write('\nauth_unix_ro = "none"\n')
    stop_libvirtd()
    start_libvirtd()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy where any user may read it."""
    home = tmp_path_factory.mktemp("program")
    subprocess.run(["cp", "-r", *(CHECKOUT / name for name in ("virt-exitstat", "lib", "bpf")), home], check=True)
    for directory in (home, *home.parents[:-2]):
        directory.chmod(0o755)
    return home / "virt-exitstat"


@pytest.fixture(scope="module")
def pid():
    return Path("/run/libvirt/qemu/guest01.pid").read_text().strip()


def with_capabilities(names, *command, user="nobody"):
    """Run it as that user with these capabilities and no others."""
    exactly = ",".join(["-all", *(f"+{name}" for name in names)])
    identity = ["--reuid", user, "--regid", "nogroup", "--clear-groups"] if user != "root" else []
    return subprocess.run(
        [
            "setpriv",
            *identity,
            *(f"--{kind}={exactly}" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
            *command,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def without(name):
    return [other for other in DOCUMENTED if other != name]


def test_the_page_documents_them():
    assert sorted(DOCUMENTED) == ["bpf", "dac_read_search", "perfmon", "sys_ptrace"]


@pytest.fixture()
def paranoid():
    """Sets kernel.perf_event_paranoid; it is Debian's default again behind the test."""
    setting = Path("/proc/sys/kernel/perf_event_paranoid")
    before = setting.read_text()
    yield setting.write_text
    setting.write_text(before)


@pytest.mark.parametrize(("attachment", "level"), [("raw", "3"), ("tracepoint", "2")])
def test_they_suffice_for_a_domain(program, paranoid, attachment, level):
    paranoid(level)
    if "paused" in virsh("domstate", "guest01"):
        virsh("resume", "guest01")
    done = with_capabilities(without(BY_PID_ONLY), program, "guest01", "--attach", attachment, "1")
    virsh("suspend", "guest01")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("guest01: vCPUs 0-1, ")
    assert int(done.stdout.splitlines()[-1].split()[1]) > 0


def test_debians_default_keeps_the_regular_tracepoint_from_them(program, paranoid):
    paranoid("3")
    done = with_capabilities(DOCUMENTED, program, "guest01", "--attach", "tracepoint", "0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "\nhint: run as root, or 'sysctl kernel.perf_event_paranoid=2'; " in done.stderr
    assert not programs_loaded()


def test_they_suffice_for_a_process(program, pid):
    done = with_capabilities(DOCUMENTED, program, "--pid", pid, "0.1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"pid {pid}: vCPUs 0-1, ")


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("bpf", ["guest01"], "counting exits needs root\nhint: run with sudo, or add CAP_BPF;"),
        ("perfmon", ["guest01"], "counting exits needs root\nhint: run with sudo, or add CAP_PERFMON;"),
        ("dac_read_search", ["guest01"], "permission denied reading /run/libvirt/qemu/guest01.xml\n"),
        ("sys_ptrace", ["--pid", "PID"], "permission denied looking at process PID\n"),
        ("dac_read_search", ["--pid", "PID"], "permission denied looking at process PID\n"),
    ],
)
def test_without_one_of_them_it_is_refused_with_the_reason(program, pid, name, target, said):
    command = [word.replace("PID", pid) for word in target]
    done = with_capabilities(without(name), program, *command, "0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("virt-exitstat: " + said.replace("PID", pid)), done.stderr
    assert not programs_loaded()


def test_the_kernel_refuses_what_the_check_refuses():
    """The check asks for no more than the kernel does: without CAP_PERFMON or CAP_BPF nothing that traces is loaded."""
    load = """
import bcc
bpf = bcc.BPF(text="int nothing(void *args) { return 0; }")
bpf.attach_raw_tracepoint(tp=b"kvm_exit", fn_name=b"nothing")
print("attached")
"""
    for names, loads in ((["bpf", "perfmon"], True), (["bpf"], False), (["perfmon"], False)):
        done = with_capabilities(names, "/usr/bin/python3", "-c", load)
        assert ("attached" in done.stdout) == loads, (names, done.stderr)


def test_roots_user_id_needs_only_the_two_for_bpf(program):
    done = with_capabilities(["bpf", "perfmon"], program, "guest01", "0.1", user="root")
    assert done.returncode == 0, done.stderr


def test_a_list_needs_no_right_to_trace(program):
    done = with_capabilities(["dac_read_search"], program, "--list", "guest01")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
