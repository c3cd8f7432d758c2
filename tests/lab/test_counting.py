"""Every exit is counted, to the last one, also where the acceptance does not look."""

import re
import signal
import subprocess

from kvm_host import CHECKOUT, Run, parse_report, programs_loaded, tool, virsh, wait_until, work_for


def test_raw_and_tracepoint_give_the_same_counts_when_every_exit_misses_the_cache(suspended):
    """Both vCPU threads share one CPU, so they take turns in its cache."""
    (guest01,) = suspended("guest01")
    for vcpu in ("0", "1"):
        virsh("vcpupin", "guest01", vcpu, "0", "--live")
    before = guest01.exits_by_vcpu()
    runs = [Run("guest01", "-a", "--attach", attachment) for attachment in ("raw", "tracepoint")]
    work_for([guest01])
    reports, after = [run.stop() for run in runs], guest01.exits_by_vcpu()
    for vcpu in ("0", "1"):
        virsh("vcpupin", "guest01", vcpu, "0-1", "--live")
    assert reports[0] == reports[1]
    assert {heading: table["total"] for heading, table in reports[0].items()} == {
        f"guest01: vCPU {vcpu}": after[vcpu] - before[vcpu] for vcpu in (0, 1)
    }


def test_debug_says_that_it_is_raw_and_why():
    done = tool("--debug", "guest01", "0.1")
    assert "virt-exitstat: attached to the raw tracepoint kvm:kvm_exit (BTF: vcpu_svm.vmcb at " in done.stderr
    done = tool("--debug", "--attach", "tracepoint", "guest01", "0.1")
    assert "virt-exitstat: attached to the tracepoint kvm:kvm_exit (the tracepoint's format" in done.stderr


def test_more_vcpus_than_rows_are_lost_exactly_and_the_option_is_named(suspended):
    (guest01,) = suspended("guest01")
    before = guest01.exits()
    run = Run("guest01", "--max-vcpus", "1")
    work_for([guest01])
    report, _, lost = run.stop_text().rpartition("\n\n")
    ((_, table),) = parse_report(report).items()
    found = re.fullmatch(r"lost: (\d+) exits of vCPUs above --max-vcpus; raise it\n", lost)
    assert found and table["total"] + int(found.group(1)) == guest01.exits() - before


def test_a_domain_that_is_not_asked_for_is_not_counted(suspended):
    guest01, guest02 = suspended("guest01", "guest02")
    before = guest02.exits()
    run = Run("guest02")
    work_for([guest01])
    work_for([guest02])
    ((_, table),) = run.stop().items()
    assert table["total"] == guest02.exits() - before


def test_pid_and_tid_count_what_the_domain_counts(cpuid_domain):
    pid, vcpu, tid = tool("--list", "cpuid").stdout.split()[-3:]
    runs = [Run("--pid", pid), Run("--pid", pid, "--vcpu", vcpu), Run("--tid", tid), Run("--pid", "all"), Run("cpuid")]
    virsh("resume", "cpuid")
    wait_until(lambda: cpuid_domain.halts() == 1, "the guest has halted")
    virsh("suspend", "cpuid")
    reports = [run.stop() for run in runs]
    tables = [report.get(f"pid {pid}: vCPU 0") or report["cpuid: vCPU 0"] for report in reports]
    assert tables == [tables[-1]] * len(runs)
    assert tables[0]["CPUID"] == 23000
    # `--pid all` has counted the others as well.
    assert len(reports[3]) == 3


def test_a_vcpu_plugged_in_while_counting_is_counted_and_named(suspended):
    (guest02,) = suspended("guest02")
    before = guest02.exits_by_vcpu()
    run = Run("guest02", "--per-vcpu")
    virsh("resume", "guest02")
    virsh("setvcpus", "guest02", "2", "--live")
    wait_until(lambda: guest02.exits_by_vcpu().get(1, 0) > 1000, "vCPU 1 works")
    virsh("suspend", "guest02")
    report, after = run.stop(), guest02.exits_by_vcpu()
    assert {heading: table["total"] for heading, table in report.items()} == {
        "guest02: vCPU 0": after[0] - before[0],
        "guest02: vCPU 1": after[1],
    }


def test_sigterm_ends_a_count_with_its_report(suspended):
    (guest01,) = suspended("guest01")
    run = Run("guest01")
    work_for([guest01])
    assert run.stop(signal.SIGTERM)["guest01: vCPUs 0-1"]["total"] > 0


def test_a_duration_ends_a_count_by_itself():
    done = tool("guest01", "--vcpu", "0", "1")
    assert (done.returncode, done.stderr) == (
        0,
        "counting exits of guest01 vCPU 0 for 1 s, Ctrl-C to stop\n",
    )
    assert done.stdout.startswith("guest01: vCPU 0, 1.")


def test_a_reader_that_leaves_early_gets_no_traceback():
    command = "./virt-exitstat guest01 0.2 | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout == "g"
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert not programs_loaded()
