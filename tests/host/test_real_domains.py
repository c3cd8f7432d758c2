"""Resolution and --list against a real libvirtd and real KVM domains on this machine."""

import json
import os
import pwd
import signal
import subprocess
from pathlib import Path

import pytest

from local_libvirt import CHECKOUT, domain_xml, tool, virsh

PREFIX = f"exitstat-{os.getpid()}"


def listed(name):
    """What --list says of a domain: pid, {vCPU: tid}."""
    done = tool("--list", name)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[-3:] for line in done.stdout.splitlines()[1:]]
    assert len({pid for pid, _, _ in rows}) == 1
    return int(rows[0][0]), {int(vcpu): int(tid) for _, vcpu, tid in rows}


def known_to_proc(pid):
    """{vCPU: tid} by the names that QEMU gave its threads."""
    names = {task.name: (task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()}
    return {int(comm[4:-4]): int(tid) for tid, comm in names.items() if comm.startswith("CPU ")}


def known_to_qemu(name):
    """{vCPU: tid} by QEMU's own answer, through virsh."""
    answer = json.loads(virsh("qemu-monitor-command", name, '{"execute":"query-cpus-fast"}'))
    return {cpu["cpu-index"]: cpu["thread-id"] for cpu in answer["return"]}


def test_each_of_12_vcpus_has_the_tid_that_proc_and_qemu_know(domain):
    name = domain(f"{PREFIX}-12", 12)
    pid, tids = listed(name)
    assert sorted(tids) == list(range(12))
    assert tids == known_to_proc(pid)
    assert tids == known_to_qemu(name)


def test_a_domain_is_found_by_name_uuid_and_id(domain):
    name = domain(f"{PREFIX}-keys", 2)
    by_name = listed(name)
    assert listed(virsh("domuuid", name).strip()) == by_name
    assert tool("--list", "-d", virsh("domid", name).strip()).stdout == tool("--list", name).stdout


def test_a_vcpu_plugged_in_is_listed(domain):
    name = domain(f"{PREFIX}-plug", 2, 4)
    virsh("setvcpus", name, "3", "--live")
    _, tids = listed(name)
    assert sorted(tids) == [0, 1, 2]
    assert tids == known_to_qemu(name)


def test_names_with_spaces_quotes_and_shell_syntax_are_found_and_shown(domain, tmp_path):
    trap = tmp_path / "trap"
    for name in (
        f"{PREFIX} a \"b\" 'c'",
        f"{PREFIX}-$(touch {str(trap).replace('/', '%')})`id`",
        f"{PREFIX}-ü🐧",
        f"{PREFIX}-x\\y",
    ):
        domain(name)
        done = tool("--list", "-d", name)
        assert done.returncode == 0, done.stderr
        assert name in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "ascii"])
