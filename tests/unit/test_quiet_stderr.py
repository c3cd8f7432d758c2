"""quiet_stderr: what a library prints, by whatever way, reaches neither the screen nor the report."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

#: A library that prints as bcc (C++ streams, which end in C's), clang and a child (modprobe) do, and then fails or not.
PROGRAM = """
import ctypes, os, resource, sys
sys.path.insert(0, 'lib')
from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.quiet_stderr import quiet_stderr
limit, debug, fails = map(int, sys.argv[1:])
for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    if kind == limit:
        resource.setrlimit(kind, (0, 0))
try:
    with quiet_stderr(bool(debug), lambda said: ExitStatError(repr(said), "hint")):
        ctypes.CDLL(None).printf(b"no headers\\n")
        ctypes.CDLL(None).dprintf(2, b"the compiler\\n")
        os.system("echo the child; echo its errors >&2")
        if fails:
            raise Exception("raised")
except ExitStatError as error:
    print("error", error)
print("report")
"""


def run(*, limit=-1, debug=False, fails=False, **options):
    words = [str(int(number)) for number in (limit, debug, fails)]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=CHECKOUT, capture_output=True, text=True, check=False, **options
    )


def test_nothing_is_shown_when_all_goes_well():
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "report\n", "")


def test_all_that_was_said_is_in_the_error():
    done = run(fails=True)
    error, report = done.stdout.splitlines()
    for said in ("no headers", "the compiler", "the child", "its errors", "raised"):
        assert said in error
    assert (report, done.stderr) == ("report", "")


@pytest.mark.parametrize("fails", [False, True])
def test_debug_shows_it_on_stderr_alone(fails):
    done = run(debug=True, fails=fails)
    assert sorted(done.stderr.splitlines()) == ["its errors", "no headers", "the child", "the compiler"]
    assert done.stdout.splitlines()[-1] == "report"


def test_no_file_on_disk_is_needed(tmp_path):
    done = run(fails=True, env={"TMPDIR": str(tmp_path / "none"), "TMP": "", "TEMP": ""})
    assert "the compiler" in done.stdout


def test_a_limit_on_a_files_size_takes_only_what_was_said():
    done = run(limit=resource.RLIMIT_FSIZE, fails=True)
    assert done.stdout.splitlines() == [r"error '\nraised'", "report"]


def test_few_descriptors_are_one_of_our_errors():
    done = run(limit=resource.RLIMIT_NOFILE)
    assert "error" in done.stdout and "Too many open files" in done.stdout
