"""The service, its socket and its user; the examples of a log."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_up_world import HERE, RULES
from required import find_program

TREE = RULES.parents[1]
UNITS = TREE / "systemd"

SERVICE = UNITS / "virt-exitstat.service"
SOCKET = UNITS / "virt-exitstat.socket"
EXAMPLES = UNITS / "examples"
EXAMPLE_SERVICES = sorted(EXAMPLES.glob("*.service"))
TEXTFILE = EXAMPLES / "virt-exitstat-textfile.service"


def settings(unit):
    """{key: [values]} of a unit's file."""
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture()
def root(tmp_path):
    """What `make install-exporter` installs, with the command."""
    subprocess.run(
        ["make", "-s", "-C", TREE, "install", "install-exporter", f"DESTDIR={tmp_path}", "PREFIX=/usr"],
        check=True,
        capture_output=True,
    )
    return tmp_path


def verify(systemd_analyze, root, *units):
    """What systemd says against units; nothing where it is content."""
    # Units of systemd itself are the distribution's.
    (root / "usr/lib/systemd/system").mkdir(parents=True, exist_ok=True)
    distribution = next(
        Path(place) for place in ("/usr/lib/systemd/system", "/lib/systemd/system") if Path(place).is_dir()
    )
    for target in distribution.glob("*.target"):
        (root / "usr/lib/systemd/system" / target.name).write_bytes(target.read_bytes())
    done = subprocess.run(
        [systemd_analyze, "verify", "--man=no", f"--root={root}", *units], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say_against_the_units(systemd_analyze, root):
    assert verify(systemd_analyze, root, "virt-exitstat.service", "virt-exitstat.socket") == ""


def test_systemd_tells_a_fault_of_a_unit(systemd_analyze, root):
    """The test above can fail."""
    unit = root / "usr/lib/systemd/system/virt-exitstat.service"
    unit.write_text(unit.read_text().replace("ProtectHome", "ProtectHouse"))
    assert "ProtectHouse" in verify(systemd_analyze, root, "virt-exitstat.service")
    (root / "usr/bin/virt-exitstat").unlink()
    assert "not executable" in verify(systemd_analyze, root, "virt-exitstat.service")


@pytest.mark.parametrize("example", EXAMPLE_SERVICES, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_against_an_example(systemd_analyze, root, example):
    (root / "usr/lib/systemd/system" / example.name).write_bytes(example.read_bytes())
    # What a service starts beside the program is the host's.
    (root / "bin").mkdir()
    (root / "bin/sh").write_bytes(Path("/bin/sh").read_bytes())
    (root / "bin/sh").chmod(0o755)
    assert verify(systemd_analyze, root, example.name) == ""


def exposure(systemd_analyze, unit):
    """systemd's own figure for what a service may do to the host: 0 is nothing, 10 everything."""
    known = subprocess.run([systemd_analyze, "--help"], capture_output=True, text=True, check=True).stdout
    if "--offline" not in known:
        pytest.skip("systemd-analyze has no --offline before systemd 250")
    done = subprocess.run(
        [systemd_analyze, "security", "--offline=yes", unit], capture_output=True, text=True, check=False
    )
    (found,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    return float(found)


def test_the_service_may_do_little(systemd_analyze, tmp_path):
    # Of a loaded unit it is 1.5: --offline does not see that a unit with a file system of its own has PrivateMounts=.
    assert exposure(systemd_analyze, SERVICE) <= 1.7
    open_unit = tmp_path / SERVICE.name
    open_unit.write_text(re.sub(r"^(Protect|Restrict|SystemCall).*\n", "", SERVICE.read_text(), flags=re.MULTILINE))
    assert exposure(systemd_analyze, open_unit) > 3


@pytest.mark.parametrize("unit", [SERVICE, *EXAMPLE_SERVICES], ids=lambda unit: unit.name)
def test_a_service_has_three_capabilities_and_its_user(unit):
    found = settings(unit)
    three = ["CAP_BPF CAP_PERFMON CAP_DAC_READ_SEARCH"]
    assert found["AmbientCapabilities"] == found["CapabilityBoundingSet"] == three
    (described,) = re.findall(r"^u (\S+) ", (UNITS / "virt-exitstat.sysusers").read_text(), re.MULTILINE)
    assert found["User"] == [described]


def test_the_service_has_no_setting_that_counting_fails_with():
    """Each was tried on a real host."""
    fatal = {"ProtectKernelModules", "ProtectProc", "ProcSubset", "PrivateUsers", "DynamicUser"}
    assert fatal & set(settings(SERVICE)) == set()
    (calls,) = settings(SERVICE)["SystemCallFilter"]
    assert {"@system-service", "bpf", "perf_event_open"} <= set(calls.split())


def test_the_port_is_one_everywhere():
    (address,) = settings(SOCKET)["ListenStream"]
    host, port = address.split(":")
    assert host == "127.0.0.1"
    assert f"--listen {address} " in settings(SERVICE)["ExecStart"][0]
    page = (TREE / "docs/monitoring.md").read_text()
    assert set(re.findall(r"\d[\d.]*:(\d+)", page)) == {port}


def test_make_puts_another_prefix_into_the_units(tmp_path):
    subprocess.run(
        ["make", "-s", "-C", TREE, "install-exporter", f"DESTDIR={tmp_path}", "PREFIX=/opt/exits"],
        check=True,
        capture_output=True,
    )
    unit = tmp_path / "opt/exits/lib/systemd/system/virt-exitstat.service"
    examples = tmp_path / "opt/exits/share/virt-exitstat-exporter/examples"
    assert {path.name for path in examples.iterdir()} == {path.name for path in EXAMPLES.iterdir()}
    for one in (unit, *examples.glob("*.service")):
        assert settings(one)["ExecStart"][0].startswith("/opt/exits/bin/virt-exitstat ")


def test_uninstall_removes_all_of_it(root):
    subprocess.run(
        ["make", "-s", "-C", TREE, "uninstall", f"DESTDIR={root}", "PREFIX=/usr"], check=True, capture_output=True
    )
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_sysusers_makes_a_user_who_cannot_log_in(root):
    sysusers = find_program("systemd-sysusers", "systemd")
    (root / "etc").mkdir()
    subprocess.run([sysusers, f"--root={root}"], check=True, capture_output=True)
    (line,) = [line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("_virt-exitstat:")]
    _, password, uid, _, _, _, shell = line.split(":")
    assert (password, 0 < int(uid) < 1000, shell) == ("x", True, "/usr/sbin/nologin")


def wait_for(true, what):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_logrotate_rotates_a_real_log_by_the_example(tmp_path):
    """Paths, user and the way to the process are this machine's; all else is the example's."""
    logrotate = find_program("logrotate", "logrotate")
    log, old, called = tmp_path / "exits.csv", tmp_path / "exits.csv.1", tmp_path / "called"
    writer = subprocess.Popen(
        [sys.executable, HERE / "log_writer.py", "db01", "-i", "0.1", "-o", "csv", "--log", log],
        env={**os.environ, "WORLD": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: log.exists() and log.read_text().count("\n") > 2, "the log has no lines")
        # systemctl has no systemd to ask here; the unit's main process is the writer.
        (tmp_path / "systemctl").write_text(
            f'#!/bin/sh\necho "$*" >{shlex.quote(str(called))}\nkill -s HUP {writer.pid}\n'
        )
        (tmp_path / "systemctl").chmod(0o755)
        example = (EXAMPLES / "virt-exitstat.logrotate").read_text()
        assert "/var/log/virt-exitstat/exits.csv {" in example
        config = tmp_path / "config"
        config.write_text(
            example.replace("/var/log/virt-exitstat/exits.csv", str(log)).replace(
                "\tsu _virt-exitstat _virt-exitstat\n", ""
            )
        )
        config.chmod(0o644)
        tmp_path.chmod(0o755)
        done = subprocess.run(
            [logrotate, "--force", "--state", tmp_path / "state", config],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        wait_for(lambda: log.exists() and log.read_text().count("\n") > 2, "the log was not opened anew")
        assert [path.read_text().startswith("time,") for path in (old, log)] == [True, True]
        assert called.read_text() == "kill --kill-who=main --signal=HUP virt-exitstat-log.service\n"
    finally:
        writer.send_signal(signal.SIGINT)
        writer.communicate()


def test_the_example_of_rotation_names_the_log_and_the_unit_of_the_example_beside_it():
    (command,) = settings(EXAMPLES / "virt-exitstat-log.service")["ExecStart"]
    rotation = (EXAMPLES / "virt-exitstat.logrotate").read_text()
    assert f"{shlex.split(command)[-1]} {{" in rotation
    assert " virt-exitstat-log.service\n" in rotation
    (user,) = settings(EXAMPLES / "virt-exitstat-log.service")["User"]
    assert f"su {user} {user}\n" in rotation


def test_the_example_of_a_textfile_writes_where_it_may_and_under_the_name_that_an_alert_looks_for():
    found = settings(TEXTFILE)
    file = Path(shlex.split(found["ExecStart"][0])[-1])
    assert found["ReadWritePaths"] == [str(file.parent)]
    (pattern,) = re.findall(r'node_textfile_mtime_seconds\{file=~"(.*)"\}', RULES.read_text())
    assert re.fullmatch(pattern.replace("\\\\", "\\"), str(file))


def test_behind_a_killed_writer_of_a_textfile_only_its_own_files_are_removed(tmp_path):
    """The command is the example's; the directory is another."""
    found = settings(TEXTFILE)
    file = Path(shlex.split(found["ExecStart"][0])[-1])
    for name in (file.name, f".{file.name}.k2_x8q.new", "apt.prom", ".apt.prom.k2_x8q.new"):
        (tmp_path / name).touch()
    (command,) = found["ExecStopPost"]
    assert str(file.parent) in command
    subprocess.run(shlex.split(command.replace(str(file.parent), str(tmp_path))), check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".apt.prom.k2_x8q.new", "apt.prom"]
