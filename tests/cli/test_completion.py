"""What --complete offers to a shell, and that nothing else is ever said there."""

import shlex

import pytest
from fake_world import DB01, KVM_EXIT, WEB01

from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

CPUINFO = "processor\t: 0\nflags\t\t: fpu vme {}\n"


def offered(world, line):
    status, _, rest = world.run(*shlex.split(line)).partition("\n--- stdout\n")
    words, _, errors = rest.partition("--- stderr\n")
    assert (status, errors) == ("status 0 OK", "")
    return words.splitlines()


def test_domains_are_the_running_ones(world):
    assert offered(world, "--complete domains") == ["42", "db01", 'odd "name" $(id) ü', "web01"]


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("web01", ["0", "1"]),
        ("-d db01", ["0"]),
        ("web01 db01", ["0"]),
        ("", ["0", "1"]),
        ("no-such", []),
        ("--pid 1100", ["0", "1"]),
    ],
)
def test_vcpus_are_those_that_vcpu_takes_for_the_domains_given(world, line, numbers):
    world.connect(WEB01, DB01, vcpus={WEB01: 2})
    assert offered(world, f"{line} --complete vcpus") == numbers


def test_reasons_are_those_of_this_hosts_isa(world):
    world.host.add_file("proc/cpuinfo", CPUINFO.format("svm"))
    assert offered(world, "--complete reasons") == sorted(set(SVM.reasons.names.values()))
    world.host.add_file("proc/cpuinfo", CPUINFO.format("vmx"))
    assert offered(world, "--complete reasons") == sorted(set(VMX.reasons.names.values()))
    world.host.add_file("proc/sys/kernel/arch", "aarch64\n")
    assert offered(world, "--complete reasons") == sorted(set(ARM64.reasons.names.values()))


@pytest.mark.parametrize("flags", ["sse", None])
def test_reasons_are_those_of_all_where_the_isa_is_not_known(world, flags):
    if flags:
        world.host.add_file("proc/cpuinfo", CPUINFO.format(flags))
    names = {name for isa in ISAS for name in isa.reasons.names.values()}
    assert {"IOIO", "IO_INSTRUCTION", "WFX"} <= names
    assert offered(world, "--complete reasons") == sorted(names)


def test_words_are_what_about_knows(world):
    words = offered(world, "--complete words")
    assert {"HLT", "IOIO", "serial-console", "TSC_DEADLINE", "x2APIC EOI", "HPET"} <= set(words)
    assert len(words) == len(set(words))
    for word in words:
        assert world.run("--about", word).startswith("status 0 OK\n"), word


def test_reasons_include_those_that_only_the_running_kernel_knows(world):
    world.run_newer_kernel()
    assert offered(world, "--complete reasons") == sorted({*VMX.reasons.names.values(), "OF_A_NEWER_KERNEL"})


def test_reasons_are_offered_where_the_kernels_own_cannot_be_read(world):
    world.run_newer_kernel()
    event = world.root / KVM_EXIT
    event.unlink()
    event.mkdir()
    assert offered(world, "--complete reasons") == sorted(set(VMX.reasons.names.values()))
    world.host.add_file("proc/sys/kernel/arch", "aarch64\n")
    assert offered(world, "--complete reasons") == sorted(set(ARM64.reasons.names.values()))


def test_pids_are_those_of_kvm_processes(world):
    world.host.add_process(1500, comm="bash", kvm=False)
    assert offered(world, "--complete pids") == ["1100", "1200", "1300", "1400"]


@pytest.mark.parametrize("line", ["--complete nonsense", "--complete", "--complete domains --vcpu", "--complete= -x"])
def test_a_line_that_is_wrong_is_met_with_silence(world, line):
    assert offered(world, line) == []


def test_a_libvirt_that_fails_is_met_with_silence(world):
    world.connection.close()
    world.connection = None  # the real one, which is asked at an address that is none
    assert offered(world, "-c qemu+unix:///system?socket=/none --complete domains") == []


class Spy:
    """A connection, and whether it was asked to tell of events."""

    is_watched = False

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def domainEventRegisterAny(self, *_):  # noqa: N802
        self.is_watched = True
        return 0


def test_a_line_with_an_interval_has_no_domain_watched_while_it_is_completed(world):
    world.connection = Spy(world.connection)
    assert "web01" in offered(world, "-i 1 --complete domains")
    assert not world.connection.is_watched
    world.run("web01", "-i", ".01", "--count", "1")
    assert world.connection.is_watched
