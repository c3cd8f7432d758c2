"""Intervals on a real KVM host: no exit falls between two reports, and domains are followed."""

import json
import subprocess
from pathlib import Path

import pytest

from kvm_host import CHECKOUT, Run, Witness, programs_loaded, virsh, wait_until, work_for


def documents(text):
    return [json.loads(line) for line in text.splitlines()]


def totals(reports, name):
    return [domain["total"] for report in reports for domain in report["domains"] if domain["name"] == name]


def cpuids(reports, name):
    """CPUID exits of a domain, all reports together."""
    found = [domain for report in reports for domain in report["domains"] if domain["name"] == name]
    return sum(row["count"] for domain in found for row in domain["reasons"] if row["name"] == "CPUID")


@pytest.mark.parametrize("which", [["guest01"], ["guest01", "--vcpu", "0,1"], []], ids=["named", "vcpus", "all"])
def test_the_intervals_of_a_run_add_up_to_kvms_own_counter(suspended, which):
    (guest01,) = suspended("guest01")
    before = guest01.exits()
    run = Run(*which, "-i", "0.5", "-o", "json")
    work_for([guest01])
    reports = documents(run.stop_text())
    assert len(reports) > 1
    assert sum(totals(reports, "guest01")) == guest01.exits() - before


def test_a_domain_that_starts_is_followed_and_one_that_ends_is_marked(tmp_path):
    """It starts paused, and its first exit is taken when it is followed: 23,000 CPUIDs are 23,000."""
    log = tmp_path / "log"
    run = Run("-i", "0.5", "-o", "json", "--log", str(log))
    virsh("start", "cpuid", "--paused")
    try:
        witness = Witness("cpuid")
        wait_until(lambda: '"cpuid"' in log.read_text(), "the domain is in a report")
        virsh("resume", "cpuid")
        wait_until(lambda: witness.halts() == 1, "the guest has halted")
    finally:
        virsh("destroy", "cpuid")
    wait_until(lambda: '"ended": true' in log.read_text(), "its end is in a report")
    run.stop_text()
    reports = documents(log.read_text())
    assert cpuids(reports, "cpuid") == 23000
    ended = [domain["ended"] for report in reports for domain in report["domains"] if domain["name"] == "cpuid"]
    assert ended[-1] and not any(ended[:-1])


@pytest.mark.usefixtures("cpuid_domain")
def test_a_named_domain_is_counted_again_when_it_starts_again(tmp_path):
    log = tmp_path / "log"
    run = Run("cpuid", "-i", "0.5", "-o", "json", "--log", str(log))
    for _ in range(2):
        witness = Witness("cpuid")
        pid = Path("/run/libvirt/qemu/cpuid.pid").read_text().strip()
        wait_until(lambda pid=pid: f'"pid": {pid},' in log.read_text(), "the domain is in a report")
        virsh("resume", "cpuid")
        wait_until(lambda witness=witness: witness.halts() == 1, "the guest has halted")
        virsh("destroy", "cpuid")
        virsh("start", "cpuid", "--paused")
    run.stop_text()
    assert cpuids(documents(log.read_text()), "cpuid") == 2 * 23000


def test_a_pipe_that_is_closed_in_mid_stream_ends_it_quietly(suspended):
    suspended("guest01")
    done = subprocess.run(
        ["bash", "-c", f"{CHECKOUT}/virt-exitstat guest01 -i 0.2 -o json | head -n 2"], capture_output=True, text=True
    )
    assert len(documents(done.stdout)) == 2
    assert done.stderr.startswith("counting exits of ") and len(done.stderr.splitlines()) == 1
    assert not programs_loaded()
