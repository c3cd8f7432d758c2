"""Completion in the three shells with the tool's own answers: a real libvirtd and real KVM domains on this machine."""

import os
import pwd
import re
import shlex
import shutil
import socket
import threading
from pathlib import Path

import pytest

from local_libvirt import CHECKOUT, started_domains, virsh
from shells import SHELLS, Shell

PREFIX = f"tab{os.getpid()}"

#: The last one is a trap: whoever evaluates it makes a file.
NAMES = [
    f"{PREFIX}-a plain:one",
    f"{PREFIX}-b 'single' \"double\" back\\slash",
    f"{PREFIX}-c;$(touch trap)`touch trap`!*",
]

every_shell = pytest.mark.parametrize("kind", SHELLS)


@pytest.fixture(scope="module")
def home():
    """A copy of the tool where every user may look, and a home directory beside it."""
    top = Path(f"/tmp/{PREFIX}")
    for part in ("lib", "completions"):
        shutil.copytree(CHECKOUT / part, top / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "virt-exitstat", top)
    top.chmod(0o755)
    yield top
    shutil.rmtree(top)


@pytest.fixture()
def start(home):
    """Start a shell of a kind, which asks the real tool; it is closed when the test ends."""
    started = []

    def start_shell(kind, **popen):
        own = home / f"home-{len(list(home.iterdir()))}"
        own.mkdir()
        started.append(Shell(kind, own, home / "virt-exitstat", completions=home / "completions", **popen))
        return started[-1]

    yield start_shell
    for shell in started:
        shell.close()


def ordinary_user():
    """As `nobody`, in no group that libvirt knows: polkit lets everyone connect read-only."""
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture(scope="module")
def first_pid(libvirtd, tmp_path_factory):  # noqa: ARG001
    """Start NAMES, the first one with 3 vCPUs, for all tests here; its pid."""
    with started_domains(tmp_path_factory.mktemp("xml")) as start_domain:
        for name in NAMES:
            start_domain(name, 3 if name == NAMES[0] else 1)
        yield Path(f"/run/libvirt/qemu/{NAMES[0]}.pid").read_text()


@pytest.mark.parametrize("user", ["root", "nobody"])
@every_shell
def test_running_domains_their_vcpus_and_pids_are_completed(first_pid, start, home, kind, user):
    shell = start(kind, **(ordinary_user() if user == "nobody" else {}))
    for name in NAMES:
        begun = name[: len(PREFIX) + 2]
        assert shell.enter(begun) == [name]
        assert shell.enter(f"--domain='{begun}") == [f"--domain={name}"]
        assert shell.enter(f'-a "{begun}') == ["-a", name]
    assert shell.offers(f"{shlex.quote(NAMES[0])} --vcpu ") == ["0", "1", "2"]
    assert shell.offers(f"{shlex.quote(NAMES[1])} --vcpu ") == ["0"]
    assert {first_pid, "all"} <= set(shell.offers("--pid "))
    assert list(home.rglob("trap")) == []


@every_shell
def test_the_reasons_of_this_host_are_offered(start, kind):
    shell = start(kind)
    assert shell.enter("-r hl") == ["-r", "HLT"]
    assert len(shell.offers("--reason ")) > 50


@every_shell
def test_a_domain_that_has_ended_is_no_longer_offered(domain, start, kind):
    name = domain(f"{PREFIX}-ends")
    shell = start(kind)
    assert shell.enter(name[:-1]) == [name]
    virsh("destroy", name)
    assert shell.enter(name[:-1]) == [name[:-1]]


@every_shell
def test_a_libvirt_that_is_not_there_offers_nothing_and_says_nothing(start, tmp_path, kind):
    uri = f"qemu+unix:///system?socket={tmp_path}/none"
    shell = start(kind)
    before = len(shell.screen)
    assert shell.enter(f"-c '{uri}' ") == ["-c", uri]
    assert shell.enter(f"-c '{uri}' --vcpu ") == ["-c", uri, "--vcpu"]
    assert not re.search("(?i)error|hint|cannot|failed|traceback", shell.screen[before:])


@every_shell
def test_ctrl_c_ends_the_wait_for_a_libvirt_that_is_silent(start, tmp_path, kind):
    shell = start(kind)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "sock"))
        silent.listen()
        shell.send(f"virt-exitstat -c 'qemu+unix:///system?socket={tmp_path}/sock' \t")
        silent.settimeout(30)
        asking, _ = silent.accept()
        shell.send("\x03")
        asking.settimeout(30)
        while asking.recv(4096):
            pass
    # An interrupt may cost bash the next key.
    assert shell.press("\x15   virt-exitstat next\r") == ["next"]


@pytest.mark.usefixtures("libvirtd")
@every_shell
def test_a_libvirtd_that_goes_while_it_is_asked_offers_nothing_and_says_nothing(start, home, kind):
    """Between the shell and libvirtd stands a socket that hands over the first answer and then goes away."""
    path = home / f"{kind}.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        going = threading.Thread(target=hand_over_one_answer, args=[listening])
        going.start()
        shell = start(kind)
        uri = f"qemu+unix:///system?socket={path}"
        before = len(shell.screen)
        assert shell.enter(f"-c '{uri}' {PREFIX}") == ["-c", uri, PREFIX]
        going.join()
    assert "rror" not in shell.screen[before:]


def hand_over_one_answer(listening):
    """Be libvirtd for one request and its answer."""
    asking, _ = listening.accept()
    with asking, socket.socket(socket.AF_UNIX) as libvirtd:
        libvirtd.connect("/run/libvirt/libvirt-sock-ro")
        libvirtd.sendall(asking.recv(65536))
        asking.sendall(libvirtd.recv(65536))
