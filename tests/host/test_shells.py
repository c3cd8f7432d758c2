"""Completion in the three shells, driven on a terminal; what libvirt would say is made up."""

import re
from pathlib import Path

import pytest

from shells import SHELLS, Shell

LAUNCHER = Path(__file__).resolve().parents[2] / "virt-exitstat"

# Answers as the tool does and notes what it was asked.
ANSWERS = """#!/bin/sh
printf '%s|' "$@" >>'{home}/asked'; echo >>'{home}/asked'
for what; do :; done
case $what in
domains) cat '{home}/domains' ;;
vcpus) printf '%s\\n' 0 1 2 ;;
pids) printf '%s\\n' 42 4242 ;;
reasons) printf '%s\\n' EPT_MISCONFIG EPT_VIOLATION HLT ;;
words) printf '%s\\n' HLT serial-console 'x2APIC EOI' ;;
esac
"""

# Each begins with a letter of its own. {home} is a directory where a trap must not appear.
ODD_NAMES = [
    "space d out",
    "colon:a:b",
    "dollar$(touch {home}/trap)`touch {home}/trap`${{HOME}}",
    "quote\"d 'n' \"more",
    "back\\slash\\\\n\\",
    "glob*?[a-z]{{a,b}}~#",
    "history!!x!$",
    "meta;&|<>()^=%@x",
    "ünï🐧",
]


class World:
    """A shell and what its completion asked."""

    def __init__(self, kind, home):
        self.home = home
        (home / "answers").write_text(ANSWERS.format(home=home))
        (home / "answers").chmod(0o755)
        self.name("guest01", "guest02")
        self.shell = Shell(kind, home, home / "answers")

    def name(self, *names):
        (self.home / "domains").write_text("".join(f"{name}\n" for name in names))

    def asked(self):
        """Take what was asked since the last time: lists of words."""
        asked = self.home / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.write_text("")
        return [line.split("|")[:-1] for line in lines]


@pytest.fixture(scope="module", params=SHELLS)
def shared(request, tmp_path_factory):
    made = World(request.param, tmp_path_factory.mktemp(request.param))
    yield made
    made.shell.close()


@pytest.fixture()
def world(shared):
    shared.name("guest01", "guest02")
    shared.asked()
    return shared


@pytest.fixture()
def start(tmp_path):
    """Start a shell of a kind whose completion asks a program; all are closed when the test ends."""
    started = []

    def start_shell(kind, answers, **more):
        started.append(Shell(kind, tmp_path, answers, **more))
        return started[-1]

    yield start_shell
    for shell in started:
        shell.close()


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
        ("-r '!HL", ["-r", "!HLT"]),
        ('-r "!HL', ["-r", "!HLT"]),
        ("--reason \\!hlt,\\!ept_v", ["--reason", "!hlt,!EPT_VIOLATION"]),
        ("--pid 42,a", ["--pid", "42,all"]),
        ("--about seri", ["--about", "serial-console"]),
        ("--about x2", ["--about", "x2APIC EOI"]),
        ("--about 'x2", ["--about", "x2APIC EOI"]),
        ("--log /etc/hostn", ["--log", "/etc/hostname"]),
        ("--log=/etc/hostn", ["--log=/etc/hostname"]),
        ("-a < /etc/hostn", ["-a"]),
        ("-a guest01 gu", ["-a", "guest01", "guest02"]),
        ("-d guest02 gu", ["-d", "guest02", "guest01"]),
        ("-d guest01 -ad gu", ["-d", "guest01", "-ad", "guest02"]),
        ("-i guest01 guest02 guest", ["-i", "guest01", "guest02", "guest01"]),
    ],
)
def test_a_word_is_completed(world, typed, words):
    assert world.shell.enter(typed) == words


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["guest01", "guest02"]),
        ("guest01 ", ["guest02"]),
        ("--vcpu ", ["0", "1", "2"]),
        ("guest01 --vcpu 1,", ["1,0", "1,2"]),
        ("guest01 --vcpu 0,1-", ["0,1-1", "0,1-2"]),
        ("-p ", ["42", "4242", "all"]),
        ("-o ", ["csv", "json", "prometheus", "table", "wide"]),
        ("-s ", ["count", "name", "rate", "time"]),
        ("--attach ", ["auto", "raw", "tracepoint"]),
        ("-r HLT,", ["HLT,EPT_MISCONFIG", "HLT,EPT_VIOLATION"]),
        ("-i ", []),
        ("-c ", ["qemu:///session", "qemu:///system"]),
    ],
)
def test_what_fits_is_offered(world, typed, offered):
    assert world.shell.offers(typed) == offered


