"""threads: domain -> pid -> vCPU threads, from libvirt's records and /proc."""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refuses

from fake_host import GUEST01, GUEST02
from virt_exitstat.domains import threads
from virt_exitstat.errors import ExitStatError, NotFoundError, NotKvmError, StaleFileError
from virt_exitstat.host import processes
from virt_exitstat.targets.target import Domain, Target, VCpu

DATA = Path(__file__).parent / "data"

# Written by the libvirt of three releases: (release, UUID, pid, {vCPU: tid}).
REAL_FILES = [
    ("bullseye", "ed976740-be30-475d-ada2-37b68f7d76ed", 252, {0: 259, 1: 260}),
    ("trixie", "909bfdd8-28b7-497a-9bc4-7f66312b6557", 318, {0: 325, 1: 326}),
    ("sid", "866ed94c-0a4f-4e6a-9a5d-3abcc3bafb0f", 274, {0: 281, 1: 282}),
]

ODD_NAMES = [
    "two words",
    "it's",
    'say "hi"',
    "$(reboot)",
    "`reboot`;rm -rf *",
    "a&b<c>",
    "gäste-客",
    "100%s",
    "..",
    "guest01.xml",
    "-d",
]


def read_status(release):
    return (DATA / f"status-{release}.xml").read_text()


def vcpus(tids):
    return tuple(VCpu(number, tid) for number, tid in tids.items())


def resolve(host, domain=GUEST01):
    return threads.resolve_domain(domain, host.run_dir, host.root)


# -- the status file --


@pytest.mark.parametrize(("release", "uuid", "pid", "tids"), REAL_FILES, ids=[file[0] for file in REAL_FILES])
def test_libvirts_own_status_file_is_read(host, release, uuid, pid, tids):
    domain = Domain("guest01", uuid, 1)
    host.add_process(pid, {tid: f"CPU {number}/KVM" for number, tid in tids.items()}, domain=domain)
    host.add_status_text(read_status(release), domain=domain)
    assert resolve(host, domain) == Target(pid, vcpus(tids), domain)


def test_the_status_file_comes_before_thread_names(host):
    host.add_process(100, {101: "CPU 7/KVM", 102: "renamed", 103: "CPU 0/KVM"})
    host.add_status(100, [(0, 101), (1, 102)])
    host.add_pid_file("999")
    assert resolve(host).vcpus == (VCpu(0, 101), VCpu(1, 102))


def test_288_vcpus(host):
    tids = {number: 5000 + 3 * number for number in range(288)}
    host.add_vcpus(4999, tids)
    assert resolve(host).vcpus == vcpus(tids)


def test_offline_vcpus_leave_gaps_in_the_numbers(host):
    tids = {0: 101, 2: 103, 7: 108}
    host.add_vcpus(100, tids)
    assert resolve(host).vcpus == vcpus(tids)


@pytest.mark.parametrize("offline", ["<vcpu id='1'/>", "<vcpu id='1' pid='0'/>"])
def test_a_vcpu_without_a_thread_is_left_out(host, offline):
    host.add_vcpus(100, {0: 101, 2: 103})
    status = host.run_dir / "guest01.xml"
    status.write_text(status.read_text().replace("<vcpu id='2'", f"{offline}<vcpu id='2'"))
    assert resolve(host).vcpus == (VCpu(0, 101), VCpu(2, 103))


def test_hot_plugged_vcpus_are_sorted_by_number(host):
    tids = {10: 150, 0: 101, 2: 140, 1: 102}
    host.add_vcpus(100, tids)
    assert resolve(host).vcpus == (VCpu(0, 101), VCpu(1, 102), VCpu(2, 140), VCpu(10, 150))


def test_the_vcpu_count_in_the_domain_element_is_no_vcpu(host):
    host.add_vcpus(100, {})
    assert resolve(host).vcpus == ()


def test_an_emulated_domain_takes_no_exits(host):
    host.add_process(100, {101: "CPU 0/TCG"}, kvm=False)
    host.add_status(100, [(0, 101)], domain_type="qemu")
    with refuses(NotKvmError, "'guest01'", "type 'qemu'"):
        resolve(host)


