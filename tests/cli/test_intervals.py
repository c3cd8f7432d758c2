"""Runs of intervals: each delta, what comes and goes meanwhile, where reports go, and the ways out."""

import contextlib
import json
import os
import re
import shlex
import signal
import time

import pytest
from fake_world import DB01, ODD, WEB01

from virt_exitstat.counts.snapshot import Lost, Thread


@pytest.fixture(autouse=True)
def _berlin(monkeypatch):
    """Headings show the local time."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture()
def timed(world):
    """The world with a clock of its own in which nothing happens yet."""
    world.script()
    return world


def run(world, line):
    return world.run(*shlex.split(line))


def stdout(text):
    status, _, rest = text.partition("\n--- stdout\n")
    assert status == "status 0 OK", text
    return rest.partition("--- stderr\n")[0]


def documents(text):
    return [json.loads(line) for line in stdout(text).splitlines()]


def totals(text):
    """Of each report: {domain's name and pid: total}."""
    return [{(one["name"], one["pid"]): one["total"] for one in doc["domains"]} for doc in documents(text)]


PLAIN = {
    "interval": "web01 -i 1 3",
    "interval-per-vcpu": "web01 -a -i 1 --count 2",
    "interval-count": "db01 --interval 2 --count 2",
    "interval-rest": "db01 -i 2 5",
    "interval-wide": "web01 -o wide -i 1 2",
    "interval-json": "web01 db01 -o json -i 1 2",
    "interval-csv": "web01 -o csv -i 1 2",
    "interval-no-header": "db01 -i 1 2 --no-header",
    "interval-pid": "--pid 1100 -i 1 2",
    "interval-all-processes": "--pid all -i 1 --count 1",
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_run_of_intervals(timed, golden, name):
    golden(name, run(timed, PLAIN[name]))


@pytest.mark.parametrize("output", ["table", "wide", "json", "csv"])
def test_a_domain_that_ends_is_marked_and_gone_and_one_that_starts_appears(world, golden, output):
    """web01 ends in the first interval, db01 with two vCPUs starts in the second, as another process."""
    world.script(
        (0.5, world.end, WEB01, 1100),
        (0.6, world.end, DB01, 1200),
        (2.5, world.start, DB01, 2200, {0: 2201, 1: 2202}),
    )
    world.connect(WEB01, DB01)
    world.counts.update({Thread(2200, 2201): {30: 50}, Thread(2200, 2202): {12: 7}})
    golden(f"comes-and-goes-{output}", run(world, f"-i 2 --count 3 -o {output}"))


def test_a_named_domain_that_ends_is_waited_for(world):
    world.script((1, world.end, WEB01, 1100), (3, world.start, WEB01, 2100, {0: 2101}))
    world.counts[Thread(2100, 2101)] = {12: 10}
    text = run(world, "web01 -i 1 5 -o json")
    # The domain that started is found at the end of its first interval and counted from there.
    assert totals(text)[1:] == [{}, {("web01", 2100): 0}, {("web01", 2100): 10}, {("web01", 2100): 10}]
    assert [one["ended"] for one in documents(text)[0]["domains"]] == [True]


def test_a_domain_that_starts_unnamed_is_not_counted_beside_a_named_one(world):
    world.script((0.5, world.end, DB01, 1200), (1.5, world.start, DB01, 2200, {0: 2201}))
    world.counts[Thread(2200, 2201)] = {12: 10}
    assert all(set(report) == {("web01", 1100)} for report in totals(run(world, "web01 -i 1 4 -o json")))


def test_when_the_last_domain_has_ended_the_run_goes_on(world, golden):
    world.connect(DB01)
    world.script((1, world.end, DB01, 1200))
    golden("last-domain-ended", run(world, "-i 1 3"))


def test_without_a_domain_a_run_of_intervals_waits_for_one(world):
    world.connect(DB01)
    world.script((1.5, world.start, DB01, 2200, {0: 2201}))
    world.end(DB01, 1200)
    world.counts[Thread(2200, 2201)] = {12: 10}
    text = run(world, "-i 1 4 -o json")
    assert "counting exits of every domain that starts every 1 s" in text
    assert totals(text) == [{}, {("db01", 2200): 0}, {("db01", 2200): 10}, {("db01", 2200): 10}]


def test_a_named_domain_that_does_not_run_is_an_error_also_with_intervals(timed):
    assert run(timed, "idle01 -i 1 3").startswith("status 3")


def test_single_vcpus_are_followed_into_a_new_process(world):
    world.script((1, world.end, WEB01, 1100), (1.5, world.start, WEB01, 2100, {0: 2101, 1: 2102}))
    world.counts.update({Thread(2100, 2101): {12: 10}, Thread(2100, 2102): {12: 1000}})
    reports = documents(run(world, "web01 --vcpu 0 -i 1 4 -o json"))
    assert [[vcpu["tid"] for one in report["domains"] for vcpu in one["vcpus"]] for report in reports] == [
        [1101],
        [2101],
        [2101],
        [2101],
    ]
    assert reports[3]["domains"][0]["total"] == 10


def test_a_vcpu_plugged_in_is_named_and_one_that_is_unplugged_disappears(world):
    def plug():
        world.host.add_thread(1100, 1103, "CPU 2/KVM")
        world.host.add_status(1100, [(0, 1101), (2, 1103)], domain=WEB01)
        world.counts[Thread(1100, 1103)] = {12: 7}
        del world.counts[Thread(1100, 1102)]

    world.script((1.5, plug))
    reports = documents(run(world, "web01 -i 1 3 -o json"))
    assert [sorted(vcpu["vcpu"] for vcpu in report["domains"][0]["vcpus"]) for report in reports] == [
        [0, 1],
        [0, 1, 2],
        [0, 2],
    ]


def test_a_vcpu_that_comes_back_as_another_thread_keeps_the_exits_of_both(world):
    """vCPU 1 is unplugged and plugged in again between two reports; libvirt's events tell when."""

    def replug():
        world.count_until_now()
        del world.counts[Thread(1100, 1102)]
        world.counts[Thread(1100, 1109)] = {12: 1000}
        world.host.add_thread(1100, 1109, "CPU 1/KVM")
        world.host.add_status(1100, [(0, 1101), (1, 1109)], domain=WEB01)
        world.connection.tell()

    world.connection = Flaky(world.connection)
    world.counts[Thread(1100, 1102)] = {12: 100}
    world.script((1.5, replug))
    reports = documents(run(world, "web01 --vcpu 1 -i 1 3 -o json"))
    assert [[(vcpu["vcpu"], vcpu["total"]) for vcpu in report["domains"][0]["vcpus"]] for report in reports] == [
        [(1, 100)],
        [(1, 50 + 500)],
        [(1, 1000)],
    ]


def test_the_deltas_add_up_to_what_one_report_counts(world):
    world.script()
    reports = totals(run(world, "web01 -i 0.5 6 -o json"))
    assert len(reports) == 12
    assert sum(report["web01", 1100] for report in reports) == 6 * sum(
        sum(counts.values()) for thread, counts in world.counts.items() if thread.tgid == 1100
    )


def test_lost_exits_are_those_of_the_interval(world):
    def lose():
        world.lost = Lost(no_row=30)

    world.script((1.5, lose))
    reports = documents(run(world, "web01 -i 1 3 -o json"))
    assert [report["lost"]["no_row"] for report in reports] == [0, 30, 0]


# -- exits that are timed --

#: Exits a second, fewer than would fill it.
SOME = {Thread(1100, 1101): {12: 400, 48: 1500, 32: 1}, Thread(1100, 1102): {1: 25_000}}


def test_details_are_those_of_the_interval(world, golden):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    world.counts = SOME
    world.script()
    golden("interval-detail-table", run(world, "web01 -D -i 2 6"))


@pytest.mark.parametrize(("name", "line"), [("table", "web01 -T -i 2 6"), ("json", "web01 -T -o json -i 2 4")])
def test_times_are_those_of_the_interval(world, golden, name, line):
    """vCPU 0 has no CPU for half a second of the second interval."""
    world.counts = SOME
    world.script((2.5, world.host.add_schedstat, 1100, 1101, 505_000_000))
    text = run(world, line)
    if name == "table":
        assert all(len(line) < 80 for line in text.splitlines())
    golden(f"interval-time-{name}", text)


def test_the_longest_of_a_later_interval_is_exact_when_it_is_longer_than_any_before_and_else_a_bound(world):
    """MSR_WRITE takes 33 us, but every other one 99 us: of one exit a second, the second one."""
    world.counts = SOME
    world.script()
    reports = documents(run(world, "web01 -T -o json -i 1 4"))
    rows = [row for report in reports for row in report["domains"][0]["reasons"] if row["name"] == "MSR_WRITE"]
    assert [(row["count"], row["max_is_bound"]) for row in rows] == [(1, False), (1, False), (1, True), (1, True)]
    assert [row["max_ns"] for row in rows[:2]] == [33_000, 99_000]
    # The end of its bucket; in the last interval that is beyond the longest of all.
    assert 33_000 <= rows[2]["max_ns"] <= 33_000 * 5 // 4
    assert rows[3]["max_ns"] == 99_000


def test_the_times_of_intervals_add_up_to_what_one_report_has(world):
    world.counts = SOME

    def sums(line):
        world.script()
        text = stdout(run(world, line))
        found = [json.loads(report)["domains"][0] for report in (text.splitlines() if "-i" in line else [text])]
        keys = ("wall_ns", "guest_ns", "kvm_ns", "qemu_ns", "idle_ns", "stopped_ns", "unseen_ns")
        of_time = {key: sum(one["time"][key] for one in found) for key in keys}
        rows = {}
        for one in found:
            for row in one["reasons"]:
                rows[row["name"]] = rows.get(row["name"], 0) + row["total_ns"]
        return of_time, rows

    assert sums("web01 -T -i 1 6 -o json") == sums("web01 -T 6 -o json")


# -- libvirt's daemon --


class Flaky:
    """A connection that can be broken and that tells of events when it is told to."""

    def __init__(self, connection):
        self._connection, self.broken = connection, False
        self.tell = None

    def domainEventRegisterAny(self, _domain, _event, callback, opaque):  # noqa: N802
        self.tell = lambda: callback(self, None, 0, 0, opaque)

    def setKeepAlive(self, *_):  # noqa: N802
        pass

    def listAllDomains(self, flags):  # noqa: N802
        if self.broken:
            self._connection.lookupByName("the error that libvirt raises")
        return self._connection.listAllDomains(flags)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_without_libvirts_daemon_counting_goes_on_and_that_is_said_once(timed):
    timed.connection = connection = Flaky(timed.connection)
    timed.clock.script = [(1.5, lambda: setattr(connection, "broken", True))]
    text = run(timed, "web01 -c qemu+unix:///system?socket=/none -i 1 4 -o json")
    assert len({tuple(report.items()) for report in totals(text)}) == 1
    assert text.count("virt-exitstat: ") == 1
    assert "; counting goes on with the domains that are known\n" in text


def test_a_domain_that_libvirt_tells_of_is_counted_at_once(world):
    """db01 starts in the middle of an interval: half of a second's exits are in its first report."""
    world.connect(WEB01, DB01)
    world.connection = connection = Flaky(world.connection)
    world.script(
        (0.5, world.end, DB01, 1200), (2.5, world.start, DB01, 2200, {0: 2201}), (2.5, lambda: connection.tell())
    )
    world.counts[Thread(2200, 2201)] = {12: 10}
    reports = totals(run(world, "-i 1 4 -o json"))
    assert [report.get(("db01", 2200)) for report in reports] == [None, None, 5, 10]


def test_a_domain_that_libvirt_no_longer_lists_is_counted_until_its_process_is_gone(world):
    world.script((1.5, lambda: world.connection.lookupByName("web01").destroy()), (3.5, world.host.end_process, 1100))
    world.counts = {Thread(1100, 1101): {12: 100}}
    reports = documents(run(world, "web01 -i 1 5 -o json"))
    assert [[(one["total"], one["ended"]) for one in report["domains"]] for report in reports] == [
        [(100, False)],
        [(100, False)],
        [(100, False)],
        [(0, True)],
        [],
    ]


# -- the ways out --


def test_ctrl_c_prints_the_last_partial_interval(world, golden):
    world.script((2.25, os.kill, os.getpid(), signal.SIGINT))
    golden("interval-ctrl-c", run(world, "db01 -i 1"))


def test_ctrl_c_before_the_first_interval_is_over_prints_what_there_is(world):
    world.script((0.5, os.kill, os.getpid(), signal.SIGTERM))
    assert [doc["seconds"] for doc in documents(run(world, "db01 -i 10 -o json"))] == [0.5]


def test_a_slow_report_shifts_no_later_one(world):
    """The second report is 2.3 s late: two are skipped, and the others are due at whole seconds."""
    world.script()
    late = iter([0, 2.3, 0, 0])
    snapshot = world.clock.utc

    def utc():
        world.clock.pass_by(next(late, 0))
        return snapshot()

    world.clock.utc = utc
    seconds = [report["time"][17:23] for report in documents(run(world, "db01 -i 1 7 -o json"))]
    assert seconds == ["01.000", "04.300", "05.000", "06.000", "07.000"]


@pytest.mark.parametrize("output", ["table", "wide", "json", "csv"])
def test_a_reader_that_goes_away_ends_the_run_at_the_next_report(world, output):
    reader, writer = os.pipe()
    world.script((2.5, os.close, reader))
    with contextlib.suppress(BrokenPipeError), open(writer, "w") as pipe:
        with contextlib.redirect_stdout(pipe), pytest.raises(BrokenPipeError):
            world.main("db01", "-i", "1", "-o", output)
        assert world.clock.monotonic_s() == 3
        assert (world.opened, world.attached) == (0, 0)


def test_each_report_is_in_the_pipe_as_soon_as_it_is_made(world):
    """So that jq and tee have it at once."""
    reader, writer = os.pipe()
    seen = []
    world.script(*((at_s, lambda: seen.append(os.read(reader, 1 << 16).count(b"\n"))) for at_s in (1.5, 2.5)))
    with open(reader), open(writer, "w") as pipe, contextlib.redirect_stdout(pipe):
        world.main("db01", "-i", "1", "3", "-o", "json")
    assert seen == [1, 1]


# -- files --


def test_a_log_takes_the_reports_and_is_appended_to(timed, tmp_path):
    log = tmp_path / "exits.csv"
    for _ in range(2):
        assert stdout(run(timed, f"db01 -o csv -i 1 2 --log {log}")) == ""
        timed.script()
    lines = log.read_bytes().decode().splitlines()
    assert len(lines) == 5 and sum(line.startswith("time,") for line in lines) == 1


def test_sighup_opens_the_log_anew(world, tmp_path):
    log, old = tmp_path / "exits.json", tmp_path / "exits.json.1"

    def rotate():
        log.rename(old)
        os.kill(os.getpid(), signal.SIGHUP)

    world.script((1.5, rotate))
    run(world, f"db01 -o json -i 1 3 --log {log}")
    assert [len(path.read_text().splitlines()) for path in (old, log)] == [1, 2]


def test_a_log_that_is_opened_anew_has_a_header_of_its_own(world, tmp_path):
    log, old = tmp_path / "exits.csv", tmp_path / "exits.csv.1"
    world.script((1.5, log.rename, old), (1.6, os.kill, os.getpid(), signal.SIGHUP))
    run(world, f"db01 -o csv -i 1 3 --log {log}")
    assert [[line.split(",")[0] == "time" for line in path.read_text().splitlines()] for path in (old, log)] == [
        [True, False],
        [True, False, False],
    ]


def test_sighup_without_a_log_ends_the_run(world):
    world.script((1.5, os.kill, os.getpid(), signal.SIGHUP))
    assert len(documents(run(world, "db01 -o json -i 1"))) == 2


def test_a_log_whose_directory_vanished_ends_the_run_with_one_error(world, tmp_path):
    (tmp_path / "log").mkdir()

    def vanish():
        (tmp_path / "log/exits").unlink()
        (tmp_path / "log").rmdir()
        os.kill(os.getpid(), signal.SIGHUP)

    world.script((1.5, vanish))
    text = run(world, f"db01 -i 1 3 --log {tmp_path}/log/exits")
    assert text.startswith("status 1")
    assert f"virt-exitstat: cannot open {tmp_path}/log/exits: No such file or directory\nhint: " in text


def test_a_log_that_cannot_be_opened_is_told_before_counting(timed):
    text = run(timed, "db01 -i 1 3 --log /nowhere/exits")
    assert text.startswith("status 1") and "counting exits of" not in text
    assert "virt-exitstat: cannot open /nowhere/exits: No such file or directory\nhint: " in text


def test_a_full_disk_under_the_log_ends_the_run_with_one_error(timed):
    text = run(timed, "db01 -i 1 3 --log /dev/full")
    assert text.startswith("status 1")
    assert "virt-exitstat: cannot write to /dev/full: No space left on device\nhint: " in text


def test_each_report_is_written_at_once(world, tmp_path):
    """What another process reads of the log in the middle of the run."""
    log, seen = tmp_path / "log", []
    world.script(*((at_s, lambda: seen.append(len(log.read_text().splitlines()))) for at_s in (0.5, 1.5, 2.5)))
    run(world, f"db01 -o json -i 1 3 --log {log}")
    assert seen == [0, 1, 2]


def test_odd_names_survive_csv(timed, golden):
    text = run(timed, f"-d {shlex.quote(ODD.name)} -o csv -i 1 1")
    assert re.search(r'"odd ""name"" \$\(id\) ü"', text)
    golden("odd-name-csv", text)
