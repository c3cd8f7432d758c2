"""Command lines and what the user sees: a line here, a golden file each. `make golden` rewrites them."""

import json
import re
import shlex

import pytest
from fake_world import DB01, WEB01

from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.domains import libvirtd
from virt_exitstat.targets.target import Domain

REPORTS = {
    "collapsed": "web01 .01",
    "one-vcpu": "web01 --vcpu 0 .01",
    "vcpu-list": "web01 --vcpu 0-1 .01",
    "per-vcpu": "web01 --per-vcpu .01",
    "per-vcpu-short": "-a web01 db01 .01",
    "two-domains": "db01 web01 .01",
    "every-domain": ".01",
    "every-domain-per-vcpu": "--per-vcpu .01",
    "by-uuid": "22222222-2222-4222-8222-222222222222 .01",
    "by-id": "2 .01",
    "same-domain-twice": "db01 2 .01",
    "name-is-a-number": "-d 42 .01",
    "domain-option-repeated": "-d 42 --domain db01 .01",
    "odd-name": """'odd "name" $(id) ü' .01""",
    "pid": "--pid 1100 .01",
    "pid-vcpu": "-p 1100 --vcpu 1 .01",
    "pid-per-vcpu": "-p 1100 -a .01",
    "all-processes": "-p all .01",
    "tid": "-t 1102 .01",
    "tids": "--tid 1101,1102,1201 .01",
    "tids-per-vcpu": "--tid 1101,1102 -a .01",
    "json": "web01 db01 -o json .01",
    "json-total-top": "web01 db01 -o json --total -n 1 .01",
    "json-pid": "--pid 1100 -o json .01",
    "csv": "-o csv .01",
    "csv-total-top": "web01 db01 --output csv --total --top 1 .01",
    "csv-no-header": "db01 -o csv --no-header .01",
    "csv-pid": "--pid 1200 -o csv .01",
    "wide": "web01 -d 42 -o wide .01",
    "wide-total": "web01 db01 -o wide --total .01",
    "wide-no-header": "web01 -o wide --no-header .01",
    "no-header": "web01 db01 --no-header .01",
    "top": "web01 -n 2 .01",
    "top-per-vcpu": "web01 -a --top 1 .01",
    "sort-name": "web01 --sort name .01",
    "sort-rate": "web01 --sort rate .01",
    "sort-name-top": "web01 -s name -n 3 .01",
    "time": "web01 --time .01",
    "time-per-vcpu": "-T -a web01 db01 .01",
    "time-every-domain-total": "-T --total .01",
    "time-sorted": "web01 -T -s time .01",
    "time-sorted-top": "web01 -T -s time -n 2 .01",
    "time-without-idle": "web01 -T -r '!HLT' .01",
    "time-json": "web01 -T -o json .01",
    "time-json-total-top": "web01 db01 -T -o json --total -n 1 .01",
    "time-csv": "web01 -T -o csv .01",
    "time-wide": "web01 -T -o wide -n 1 .01",
    "detail": "web01 db01 --detail .01",
    "detail-per-vcpu-top": "web01 -D -a -n 1 .01",
    "detail-time": "web01 db01 -D -T .01",
    "detail-reason": "web01 -D -r MSR_WRITE,HLT .01",
    "detail-json": "db01 --detail -o json .01",
    "detail-time-json-top": "web01 -DT -o json --total -n 1 .01",
    "detail-csv": "web01 db01 -D -o csv .01",
    "detail-wide": "web01 -D -T -o wide -n 1 .01",
    "explain": "--explain web01 db01 .01",
    "explain-pid": "--explain --pid 1200 .01",
    "explain-json": "--explain db01 -o json .01",
    "about-all": "--about",
    "about-reason": "--about ioio",
    "about-rule": "--about serial-console",
    "about-msr": "--about 0x6e0",
    "about-leaf": "--about leaf 0xd",
    "about-name": "--about 'serial 1'",
    "min-count": "web01 --min-count 1500 .01",
    "min-count-none": "web01 --min-count 999999 .01",
    "reason": "web01 --reason hlt .01",
    "reasons": "web01 -r HLT,msr_write -r 0x47 .01",
    "reason-without": "web01 -r '!HLT' .01",
    "reasons-without-json": "web01 -r '!hlt,!msr_write' -r '!0x47' -o json .01",
    "reason-unknown-to-all": "web01 -r 'UNKNOWN(0x47)' .01",
    "reason-that-did-not-occur": "web01 -r VMCALL .01",
    "total": "web01 db01 --total .01",
    "total-pids": "-p 1100,1200 --total .01",
    "list": "--list",
    "list-one": "--list web01",
    "list-no-header": "--list --no-header",
    "list-pid": "--list --pid 1100",
    "list-vcpu": "--list web01 --vcpu 1",
}

