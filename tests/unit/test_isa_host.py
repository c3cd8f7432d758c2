"""isa/host: a host's ISA comes with all names that its reports can show, as far as they can be read."""

import os
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.files import AbsentFileError, HostFileError
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.host import check_kvm, host_isa, read_event_format
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


# -- arm64 --


@pytest.fixture()
def arm(host):
    host.add_file("proc/sys/kernel/arch", "aarch64\n")
    host.add_file(EVENT, (Path(__file__).parent / "data/kvm_exit.format.arm64.sid").read_text())
    return host


def test_the_machine_tells_arm64(arm):
    assert host_isa(arm.root) == ARM64
    # Its CPUs have no flags that would tell more.
    arm.add_file("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n")
    assert host_isa(arm.root) == ARM64


def test_a_kernel_before_6_1_is_asked_for_its_machine_by_uname(arm):
    (arm.root / "proc/sys/kernel/arch").unlink()
    arm.add_file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx\n")
    assert (host_isa(arm.root) == ARM64) == (os.uname().machine == "aarch64")


def test_a_reason_that_only_an_arm64_kernel_knows_has_its_name(arm):
    text = (arm.root / EVENT).read_text()
    arm.add_file(EVENT, text.replace('"ERET" }', '"ERET" }, { (((0x3eUL))), "newest" }'))
    assert host_isa(arm.root).reasons.name_of(0x3E) == "NEWEST"


def test_an_arm64_kernel_without_the_event_has_no_kvm_that_could_be_loaded(arm):
    (arm.root / EVENT).unlink()
    arm.add_file("sys/kernel/tracing/events/sched/sched_switch/format", "name: sched_switch\n")
    with refuses(ExitStatError, "built without KVM") as caught:
        read_event_format(ARM64, arm.root)
    assert "modprobe" not in caught.value.hint and "CONFIG_KVM" in caught.value.hint


@pytest.mark.parametrize("shown", ["dev/kvm", "sys/devices/virtual/misc/kvm/uevent"])
def test_either_device_file_shows_that_kvm_can_run(arm, shown):
    """A unit with PrivateDevices= sees no /dev/kvm."""
    arm.add_file(shown, "")
    check_kvm(ARM64, arm.root)


@pytest.mark.parametrize("cmdline", [None, "", "quiet kvm-arm.mode=nvhe\n", "kvm-arm.mode=none kvm-arm.mode=nvhe"])
def test_kvm_that_is_built_in_and_cannot_run_is_told(arm, cmdline):
    """The kernel was not started at EL2; the event is there nonetheless."""
    if cmdline is not None:
        arm.add_file("proc/cmdline", cmdline)
    with refuses(ExitStatError, "KVM cannot run on this host: there is no /dev/kvm") as caught:
        check_kvm(ARM64, arm.root)
    assert "EL2" in caught.value.hint


@pytest.mark.parametrize("cmdline", ["kvm-arm.mode=none\n", "kvm-arm.mode=nvhe quiet kvm-arm.mode=none ro"])
def test_kvm_that_is_switched_off_is_told(arm, cmdline):
    arm.add_file("proc/cmdline", cmdline)
    with refuses(ExitStatError, "switched off", "kvm-arm.mode=none") as caught:
        check_kvm(ARM64, arm.root)
    assert "command line" in caught.value.hint


def test_x86_has_kvm_in_modules_and_no_device_is_asked_for(amd):
    check_kvm(SVM, amd.root)


def test_a_host_whose_cpus_are_not_known_is_refused(host):
    with refuses(AbsentFileError, "cpuinfo is missing"):
        host_isa(host.root)
