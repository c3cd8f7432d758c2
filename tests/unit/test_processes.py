"""processes: what /proc tells, and whose ids it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host import processes
from virt_exitstat.targets.thread_filter import PidNamespace


def add_own_proc(host, *, ids, pid_1_tells=True):
    """Our own entry with these ids in the pid namespaces, and each namespace's file; the device and inode of two."""
    host.add_file("proc/self/status", "NSpid:\t" + "\t".join(map(str, ids)) + "\n")
    host.add_file("proc/self/ns/pid", "")
    if pid_1_tells:
        host.add_file("proc/1/ns/pid", "")
    return tuple(
        PidNamespace(os.major(found.st_dev) << 20 | os.minor(found.st_dev), found.st_ino)
        for found in ((host.proc / name / "ns/pid").stat() for name in ("self", "1") if pid_1_tells or name == "self")
    )


def test_a_proc_of_our_own_namespace_is_told_by_our_own_entry(host):
    own, _ = add_own_proc(host, ids=[7])
    assert processes.shown_namespace(host.root) == own


def test_a_proc_of_another_namespace_is_told_by_its_first_process(host):
    _, outer = add_own_proc(host, ids=[4711, 7])
    assert processes.shown_namespace(host.root) == outer


def test_a_proc_that_may_not_tell_its_namespace_is_refused(host):
    add_own_proc(host, ids=[4711, 7], pid_1_tells=False)
    with refuses(ExitStatError, "/proc shows the ids of another pid namespace than ours"):
        processes.shown_namespace(host.root)


def test_a_kernel_without_pid_namespaces_has_only_the_first(host):
    assert processes.shown_namespace(host.root) is None


def in_a_new_namespace(*options):
    """What shown_namespace() says of the real /proc in a new pid namespace."""
    program = (
        "from pathlib import Path; from virt_exitstat.host.processes import shown_namespace as s; print(s(Path('/')))"
    )
    return subprocess.run(
        ["unshare", "--pid", "--fork", *options, sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(processes.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="making a pid namespace needs root")
def test_a_new_namespace_is_told_and_only_by_a_proc_of_its_own():
    here = processes.shown_namespace(Path("/"))
    assert "PidNamespace(device=" in in_a_new_namespace("--mount-proc")
    # The /proc of before shows the ids of before; where its first process may not be asked, it says so.
    try:
        assert in_a_new_namespace() == f"{here}\n"
    except subprocess.CalledProcessError as refused:
        assert "/proc shows the ids of another pid namespace than ours" in refused.stderr


def test_a_start_time_stands_behind_whatever_name(host):
    host.add_process(100, started=123456)
    assert processes.start_time(100, host.root) == 123456
    assert processes.start_time(101, host.root) == 0


@pytest.mark.parametrize("text", ["", "100", "100 (a", "100 (a) S 1", "100 (a) S" + " x" * 40, "\0" * 50])
def test_a_start_time_that_cannot_be_read_is_none(host, text):
    host.add_process(100)
    (host.proc / "100/stat").write_text(text)
    assert processes.start_time(100, host.root) == 0


def test_our_own_start_time_is_the_same_at_each_look():
    assert processes.start_time(os.getpid(), Path("/")) == processes.start_time(os.getpid(), Path("/")) > 0


def test_ancestors_are_told_from_the_nearest(host):
    host.add_process(100, parent=1)
    host.add_process(110, parent=100)
    host.add_process(120, parent=110)
    assert processes.ancestors(120, host.root) == (110, 100, 1)


def test_parents_in_a_circle_end(host):
    host.add_process(100, parent=110)
    host.add_process(110, parent=100)
    assert processes.ancestors(100, host.root) == (110,)


def test_our_own_ancestors_lead_to_the_first_process():
    # In a pid namespace of its own, the first process has no parent that could be seen: 0.
    assert processes.ancestors(os.getpid(), Path("/"))[:1] == tuple(filter(None, [os.getppid()]))


def test_a_thread_has_waited_as_the_scheduler_says(host):
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_schedstat(100, 101, 5_000_000)
    assert processes.waited_ns(100, 101, host.root) == 5_000_000
    host.add_schedstat(100, 101, 0)
    assert processes.waited_ns(100, 101, host.root) == 0


@pytest.mark.parametrize("text", ["0 0 0\n", "", "1 2\n", "1 2 3 4\n", "1 x 3\n"])
def test_what_the_scheduler_does_not_keep_is_not_known(host, text):
    """Not even that it is nothing: without schedstats a kernel shows zeros."""
    host.add_process(100, {101: "CPU 0/KVM"})
    host.add_file("proc/100/task/101/schedstat", text)
    assert processes.waited_ns(100, 101, host.root) is None


def test_a_thread_that_is_gone_or_a_kernel_without_schedstat_tells_no_wait(host):
    host.add_process(100)
    assert processes.waited_ns(100, 100, host.root) is None
    assert processes.waited_ns(100, 999, host.root) is None