FAILURES = {
    "no-such-domain": "web1 .01",
    "no-such-domain-no-suggestion": "zzz .01",
    "no-such-uuid": "99999999-9999-4999-8999-999999999999 .01",
    "no-such-id": "77 .01",
    "not-running": "idle01 .01",
    "no-such-vcpu": "web01 --vcpu 0,3 .01",
    "vcpu-no-number": "web01 --vcpu x .01",
    "vcpu-backwards": "web01 --vcpu 3-1 .01",
    "vcpu-empty": "web01 --vcpu '' .01",
    "vcpu-without-domain": "--vcpu 0 .01",
    "duration-zero": "web01 0",
    "duration-negative": "web01 -5",
    "duration-too-long": "web01 99999999999",
    "duration-not-last": "10 web01",
    "duration-with-unit": "web01 5s",
    "duration-in-minutes": "web01 2min",
    "duration-with-comma": "web01 10,5",
    "interval-with-unit": "web01 -i 5s",
    "name-in-capitals": "WEB01 .01",
    "pids-without-comma": "--pid 1100 1200",
    "pids-without-commas": "--pid 1100 1200 1300",
    "pid-and-unit": "--pid 1100 5s",
    "tids-without-comma": "--tid 1101 1102",
    "vcpu-without-any-domain": "-p all --vcpu 0 .01",
    "pid-no-number": "--pid web01 .01",
    "pid-not-running": "--pid 9999 .01",
    "tid-not-running": "--tid 9999 .01",
    "pid-and-domain": "web01 --pid 1100 .01",
    "tid-and-vcpu": "--tid 1101 --vcpu 0 .01",
    "unknown-option": "--frobnicate",
    "live-and-format": "-L -o json",
    "live-and-list": "-L --list",
    "live-and-top": "-L -n 3 web01",
    "live-longer-than-duration": "-L -i 5 2",
    "option-without-value": "web01 --vcpu",
    "reason-unknown": "web01 --reason HTL .01",
    "reason-part-of-a-name": "web01 --reason ept .01",
    "reason-nonsense": "web01 --reason qqqqq .01",
    "reason-empty": "web01 --reason '' .01",
    "reason-without-and-with": "web01 -r 'HLT,!MSR_WRITE' .01",
    "reason-without-unknown": "web01 -r '!HTL' .01",
    "reason-without-nothing": "web01 -r '!' .01",
    "sort-unknown": "web01 --sort share .01",
    "sort-time-without-time": "web01 --sort time .01",
    "time-and-list": "--list --time",
    "detail-and-list": "--list --detail",
    "explain-and-list": "--explain --list",
    "explain-and-live": "web01 --explain --live",
    "explain-interval": "web01 --explain -i 1",
    "explain-csv": "web01 --explain -o csv .01",
    "explain-reason": "web01 --explain -r HLT .01",
    "explain-unknown-domain": "--explain nosuch .01",
    "about-nosuch": "--about nosuch",
    "about-mistyped": "--about TSC_DEADLIN",
    "about-escapes": r"--about '\x1b[2J'",
    "about-with-output": "--about HLT -o json",
    "about-and-domain": "-d web01 --about HLT",
    "output-unknown": "web01 -o xml .01",
    "interval-zero": "web01 -i 0",
    "interval-negative": "web01 -i -1",
    "interval-no-number": "web01 -i soon",
    "interval-longer-than-duration": "web01 -i 10 5",
    "count-without-interval": "web01 --count 3",
    "count-zero": "web01 -i 1 --count 0",
    "top-zero": "web01 --top 0 .01",
    "min-count-no-number": "web01 --min-count many .01",
    "log-in-no-directory": "web01 --log /nowhere/log .01",
    "list-and-json": "--list -o json",
    "prometheus-and-top": "-o prometheus --top 3 .01",
    "prometheus-and-reason": "-o prometheus -r HLT .01",
    "prometheus-and-detail": "-o prometheus -D .01",
    "prometheus-interval-without-file": "-o prometheus -i 1 5",
    "prometheus-file-without-interval": "-o prometheus --log x.prom .01",
    "prometheus-histogram-without-time": "-o prometheus --histogram .01",
    "histogram-without-prometheus": "web01 -T --histogram .01",
    "listen-and-duration": "--listen 19969 10",
    "listen-and-format": "--listen 19969 -o json",
    "listen-and-prometheus": "--listen 19969 -o prometheus",
    "listen-and-interval": "--listen 19969 -i 1",
    "listen-and-top": "--listen 19969 -n 3",
    "listen-and-live": "--listen 19969 -L",
    "listen-at-a-name": "--listen localhost:19969",
    "listen-at-no-port": "--listen 127.0.0.1",
    "listen-at-a-port-too-high": "--listen 65536",
    "listen-at-another-host": "--listen 192.0.2.1:19969",
    "listen-for-no-such-domain": "--listen 0 web1",
    "escapes-in-name": r"'evil\x1b[2Jname' .01",
}


