"""Standard output and standard error as they are found: closed, full, read by nobody. The report comes all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LAUNCHER = CHECKOUT / "virt-exitstat"
DRIVER = [sys.executable, str(Path(__file__).with_name("run_driver.py"))]

#: What a shell makes of standard error. GONE stands for a pipe whose reader is gone.
LOST = {"closed": "2>&-", "full": "2>/dev/full", "reader gone": "2>&GONE"}

every_loss = pytest.mark.parametrize("loss", LOST)
buffered_or_not = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


def shell(words, redirection, *, world=None, unbuffered="", **options):
    """Run words with a shell's redirection."""
    reader, gone = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "WORLD": str(world)}
    command = ["bash", "-c", f'"$@" {redirection} GONE>&-'.replace("GONE", str(gone)), "bash", *words]
    options = {"capture_output": True, "text": True, "check": False, "env": environment, **options}
    try:
        return subprocess.run(command, pass_fds=[gone], **options)
    finally:
        os.close(gone)


@every_loss
@buffered_or_not
def test_the_report_comes_whatever_becomes_of_stderr(tmp_path, loss, unbuffered):
    done = shell([*DRIVER, "web01", "-o", "json", ".01"], LOST[loss], world=tmp_path, unbuffered=unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["domains"][0]["total"] == 292508


@every_loss
@buffered_or_not
def test_reports_of_a_run_of_intervals_come_whatever_becomes_of_stderr(tmp_path, loss, unbuffered):
    words = [*DRIVER, "web01", "-o", "json", "-i", ".01", "--count", "3"]
    done = shell(words, LOST[loss], world=tmp_path, unbuffered=unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 3


@every_loss
@buffered_or_not
@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["", "debug"])
@pytest.mark.parametrize(("words", "status"), [(["--frobnicate"], 2), (["--list", "--pid", "2"], 3)])
def test_an_error_never_lands_on_stdout_and_keeps_its_status(loss, unbuffered, debug, words, status):
    done = shell([LAUNCHER, *words, *debug], LOST[loss], unbuffered=unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@buffered_or_not
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--complete", "reasons"]], ids=" ".join)
def test_what_cannot_be_written_to_stdout_is_an_error(words, unbuffered):
    done = shell([LAUNCHER, *words], ">/dev/full", unbuffered=unbuffered)
    assert done.returncode == 1
    assert done.stderr == (
        "virt-exitstat: cannot write to standard output: No space left on device\nhint: make room, or write elsewhere\n"
    )


@buffered_or_not
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--complete", "reasons"]], ids=" ".join)
def test_a_reader_that_has_gone_is_told_nothing(words, unbuffered):
    done = shell([LAUNCHER, *words], ">&GONE", unbuffered=unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("loss", LOST)
def test_both_streams_may_be_lost(loss):
    done = shell([LAUNCHER, "--version"], f">/dev/full {LOST[loss]}")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_file_that_ends_in_a_short_write_is_not_taken_for_a_whole_one(tmp_path):
    # Unbuffered, Python drops the rest of a short write.
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", LAUNCHER, "--help"]
    done = shell(limited, f">{tmp_path}/help", unbuffered="1")
    assert (tmp_path / "help").stat().st_size == 1024
    assert done.returncode == 1
    assert "cannot write to standard output: File too large\nhint: " in done.stderr


def test_a_pipe_that_does_not_block_gets_everything():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, bytes(65536 - 100))
    process = subprocess.Popen([LAUNCHER, "--help"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    with open(reader, "rb") as pipe:
        text = pipe.read()[65536 - 100 :].decode()
    assert process.communicate()[1] == b"" and process.returncode == 0
    assert text == subprocess.run([LAUNCHER, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("closed", ["0<&- 2>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_no_file_takes_the_number_of_a_stream_that_was_closed(closed):
    program = (
        "import os, sys; sys.path.insert(0, 'lib'); from virt_exitstat.host.streams import open_missing_streams;"
        "open_missing_streams(); sys.exit(os.open('/dev/null', os.O_RDONLY))"
    )
    assert shell([sys.executable, "-c", program], closed, cwd=CHECKOUT).returncode > 2


def test_a_name_that_the_streams_encoding_lacks_is_shown_escaped(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "WORLD": str(tmp_path)}
    done = shell([*DRIVER, "-d", "3", "--list"], "", env=environment)
    assert done.returncode == 0, done.stderr
    assert 'odd "name" $(id) \\xfc' in done.stdout


def test_a_reader_of_stderr_that_goes_while_we_count_is_not_missed(tmp_path):
    words = [*DRIVER, "web01", "db01", "-o", "json", "-i", ".2", "--count", "3"]
    environment = {**os.environ, "WORLD": str(tmp_path), "DB01_BECOMES": "qemu"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr.readline().startswith("counting exits of ")
        process.stderr.close()
        assert len(process.stdout.readlines()) == 3
    assert process.returncode == 0
