"""Fixtures of the lab's tests: domains held still, so that counters can be read before and after."""

from pathlib import Path

import pytest

from kvm_host import Witness, virsh


def pytest_collection_modifyitems(items):
    """These tests move files of the system away and stop its services: never on a machine that is not the lab."""
    if not Path("/lab/boot").exists():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="runs in the lab only: tests/lab/lab run"))


@pytest.fixture()
def suspended():
    """Suspend domains for the test, so that counters can be read before and after; resume them behind it."""
    names = []

    def suspend(*wanted):
        for name in wanted:
            virsh("suspend", name)
            names.append(name)
        return [Witness(name) for name in wanted]

    yield suspend
    for name in names:
        if "paused" in virsh("domstate", name):
            virsh("resume", name)


@pytest.fixture()
def cpuid_domain():
    """The domain that executes exactly 23,000 CPUIDs, started and paused before the first."""
    virsh("start", "cpuid", "--paused")
    yield Witness("cpuid")
    if "shut off" not in virsh("domstate", "cpuid"):
        virsh("destroy", "cpuid")