@pytest.mark.parametrize("name", REPORTS)
def test_report(world, golden, name):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    text = without_time(world.run(*shlex.split(REPORTS[name])))
    assert text.startswith("status 0 OK\n")
    if not re.search("wide|csv|json", name):
        assert all(len(line) < 80 for line in text.splitlines())
    golden(name, text)


def without_time(text):
    """The text with the same date and time at any time."""
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "YYYY-MM-DDThh:mm:ss.sssZ", text)


@pytest.mark.parametrize("name", FAILURES)
def test_failure(world, golden, name):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    text = world.run(*(word.encode().decode("unicode_escape") for word in shlex.split(FAILURES[name])))
    assert not text.startswith("status 0")
    assert "--- stdout\n--- stderr\nvirt-exitstat: " in text and "\nhint: " in text
    golden(name, text)


def test_a_name_that_only_the_running_kernel_has_is_shown_and_found(world, golden):
    world.run_newer_kernel()
    golden("reason-of-a-newer-kernel", world.run("web01", "-r", "of_a_newer_kernel,HLT", ".01"))


@pytest.mark.parametrize("newer", [False, True], ids=["no kernel's names", "a newer kernel's names"])
def test_every_name_that_a_report_shows_is_one_that_reason_takes(world, newer):
    world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
    if newer:
        world.run_newer_kernel()
    names = [row["name"] for row in reasons_of(world.run("web01", "-o", "json", ".01"))]
    assert ("OF_A_NEWER_KERNEL" if newer else "UNKNOWN(0x47)") in names
    for name in names:
        (row,) = reasons_of(world.run("web01", "-o", "json", "-r", name, ".01"))
        assert row["name"] == name


def reasons_of(text):
    """The rows of the first domain of a report in JSON."""
    return json.loads(text.partition("--- stdout\n")[2].partition("--- stderr\n")[0])["domains"][0]["reasons"]


def test_without_duration_ctrl_c_ends_the_count_with_a_report(world, golden):
    world.press_ctrl_c = True
    golden("until-ctrl-c", world.run("web01"))


def test_lost_exits_are_reported(world, golden):
    world.lost = Lost(no_row=300, no_reason=2, recursion=1)
    golden("lost", world.run("db01", ".01"))


def test_a_domain_that_ends_while_counting_is_reported(world, golden):
    world.before_reading = lambda: world.host.end_process(1100)
    golden("ended", world.run("web01", ".01"))