@pytest.mark.parametrize("typed", ["--pid 42 ", "-t 42 "])
def test_no_domain_is_offered_beside_a_process_or_a_thread(world, typed):
    # zsh offers options where nothing else fits.
    assert [word for word in world.shell.offers(typed) if not word.startswith("-")] == []


@pytest.mark.parametrize(
    ("typed", "gone", "left"),
    [
        ("-a --list -o csv -", {"-a", "--per-vcpu", "--list", "-o", "--output"}, {"-d", "--domain"}),
        ("-r HLT -p 42 -", set(), {"-r", "--reason", "-p", "--pid"}),
        ("--sort=name -", {"-s", "--sort"}, {"--top"}),
    ],
)
def test_an_option_that_is_used_up_is_no_longer_offered(world, typed, gone, left):
    offered = set(world.shell.offers(typed))
    assert offered & gone == set()
    assert left <= offered


def test_an_odd_name_arrives_as_it_is(world):
    names = [name.format(home=world.home) for name in ODD_NAMES]
    world.name(*names)
    for name in names:
        for typed in (name[0], f"--domain={name[:3]}", f"'{name[:3]}", f'"{name[:3]}'):
            assert re.sub("^--domain=", "", world.shell.enter(typed)[-1]) == name, typed
    assert not (world.home / "trap").exists()


def test_a_name_with_colons_is_completed_from_anywhere(world):
    world.name("colon:a b:c", "colon:z")
    for typed in ("colon:a", "colon:a\\ b:", "'colon:a b:", '"colon:', "colon\\:a"):
        assert world.shell.enter(typed if typed != '"colon:' else '"colon:a')[-1] == "colon:a b:c"
    assert world.shell.enter("colon:a\\ b:c colon:")[-1] == "colon:z"


def test_a_name_that_would_be_misread_is_offered_only_where_it_is_not(world):
    world.name("-a", "10", "2.5", "guest10")
    assert world.shell.offers("") == ["guest10"]
    assert world.shell.offers("-d ") == ["10", "2.5", "guest10"]
    assert world.shell.enter("--domain=2") == ["--domain=2.5"]
    assert world.shell.enter("--domain=-") == ["--domain=-a"]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("-c qemu:///session gu", ["--connect=qemu:///session", "--complete", "domains"]),
        ("-cqemu:///session -d gu", ["--connect=qemu:///session", "--complete", "domains"]),
        ("'a b' -i 5 -d c:d 10 --vcpu ", ["--complete", "vcpus", "--domain=c:d", "10", "a b"]),
        ("-p 42 --vcpu ", ["--complete", "vcpus", "--pid=42"]),
    ],
)
def test_what_the_answer_depends_on_is_handed_over(world, typed, asked):
    world.shell.enter(typed)
    (words,) = {tuple(sorted(words)) for words in world.asked()}
    assert words == tuple(sorted(asked))


@pytest.mark.parametrize("kind", SHELLS)
def test_aliases_of_local_uris_are_offered(kind, tmp_path, start):
    (tmp_path / ".config/libvirt").mkdir(parents=True)
    (tmp_path / ".config/libvirt/libvirt.conf").write_text(
        'uri_aliases = [\n  "mine=qemu:///session",\n  "far=qemu+ssh://host9/system",\n# "old=qemu:///system",\n]\n'
    )
    shell = start(kind, LAUNCHER, env={"LIBVIRT_DEFAULT_URI": "qemu:///embed"})
    assert shell.offers("-c ") == ["mine", "qemu:///embed", "qemu:///session", "qemu:///system"]


def test_bash_completion_loads_it_also_behind_sudo(start):
    if not Path("/usr/share/bash-completion/bash_completion").exists():
        pytest.skip("no bash-completion: 'tests/setup' installs it")
    shell = start("bash-completion", LAUNCHER)
    assert shell.enter("--attach=r") == ["--attach=raw"]
    assert shell.press("sudo virt-exitstat -a -c qemu:///se\t\r") == ["-a", "-c", "qemu:///session"]
