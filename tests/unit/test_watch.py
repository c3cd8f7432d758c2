"""processes.Watch: the end of a process is heard, whoever has its pid afterwards."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from virt_exitstat.host.processes import Watch, start_time

HERE = Path("/")
LIB = str(Path(__file__).resolve().parents[2] / "lib")


@pytest.fixture()
def process():
    with subprocess.Popen(["sleep", "1000"]) as one:
        yield one
        one.kill()


def test_a_process_that_runs_has_not_ended(process):
    watch = Watch(process.pid, start_time(process.pid, HERE), HERE)
    assert not watch.has_ended()
    assert select.select([watch], [], [], 0) == ([], [], [])
    watch.close()


def test_the_end_is_heard_before_anybody_has_waited_for_the_process(process):
    watch = Watch(process.pid, start_time(process.pid, HERE), HERE)
    process.kill()
    assert select.select([watch], [], [], 30)[0] == [watch]
    assert watch.has_ended()
    # It is a zombie still, whose pid nobody else can have.
    assert os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT).si_pid == process.pid
    watch.close()
    assert watch.has_ended()


def test_another_process_that_has_the_pid_by_now_is_not_watched(process):
    watch = Watch(process.pid, start_time(process.pid, HERE) - 1, HERE)
    assert watch.has_ended()
    watch.close()


def test_a_process_that_is_not_there_has_ended():
    done = subprocess.Popen(["true"])
    done.wait()
    assert Watch(done.pid, 1, HERE).has_ended()


def test_on_a_made_up_host_the_start_time_tells(host):
    host.add_process(100, started=5)
    watch = Watch(100, 5, host.root)
    assert watch.fileno() == -1 and not watch.has_ended()
    host.end_process(100)
    host.add_process(100, started=6)
    assert watch.has_ended()


WATCH_MANY = (
    "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard_limit}));"
    "from pathlib import Path; from virt_exitstat import cli; from virt_exitstat.host import processes;"
    "me = (os.getpid(), processes.start_time(os.getpid(), Path('/')), Path('/'));"
    "many = lambda: [processes.Watch(*me) for _ in range(300)];"
    "cli.run_cli(lambda _: print(sum(not watch.has_ended() for watch in many())) or 0)"
)


def watch_many(hard_limit):
    command = [sys.executable, "-c", WATCH_MANY.format(hard_limit=hard_limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": LIB})
    return done.returncode, done.stdout, done.stderr


def test_more_processes_can_be_watched_than_the_usual_limit_of_descriptors():
    # On a host of a thousand domains; the limit that shells and systemd set is a soft one.
    assert watch_many(1000) == (0, "300\n", "")


def test_without_descriptors_a_process_that_runs_is_not_taken_for_an_ended_one():
    # Whichever takes the last one: the process' own descriptor, or a look at its start.
    for hard_limit in (100, 101):
        status, said, errors = watch_many(hard_limit)
        assert (status, said) == (1, "")
        assert "Too many open files" in errors and "hint: " in errors
