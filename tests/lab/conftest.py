"""Fixtures of the lab's tests."""

from pathlib import Path

import pytest

from kvm_host import Witness, virsh


def pytest_collection_modifyitems(items):
    """These tests move files of the system away and stop its services: never on a machine that is not the lab."""
    if not Path("/lab/boot").exists():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="runs in the lab only: tests/lab/lab run"))


@pytest.fixture(scope="session", autouse=True)
def _at_rest():
    """Between tests the domains are suspended: counters can be read, and the emulator has less to do."""
    for name in ("guest01", "guest02"):
        if "shut off" in virsh("domstate", name):
            virsh("start", name)
        if "running" in virsh("domstate", name):
            virsh("suspend", name)


@pytest.fixture()
def suspended():
    """The witnesses of suspended domains; what the test resumed is suspended again behind it."""
    names = []

    def witnesses(*wanted):
        names.extend(wanted)
        return [Witness(name) for name in wanted]

    yield witnesses
    for name in names:
        if "running" in virsh("domstate", name):
            virsh("suspend", name)


@pytest.fixture()
def cpuid_domain():
    """The domain that executes exactly 23,000 CPUIDs, started and paused before the first."""
    virsh("start", "cpuid", "--paused")
    yield Witness("cpuid")
    if "shut off" not in virsh("domstate", "cpuid"):
        virsh("destroy", "cpuid")