def test_a_vcpu_plugged_in_while_counting_is_named(world, golden):
    def plug():
        world.host.add_thread(1100, 1103, "CPU 2/KVM")
        world.host.add_status(1100, [(0, 1101), (1, 1102), (2, 1103)], domain=WEB01)
        world.counts[Thread(1100, 1103)] = {12: 77}

    world.before_reading = plug
    golden("plugged-in", world.run("web01", "-a", ".01"))


def test_a_thread_that_cannot_be_named_is_shown_by_its_ids(world, golden):
    world.counts[Thread(1100, 1199)] = {12: 77}
    golden("unnamed", world.run("web01", "-a", ".01"))


def test_no_running_domain_is_said(world, golden):
    world.connect()
    text = world.run(".01")
    golden("no-domain-runs", text.replace(str(world.root), "ROOT"))


def test_a_stale_record_is_said(world, golden):
    world.host.end_process(1200)
    golden("stale", world.run("db01", ".01").replace(str(world.root), "ROOT"))


def test_an_emulated_domain_is_left_out_of_all_and_refused_by_name(world, golden):
    world.host.add_status(1200, [(0, 1201)], domain=DB01, domain_type="qemu")
    golden("emulated-left-out", world.run(".01"))
    golden("emulated-refused", world.run("db01", ".01"))


def break_record(world, domain):
    (world.host.run_dir / f"{domain.name}.xml").write_text("<domstatus pid='1")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bad-left-out-of-all", ".01"),
        ("bad-left-out-of-list", "--list"),
        ("bad-left-out-of-intervals", "-i .01 --count 2 -o csv"),
        ("bad-named-with-another", "web01 db01 .01"),
        ("bad-named-alone", "db01 .01"),
        ("bad-named-in-list", "--list db01 web01"),
    ],
)
def test_one_bad_domain_is_left_out_of_what_can_be_counted(world, golden, name, line):
    """Among all it gets a note; when it was named its own error, and its status at the end."""
    world.connect(WEB01, DB01)
    break_record(world, DB01)
    text = world.run(*shlex.split(line)).replace(str(world.root), "ROOT")
    assert "ROOT/run/libvirt/qemu/db01.xml is not a complete status file" in text
    golden(name, without_time(without_seconds(text)))


def without_seconds(text):
    return re.sub(r"(?<=sssZ,)[0-9.]+", "SECONDS", text)


@pytest.mark.parametrize("line", [".01", "--list", "web01 db01 .01"])
def test_when_no_domain_is_left_the_first_error_is_told(world, line):
    world.connect(WEB01, DB01)
    for domain in (WEB01, DB01):
        break_record(world, domain)
    text = world.run(*shlex.split(line))
    assert text.startswith("status 1 FAILURE\n--- stdout\n--- stderr\nvirt-exitstat: ")
    assert "is not a complete status file of libvirt\nhint: " in text


@pytest.mark.parametrize("name", ["../web01", "a/b", "x\0y", "two\nlines", "\x1b[2J", "."])
def test_a_domain_with_a_hostile_name_is_left_out(world, name):
    """libvirt itself allows few of these names; another libvirt may."""
    hostile = Domain(name, "55555555-5555-4555-8555-555555555555", 9)
    running = libvirtd.running_domains(world.connection)
    world.connection = RunsAlso(world.connection, hostile)
    assert len(libvirtd.running_domains(world.connection)) == len(running) + 1
    text = world.run("--list")
    assert text.startswith("status 0 OK\n") and "web01" in text
    assert "virt-exitstat: left out: " in text
    assert all(line.isprintable() for line in text.splitlines())


class RunsAlso:
    """A connection on which one more domain runs."""

    def __init__(self, connection, domain):
        self._connection, self._domain = connection, domain

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def listAllDomains(self, flags):  # noqa: N802
        return [*self._connection.listAllDomains(flags), self]

    def name(self):
        return self._domain.name

    def UUIDString(self):  # noqa: N802
        return self._domain.uuid

    def ID(self):  # noqa: N802
        return self._domain.id
