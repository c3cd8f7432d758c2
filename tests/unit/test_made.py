"""The parts of the documentation that are made: they are fresh, and mdoc shows any text as it was written."""

import shutil
import subprocess

import pytest

from made import PARTS, TREE, Part, readme_reasons
from mdoc import literals, paragraph

MAN_PAGE = """\
.Dd November 22, 2026
.Dt TRIAL 8
.Os
.Sh NAME
.Nm trial
.Nd a trial
.Sh DESCRIPTION
"""


@pytest.mark.parametrize("part", PARTS, ids=[f"{part.file}: {part.name}" for part in PARTS])
def test_what_is_made_is_fresh(part):
    text = (TREE / part.file).read_text(encoding="utf-8")
    assert part.renewed(text) == text, "stale: run 'make docs' and read the diff"


def test_only_the_part_between_its_lines_is_made_anew():
    part = Part("page", "kinds", lambda: "new\n")
    page = "kinds\n# kinds: made by 'make docs' from x\n{}# kinds: end\nkinds: end of talk\n"
    assert part.renewed(page.format("old\nolder\n")) == page.format("new\n")
    assert part.renewed(page.format("")) == page.format("new\n")


@pytest.mark.parametrize(
    "page", ["", "# kinds: made by 'make docs'\n", "# kinds: end\n", "# other kinds\n# kinds: end\n"]
)
def test_a_page_without_its_lines_is_refused(page):
    with pytest.raises(ValueError, match="page has no lines"):
        Part("page", "kinds", lambda: "new\n").renewed(page)


def test_the_readme_has_the_first_sentence_of_each():
    rows = readme_reasons().splitlines()
    assert "| `CPUID` | The guest asks what its CPU can do. |" in rows[8][:60]
    assert {row.count("|") for row in rows} == {4}


def rendered(lines):
    """The text that a reader of the page sees. Any complaint of mandoc is a failure."""
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    source = MAN_PAGE + "".join(f"{line}\n" for line in lines)
    assert max(len(line) for line in lines) <= 80
    linted = subprocess.run(["mandoc", "-Tlint"], input=source, capture_output=True, text=True, check=False)
    complaints = [line for line in linted.stdout.splitlines() if "referenced manual not found" not in line]
    assert complaints == []
    shown = subprocess.run(
        ["mandoc", "-Tascii", "-Owidth=500"], input=source, capture_output=True, text=True, check=True
    ).stdout
    # A letter, a backspace and the letter again are bold; an underscore before the backspace underlines.
    while "\b" in shown:
        at = shown.index("\b")
        shown = shown[: at - 1] + shown[at + 1 :]
    return " ".join(shown.partition("DESCRIPTION")[2].split("\n\n")[0].split())


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("One word. Two words.", "One word. Two words."),
        ("Use `a`, `b-c` (`/etc/d`, see e(1)).", "Use a, b-c (/etc/d, see e(1))."),
        ("Type `-overcommit cpu-pm=on`.", "Type `-overcommit cpu-pm=on'."),
        ("A \\fBbackslash and `\\n`.", "A \\fBbackslash and \\n."),
        (".Sh is no heading, and 'tis no request.", ".Sh is no heading, and 'tis no request."),
        ("The words `No`, `Li` and `Sh` are no macros.", "The words No, Li and Sh are no macros."),
        ('Quotes stay: `a "b c"`.', 'Quotes stay: `a "b c"\'.'),
        ("A mark: `.`.", "A mark: .."),
        (" ".join(["word"] * 60) + ".", " ".join(["word"] * 60) + "."),
    ],
)
def test_a_text_is_read_as_it_was_written(text, seen):
    assert rendered(paragraph(text)) == seen


def test_what_mdoc_cannot_join_is_refused():
    with pytest.raises(ValueError, match="only punctuation may touch the backticks: `VMREAD`s"):
        paragraph("Many `VMREAD`s.")


def test_names_stand_with_commas():
    assert literals(("HLT", "READ_CR*", "No")) == "HLT , READ_CR* , \\&No"
