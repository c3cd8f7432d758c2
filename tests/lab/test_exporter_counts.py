"""What --listen serves is what KVM has counted, of domains that come and go, plugged vCPUs, and bare processes."""

import os
import signal
from pathlib import Path

import pytest

from exporter_process import Exporter
from kvm_host import Witness, programs_loaded, start_libvirtd, stop_libvirtd, virsh, wait_until, work_for
from scraping import Scrape

CPUIDS = 23000


@pytest.fixture()
def exporter():
    """Starts exporters, which end by SIGTERM behind the test and leave nothing behind."""
    started = []

    def start(*arguments):
        started.append(Exporter(*arguments))
        return started[-1]

    yield start
    try:
        assert [one.stop()[0] for one in started] == [0] * len(started)
        assert not programs_loaded()
    finally:
        for one in started:
            one.kill()


def scrape(exporter):
    return Scrape(exporter.fetch())


def wait_for_life(exporter, witness):
    """Until a domain's life is served; its pid."""
    pid = witness.pid()
    wait_until(lambda: pid in scrape(exporter).pids, f"{witness.name} is served")
    return pid


def exits_by_vcpu(exporter, pid):
    """{vCPU: exits} of a domain."""
    exits = {}
    for (_reason, vcpu), count in scrape(exporter).of(pid, "kvm_exits_total").items():
        exits[int(vcpu)] = exits.get(int(vcpu), 0) + count
    return exits


def test_a_domain_that_comes_back_begins_at_0_and_a_vcpu_plugged_in_is_served_by_its_number(suspended, exporter):
    (guest02,) = suspended("guest02")
    before, pid = guest02.exits_by_vcpu(), guest02.pid()
    served = exporter("--per-vcpu")
    work_for([guest02])
    after = guest02.exits_by_vcpu()
    assert exits_by_vcpu(served, pid) == {vcpu: after[vcpu] - before[vcpu] for vcpu in after}
    virsh("destroy", "guest02")
    wait_until(lambda: pid not in scrape(served).pids, "the life that ended is served no more")
    virsh("start", "guest02", "--paused")
    guest02 = Witness("guest02")
    pid = wait_for_life(served, guest02)
    assert exits_by_vcpu(served, pid) == {} and scrape(served).vcpus(pid) == 1
    virsh("resume", "guest02")
    virsh("setvcpus", "guest02", "2", "--live")
    wait_until(lambda: guest02.exits_by_vcpu().get(1, 0) > 1000, "vCPU 1 works")
    virsh("suspend", "guest02")
    after = guest02.exits_by_vcpu()
    assert exits_by_vcpu(served, pid) == after and sorted(after) == [0, 1]
    assert sum(after.values()) == guest02.exits()
    assert scrape(served).vcpus(pid) == 2


def test_processes_are_served_by_the_name_and_uuid_that_qemu_was_given(cpuid_domain, exporter):
    pid = cpuid_domain.pid()
    served = [exporter("--pid", str(pid)), exporter("--pid", "all"), exporter("cpuid")]
    virsh("resume", "cpuid")
    wait_until(lambda: cpuid_domain.halts() == 1, "the guest has halted")
    virsh("suspend", "cpuid")
    scrapes = [scrape(one) for one in served]
    exits = [one.exits(pid) for one in scrapes]
    assert exits == [exits[0]] * 3
    assert sum(exits[0].values()) == cpuid_domain.exits() and exits[0]["CPUID"] == CPUIDS
    lives = [sorted(one.lives) for one in scrapes]
    assert lives[0] == lives[2] == [("cpuid", virsh("domuuid", "cpuid").strip(), str(pid))]
    assert [life.domain for life in lives[1]] == ["cpuid", "guest01", "guest02"]


def test_a_domain_that_dies_while_libvirt_is_gone_leaves_and_is_followed_when_both_are_back(cpuid_domain, exporter):
    served = exporter()
    pid = wait_for_life(served, cpuid_domain)
    stop_libvirtd()
    try:
        wait_until(lambda: scrape(served).gauge("virt_exitstat_libvirt_up") == 0, "libvirt is said to be gone")
        assert pid in scrape(served).pids
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path("/proc", str(pid)).exists(), "QEMU is gone")
        assert pid not in scrape(served).pids
    finally:
        start_libvirtd()
    wait_until(lambda: "shut off" in virsh("domstate", "cpuid"), "libvirt has noticed")
    virsh("start", "cpuid", "--paused")
    again = Witness("cpuid")
    pid = wait_for_life(served, again)
    assert scrape(served).gauge("virt_exitstat_libvirt_up") == 1
    virsh("resume", "cpuid")
    wait_until(lambda: again.halts() == 1, "the guest has halted")
    virsh("suspend", "cpuid")
    exits = scrape(served).exits(pid)
    assert sum(exits.values()) == again.exits() and exits["CPUID"] == CPUIDS