@pytest.mark.parametrize("release", [file[0] for file in REAL_FILES])
def test_a_status_file_cut_anywhere_is_not_believed(host, release):
    whole = read_status(release).rstrip()
    host.add_process(252, {259: "CPU 0/KVM", 260: "CPU 1/KVM"})
    for length in range(0, len(whole), 389):
        host.add_status_text(whole[:length])
        with refuses(ExitStatError, "is not a complete status file"):
            resolve(host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "318\n",
        "not XML at all",
        '{"pid": 318}',
        "\0\0\0\0",
        "<domstatus/>",
        "<domstatus state='running'><vcpus><vcpu id='0' pid='101'/></vcpus></domstatus>",
        "<domstatus pid=''/>",
        "<domstatus pid='1OO'/>",
        "<domstatus pid='100'><vcpus><vcpu pid='101'/></vcpus></domstatus>",
        "<domstatus pid='100'><vcpus><vcpu id='' pid='101'/></vcpus></domstatus>",
        "<domstatus pid='100'><vcpus><vcpu id='0' pid='x'/></vcpus></domstatus>",
    ],
)
def test_a_file_that_is_no_status_file_is_not_believed(host, text):
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_pid_file("100")
    host.add_status_text(text)
    with refuses(ExitStatError, "guest01.xml is not a complete status file"):
        resolve(host)


def test_bytes_that_are_no_text_are_not_believed(host):
    (host.run_dir / "guest01.xml").write_bytes(b"<domstatus pid='100'>\xff\xfe</domstatus>")
    with refuses(ExitStatError, "is not a complete status file"):
        resolve(host)


def test_a_record_of_a_process_that_is_gone_is_stale(host):
    host.add_status(100, [(0, 101)])
    with refuses(StaleFileError, "guest01.xml is stale", "no process 100"):
        resolve(host)


def test_a_record_whose_pid_was_reused_is_stale(host):
    host.add_process(100, {101: "CPU 0/KVM"}, domain=GUEST02)
    host.add_status(100, [(0, 101)])
    with refuses(StaleFileError, "guest01.xml is stale", "process 100 does not run domain 'guest01'"):
        resolve(host)


def test_the_uuid_must_be_an_argument_of_its_own(host):
    host.add_vcpus(100, {0: 101})
    (host.proc / "100/cmdline").write_bytes(f"/usr/bin/less\0/etc/{GUEST01.uuid}.xml\0".encode())
    with refuses(StaleFileError, "does not run domain"):
        resolve(host)


def test_a_zombie_runs_no_domain(host):
    host.add_vcpus(100, {0: 101})
    (host.proc / "100/cmdline").write_bytes(b"")
    with refuses(StaleFileError, "does not run domain"):
        resolve(host)


