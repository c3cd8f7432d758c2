"""resolve: what cannot be counted is left out of what can, and what is not there at all is a slip of the fingers."""

import shutil

import pytest

from fake_host import GUEST01, GUEST02
from virt_exitstat.domains import threads
from virt_exitstat.domains.resolve import LeftOut, resolve
from virt_exitstat.errors import ExitStatError, ExitStatus, NotFoundError, NotKvmError
from virt_exitstat.targets.selection import Selection
from virt_exitstat.targets.target import Domain


class Asks:
    """Stands in for the asker: answers at once, of a connection on which these domains run."""

    def __init__(self, *running):
        self.running = running

    def ask(self, question):
        return question(self)

    def listAllDomains(self, _flags):  # noqa: N802
        return [LibvirtDomain(domain) for domain in self.running]

    def getURI(self):  # noqa: N802
        return "qemu:///system"


class LibvirtDomain:
    def __init__(self, domain):
        self.name, self.UUIDString, self.ID = (lambda: domain.name), (lambda: domain.uuid), (lambda: domain.id)


@pytest.fixture()
def host(host):
    host.add_vcpus(100, {0: 101, 1: 102}, domain=GUEST01)
    host.add_vcpus(200, {0: 201}, domain=GUEST02)
    return host


@pytest.fixture()
def find(host):
    """Resolve options; what was found by label, the status, and what was noted."""

    def find(selection, asker=None, **more):
        notes = []
        found = resolve(
            selection, asker, host.run_dir, host.root, note=notes.append, left_out=LeftOut(notes.append), **more
        )
        labels = {target.label: target.pid for target in found.targets.targets}
        return labels, found.status, notes

    return find


# -- domains --


def test_of_all_domains_each_bad_one_is_left_out_with_a_note(host, find):
    others = [Domain(f"other{number}", f"55555555-5555-4555-8555-55555555555{number}", number) for number in range(3)]
    host.add_status_text("<domstatus", domain=others[0])
    host.add_vcpus(300, {0: 301}, domain=others[1])
    host.end_process(300)
    found, status, notes = find(Selection(), Asks(GUEST01, *others, GUEST02))
    assert (found, status) == ({"guest01": 100, "guest02": 200}, ExitStatus.OK)
    assert len(notes) == 3 and all(note.startswith("left out: ") for note in notes)


def test_a_domain_that_ends_while_it_is_looked_at_is_none_to_speak_of(host, find):
    host.end_process(200)
    asker = Asks(GUEST01, GUEST02)
    listed = asker.listAllDomains

    def list_once(flags):
        found, asker.running = listed(flags), [GUEST01]
        return found

    asker.listAllDomains = list_once
    assert find(Selection(), asker) == ({"guest01": 100}, ExitStatus.OK, [])


def test_a_named_one_that_is_bad_says_so_itself_and_the_rest_is_found(host, find):
    host.add_status_text("<domstatus", domain=GUEST01)
    found, status, notes = find(Selection(domains=("guest01", "guest02")), Asks(GUEST01, GUEST02))
    assert (found, status) == ({"guest02": 200}, ExitStatus.FAILURE)
    (note,) = notes
    assert "guest01.xml is not a complete status file" in note and "\nhint: " in note


def test_the_status_is_the_first_ones(host, find):
    third = Domain("third", "55555555-5555-4555-8555-555555555555", 3)
    host.add_vcpus(300, {0: 301}, domain=third)
    host.add_status(100, [(0, 101)], domain=GUEST01, domain_type="qemu")
    host.add_status_text("<domstatus", domain=GUEST02)
    for names, status in (
        (("guest01", "third", "guest02"), ExitStatus.NOT_FOUND),
        (("guest02", "guest01", "third"), ExitStatus.FAILURE),
    ):
        assert find(Selection(domains=names), Asks(GUEST01, GUEST02, third))[:2] == ({"third": 300}, status)


def test_when_none_is_left_the_first_error_is_raised(host, find):
    host.add_status(100, [(0, 101)], domain=GUEST01, domain_type="qemu")
    host.add_status_text("<domstatus", domain=GUEST02)
    asker = Asks(GUEST01, GUEST02)
    with pytest.raises(NotKvmError, match="guest01"):
        find(Selection(domains=("guest01", "guest02")), asker)
    # Of all domains, emulated ones are none of ours: what is wrong with the other one is told.
    with pytest.raises(ExitStatError, match="not a complete status file"):
        find(Selection(), asker)


def test_a_name_that_does_not_run_refuses_the_whole_line(find):
    with pytest.raises(NotFoundError, match="no running domain named 'guest0'"):
        find(Selection(domains=("guest0", "guest02")), Asks(GUEST01, GUEST02))


# -- processes and threads --


@pytest.fixture()
def hidden(host):
    """Process 200 cannot be looked into, not even by root."""
    descriptors = host.proc / "200/fd"
    shutil.rmtree(descriptors)
    descriptors.symlink_to(descriptors)
    with pytest.raises(ExitStatError, match="200"):
        threads.resolve_process(200, host.root)


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize(
    ("both", "alone"),
    [
        (Selection(pids=(200, 100)), Selection(pids=(200,))),
        (Selection(tids=(201, 101)), Selection(tids=(201,))),
    ],
    ids=["pids", "tids"],
)
def test_a_process_that_may_not_be_looked_into_is_left_out_of_others(find, both, alone):
    found, status, notes = find(both)
    assert (found, status) == ({"pid 100": 100}, ExitStatus.FAILURE)
    assert len(notes) == 1 and "200" in notes[0] and "\nhint: " in notes[0]
    with pytest.raises(ExitStatError, match="200"):
        find(alone)


def test_a_process_that_is_not_kvm_is_left_out_of_others(host, find):
    host.add_process(900, comm="bash", kvm=False)
    found, status, notes = find(Selection(pids=(100, 900)))
    assert (found, status) == ({"pid 100": 100}, ExitStatus.NOT_FOUND)
    assert len(notes) == 1 and "process 900 (bash) is not a KVM process\nhint: " in notes[0]


@pytest.mark.parametrize(
    "options", [Selection(pids=(100, 999)), Selection(tids=(101, 999)), Selection(pids=(100, 101))]
)
def test_a_number_that_no_process_has_refuses_the_whole_line(find, options):
    with pytest.raises(NotFoundError):
        find(options)


def test_threads_of_one_process_stay_one_target(find, host):
    found = resolve(Selection(tids=(102, 101)), None, None, host.root, note=pytest.fail, left_out=None).targets.targets
    assert [(target.pid, target.tids) for target in found] == [(100, frozenset((101, 102)))]
    assert find(Selection(tids=(102, 201, 101)))[0] == {"pid 100": 100, "pid 200": 200}


@pytest.mark.usefixtures("hidden")
def test_a_duration_is_no_pid_of_a_process_that_may_not_be_looked_into(find):
    """Process 1 of most hosts is such a one to most users, and 1 a common duration."""
    found, _, _ = find(Selection(pids=(100,)), duration_s=200.0)
    assert found == {"pid 100": 100}
