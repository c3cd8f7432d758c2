"""Metrics for Prometheus: once on standard output, in a file that is replaced, served over HTTP."""

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from fake_world import DB01, ODD, WEB01, TimedCounter
from prometheus_client.parser import text_string_to_metric_families

from test_intervals import Flaky
from virt_exitstat import __version__
from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.targets.target import Domain

FIRECRACKER = Domain("fc01", "55555555-5555-4555-8555-555555555555", 5)

DRIVER = [sys.executable, str(Path(__file__).with_name("run_driver.py"))]

#: Exits a second, fewer than would fill it.
SOME = {Thread(1100, 1101): {12: 400, 48: 1500, 32: 1}, Thread(1100, 1102): {1: 25_000}, Thread(1200, 1201): {30: 99}}


@pytest.fixture(autouse=True)
def _on_intel(world):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    world.counts = dict(SOME)


def run(world, line):
    return world.run(*shlex.split(line)).replace(f'version="{__version__}"', 'version="OURS"')


def samples(text):
    """{(sample's name, its labels' values by their names): value}."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, *(value for name, value in sorted(one.labels.items()) if name != "uuid"))
            assert key not in found
            found[key] = one.value
    return found


def exits(text):
    """{(domain, reason): exits}."""
    return {key[1:]: value for key, value in samples(text).items() if key[0] == "kvm_exits_total"}


PLAIN = {
    "prometheus": "web01 db01 -o prometheus 10",
    "prometheus-per-vcpu": "web01 -o prometheus --per-vcpu -T 10",
    "prometheus-time": "db01 -o prometheus -T --histogram 10",
    "prometheus-domain-info": "db01 -o prometheus --domain-info 10",
    "prometheus-pid": "--pid 1100 -o prometheus 10",
    "prometheus-tid": "--tid 1102 -o prometheus -a 10",
}


@pytest.mark.parametrize("name", PLAIN)
def test_one_exposition_on_stdout(world, golden, name):
    world.script()
    golden(name, run(world, PLAIN[name]))


def test_a_domain_that_ends_while_counting_is_in_the_exposition(world):
    world.script((2, world.end, DB01, 1200))
    text = stdout(run(world, "db01 -o prometheus 10"))
    assert exits(text) == {("db01", "IO_INSTRUCTION"): 198}


def add_nova(world, domain, flavor):
    path = world.host.run_dir / f"{domain.name}.xml"
    nova = "http://openstack.org/xmlns/libvirt/nova/1.1"
    metadata = f"<metadata><n:instance xmlns:n='{nova}'><n:flavor name='{flavor}'/></n:instance></metadata>"
    path.write_text(path.read_text().replace("</domain>", f"{metadata}</domain>"))


def test_novas_names_are_told_where_they_are_wanted(world):
    add_nova(world, DB01, "m1.small")
    world.script()
    text = stdout(run(world, "db01 -o prometheus --domain-info 10"))
    assert 'kvm_domain_info{domain="db01",flavor_name="m1.small",' in text


def test_two_reasons_that_the_kernel_names_alike_are_one_series(world):
    """Of two series with the same labels Prometheus keeps one, and tells nobody."""
    world.run_newer_kernel({71: "of a newer-kernel", 83: "Of a newer kernel"})
    world.counts = {Thread(1200, 1201): {71: 5, 83: 2}}
    world.script()
    assert exits(stdout(run(world, "db01 -o prometheus 10"))) == {("db01", "OF_A_NEWER_KERNEL"): 70}


def test_lost_exits_are_told_by_cause(world):
    world.script((2, setattr, world, "lost", Lost(no_row=300, recursion=1)))
    found = samples(stdout(run(world, "db01 -o prometheus 10")))
    assert [found["virt_exitstat_lost_exits_total", cause] for cause in Lost._fields] == [300, 0, 1]


def stdout(text):
    status, _, rest = text.partition("\n--- stdout\n")
    assert status == "status 0 OK", text
    return rest.partition("--- stderr\n")[0]


# -- a file --


@pytest.fixture()
def path(tmp_path):
    (tmp_path / "textfiles").mkdir()
    return tmp_path / "textfiles/exits.prom"


def look(path, seen):
    """What another process finds in the file."""
    seen.append(exits(path.read_text()) if path.exists() else None)


def test_the_file_is_replaced_at_each_interval_by_counters_that_grow_and_is_gone_in_the_end(world, path):
    seen = []
    world.script(*((at_s, look, path, seen) for at_s in (0.5, 1.5, 2.5)), (1.6, lambda: seen.append(mode(path))))
    text = run(world, f"db01 -o prometheus -i 1 4 --log {path}")
    assert stdout(text) == ""
    storm = ("db01", "IO_INSTRUCTION")
    assert seen == [{}, {storm: 99}, 0o644, {storm: 198}]
    assert [*path.parent.iterdir()] == []


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_removes_the_file(world, path, number):
    seen = []
    world.script((2.5, look, path, seen), (2.6, os.kill, os.getpid(), number))
    run(world, f"db01 -o prometheus -i 1 --log {path}")
    assert seen[0] and not path.exists()


def test_sighup_changes_nothing(world, path):
    seen = []
    world.script((1.5, os.kill, os.getpid(), signal.SIGHUP), (2.5, look, path, seen))
    run(world, f"db01 -o prometheus -i 1 3 --log {path}")
    assert seen == [{("db01", "IO_INSTRUCTION"): 198}]


def test_a_domain_leaves_with_its_end_and_begins_anew_with_its_start(world, path):
    seen = []
    world.connect(WEB01, DB01)
    world.counts[Thread(2200, 2201)] = {12: 7}
    world.script(
        (1.5, world.end, DB01, 1200),
        (2.5, look, path, seen),
        (3.5, world.start, DB01, 2200, {0: 2201}),
        (5.5, look, path, seen),
    )
    run(world, f"-o prometheus -i 1 6 --log {path}")
    away, again = [{key: value for key, value in one.items() if key[0] == "db01"} for one in seen]
    # Seven a second, from the next interval on or from libvirt's event on, half a second before it.
    assert away == {} and again in ({("db01", "HLT"): 7}, {("db01", "HLT"): 11})


def test_a_directory_that_vanishes_ends_nothing_and_no_exit_is_missing(world, path):
    seen, away = [], path.parent.with_name("away")
    world.script((1.5, path.parent.rename, away), (3.5, away.rename, path.parent), (4.5, look, path, seen))
    text = run(world, f"db01 -o prometheus -i 1 5 --log {path}")
    assert seen == [{("db01", "IO_INSTRUCTION"): 4 * 99}]
    said = text.partition("--- stderr\n")[2].splitlines()
    assert said[1:] == [
        f"virt-exitstat: cannot write {path}: No such file or directory; counting goes on,"
        " and the next try may succeed",
        f"virt-exitstat: {path} is written again",
    ]


def test_a_file_that_cannot_be_written_is_told_before_counting(world):
    world.script()
    text = run(world, "db01 -o prometheus -i 1 --log /nowhere/exits.prom")
    assert text.startswith("status 1 FAILURE\n") and "counting exits of" not in text
    assert "virt-exitstat: cannot write /nowhere/exits.prom: No such file or directory\nhint: " in text


def test_a_device_is_never_replaced(world):
    world.script()
    text = run(world, "db01 -o prometheus -i 1 --log /dev/null")
    assert "virt-exitstat: /dev/null is not a regular file, and would be replaced\nhint: " in text
    assert Path("/dev/null").is_char_device()


def test_a_full_file_system_leaves_the_old_file_whole(path):
    """With a limit on a file's size, which a write meets in the middle."""
    path.write_text("")
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "bash"]
    words = ["web01", "-a", "-o", "prometheus", "-i", ".1", "--log", str(path)]
    done = subprocess.run(
        [*limited, *DRIVER, *words], env={**os.environ, "WORLD": str(new_root(path))}, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert f"virt-exitstat: cannot write {path}: File too large\nhint: " in done.stderr.decode()
    assert [*path.parent.iterdir()] == [path] and path.read_text() == ""


def new_root(path):
    root = path.parent.parent / "root"
    root.mkdir()
    return root


# -- HTTP --


@pytest.fixture()
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Scraper:
    """Asks at one time of the world's clock, and reads at another: meanwhile the run serves."""

    def __init__(self, port):
        self._port, self._clients, self.texts = port, [], []

    def ask(self, text=b"GET /metrics HTTP/1.1\r\n\r\n"):
        client = socket.create_connection(("127.0.0.1", self._port))
        client.sendall(text)
        client.settimeout(10)
        self._clients.append(client)

    def read(self):
        for client in self._clients:
            response = b""
            while True:
                part = client.recv(1 << 20)
                if not part:
                    break
                response += part
            client.close()
            self.texts.append(response.partition(b"\r\n\r\n")[2].decode())
        self._clients.clear()


@pytest.fixture()
def scraper(port):
    return Scraper(port)


def serve(world, scraper, port, *steps, scrapes=(), until_s=100.0, line=""):
    """Run --listen with scrapes at these times; the text of each, and what was said."""
    for at_s in scrapes:
        steps += ((at_s, scraper.ask), (at_s + 0.1, scraper.read))
    world.script(*steps, (until_s, os.kill, os.getpid(), signal.SIGTERM))
    text = run(world, f"--listen {port} {line}")
    assert text.startswith("status 0 OK\n--- stdout\n--- stderr\n"), text
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", port)) != 0, "nothing is left"
    return scraper.texts, text.partition("--- stderr\n")[2]


def test_counters_are_since_the_start_for_each_scraper_whenever_it_asks(world, scraper, port):
    texts, said = serve(world, scraper, port, scrapes=(0, 10, 10, 200), until_s=300)
    storm = ("db01", "IO_INSTRUCTION")
    assert [round(exits(text).get(storm, 0), -2) for text in texts] == [0, 1000, 1000, 19800]
    assert said == f"counting exits of 4 domains, served at http://127.0.0.1:{port}/metrics, Ctrl-C to stop\n"


def test_what_is_served_is_complete(world, scraper, port):
    ((text,), _) = serve(world, scraper, port, scrapes=(10,), line="-T --histogram --domain-info -a")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {
        "kvm_exits",
        "kvm_exit_seconds",
        "kvm_exit_duration_seconds",
        "kvm_domain_vcpus",
        "kvm_domain_info",
        "virt_exitstat_lost_exits",
        "virt_exitstat_build_info",
        "virt_exitstat_libvirt_up",
        "virt_exitstat_collect_duration_seconds",
        "process_cpu_seconds",
    } <= names


def test_a_page_for_people(world, scraper, port):
    steps = ((1, scraper.ask, b"GET / HTTP/1.1\r\n\r\n"), (2, scraper.read))
    texts, _ = serve(world, scraper, port, *steps)
    # Relative, for a proxy may serve it below a path.
    assert '<a href="metrics">' in texts[0]


def test_odd_names_are_labels(world, scraper, port):
    world.counts[Thread(1300, 1301)] = {10: 5}
    ((text,), _) = serve(world, scraper, port, scrapes=(10,))
    assert (ODD.name, "CPUID") in exits(text)


def test_a_domain_that_ends_is_gone_and_one_that_starts_again_begins_at_0(world, scraper, port):
    world.connect(WEB01, DB01)
    world.counts[Thread(2200, 2201)] = {30: 50}
    texts, _ = serve(
        world,
        scraper,
        port,
        (5, world.end, DB01, 1200),
        (15, world.start, DB01, 2200, {0: 2201}),
        scrapes=(4, 10, 20, 30),
    )
    before, away, at_first, later = [exits(text).get(("db01", "IO_INSTRUCTION"), 0) for text in texts]
    # libvirt's event may come before the scrape, and then it is counted from there.
    assert (before, away) == (396, 0) and at_first in (0, 250) and later == at_first + 500
    assert all(("web01", "HLT") in exits(text) for text in texts)


def test_novas_names_come_when_the_status_file_can_be_read_again_and_then_stay(world, scraper, port):
    add_nova(world, DB01, "m1.small")
    status = world.host.run_dir / "db01.xml"
    away = status.with_suffix(".away")
    texts, _ = serve(
        world,
        scraper,
        port,
        (0.1, status.rename, away),
        (15, away.rename, status),
        (25, status.unlink),
        scrapes=(10, 20, 30),
        line="--domain-info",
    )
    flavors = [re.search(r'kvm_domain_info\{domain="db01",flavor_name="(.*?)"', text).group(1) for text in texts]
    assert flavors == ["", "m1.small", "m1.small"]


def test_while_libvirt_is_away_counting_goes_on_and_the_metric_says_so(world, scraper, port):
    world.connection = connection = Flaky(world.connection)
    lose = (5, setattr, connection, "broken", True)
    where = "-c qemu+unix:///system?socket=/none"
    texts, said = serve(world, scraper, port, lose, scrapes=(4, 10, 20), line=where)
    assert [samples(text)["virt_exitstat_libvirt_up",] for text in texts] == [1, 0, 0]
    assert [exits(text)["db01", "IO_INSTRUCTION"] for text in texts] == [396, 990, 1980]
    assert said.count("; counting goes on with the domains that are known\n") == 1


def test_without_libvirt_processes_have_qemus_own_names(world, scraper, port):
    ((text,), _) = serve(world, scraper, port, scrapes=(10,), line="--pid 1100 --pid 1200")
    assert set(exits(text)) >= {("db01", "IO_INSTRUCTION"), ("web01", "HLT")}
    assert f'uuid="{WEB01.uuid}"' in text
    assert ("virt_exitstat_libvirt_up",) not in samples(text)


def test_a_vcpu_that_is_idle_between_two_scrapes_is_still_one(world, scraper, port):
    """Of a program that names its threads in its own way, so that only exits tell which of them are vCPUs."""
    world.host.add_process(1500, {1501: "fc_vcpu 0", 1502: "fc_vcpu 1"}, comm="firecracker", domain=FIRECRACKER)
    world.counts = {Thread(1500, 1501): {12: 100}, Thread(1500, 1502): {12: 0.2}}
    ended = (20.5, shutil.rmtree, world.host.proc / "1500/task/1502")
    texts, _ = serve(world, scraper, port, ended, scrapes=(10, 10.2, 10.4, 20, 30), line="--pid all")
    assert [samples(text)["kvm_domain_vcpus", FIRECRACKER.name] for text in texts] == [2, 2, 2, 2, 1]


def test_counts_are_read_each_minute_though_nobody_asks(world, scraper, port, monkeypatch):
    """Else what ended meanwhile would pile up. Between the readings room is made every few seconds."""
    read_at, housekeeping = [], []
    real = TimedCounter.snapshot

    def snapshot(counter, is_gone):
        read_at.append(world.clock.monotonic_s())
        return real(counter, is_gone)

    monkeypatch.setattr(TimedCounter, "snapshot", snapshot)
    monkeypatch.setattr(TimedCounter, "free_rows", lambda *_: housekeeping.append(1))
    serve(world, scraper, port, until_s=330)
    assert read_at == [0, 60, 120, 180, 240, 300]
    assert len(housekeeping) >= 60


def test_sighup_does_not_end_it(world, scraper, port):
    """systemd would not start it again: for that the end would have to look like a failure."""
    hang_up = (5, os.kill, os.getpid(), signal.SIGHUP)
    texts, _ = serve(world, scraper, port, hang_up, scrapes=(4, 10))
    assert [exits(text)["db01", "IO_INSTRUCTION"] for text in texts] == [396, 990]


def test_clients_that_hang_keep_nobody_waiting(world, scraper, port):
    hang = [socket.socket() for _ in range(50)]

    def connect():
        for number, one in enumerate(hang):
            one.connect(("127.0.0.1", port))
            one.sendall([b"", b"GET /metrics HT", b"\x16\x03\x01", b"garbage\r\n\r\n"][number % 4])

    texts, _ = serve(world, scraper, port, (1, connect), scrapes=(2, 5))
    assert [exits(text)["db01", "IO_INSTRUCTION"] for text in texts] == [198, 495]
    for one in hang:
        one.close()


def test_a_port_in_use_is_told_before_counting(world, port):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        text = run(world, f"--listen {port}")
    assert text.startswith("status 1 FAILURE\n") and "counting exits of" not in text
    assert f"virt-exitstat: cannot listen at 127.0.0.1:{port}: Address already in use\nhint: " in text


def test_a_missing_library_is_told_with_what_to_install(world, port, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "prometheus_client.core", raising=False)
    world.host.add_file("etc/os-release", "ID=debian\n")
    for line in (f"--listen {port}", "-o prometheus 1"):
        text = run(world, line)
        assert text.startswith("status 1 FAILURE\n--- stdout\n--- stderr\nvirt-exitstat: ")
        assert "prometheus_client" in text and "hint: install" in text


# -- as a process --


def start(tmp_path, *words, before=(), **environment):
    (tmp_path / "root").mkdir()
    variables = {**os.environ, "WORLD": str(tmp_path / "root"), **environment}
    return subprocess.Popen([*before, *DRIVER, *words], stderr=subprocess.PIPE, text=True, env=variables)


def read_url(process):
    """The first that it says it serves."""
    return re.search(r"http://\S+/metrics", process.stderr.readline()).group()


def connect_to(url):
    return socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])))


