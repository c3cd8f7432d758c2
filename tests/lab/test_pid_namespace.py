"""In a container ids are not those that the kernel program sees by itself: every exit is counted there all the same."""

import subprocess

import pytest

from container import Container
from kvm_host import CHECKOUT, Run, programs_loaded, tool, wait_until, work_for


@pytest.fixture(scope="module")
def container():
    one = Container()
    yield one
    one.end()


@pytest.fixture(scope="module")
def pod(container):
    """A Linux of two vCPUs in the container, suspended between tests."""
    return container.start_like("guest01", "pod")


@pytest.fixture()
def oracle(container):
    """Executes exactly 23,000 CPUIDs in the container; paused before the first."""
    yield container.start_like("cpuid", "oracle")
    container.virsh("destroy", "oracle")


def halted(witness):
    witness.virsh("resume", witness.name)
    wait_until(lambda: witness.halts() == 1, "the guest has halted")
    witness.virsh("suspend", witness.name)


def totals(report):
    return {heading: table["total"] for heading, table in report.items()}


@pytest.mark.parametrize("attachment", ["raw", "tracepoint"])
def test_a_domain_is_counted_inside_to_the_last_exit(container, pod, attachment):
    before = pod.exits_by_vcpu()
    run = Run("pod", "-a", "--attach", attachment, inside=container.inside)
    work_for([pod])
    assert totals(run.stop()) == {
        f"pod: vCPU {vcpu}": exits - before[vcpu] for vcpu, exits in pod.exits_by_vcpu().items()
    }


def test_pid_tid_and_all_count_inside_what_the_domain_counts(container, oracle, suspended):
    (guest01,) = suspended("guest01")
    pid, vcpu, tid = container.run("./virt-exitstat", "--list", "oracle").stdout.split()[-3:]
    assert int(pid) == oracle.pid_inside()
    runs = [
        Run(*words, inside=container.inside)
        for words in (["--pid", pid], ["--pid", pid, "--vcpu", vcpu], ["--tid", tid], ["--pid", "all"], ["oracle"])
    ]
    work_for([guest01])
    halted(oracle)
    reports = [run.stop() for run in runs]
    tables = [report.get(f"pid {pid}: vCPU 0") or report["oracle: vCPU 0"] for report in reports]
    assert tables == [tables[-1]] * len(runs)
    assert tables[0]["CPUID"] == 23000
    # The host's domains have worked meanwhile, and are not the container's.
    assert {heading for heading, table in reports[3].items() if table["total"]} == {f"pid {pid}: vCPU 0"}


def test_intervals_and_a_vcpu_plugged_in_are_counted_inside(container, pod):
    before = pod.exits_by_vcpu()
    run = Run("pod", "-i", "1", "-o", "csv", "--no-header", inside=container.inside)
    pod.virsh("resume", "pod")
    pod.virsh("setvcpus", "pod", "3", "--live")
    wait_until(lambda: pod.exits_by_vcpu().get(2, 0) > 1000, "vCPU 2 works")
    pod.virsh("suspend", "pod")
    counted = {}
    for line in run.stop_text().splitlines():
        vcpu, count = line.split(",")[5], line.split(",")[9]
        counted[int(vcpu)] = counted.get(int(vcpu), 0) + int(count)
    assert counted == {vcpu: exits - before.get(vcpu, 0) for vcpu, exits in pod.exits_by_vcpu().items()}


def test_a_containers_domain_is_counted_from_the_host_by_its_socket(container, oracle):
    uri = f"qemu+unix:///system?socket=/proc/{container.init}/root/run/libvirt/libvirt-sock-ro"
    listed = tool("-c", uri, "--list", "oracle")
    assert listed.stdout.split()[-3] == str(oracle.pid()), listed.stderr
    run = Run("-c", uri, "oracle")
    halted(oracle)
    report = run.stop()
    assert report["oracle: vCPU 0"]["CPUID"] == 23000
    assert report["oracle: vCPU 0"]["total"] == oracle.exits()


def test_a_pid_namespace_without_its_own_proc_shows_the_hosts_ids_and_counts_by_them(suspended):
    (guest01,) = suspended("guest01")
    before = guest01.exits()
    run = Run("guest01", inside=["unshare", "--pid", "--fork"])
    work_for([guest01])
    assert totals(run.stop()) == {"guest01: vCPUs 0-1": guest01.exits() - before}


def test_a_kernel_that_tells_no_ids_of_a_namespace_is_said(container, pod, tmp_path):
    """For want of a kernel before Linux 5.7, the program calls a function that none has yet."""
    subprocess.run(["cp", "-r", *(CHECKOUT / name for name in ("virt-exitstat", "lib", "bpf")), tmp_path], check=True)
    program = tmp_path / "bpf/exitstat.bpf.c"
    text = program.read_text()
    assert text.count("(void *)120;") == 1
    program.write_text(text.replace("(void *)120;", "(void *)12000;"))
    done = container.run(tmp_path / "virt-exitstat", pod.name, "1", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("virt-exitstat: this kernel cannot tell a program the ids of a pid namespace"), (
        done.stderr
    )
    assert "\nhint: run virt-exitstat on the host itself" in done.stderr and not programs_loaded()


def test_a_process_in_a_pid_namespace_below_is_refused(container):
    """The kernel tells a thread's ids in its own namespace and in the first one, not in those between."""
    qemu = "unshare --pid --fork qemu-system-x86_64 -accel kvm -S -nodefaults -display none -m 16"
    below = subprocess.Popen([*container.inside, *qemu.split()], stderr=subprocess.DEVNULL)
    wait_until(
        lambda: "below this one" in container.run("./virt-exitstat", "--pid", "all", "--list", check=False).stderr,
        "the QEMU below has KVM open",
    )
    pid = container.run("pgrep", "-f", "^qemu-system-x86_64 -accel kvm -S").stdout.strip()
    done = container.run(f"{CHECKOUT}/virt-exitstat", "--pid", pid, "1", check=False)
    container.run("kill", pid)
    below.wait()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {pid} is in a pid namespace below this one" in done.stderr
    assert not programs_loaded()
