"""What counting needs of the host: rights, asked of a host made of files; and what is said when bcc fails."""

import os
import resource

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.files import AbsentFileError
from virt_exitstat.kernel.prerequisites import check_events, check_privileges, explain_attach, explain_load

SYS_ADMIN, PERFMON, BPF = 1 << 21, 1 << 38, 1 << 39
ALL = 0x1FFFFFFFFFF


def capabilities(host, effective):
    host.add_file("proc/self/status", f"Name:\tpython3\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective:016x}\n")


@pytest.fixture()
def user(monkeypatch):
    """Be another user."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.fixture()
def root(monkeypatch):
    """Be root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize("effective", [SYS_ADMIN, BPF | PERFMON, ALL])
def test_root_or_the_two_capabilities_may_count(host, effective):
    capabilities(host, effective)
    check_privileges(host.root)


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        (0, "CAP_PERFMON and CAP_BPF"),
        (BPF, "CAP_PERFMON"),
        (PERFMON, "CAP_BPF"),
        (ALL & ~SYS_ADMIN & ~BPF, "CAP_BPF"),
    ],
)
@pytest.mark.usefixtures("user")
def test_less_may_not_and_is_told_what_is_missing(host, effective, missing):
    capabilities(host, effective)
    with refuses(ExitStatError, "needs root") as caught:
        check_privileges(host.root)
    assert f"run with sudo, or add {missing};" in caught.value.hint


@pytest.mark.usefixtures("root")
def test_root_whose_rights_are_taken_away_is_not_told_to_be_root(host):
    capabilities(host, ALL & ~SYS_ADMIN & ~BPF & ~PERFMON)
    with refuses(ExitStatError, "all of root's rights", "CAP_PERFMON and CAP_BPF are taken away") as caught:
        check_privileges(host.root)
    assert "--privileged" in caught.value.hint and "CapabilityBoundingSet" in caught.value.hint
    assert "sudo" not in caught.value.hint and "as root" not in caught.value.hint


@pytest.mark.parametrize("uid_map", ["0 100000 65536", "0 0 1", "0 1000 1\n1 100000 65536", "1000 0 1"])
def test_the_root_of_a_user_namespace_is_told_where_it_is(host, uid_map):
    capabilities(host, ALL)
    host.add_file("proc/self/uid_map", "".join(f"{line:>20}\n" for line in uid_map.splitlines()))
    with refuses(ExitStatError, "user namespace") as caught:
        check_privileges(host.root)
    assert "on the host" in caught.value.hint and "ulimit" not in caught.value.hint


@pytest.mark.parametrize("uid_map", ["         0          0 4294967295\n", ""])
def test_the_first_user_namespace_is_none_to_speak_of(host, uid_map):
    capabilities(host, ALL)
    host.add_file("proc/self/uid_map", uid_map)
    check_privileges(host.root)


@pytest.mark.parametrize("text", ["", "CapEff:", "CapEff:\tall\n", "Name:\tx\n", "\0\0\0", "CapEff:\t" + "f" * 99])
def test_a_status_that_tells_no_rights_is_said(host, text):
    host.add_file("proc/self/status", text)
    with refuses(ExitStatError, f"{host.root}/proc/self/status does not say which rights"):
        check_privileges(host.root)


def test_a_proc_in_part_is_said(host):
    with refuses(AbsentFileError, f"{host.root}/proc/self/status is missing") as caught:
        check_privileges(host.root)
    assert "ProcSubset=pid" in caught.value.hint


# -- why bcc fails --

MAP = "could not open bpf map: rows, error: Operation not permitted\nFailed to compile BPF module <text>"


@pytest.fixture()
def memlock(monkeypatch):
    """Set what the limit of locked memory is."""
    return lambda limit: monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "modprobe: FATAL: Module kheaders not found\n/virtual/main.c:3:1: error: no\nx\n",
            "/virtual/main.c:3:1: error: no",
        ),
        (
            "WARNING: a\nbpf: Failed to load program: Invalid argument\n0: R1=ctx\n",
            "bpf: Failed to load program: Invalid argument",
        ),
        ("\n\nFailed to load BPF program b'x': Invalid argument", "Failed to load BPF program b'x': Invalid argument"),
        ("modprobe: not found", "modprobe: not found"),
        ("\n", "without telling why"),
        ("error: \x1b[2J", "error: \\x1b[2J"),
    ],
)
def test_the_cause_is_the_first_error_and_not_the_first_line(host, said, cause):
    with refuses(ExitStatError):
        raise explain_load(said, host.root)
    assert str(explain_load(said, host.root)) == f"bcc could not compile or load the kernel program: {cause}"
    assert str(explain_attach(said, "tracepoint")) == f"could not attach to the tracepoint: {cause}"


@pytest.mark.usefixtures("user")
def test_only_another_user_is_told_of_ulimit_and_perf_event_paranoid(host, memlock):
    memlock(65536)
    assert "ulimit -l unlimited" in explain_load(MAP, host.root).hint
    assert "kernel.perf_event_paranoid=2" in explain_attach("Permission denied", "tracepoint").hint
    memlock(resource.RLIM_INFINITY)
    assert "ulimit" not in explain_load(MAP, host.root).hint


@pytest.mark.usefixtures("root")
def test_root_is_told_what_may_keep_root_from_it(host, memlock):
    memlock(65536)
    assert "memlock" in explain_load(MAP, host.root).hint
    memlock(resource.RLIM_INFINITY)
    for hint in (explain_load(MAP, host.root).hint, explain_attach("Permission denied", "tracepoint").hint):
        assert "seccomp" in hint and "ulimit" not in hint and "run as root" not in hint


def test_no_memory_is_spoken_of_where_none_is_missing(host, memlock):
    memlock(65536)
    hint = explain_load("bpf: Failed to load program: Invalid argument", host.root).hint
    assert hint == "--debug shows the whole output"


def test_few_descriptors_are_said(host):
    error = explain_load("could not open bpf map: rows, error: Too many open files\nFailed", host.root)
    assert str(error).endswith(": could not open bpf map: rows, error: Too many open files")
    assert error.hint.startswith("allow more open files with 'ulimit -n")


@pytest.mark.parametrize("said", ["invalid func unknown#120", "5: (85) call unknown#120\nunknown func unknown#120\n"])
def test_a_kernel_that_tells_no_ids_of_a_namespace_is_said(host, said):
    error = explain_load(f"{said}\nFailed to load BPF program b'count_exit': Invalid argument", host.root)
    assert str(error).startswith("this kernel cannot tell a program the ids of a pid")
    assert "--pid=host" in error.hint


@pytest.mark.parametrize("option", ["--time", "--detail"])
@pytest.mark.parametrize("missing", ["kvm_entry", "kvm_userspace_exit"])
def test_a_kernel_without_an_event_that_an_option_needs_is_named(host, missing, option):
    for event in {"kvm_entry", "kvm_userspace_exit"} - {missing}:
        host.add_file(f"sys/kernel/debug/tracing/events/kvm/{event}/format", "")
    with refuses(ExitStatError, f"this kernel has no tracepoint kvm:{missing}, and {option} needs it"):
        check_events(host.root, ["kvm_entry", "kvm_userspace_exit"], option)
    host.add_file(f"sys/kernel/tracing/events/kvm/{missing}/format", "")
    check_events(host.root, ["kvm_entry", "kvm_userspace_exit"], option)
