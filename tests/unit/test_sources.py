"""sources: libvirt says which domains run, and goes on saying so when its daemon was away."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import libvirt
import pytest

from fake_host import GUEST01, GUEST02
from virt_exitstat.clock import Clock
from virt_exitstat.domains.asker import Asker
from virt_exitstat.domains.resolve import LeftOut
from virt_exitstat.domains.sources import KnownTargets, RunningDomains
from virt_exitstat.targets.selection import Selection
from virt_exitstat.targets.target import Domain, Target, VCpu


class SteppedClock(Clock):
    """Shows what it is told to. A test that wants libvirt to be late makes the grace 0."""

    now_s, grace_s = 0.0, 600

    def monotonic_s(self):
        return self.now_s


class Libvirt:
    """A connection: what runs, or an error. `events` says that domains came or went."""

    def __init__(self, *running):
        self.running, self.dead, self.asked = list(running), False, 0
        self.answers = threading.Event()
        self.answers.set()

    def listAllDomains(self, _flags):  # noqa: N802
        self.asked += 1
        self.answers.wait()
        if self.dead:
            raise libvirt.libvirtError("no daemon")
        return [LibvirtDomain(domain) for domain in self.running]

    def domainEventRegisterAny(self, _domain, _event, callback, opaque):  # noqa: N802
        self.tell = lambda: callback(self, None, 0, 0, opaque)

        return 0

    def setKeepAlive(self, _every, _times):  # noqa: N802
        raise libvirt.libvirtError("not here")

    def domainEventDeregisterAny(self, _callback):  # noqa: N802
        raise libvirt.libvirtError("no daemon")

    def close(self):
        self.closed_in = threading.current_thread()


class LibvirtDomain:
    def __init__(self, domain):
        self.name, self.UUIDString, self.ID = (lambda: domain.name), (lambda: domain.uuid), (lambda: domain.id)


class Followed:
    """RunningDomains on a host made of files, and what came of it."""

    def __init__(self, host, *connections, options=None, named=None):
        """The last of the connections is opened again and again."""
        self.notes, self.clock, self.known = [], SteppedClock(), ()
        connections = list(connections)
        self.asker = Asker(
            lambda: connections.pop(0) if len(connections) > 1 else connections[0], where="here", watches=True
        )
        self.left_out = LeftOut(self.notes.append)
        self.source = RunningDomains(
            options or Selection(),
            named,
            self.asker,
            run_dir=host.run_dir,
            root=host.root,
            clock=self.clock,
            note=self.notes.append,
            left_out=self.left_out,
        )

    def find(self):
        self.known = self.source.find(self.known)
        return {target.label: target.pid for target in self.known}

    def wait(self):
        assert Clock().wait([self.source.fileno()], 600)


@pytest.fixture()
def two(host):
    host.add_vcpus(100, {0: 101}, domain=GUEST01)
    host.add_vcpus(200, {0: 201}, domain=GUEST02)
    return host


def test_all_domains_are_those_that_run_now(two):
    connection = Libvirt(GUEST01)
    followed = Followed(two, connection)
    assert followed.find() == {"guest01": 100}
    connection.running = [GUEST01, GUEST02]
    assert followed.find() == {"guest01": 100, "guest02": 200}
    connection.running = []
    assert followed.find() == {}


def age(host):
    """Let libvirt's status files be of before."""
    for path in host.run_dir.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_domain_whose_status_file_is_as_before_is_not_looked_up_again(two):
    followed = Followed(two, Libvirt(GUEST01, GUEST02))
    age(two)
    assert followed.find() == {"guest01": 100, "guest02": 200}
    before = followed.known
    # Nothing of the process is read: what it would be found by is gone.
    (two.proc / "100/cmdline").unlink()
    assert followed.find() == {"guest01": 100, "guest02": 200}
    assert followed.known == before


def test_a_vcpu_is_found_when_its_status_file_has_changed_however_quickly(two):
    followed = Followed(two, Libvirt(GUEST01))
    age(two)
    followed.find()
    for number in range(2, 6):
        two.add_thread(100, 100 + number, f"CPU {number - 1}/KVM")
        two.add_status(100, [(vcpu, 101 + vcpu) for vcpu in range(number)], domain=GUEST01)
        followed.find()
        assert len(followed.known[0].vcpus) == number


def test_a_vcpu_is_found_when_another_status_file_is_there_however_old(two):
    followed = Followed(two, Libvirt(GUEST01))
    age(two)
    followed.find()
    two.add_thread(100, 102, "CPU 1/KVM")
    two.add_status(100, [(0, 101), (1, 102)], domain=GUEST01)
    for path in two.run_dir.iterdir():
        os.utime(path, (1_000_000_001, 1_000_000_001))
    followed.find()
    assert len(followed.known[0].vcpus) == 2