def test_systemds_socket_is_taken_first_and_it_is_told(tmp_path):
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(20)
    both = socket.socket(), socket.socket(socket.AF_UNIX)
    for listening, address in zip(both, (("127.0.0.1", 0), str(tmp_path / "metrics"))):
        listening.bind(address)
        listening.listen()
    port = both[0].getsockname()[1]
    # The shell's own process becomes the program, as with systemd: LISTEN_PID is its pid.
    handed_over = " ".join(f"{fd}<&{one.fileno()}" for fd, one in enumerate(both, 3))
    script = f'exec {handed_over}; LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"'
    (tmp_path / "root").mkdir()
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *DRIVER, "--listen", "192.0.2.1:1"],
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[one.fileno() for one in both],
        env={**os.environ, "WORLD": str(tmp_path / "root"), "NOTIFY_SOCKET": str(tmp_path / "notify")},
    )
    # Whoever asks before we are ready waits, and is answered.
    assert ("db01", "IO_INSTRUCTION") in exits(fetch(f"http://127.0.0.1:{port}/metrics"))
    assert notified.recv(100) == b"READY=1"
    where = f"http://127.0.0.1:{port}/metrics and unix:{tmp_path}/metrics"
    assert f", served at {where}, Ctrl-C to stop\n" in process.stderr.readline()
    process.terminate()
    assert notified.recv(100) == b"STOPPING=1"
    assert (process.wait(20), process.stderr.read()) == (0, "")
    process.stderr.close()
    for one in (*both, notified):
        one.close()


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