def test_a_thread_that_is_gone_makes_the_record_stale(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_status(100, [(0, 101), (1, 102)])
    with refuses(StaleFileError, "is stale", "thread 102 of vCPU 1 is not in process 100"):
        resolve(host)


def test_a_thread_of_another_process_makes_the_record_stale(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_process(200, {202: "CPU 1/KVM"}, domain=GUEST02)
    host.add_status(100, [(0, 101), (1, 202)])
    with refuses(StaleFileError, "thread 202 of vCPU 1 is not in process 100"):
        resolve(host)


# -- without a status file --


def test_the_pid_file_and_thread_names_stand_in(host):
    host.add_process(100, {101: "CPU 0/KVM", 102: "CPU 1/KVM", 103: "IO iothread1", 104: "vnc_worker"})
    host.add_pid_file("100\n")
    assert resolve(host) == Target(100, (VCpu(0, 101), VCpu(1, 102)), GUEST01)


def test_vcpu_1_is_not_vcpu_10(host):
    host.add_process(100, {110: "CPU 1/KVM", 101: "CPU 10/KVM", 105: "CPU 100/KVM"})
    host.add_pid_file("100")
    assert resolve(host).vcpus == (VCpu(1, 110), VCpu(10, 101), VCpu(100, 105))


@pytest.mark.parametrize(
    "name",
    [
        "CPU 1/KVMx",
        "xCPU 1/KVM",
        "CPU 1/KV",
        "CPU 1/XEN",
        "CPU 1",
        "CPU /KVM",
        "CPU -1/KVM",
        "CPU 1 /KVM",
        "CPU 1/KVM ",
        "cpu 1/kvm",
        "CPU 1\n/KVM",
        "",
    ],
)
def test_a_thread_name_must_match_as_a_whole(host, name):
    host.add_process(100, {101: "CPU 0/KVM", 102: name})
    host.add_pid_file("100")
    assert resolve(host).vcpus == (VCpu(0, 101),)


def test_a_thread_name_that_is_no_text_is_no_vcpu(host):
    host.add_process(100, {101: "CPU 0/KVM", 102: "x"})
    (host.proc / "100/task/102/comm").write_bytes(b"CPU 1/KVM\xff\n")
    host.add_pid_file("100")
    assert resolve(host).vcpus == (VCpu(0, 101),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "qemu",
        "-100",
        "100 200",
        "0x64",
        "1.5",
        "100\0",
        "1²",
    ],
)
def test_a_pid_file_that_holds_no_pid_is_stale(host, text):
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_pid_file(text)
    with refuses(StaleFileError, "guest01.pid does not hold a pid"):
        resolve(host)


def test_a_pid_file_of_a_process_that_is_gone_is_stale(host):
    host.add_pid_file("100")
    with refuses(StaleFileError, "guest01.pid is stale", "no process 100"):
        resolve(host)


def test_a_pid_file_whose_pid_was_reused_is_stale(host):
    host.add_process(100, {101: "CPU 0/KVM"}, domain=GUEST02)
    host.add_pid_file("100")
    with refuses(StaleFileError, "guest01.pid is stale", "process 100 does not run domain 'guest01'"):
        resolve(host)


def test_no_record_at_all_says_where_it_was_looked_for(host):
    with refuses(ExitStatError, "no status file of domain 'guest01'", str(host.run_dir)):
        resolve(host)


# -- a wrapper in front of QEMU --


def add_wrapper(host):
    """<emulator> is a script without `exec`: libvirt records the shell, whose command line has the UUID as well."""
    host.add_process(100, comm="wrapper", kvm=False)
    host.add_process(110, {111: "CPU 0/KVM", 112: "CPU 1/KVM"}, parent=100)


def test_a_wrapper_that_waits_for_qemu_is_followed_to_it(host):
    add_wrapper(host)
    host.add_status(100, [(0, 111), (1, 112)])
    assert resolve(host) == Target(110, (VCpu(0, 111), VCpu(1, 112)), GUEST01)


def test_a_wrapper_is_followed_by_the_pid_file_too(host):
    add_wrapper(host)
    host.add_pid_file("100")
    assert resolve(host) == Target(110, (VCpu(0, 111), VCpu(1, 112)), GUEST01)


def test_a_wrapper_may_have_a_wrapper(host):
    host.add_process(100, comm="outer", kvm=False)
    host.add_process(105, comm="inner", kvm=False, parent=100)
    host.add_process(110, {111: "CPU 0/KVM"}, parent=105)
    host.add_status(100, [(0, 111)])
    assert resolve(host).pid == 110


def test_a_wrappers_child_must_run_the_domain_and_be_its_child(host):
    host.add_process(100, comm="wrapper", kvm=False)
    host.add_process(110, {111: "CPU 0/KVM"}, parent=100, domain=GUEST02)
    host.add_process(120, {121: "CPU 0/KVM"}, parent=1)
    for tid in (111, 121):
        host.add_status(100, [(0, tid)])
        with refuses(StaleFileError, f"thread {tid} of vCPU 0 is not in process 100"):
            resolve(host)


# -- a container's libvirt, seen from the host --


def test_ids_of_a_container_are_found_by_nspid(host):
    host.add_process(4000, {4001: "CPU 0/KVM", 4002: "CPU 1/KVM"}, inside={4000: 50, 4001: 57, 4002: 58})
    host.add_status(50, [(0, 57), (1, 58)])
    assert resolve(host) == Target(4000, (VCpu(0, 4001), VCpu(1, 4002)), GUEST01)


def test_ids_of_a_container_are_found_by_its_pid_file(host):
    host.add_process(4000, {4001: "CPU 0/KVM"}, inside={4000: 50, 4001: 57})
    host.add_pid_file("50")
    assert resolve(host) == Target(4000, (VCpu(0, 4001),), GUEST01)


def test_a_process_of_the_host_with_a_containers_number_is_not_taken(host):
    host.add_process(50, {57: "CPU 0/KVM"}, domain=GUEST02)
    host.add_process(4000, {4001: "CPU 0/KVM"}, inside={4000: 50, 4001: 57})
    host.add_status(50, [(0, 57)])
    assert resolve(host).pid == 4000


def test_two_containers_that_both_fit_are_refused(host):
    for pid in (4000, 5000):
        host.add_process(pid, {pid + 1: "CPU 0/KVM"}, inside={pid: 50, pid + 1: 57})
    host.add_status(50, [(0, 57)])
    with refuses(StaleFileError, "no process 50"):
        resolve(host)


def test_a_container_without_one_of_the_threads_does_not_fit(host):
    host.add_process(4000, {4001: "CPU 0/KVM"}, inside={4000: 50, 4001: 57})
    host.add_status(50, [(0, 57), (1, 58)])
    with refuses(StaleFileError, "no process 50"):
        resolve(host)


# -- a /proc that hides --


@pytest.mark.parametrize("option", ["hidepid=2", "hidepid=invisible", "gid=4,hidepid=noaccess"])
def test_a_hidden_process_is_no_stale_record(host, option):
    host.add_status(100, [(0, 101)])
    host.add_file("proc/self/mountinfo", f"22 27 0:21 / /proc rw,relatime - proc proc rw,{option}\n")
    host.add_file("proc/self/status", "CapEff:\t000000c000000004\n")
    for look in (
        lambda: resolve(host),
        lambda: threads.resolve_process(100, host.root),
        lambda: threads.resolve_threads([101], host.root),
        lambda: processes.check_not_hidden(host.root),
    ):
        with refuses(ExitStatError, "/proc hides the processes of other users from us (hidepid=") as refused:
            look()
        assert "CAP_SYS_PTRACE" in refused.value.hint and "ProtectProc" in refused.value.hint


@pytest.mark.parametrize(
    ("mount", "capabilities"),
    [
        ("proc rw", "0000000000000000"),
        ("proc rw,hidepid=0", "0000000000000000"),
        ("proc rw,hidepid=off", "0000000000000000"),
        ("proc rw,hidepid=2", "000001ffffffffff"),
    ],
)
def test_a_proc_that_hides_nothing_from_us_is_not_blamed(host, mount, capabilities):
    host.add_status(100, [(0, 101)])
    host.add_file("proc/self/mountinfo", f"22 27 0:21 / /proc rw,relatime - proc {mount}\n")
    host.add_file("proc/self/status", f"CapEff:\t{capabilities}\n")
    with refuses(StaleFileError, "no process 100"):
        resolve(host)


# -- names --


def test_the_name_of_a_pid_file_has_xml_escapes(host):
    domain = replace(GUEST01, name="web 1;$(id)\"<&'>")
    host.add_process(100, {101: "CPU 0/KVM"}, domain=domain)
    (host.run_dir / "web 1;$(id)&quot;&lt;&amp;&apos;&gt;.pid").write_text("100")
    assert resolve(host, domain) == Target(100, (VCpu(0, 101),), domain)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_libvirt_allows_finds_its_status_file(host, name):
    domain = replace(GUEST01, name=name)
    host.add_vcpus(100, {0: 101}, domain=domain)
    assert resolve(host, domain) == Target(100, (VCpu(0, 101),), domain)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_libvirt_allows_finds_its_pid_file(host, name):
    domain = replace(GUEST01, name=name)
    host.add_process(100, {101: "CPU 0/KVM"}, domain=domain)
    host.add_pid_file("100", domain=domain)
    assert resolve(host, domain) == Target(100, (VCpu(0, 101),), domain)


@pytest.mark.parametrize("name", ["../guest01", "/etc/passwd", "a/b", "/"])
def test_a_name_does_not_lead_out_of_the_directory(host, name):
    host.add_vcpus(100, {0: 101})
    (host.run_dir.parent / "guest01.xml").write_text((host.run_dir / "guest01.xml").read_text())
    with refuses(ExitStatError, "has a '/'"):
        resolve(host, replace(GUEST01, name=name))


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\u202etxt", "\x07"])
def test_a_name_cannot_write_to_the_terminal_through_a_message(host, name):
    domain = replace(GUEST01, name=name)
    with refuses(ExitStatError, "no status file of domain"):
        resolve(host, domain)
    host.add_pid_file("garbage", domain=domain)
    with refuses(StaleFileError, "does not hold a pid"):
        resolve(host, domain)
    host.add_pid_file("100", domain=domain)
    host.add_process(100, domain=GUEST02)
    with refuses(StaleFileError, "does not run domain"):
        resolve(host, domain)


# -- processes and threads that were given by number --


def test_a_kvm_process_needs_no_libvirt(host):
    host.add_process(100, {101: "CPU 0/KVM", 102: "CPU 1/KVM", 103: "worker"})
    assert threads.resolve_process(100, host.root) == Target(100, (VCpu(0, 101), VCpu(1, 102)))


def test_a_kvm_process_may_leave_its_threads_unnamed(host):
    host.add_process(100, {101: "firecracker", 102: "firecracker"})
    assert threads.resolve_process(100, host.root) == Target(100, ())


def test_a_pid_that_does_not_exist_is_not_found(host):
    with refuses(NotFoundError, "no process with pid 100"):
        threads.resolve_process(100, host.root)


def test_a_process_that_only_opened_dev_kvm_is_not_a_kvm_process(host):
    host.add_process(100, {101: "CPU 0/KVM"}, kvm=False, comm="libvirtd")
    (host.proc / "100/fd/12").symlink_to("anon_inode:kvm-vcpu-stats:200")
    with refuses(NotKvmError, "process 100 (libvirtd) is not a KVM process"):
        threads.resolve_process(100, host.root)


def test_a_process_cannot_write_to_the_terminal_through_a_message(host):
    host.add_process(100, kvm=False, comm="\x1b[2Jclear")
    with refuses(NotKvmError, "is not a KVM process"):
        threads.resolve_process(100, host.root)


def test_a_tid_is_not_taken_for_a_pid(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    # In /proc/TID the kernel shows the descriptors and threads of the whole process.
    for part in ("fd", "task", "cmdline"):
        (host.proc / "101" / part).symlink_to(host.proc / "100" / part)
    with pytest.raises(NotFoundError):
        threads.resolve_process(101, host.root)


def test_a_descriptor_that_closes_meanwhile_hides_no_vm(host):
    pids = (100, 200, 300)
    for pid in pids:
        host.add_process(pid)
        for fd in range(1000, 1050):
            # A file in place of a link: readlink fails, as it does for a descriptor that is closed by now.
            (host.proc / str(pid) / "fd" / str(fd)).touch()
    assert tuple(target.pid for target in threads.kvm_processes(host.root)) == pids


def test_tids_of_two_processes_make_two_targets(host):
    host.add_process(200, {201: "CPU 0/KVM", 202: "CPU 1/KVM"}, domain=GUEST02)
    host.add_process(100, {101: "CPU 0/KVM", 102: "CPU 1/KVM", 103: "CPU 2/KVM"})
    assert threads.resolve_threads([202, 103, 101, 103], host.root) == (
        Target(100, (VCpu(0, 101), VCpu(2, 103)), tids=frozenset({101, 103})),
        Target(200, (VCpu(1, 202),), tids=frozenset({202})),
    )


def test_a_tid_that_is_no_vcpu_stays_wanted(host):
    host.add_process(100, {101: "CPU 0/KVM", 102: "firecracker"})
    assert threads.resolve_threads([102], host.root) == (Target(100, (), tids=frozenset({102})),)


def test_a_tid_that_does_not_exist_is_not_found(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    with refuses(NotFoundError, "no thread with tid 102"):
        threads.resolve_threads([101, 102], host.root)


def test_a_tid_of_a_process_without_kvm_is_refused(host):
    host.add_process(100, {101: "worker"}, kvm=False, comm="sshd")
    with refuses(NotKvmError, "process 100 (sshd) is not a KVM process"):
        threads.resolve_threads([101], host.root)


def test_kvm_processes_are_all_that_have_a_vm_open(host):
    host.add_process(1000, {1001: "CPU 0/KVM"}, domain=GUEST02)
    host.add_process(200, {201: "fc_vcpu 0"}, comm="firecracker")
    host.add_process(300, {301: "CPU 0/TCG"}, kvm=False)
    host.add_process(1, kvm=False, comm="systemd")
    host.add_file("proc/sys/kernel/pid_max", "4194304")
    host.add_file("proc/cpuinfo", "")
    assert threads.kvm_processes(host.root) == (Target(200, ()), Target(1000, (VCpu(0, 1001),)))


def test_a_host_may_have_no_kvm_process(host):
    assert threads.kvm_processes(host.root) == ()


# -- later --


def test_a_vcpu_plugged_in_later_is_known_then(host):
    host.add_vcpus(100, {0: 101})
    target = resolve(host)
    host.add_thread(100, 150, "CPU 1/KVM")
    host.add_status(100, [(0, 101), (1, 150)])
    assert threads.current_vcpus(target, host.run_dir, host.root) == (VCpu(0, 101), VCpu(1, 150))


def test_a_vcpu_of_a_process_plugged_in_later_is_known_then(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    target = threads.resolve_process(100, host.root)
    host.add_thread(100, 150, "CPU 1/KVM")
    assert threads.current_vcpus(target, None, host.root) == (VCpu(0, 101), VCpu(1, 150))


def test_a_domain_that_ended_has_no_vcpus(host):
    host.add_vcpus(100, {0: 101})
    target = resolve(host)
    host.end_process(100)
    assert threads.current_vcpus(target, host.run_dir, host.root) == ()
    (host.run_dir / "guest01.xml").unlink()
    assert threads.current_vcpus(target, host.run_dir, host.root) == ()


def test_a_process_that_ended_has_no_vcpus(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    target = threads.resolve_process(100, host.root)
    host.end_process(100)
    assert threads.current_vcpus(target, None, host.root) == ()


def test_the_vcpus_of_a_restarted_domain_are_another_processs(host):
    host.add_vcpus(100, {0: 101})
    target = resolve(host)
    host.end_process(100)
    host.add_vcpus(200, {0: 201})
    assert threads.current_vcpus(target, host.run_dir, host.root) == ()


def test_a_process_runs_until_it_ends(host):
    host.add_process(100)
    assert processes.is_running(100, host.root)
    assert not processes.is_running(10, host.root)
    host.end_process(100)
    assert not processes.is_running(100, host.root)


def test_a_thread_runs_until_it_ends(host):
    host.add_process(100, {101: "CPU 0/KVM", 102: "CPU 1/KVM"})
    assert processes.is_running(100, host.root, tid=101)
    assert not processes.is_running(100, host.root, tid=10)
    shutil.rmtree(host.proc / "100/task/101")
    assert not processes.is_running(100, host.root, tid=101)
    assert processes.is_running(100, host.root, tid=102)
    assert processes.is_running(100, host.root)
    host.end_process(100)
    assert not processes.is_running(100, host.root, tid=102)


def test_a_thread_of_another_process_is_not_this_ones(host):
    # Its id was given out again.
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_process(200, {102: "CPU 0/KVM"})
    assert not processes.is_running(100, host.root, tid=102)
    assert not processes.is_running(200, host.root, tid=101)
    assert not processes.is_running(100, host.root, tid=200)


def test_the_main_thread_is_a_thread(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    assert processes.is_running(100, host.root, tid=100)


def test_this_process_and_this_thread_run():
    own = threading.get_native_id()
    assert processes.is_running(os.getpid(), Path("/"))
    assert processes.is_running(os.getpid(), Path("/"), tid=own)
    assert not processes.is_running(os.getpid(), Path("/"), tid=(4 << 20) + 1)


# -- a daemon that keeps its records elsewhere --


def add_daemon(host, records):
    """A daemon whose own /run/libvirt/qemu is the directory `records`."""
    host.add_process(900, comm="libvirtd", kvm=False)
    its_run = host.proc / "900/root/run/libvirt"
    its_run.mkdir(parents=True)
    (its_run / "qemu").symlink_to(records)


def test_the_daemon_of_a_container_is_hinted_at(host, tmp_path_factory):
    add_daemon(host, tmp_path_factory.mktemp("elsewhere"))
    with refuses(ExitStatError, "no status file of domain") as caught:
        resolve(host)
    assert "a daemon runs in a container: -c 'qemu+unix:///system?socket=/proc/900/root" in caught.value.hint


def test_our_own_daemon_is_no_containers(host):
    add_daemon(host, host.run_dir)
    with refuses(ExitStatError, "no status file of domain") as caught:
        resolve(host)
    assert "container" not in caught.value.hint


def test_the_hosts_daemon_is_no_containers_where_a_session_is_asked(host, tmp_path_factory):
    add_daemon(host, host.run_dir)
    with refuses(ExitStatError, "no status file of domain") as caught:
        threads.resolve_domain(GUEST01, tmp_path_factory.mktemp("session"), host.root)
    assert "container" not in caught.value.hint


def test_a_daemon_is_hinted_at_also_where_we_have_no_records_at_all(host, tmp_path_factory):
    host.run_dir.rmdir()
    add_daemon(host, tmp_path_factory.mktemp("elsewhere"))
    with refuses(ExitStatError, "no status file of domain") as caught:
        resolve(host)
    assert "a daemon runs in a container" in caught.value.hint


def test_a_daemon_that_cannot_be_looked_into_is_passed_over(host):
    # As where /proc/PID/root is refused to who may not trace the process: looking fails (root is refused nothing).
    add_daemon(host, "x" * 300)
    with refuses(ExitStatError, "no status file of domain") as caught:
        resolve(host)
    assert "container" not in caught.value.hint
