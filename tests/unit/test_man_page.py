"""The man page: it says all that the program has, and nothing else, and renders without a warning."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from virt_exitstat.advice.reasons import GROUPS
from virt_exitstat.arguments.table import OPTIONS
from virt_exitstat.errors import ExitStatus

TREE = Path(__file__).resolve().parents[2]
PAGE = TREE / "man/virt-exitstat.8"


def section(name):
    """The source of a section, below its heading."""
    (text,) = re.findall(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return text


def items(text):
    """The tags of its lists."""
    return re.findall(r"^\.It (.*)", text, re.MULTILINE)


def options_of_page():
    return {"-" + option for item in items(section("OPTIONS")) for option in re.findall(r"\bFl (\S+)", item)}


def options_of_program():
    text = subprocess.run(
        [sys.executable, TREE / "virt-exitstat", "--help"], capture_output=True, text=True, check=True
    ).stdout
    lines = re.findall(r"^  (-.*?)(?:  .*)?$", text, re.MULTILINE)
    return {option for line in lines for option in re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", line)}


def test_every_option_stands_in_the_man_page():
    assert {"-h", "--help", "--vcpu", "--list"} <= options_of_program() <= options_of_page()


def test_the_man_page_promises_no_option_that_is_not_there():
    assert options_of_page() <= options_of_program()


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.choices], ids=lambda option: option.long)
def test_the_values_of_an_option_stand_in_the_man_page(option):
    values = f"Cm {' | '.join(option.choices)}"
    tags = [item for item in items(section("OPTIONS")) if f"Fl {option.long[1:]} " in item]
    assert [tag.count(values) for tag in tags] == [len(option.forms)]


def test_every_exit_status_stands_in_the_man_page():
    assert items(section("EXIT STATUS")) == [str(status.value) for status in ExitStatus]


def test_every_reason_explained_has_its_tag():
    tags = [item.split()[1::2] for item in items(section("EXIT REASONS"))]
    assert tags == [list(explanation.names) for group in GROUPS for explanation in group.explanations]


def warnings(*command):
    """The complaints of a formatter about the page."""
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run([*command, PAGE], capture_output=True, env=environment, check=False)
    # mandoc says it on stdout; on stderr it says that it has no index of this machine's pages.
    return (done.stdout if command[0] == "mandoc" else done.stderr).decode().splitlines()


def test_mandoc_has_nothing_to_say():
    # But for the pages referred to that this machine lacks.
    said = warnings("mandoc", "-Tlint")
    assert [line for line in said if "referenced manual not found" not in line] == []


def test_man_has_nothing_to_say():
    assert warnings("man", "--warnings", "--encoding=UTF-8", "--troff-device=utf8", "--ditroff", "--local-file") == []
