"""attach_plan: what a kernel's own description says, and what to do when it says nothing."""

from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.attach_plan import plan_attachment
from virt_exitstat.errors import ExitStatError
from virt_exitstat.exit_reasons import SVM, VMX

DATA = Path(__file__).parent / "data"
TRACEFS = "sys/kernel/tracing"
DEBUGFS = "sys/kernel/debug/tracing"
FORMAT = "events/kvm/kvm_exit/format"
INTEL, AMD = "fpu vme sse2 vmx ept", "fpu vme sse2 svm npt"

every_kernel = pytest.mark.parametrize("kernel", ["bullseye", "trixie", "sid"])


def read_format(kernel="trixie"):
    return (DATA / f"kvm_exit.format.{kernel}").read_text()


def add_cpus(host, flags):
    cpu = (
        f"processor\t: N\nvendor_id\t: SomeVendor\nflags\t\t: {flags}\nvmx flags\t: vnmi svm\nbugs\t\t: spectre_v1\n\n"
    )
    host.add_file("proc/cpuinfo", cpu.replace("N", "0") + cpu.replace("N", "1"))


@every_kernel
@pytest.mark.parametrize(("flags", "table"), [(INTEL, VMX), (AMD, SVM)], ids=["vmx", "svm"])
def test_the_cpu_chooses_the_table_on_every_kernel(host, kernel, flags, table):
    add_cpus(host, flags)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format(kernel))
    plan = plan_attachment(host.root)
    assert plan.table is table
    assert plan.reason_offset == 8


def test_the_offset_is_read_and_not_assumed(host):
    add_cpus(host, INTEL)
    text = read_format().replace("exit_reason;\toffset:8;", "exit_reason;\toffset:12;")
    host.add_file(f"{TRACEFS}/{FORMAT}", text)
    assert plan_attachment(host.root).reason_offset == 12


@pytest.mark.parametrize(("flags", "reason", "name"), [(INTEL, 30, "IO_INSTRUCTION"), (AMD, 0x7B, "IO")])
def test_the_kernels_names_are_those_of_the_cpus_isa(host, flags, reason, name):
    add_cpus(host, flags)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format())
    assert plan_attachment(host.root).kernel_names[reason] == name


def test_debugfs_alone_will_do(host):
    add_cpus(host, INTEL)
    host.add_file(f"{DEBUGFS}/{FORMAT}", read_format())
    assert plan_attachment(host.root).reason_offset == 8


def test_tracefs_comes_before_debugfs(host):
    add_cpus(host, INTEL)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().replace("exit_reason;\toffset:8;", "exit_reason;\toffset:16;"))
    host.add_file(f"{DEBUGFS}/{FORMAT}", read_format())
    assert plan_attachment(host.root).reason_offset == 16


@pytest.mark.parametrize("where", [TRACEFS, DEBUGFS])
def test_tracefs_without_the_tracepoint_means_kvm_is_not_loaded(host, where):
    add_cpus(host, INTEL)
    host.add_file(f"{where}/events/sched/sched_switch/format", "name: sched_switch\n")
    with refuses(ExitStatError, "KVM is not loaded") as caught:
        plan_attachment(host.root)
    assert "modprobe kvm_intel" in caught.value.hint


def test_no_tracefs_means_mount_it(host):
    add_cpus(host, INTEL)
    # The kernel makes both mount points, mounted or not.
    (host.root / TRACEFS).mkdir(parents=True)
    (host.root / "sys/kernel/debug").mkdir(parents=True)
    with refuses(ExitStatError, "tracefs is not mounted") as caught:
        plan_attachment(host.root)
    assert "mount -t tracefs" in caught.value.hint


def test_a_cpu_without_virtualization_is_told_apart_from_a_kernel_without_kvm(host):
    add_cpus(host, "fpu vme sse2 vmxoff svm_lock")
    with refuses(ExitStatError, "neither VMX nor SVM"):
        plan_attachment(host.root)


@pytest.mark.parametrize(
    "cpuinfo",
    ["processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd vmx svm\nCPU implementer\t: 0x41\n", ""],
    ids=["arm", "empty"],
)
def test_another_architecture_is_refused(host, cpuinfo):
    host.add_file("proc/cpuinfo", cpuinfo)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format())
    with refuses(ExitStatError, "unsupported architecture"):
        plan_attachment(host.root)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("offset:8;\tsize:4;", "offset:8;\tsize:8;"),
        ("offset:8;\tsize:4;", "offset:8;\tsize:40;"),
        ("int exit_reason;", "int reason;"),
        ("int exit_reason;", "int other_exit_reason;"),
    ],
)
def test_a_field_of_another_size_or_name_is_refused(host, there, instead):
    add_cpus(host, INTEL)
    changed = read_format().replace(there, instead)
    assert changed != read_format()
    host.add_file(f"{TRACEFS}/{FORMAT}", changed)
    with refuses(ExitStatError, "no field exit_reason of 4 bytes"):
        plan_attachment(host.root)


def test_a_format_without_names_still_counts(host):
    add_cpus(host, AMD)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().partition("print fmt:")[0])
    plan = plan_attachment(host.root)
    assert (plan.table, plan.reason_offset, plan.kernel_names) == (SVM, 8, {})
