"""Command lines and what the user sees: a line here, a golden file each. `make golden` rewrites them."""

import shlex

import pytest
from fake_world import DB01, WEB01

from virt_exitstat.snapshot import Lost, Thread

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
    "list": "--list",
    "list-one": "--list web01",
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
    "pid-no-number": "--pid web01 .01",
    "pid-not-running": "--pid 9999 .01",
    "tid-not-running": "--tid 9999 .01",
    "pid-and-domain": "web01 --pid 1100 .01",
    "tid-and-vcpu": "--tid 1101 --vcpu 0 .01",
    "unknown-option": "--frobnicate",
    "option-without-value": "web01 --vcpu",
    "escapes-in-name": r"'evil\x1b[2Jname' .01",
}


@pytest.mark.parametrize("name", REPORTS)
def test_report(world, golden, name):
    text = world.run(*shlex.split(REPORTS[name]))
    assert text.startswith("status 0 OK\n")
    assert all(len(line) < 80 for line in text.splitlines())
    golden(name, text)


@pytest.mark.parametrize("name", FAILURES)
def test_failure(world, golden, name):
    text = world.run(*(word.encode().decode("unicode_escape") for word in shlex.split(FAILURES[name])))
    assert not text.startswith("status 0")
    assert "--- stdout\n--- stderr\nvirt-exitstat: " in text and "\nhint: " in text
    golden(name, text)


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
