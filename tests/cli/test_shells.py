"""Completion in the three shells, driven on a terminal; what libvirt would say is made up."""

from pathlib import Path

import pytest

from shells import SHELLS, Shell

LAUNCHER = Path(__file__).resolve().parents[2] / "virt-exitstat"

# Answers as the tool does and notes what it was asked.
ANSWERS = """#!/bin/sh
printf '%s|' "$@" >>'{asked}'; echo >>'{asked}'
for what; do :; done
case $what in
domains) printf '%s\\n' {domains} ;;
vcpus) printf '%s\\n' 0 1 2 ;;
pids) printf '%s\\n' 42 4242 ;;
reasons) printf '%s\\n' EPT_MISCONFIG EPT_VIOLATION HLT ;;
esac
"""


class World:
    """A shell and what its completion asked."""

    def __init__(self, kind, home):
        self._asked = home / "asked"
        answers = home / "answers"
        answers.write_text(ANSWERS.format(asked=self._asked, domains="guest01 guest02"))
        answers.chmod(0o755)
        self.shell = Shell(kind, home, answers)

    def asked(self):
        """Takes what was asked since the last time."""
        text = self._asked.read_text() if self._asked.exists() else ""
        self._asked.write_text("")
        return [line.split("|")[:-1] for line in text.splitlines()]


@pytest.fixture(scope="module", params=SHELLS)
def world(request, tmp_path_factory):
    made = World(request.param, tmp_path_factory.mktemp(request.param))
    yield made
    made.shell.close()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--per", ["--per-vcpu"]),
        ("guest02 -o js", ["guest02", "-o", "json"]),
        ("--output=wi", ["--output=wide"]),
        ("--attach t", ["--attach", "tracepoint"]),
        ("-s n", ["-s", "name"]),
        ("-c qemu:///se", ["-c", "qemu:///session"]),
        ("--connect=qemu:///sy", ["--connect=qemu:///system"]),
        ("-r HL", ["-r", "HLT"]),
        ("--reason hlt,ept_v", ["--reason", "hlt,EPT_VIOLATION"]),
        ("--reason=HLT,EPT_M", ["--reason=HLT,EPT_MISCONFIG"]),
        ("--pid 42,a", ["--pid", "42,all"]),
        ("--log /etc/hostn", ["--log", "/etc/hostname"]),
        ("--log=/etc/hostn", ["--log=/etc/hostname"]),
        ("-a guest01 gu", ["-a", "guest01", "guest02"]),
        ("-d guest02 gu", ["-d", "guest02", "guest01"]),
        ("-d guest01 -ad gu", ["-d", "guest01", "-ad", "guest02"]),
        ("-i guest01 guest02 guest", ["-i", "guest01", "guest02", "guest01"]),
    ],
)
def test_a_word_is_completed(world, typed, words):
    assert world.shell.enter(typed) == words
