"""Fixtures of the lab's tests."""

import os
from pathlib import Path

import pytest

from fire import ARGUMENT, EVERYTHING, compile_fire
from fire import fire as run_fire
from kvm_host import Witness, virsh
from virt_exitstat.isa.svm import SVM
from virt_exitstat.kernel.attach_plan import AttachPlans
from virt_exitstat.kernel.exit_counter import ExitCounter

# Those of the first are for `tests/lab/lab run --systemd`, those of the second for boots of their own.
collect_ignore = [] if Path("/run/systemd/system").is_dir() else ["under_systemd"]
if os.uname().machine != "aarch64":
    collect_ignore.append("refused_hosts")


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


@pytest.fixture(scope="session")
def fire(tmp_path_factory):
    """Run fire.c on a counter's programs; returns the tgid and the tids that ran."""
    binary = compile_fire(tmp_path_factory.mktemp("fire"))
    return lambda counter, threads, events, *kinds, cpus=0: run_fire(
        binary, counter.program_fds, threads, events, cpus, *kinds
    )


@pytest.fixture()
def counter():
    """Make counters whose program takes the reason from its first argument; unloaded behind the test."""
    made = []

    def make(isa=SVM, thread_filter=EVERYTHING, max_vcpus=64, plan=ARGUMENT, *, timed=False, detailed=False):
        plans = AttachPlans(isa, (plan,), "")
        made.append(ExitCounter(thread_filter, plans, max_vcpus=max_vcpus, timed=timed, detailed=detailed))
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)


@pytest.fixture(params=["addressed directly", "looked up"])
def reached(request, monkeypatch):
    """How the program reaches its rows: directly, or as on kernels that refuse so large a value."""
    if request.param == "looked up":
        monkeypatch.setattr("virt_exitstat.kernel.maps.shared_maps.FARTHEST", 0)
