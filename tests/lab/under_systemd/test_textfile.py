"""The example of a service that writes for node_exporter, on a real host with Debian's node_exporter."""

import re
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from kvm_host import programs_loaded, wait_until, work_for
from systemd_host import setting, systemctl

UNIT = "virt-exitstat-textfile.service"
DIRECTORY = Path("/var/lib/prometheus/node-exporter")
FILE = DIRECTORY / "virt-exitstat.prom"


@pytest.fixture(scope="module")
def written(installed):
    """The example as its comments say, but for the interval: the test's patience is shorter."""
    unit = (installed / "examples" / UNIT).read_text()
    assert "--interval 15 " in unit
    Path("/etc/systemd/system", UNIT).write_text(unit.replace("--interval 15 ", "--interval 2 "))
    (commands,) = re.findall(r"(?:^#   .*\n)+", unit, re.MULTILINE)
    subprocess.run(["sh", "-ec", commands.replace("#   ", "")], check=True)
    systemctl("daemon-reload")
    systemctl("start", UNIT)
    yield FILE
    systemctl("stop", UNIT)


def of_node_exporter():
    """{domain: exits} as node_exporter serves them."""
    text = urllib.request.urlopen("http://127.0.0.1:9100/metrics", timeout=20).read().decode()
    totals = {}
    for domain, exits in re.findall(r'^kvm_exits_total\{domain="(\w+)".*\} (\S+)$', text, re.MULTILINE):
        totals[domain] = totals.get(domain, 0) + float(exits)
    return totals


def test_node_exporter_serves_what_it_writes(written, suspended):
    # The first text is written at rest, when counting has begun.
    guests = suspended("guest01", "guest02")
    before = {guest.name: guest.exits() for guest in guests}
    wait_until(written.exists, "the first text is written")
    work_for(guests)
    taken = {guest.name: guest.exits() - before[guest.name] for guest in guests}
    # Two texts on, all of it is there.
    for _ in range(2):
        inode = written.stat().st_ino
        wait_until(lambda inode=inode: written.exists() and written.stat().st_ino != inode, "the text is replaced")
    systemctl("start", "prometheus-node-exporter.service")
    wait_until(answers, "node_exporter answers")
    assert of_node_exporter() == taken


def answers():
    try:
        return bool(of_node_exporter())
    except OSError:
        return False


def test_everyone_may_read_it_and_promtool_accepts_it(written):
    found = written.stat()
    assert (stat.filemode(found.st_mode), written.owner()) == ("-rw-r--r--", "_virt-exitstat")
    with written.open() as text:
        done = subprocess.run(["promtool", "check", "metrics"], stdin=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_gone_when_its_writer_is_killed(written):
    assert written.exists()
    pid = setting(UNIT, "MainPID")
    systemctl("kill", "--kill-who=main", "--signal=KILL", UNIT)
    wait_until(lambda: setting(UNIT, "ActiveState") == "activating", "systemd waits to start it again")
    assert_nothing_is_left(pid)
    # Before systemd 254 a start would wait for the time of the restart.
    systemctl("stop", UNIT)


def test_it_is_gone_when_its_writer_is_stopped(written):
    systemctl("start", UNIT)
    wait_until(written.exists, "the first text is written")
    pid = setting(UNIT, "MainPID")
    systemctl("stop", UNIT)
    assert setting(UNIT, "Result") == "success"
    assert_nothing_is_left(pid)


def assert_nothing_is_left(pid):
    assert not Path(f"/proc/{pid}").exists()
    assert [*DIRECTORY.iterdir()] == []
    assert not programs_loaded()