def wait_for_exits(url):
    """Until the first exit of db01 is counted: a reason is served from then on."""
    deadline = time.monotonic() + 20
    while ("db01", "IO_INSTRUCTION") not in exits(fetch(url)):
        assert time.monotonic() < deadline, "nothing is counted"


def test_sixty_scrapes_by_two_at_a_time_leave_memory_and_descriptors_as_they_were(tmp_path):
    process = start(tmp_path, "--listen", "0", "-a", GROWS="1")
    url = read_url(process)

    def scrape():
        both = [connect_to(url) for _ in range(2)]
        for one in both:
            one.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        for one in both:
            with one, one.makefile("rb") as response:
                assert response.readline() == b"HTTP/1.1 200 OK\r\n"
                response.read()

    def state():
        deadline = time.monotonic() + 20
        found = samples(fetch(url))
        assert time.monotonic() < deadline
        return found["process_open_fds",], found["process_resident_memory_bytes",]

    for _ in range(5):
        scrape()
    fds, memory = state()
    for _ in range(60):
        scrape()
    later_fds, later_memory = state()
    process.terminate()
    assert process.wait(20) == 0
    process.stderr.close()
    assert later_fds == fds
    assert later_memory < memory + 4e6


def test_idle_connections_leave_descriptors_to_those_who_count(tmp_path):
    """Reading the counts opens files: without descriptors the run would end, and all counters with it."""
    limited = ["bash", "-c", 'ulimit -n 64; exec "$@"', "bash"]
    process = start(tmp_path, "--listen", "0", before=limited, GROWS="1")
    url = read_url(process)
    wait_for_exits(url)
    idle = [connect_to(url) for _ in range(120)]
    found = [samples(fetch(url)) for _ in range(3)]
    process.terminate()
    assert (process.wait(20), process.stderr.read()) == (0, "")
    process.stderr.close()
    for one in idle:
        one.close()
    assert all(("kvm_exits_total", "db01", "IO_INSTRUCTION") in one for one in found)
    assert found[0]["process_max_fds",] == 64
    assert max(one["process_open_fds",] for one in found) <= 64 - 30