def test_a_domain_whose_process_has_ended_is_looked_up_again(two):
    followed = Followed(two, Libvirt(GUEST01, GUEST02))
    age(two)
    followed.find()
    two.end_process(100)
    # As a session says it: the ended one is no longer among those that are known.
    followed.known = tuple(target for target in followed.known if target.pid != 100)
    assert followed.find() == {"guest02": 200}


def test_only_named_domains_are_found_also_defined_anew(two):
    by_name, by_uuid = (Selection(domains=(word,)) for word in ("guest01", GUEST01.uuid))
    named = Followed(two, Libvirt(GUEST01, GUEST02), options=by_name, named=[GUEST01])
    assert named.find() == {"guest01": 100}
    anew = Domain("guest01", "99999999-9999-4999-8999-999999999999", 7)
    two.add_vcpus(300, {0: 301}, domain=anew)
    assert Followed(two, Libvirt(anew), options=by_name, named=[GUEST01]).find() == {"guest01": 300}
    assert Followed(two, Libvirt(anew), options=by_uuid, named=[GUEST01]).find() == {}
    two.add_status(100, [(0, 101)], domain=GUEST01)
    assert Followed(two, Libvirt(GUEST01), options=by_uuid, named=[GUEST01]).find() == {"guest01": 100}


def test_an_event_makes_it_readable_until_it_is_asked(two):
    connection = Libvirt(GUEST01)
    followed = Followed(two, connection)
    followed.find()
    assert not Clock().wait([followed.source.fileno()], 0)
    for _ in range(100_000):  # more than fit into a pipe
        connection.tell()
    followed.wait()
    while Clock().wait([followed.source.fileno()], 0):
        followed.find()


def test_a_daemon_that_goes_and_comes_back_is_noted_once_each(two):
    old, new = Libvirt(GUEST01), Libvirt(GUEST01, GUEST02)
    new.dead = True
    followed = Followed(two, old, new)
    assert followed.find() == {"guest01": 100}
    old.dead = True
    for _ in range(3):
        assert followed.find() == {"guest01": 100}  # connected anew, and dead again
    new.dead = False
    for _ in range(2):
        assert followed.find() == {"guest01": 100, "guest02": 200}
        new.tell()  # the new connection is watched too
        followed.wait()
    assert len(followed.notes) == 2, followed.notes
    assert followed.notes[0].endswith("; counting goes on with the domains that are known")
    assert followed.notes[1] == "libvirt answers again"


def test_a_daemon_that_was_started_anew_between_two_looks_is_no_news(two):
    old, new = Libvirt(GUEST01), Libvirt(GUEST01, GUEST02)
    followed = Followed(two, old, new)
    followed.find()
    old.dead = True
    assert followed.find() == {"guest01": 100, "guest02": 200}
    assert followed.notes == []


@pytest.fixture()
def late(two):
    """Both run, guest01 is known, and libvirt is asked and does not answer until its `answers` is set."""
    connection = Libvirt(GUEST01)
    followed = Followed(two, connection)
    assert followed.find() == {"guest01": 100}
    connection.running.append(GUEST02)
    connection.answers.clear()
    followed.clock.grace_s = 0
    yield followed, connection
    connection.answers.set()


def test_what_is_known_stands_while_libvirt_does_not_answer_and_that_is_said_once(late):
    followed, connection = late
    for now_s in range(20):
        followed.clock.now_s = now_s
        assert followed.find() == {"guest01": 100}
        assert len(followed.notes) == (now_s > 3)
    assert followed.notes == ["libvirt has not answered for 3 s; counting goes on with the domains that are known"]
    connection.answers.set()
    followed.wait()
    assert followed.find() == {"guest01": 100, "guest02": 200}
    assert followed.notes[1:] == ["libvirt answers again"]


def test_an_answer_that_is_a_little_late_is_taken_when_it_is_there_and_nothing_is_said(late):
    followed, connection = late
    assert followed.find() == {"guest01": 100}
    connection.answers.set()
    followed.wait()
    assert followed.find() == {"guest01": 100, "guest02": 200}
    assert followed.notes == []
    assert not Clock().wait([followed.source.fileno()], 0), "an answer that was taken is told of"


def test_a_storm_of_events_while_libvirt_does_not_answer_is_one_more_question(late):
    followed, connection = late
    for _ in range(1000):
        connection.tell()
        followed.find()
    connection.running.remove(GUEST02)
    connection.answers.set()
    followed.wait()
    followed.find()
    followed.wait()  # what came after the question was asked
    followed.find()
    assert connection.asked == 3  # the first one, the late one, and the one more
    assert not Clock().wait([followed.source.fileno()], 0)


