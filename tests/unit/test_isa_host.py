"""isa/host: a host's ISA comes with all names that its reports can show, as far as they can be read."""

from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.files import AbsentFileError, HostFileError
from virt_exitstat.isa.host import host_isa, read_event_format
from virt_exitstat.isa.svm import SVM

EVENT = "sys/kernel/tracing/events/kvm/kvm_exit/format"
FORMAT = (Path(__file__).parent / "data/kvm_exit.format.sid").read_text()
NEWER = FORMAT.replace('"npf" }', '"npf" }, { 0x40aull, "newest" }')


@pytest.fixture()
def amd(host):
    host.add_file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu svm\n")
    return host


def test_a_reason_that_only_the_running_kernel_knows_has_its_name(amd):
    amd.add_file(EVENT, NEWER)
    isa = host_isa(amd.root)
    assert (isa.reasons.name_of(0x40A), isa.reasons.name_of(0x72)) == ("NEWEST", "CPUID")
    assert (isa.name, isa.reasons.ranges, isa.reasons.mask) == ("SVM", SVM.reasons.ranges, SVM.reasons.mask)


def test_debugfs_will_do(amd):
    amd.add_file(EVENT.replace("tracing", "debug/tracing"), NEWER)
    assert host_isa(amd.root).reasons.name_of(0x40A) == "NEWEST"


@pytest.mark.parametrize("text", [None, "", "no format at all { 1, "])
def test_without_the_kernels_names_ours_serve(amd, text):
    if text is not None:
        amd.add_file(EVENT, text)
    assert host_isa(amd.root) == SVM


def test_a_format_that_cannot_be_read_leaves_our_names(amd):
    (amd.root / EVENT).mkdir(parents=True)
    with refuses(HostFileError, "Is a directory"):
        read_event_format(SVM, amd.root)
    assert host_isa(amd.root) == SVM


def test_the_hint_names_the_module_of_this_hosts_isa(amd):
    amd.add_file("sys/kernel/tracing/events/sched/sched_switch/format", "name: sched_switch\n")
    with refuses(ExitStatError, "KVM is not loaded") as caught:
        read_event_format(SVM, amd.root)
    assert caught.value.hint == "load it with 'modprobe kvm_amd'"


def test_a_host_whose_cpus_are_not_known_is_refused(host):
    with refuses(AbsentFileError, "cpuinfo is missing"):
        host_isa(host.root)
