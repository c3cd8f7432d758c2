"""The launcher as a process: run from the checkout, by a link, installed; and its ways out."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LAUNCHER = CHECKOUT / "virt-exitstat"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_help_ends_with_examples():
    done = run(LAUNCHER, "--help")
    assert done.returncode == 0
    assert "virt-exitstat guest01 --vcpu 0 10 " in done.stdout.partition("examples:")[2]
    assert max(map(len, done.stdout.splitlines())) < 80


def test_it_runs_by_a_link_from_anywhere(tmp_path):
    (tmp_path / "exits").symlink_to(LAUNCHER)
    assert run(tmp_path / "exits", "--version", cwd="/").stdout == run(LAUNCHER, "--version").stdout != ""


def test_it_runs_installed_and_uninstall_leaves_what_others_put_there(tmp_path):
    where = [f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    share = tmp_path / "usr/share"
    others = [tmp_path / "usr/bin/virsh", share / "man/man8/virsh.8", share / "bash-completion/completions/virsh"]
    for path in others:
        path.parent.mkdir(parents=True)
        path.touch()
    assert run("make", "-s", "-C", CHECKOUT, "install", *where).returncode == 0
    assert run(tmp_path / "usr/bin/virt-exitstat", "--version", cwd="/").stdout == run(LAUNCHER, "--version").stdout
    for path in (
        "virt-exitstat/bpf/exitstat.bpf.c",
        "virt-exitstat/lib/virt_exitstat/cli.py",
        "virt-exitstat/lib/virt_exitstat/formats/report.schema.json",
        "man/man8/virt-exitstat.8",
        "man/man7/virt-exitstat-advice.7",
    ):
        assert (share / path).is_file()
    completions = [
        path.name for path in share.rglob("*virt-exitstat*") if path.is_file() and path.suffix not in (".7", ".8")
    ]
    assert sorted(completions) == sorted(path.name for path in (CHECKOUT / "completions").iterdir())
    assert run("make", "-s", "-C", CHECKOUT, "uninstall", *where).returncode == 0
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)


def test_a_wrong_option_is_one_line_and_a_hint():
    done = run(LAUNCHER, "--frobnicate")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "virt-exitstat: unrecognized arguments: --frobnicate",
        "hint: 'virt-exitstat --help' shows the options and examples",
    ]


def test_debug_shows_the_traceback_too():
    done = run(LAUNCHER, "--debug", "--vcpu", "x")
    assert done.returncode == 2
    assert (
        "Traceback" in done.stderr
        and "\nvirt-exitstat: --vcpu: 'x' must be a vCPU's number, or two as in 2-5\nhint: " in done.stderr
    )


def test_a_closed_stdout_is_said():
    done = run("sh", "-c", f"{LAUNCHER} --list >&-")
    assert done.returncode == 1
    assert done.stderr.startswith("virt-exitstat: standard output is closed\nhint: ")


@pytest.mark.parametrize("uri", ["qemu+ssh://root@host9/system", "qemu://host9/system", "qemu+tcp://host9/system"])
def test_another_hosts_uri_is_refused_with_what_to_do(uri):
    done = run(LAUNCHER, "-c", uri, "--list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"'{uri}' is on another host" in done.stderr
    assert "hint: run virt-exitstat on that host, for instance: ssh host9 " in done.stderr


@pytest.mark.parametrize("uri", ["lxc:///", "xen:///system", "test:///default", "nonsense"])
def test_another_hypervisors_uri_is_refused(uri):
    done = run(LAUNCHER, "-c", uri, "--list")
    assert done.returncode == 1
    assert f"'{uri}' is not a URI of libvirt's QEMU driver\nhint: " in done.stderr


def test_a_daemon_that_does_not_answer_is_said(tmp_path):
    done = run(LAUNCHER, "-c", f"qemu+unix:///system?socket={tmp_path}/none", "--list")
    assert done.returncode == 1
    assert (
        "its daemon is not running" in done.stderr and "hint: start it with 'systemctl start libvirtd'" in done.stderr
    )


@pytest.mark.parametrize("option", ["--list", "--complete=domains"])
def test_what_only_lists_never_imports_bcc(tmp_path, option):
    (tmp_path / "bcc.py").write_text("raise SystemExit('bcc was imported')\n")
    done = run(LAUNCHER, "-c", f"qemu+unix:///system?socket={tmp_path}/none", option, env={"PYTHONPATH": str(tmp_path)})
    assert "bcc was imported" not in done.stderr
    assert done.returncode == (1 if option == "--list" else 0)


def test_completion_is_silent_when_libvirt_does_not_answer(tmp_path):
    done = run(LAUNCHER, "-c", f"qemu+unix:///system?socket={tmp_path}/none", "--complete", "domains")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture()
def silent(tmp_path):
    """Starts the launcher at a daemon that takes the connection and never answers; its process and the connection."""
    started = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sock"))
        listening.listen()

        def start(*arguments):
            uri = f"qemu+unix:///system?socket={tmp_path}/sock"
            process = subprocess.Popen(
                [LAUNCHER, "-c", uri, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            started.append(process)
            connected, _ = listening.accept()
            started.append(connected)  # and not closed, which would be an answer
            return process, connected

        yield start
        for process, connected in zip(started[::2], started[1::2]):
            process.kill()
            process.communicate()
            connected.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [("--list",), ("-i", "1"), ("--complete=domains",)])
def test_a_signal_ends_a_connection_that_does_not_answer(silent, arguments, number):
    process, _ = silent(*arguments)
    process.send_signal(number)
    assert process.communicate() == ("", "")
    assert process.returncode == -number


def test_waiting_for_libvirt_is_said_and_its_end_is_told(silent):
    process, connected = silent("--list")
    said = process.stderr.readline()
    assert said.startswith("virt-exitstat: waiting for libvirt at qemu+unix:///system?socket=")
    assert said.endswith(", which is busy or hangs ..\n")
    connected.close()
    out, rest = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert rest.startswith("virt-exitstat: cannot connect to libvirt at ") and "\nhint: " in rest


def test_completion_gives_up_a_libvirt_that_does_not_answer(silent):
    process, _ = silent("--complete=domains")
    assert process.communicate() == ("", "")
    assert process.returncode == 0