def test_names_are_found_in_any_locale(domain, tmp_path, encoding):
    """libvirt writes UTF-8 file names. Shown is what the locale can show; typed, UTF-8 and the locale's bytes fit."""
    name = domain(f"{PREFIX}-ünï-dömäin")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if encoding == "iso-8859-1":
        subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / "en_US.ISO-8859-1"], check=True)
        environment.update(LC_ALL="en_US.ISO-8859-1", LOCPATH=str(tmp_path))
    elif encoding == "ascii":
        environment.update(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    shown = name.encode(encoding, "backslashreplace")
    for typed in {name.encode(), name.encode("iso-8859-1") if encoding == "iso-8859-1" else name.encode()}:
        done = subprocess.run([CHECKOUT / "virt-exitstat", "--list", "-d", typed], capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout
    every = subprocess.run([CHECKOUT / "virt-exitstat", "--list"], capture_output=True, env=environment)
    assert shown in every.stdout, every.stderr


def test_an_emulator_behind_a_wrapper_that_does_not_exec_is_found(domain):
    """libvirt records the wrapper's pid; the vCPU threads are its child's."""
    wrapper = Path(f"/usr/local/bin/{PREFIX}-wrapper")
    wrapper.write_text('#!/bin/sh\n/usr/bin/qemu-system-x86_64 "$@"\n')
    wrapper.chmod(0o755)
    try:
        name = domain(f"{PREFIX}-wrapped", 2, emulator=str(wrapper))
        recorded = int(Path(f"/run/libvirt/qemu/{name}.pid").read_text())
        pid, tids = listed(name)
        assert pid != recorded
        assert tids == known_to_proc(pid) == known_to_qemu(name)
        assert name in tool("--list").stdout
        # libvirt ends the process that it knows, which is the wrapper.
        os.kill(pid, signal.SIGKILL)
    finally:
        wrapper.unlink()


def test_a_domain_that_has_ended_is_no_longer_found(domain):
    name = domain(f"{PREFIX}-gone")
    virsh("destroy", name)
    done = tool(name, "1")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"no running domain named '{name}'" in done.stderr
    assert "\nhint: " in done.stderr


def test_an_unknown_name_gets_a_suggestion(domain):
    name = domain(f"{PREFIX}-suggest")
    assert f"did you mean '{name}'?" in tool(name + "e").stderr


def test_a_stale_record_is_refused(domain):
    """A status file that speaks of another process: libvirt keeps the right one, we copy it over another domain's."""
    one, other = domain(f"{PREFIX}-one"), domain(f"{PREFIX}-other")
    record = Path(f"/run/libvirt/qemu/{one}.xml")
    right = record.read_bytes()
    record.write_bytes(Path(f"/run/libvirt/qemu/{other}.xml").read_bytes())
    try:
        done = tool("--list", one)
    finally:
        record.write_bytes(right)
    assert done.returncode == 1
    assert "is stale: process" in done.stderr and "hint: restart libvirt's daemon" in done.stderr


def test_a_vcpu_that_does_not_exist_is_named_with_those_that_do(domain):
    name = domain(f"{PREFIX}-three", 3)
    done = tool(name, "--vcpu", "1,7")
    assert (done.returncode, done.stderr) == (
        3,
        f"virt-exitstat: domain '{name}' has no vCPU 7\nhint: it has vCPUs 0-2\n",
    )


def test_pid_and_tid_find_the_same_threads(domain):
    name = domain(f"{PREFIX}-pid", 2)
    pid, tids = listed(name)
    for arguments in (("--pid", str(pid)), ("--tid", ",".join(map(str, tids.values())))):
        done = tool("--list", *arguments)
        assert [int(line.split()[-1]) for line in done.stdout.splitlines()[1:]] == list(tids.values())


def test_every_process_is_found_though_some_may_not_be_looked_into(domain):
    """Not even root may look into each, in a container for instance."""
    name = domain(f"{PREFIX}-all", 2)
    pid, tids = listed(name)
    found = tool("--list", "--pid", "all").stdout.splitlines()
    assert {tuple(line.split()[-3:]) for line in found} >= {(str(pid), str(n), str(tid)) for n, tid in tids.items()}


@pytest.mark.usefixtures("libvirtd")
def test_an_ordinary_user_lists_the_domains_of_the_session():
    nobody = pwd.getpwnam("nobody")
    home = Path(f"/tmp/{PREFIX}-home")  # libvirt's socket path must be short
    home.mkdir(mode=0o700)
    # Installed where that user may look; a checkout may lie in a home directory that is closed to others.
    subprocess.run(["make", "-s", "-C", CHECKOUT, "install", f"PREFIX={home}/usr"], check=True)
    (home / "domain.xml").write_text(domain_xml("in-session", 2, 2))
    for path in (home, home / "domain.xml"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    as_nobody = {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
        "cwd": "/",
        "env": {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
        "capture_output": True,
        "text": True,
        "check": False,
    }
    session = ["tini", "-s", "--", "virsh", "-q", "-c", "qemu:///session"]
    try:
        created = subprocess.run([*session, "create", str(home / "domain.xml")], **as_nobody)
        assert created.returncode == 0, created.stderr
        done = subprocess.run([home / "usr/bin/virt-exitstat", "-c", "qemu:///session", "--list"], **as_nobody)
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["in-session", "in-session"]
        # Root reaches it through its socket.
        socket = next(path for path in (home / "libvirt").iterdir() if path.name.endswith("-sock"))
        by_root = tool("-c", f"qemu+unix:///session?socket={socket}", "--list")
        assert by_root.stdout == done.stdout, by_root.stderr
    finally:
        subprocess.run([*session, "destroy", "in-session"], **as_nobody)
        subprocess.run(["pkill", "-u", "nobody"], check=False)
        subprocess.run(["rm", "-rf", str(home)], check=True)