def test_a_known_domain_that_ends_while_libvirt_does_not_answer_is_gone(late, two):
    followed, _ = late
    followed.find()
    two.end_process(100)
    assert followed.find() == {}


def test_what_ends_while_the_daemon_is_away_is_gone(two):
    connection = Libvirt(GUEST01, GUEST02)
    followed = Followed(two, connection)
    followed.find()
    connection.dead = True
    two.end_process(100)
    assert followed.find() == {"guest02": 200}


def test_a_domain_without_a_record_is_given_time_before_it_is_noted(two):
    starting = Domain("starting", "99999999-9999-4999-8999-999999999999", 3)
    followed = Followed(two, Libvirt(GUEST01, starting))
    for now_s in (0, 0.001, 4):
        followed.clock.now_s = now_s
        assert followed.find() == {"guest01": 100} and followed.notes == []
    for now_s in (6, 7, 100):
        followed.clock.now_s = now_s
        followed.find()
    (note,) = followed.notes
    assert note.startswith("left out: libvirt has no status file of domain 'starting'")
    two.add_vcpus(300, {0: 301}, domain=starting)
    assert followed.find() == {"guest01": 100, "starting": 300}


def test_nothing_is_kept_of_domains_that_came_and_went(two):
    connection = Libvirt(GUEST01)
    followed = Followed(two, connection)
    for number in range(20):
        emulated, broken = (Domain(f"{kind}{number}", f"{kind}-{number}", number) for kind in ("emulated", "broken"))
        two.add_status(1, [], domain=emulated, domain_type="qemu")
        connection.running = [GUEST01, emulated, broken]
        for now_s in (20 * number, 20 * number + 10):
            followed.clock.now_s = now_s
            assert followed.find() == {"guest01": 100}
    assert len(followed.notes) == 40
    connection.running = [GUEST01]
    followed.find()
    source = followed.source
    assert not (source._emulated or source._unresolved_since or followed.left_out._said)


def test_a_named_domain_that_was_bad_at_the_start_is_said_once_and_found_when_it_is_mended(two):
    two.add_status_text("<domstatus", domain=GUEST01)
    names = Selection(domains=("guest01", "guest02"))
    followed = Followed(two, Libvirt(GUEST01, GUEST02), options=names, named=[GUEST01, GUEST02])
    followed.left_out.say(GUEST01, "as resolve() does")
    for now_s in (0, 6, 12):
        followed.clock.now_s = now_s
        assert followed.find() == {"guest02": 200}
    assert followed.notes == ["as resolve() does"]
    two.add_status(100, [(0, 101)], domain=GUEST01)
    assert followed.find() == {"guest01": 100, "guest02": 200}
    # Bad again is news.
    two.add_status_text("<domstatus", domain=GUEST01)
    for now_s in (20, 26):
        followed.clock.now_s = now_s
        followed.find()
    assert len(followed.notes) == 2


def test_an_emulated_domain_is_left_out_and_noted_once(two):
    two.add_status(200, [(0, 201)], domain=GUEST02, domain_type="qemu")
    followed = Followed(two, Libvirt(GUEST01, GUEST02))
    for _ in range(3):
        assert followed.find() == {"guest01": 100}
    assert len(followed.notes) == 1 and followed.notes[0].startswith("left out: domain 'guest02' runs without KVM")


def test_known_targets_get_the_vcpus_they_have_now(two):
    two.add_thread(100, 102, "CPU 1/KVM")
    two.add_status(100, [(0, 101), (1, 102)], domain=GUEST01)
    (target,) = KnownTargets(two.run_dir, two.root).find([Target(100, (VCpu(0, 101),), GUEST01)])
    assert target.vcpus == (VCpu(0, 101), VCpu(1, 102))
    two.end_process(100)
    assert KnownTargets(two.run_dir, two.root).find([target]) == ()


# libvirt's event loop is one for the process and cannot be taken away again: this gets a process of its own.
EVENTS = """
import os, select, libvirt
from virt_exitstat.domains import libvirtd
reader, writer = os.pipe()
for _ in range(2):
    libvirtd._run_event_loop()
connection = libvirt.open("test:///default")
libvirtd.watch_domains(connection, lambda: os.write(writer, b"x"))
assert not select.select([reader], [], [], 0)[0]
connection.lookupByName("test").destroy()
assert select.select([reader], [], [], 600)[0]
print("told")
"""


def test_libvirts_own_events_arrive():
    lib = Path(__file__).resolve().parents[2] / "lib"
    done = subprocess.run(
        [sys.executable, "-c", EVENTS],
        env={**os.environ, "PYTHONPATH": str(lib)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "told\n", "")
