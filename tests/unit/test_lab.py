"""The lab's own promises: what it builds is whole or not there, what hangs is ended, and the status comes back."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cache import LabError, built_once, run
from image import Image
from machine import run_in_host

LAB = Path(__file__).resolve().parents[1] / "lab"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRT_EXITSTAT_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture()
def recipe(tmp_path):
    path = tmp_path / "recipe"
    path.write_text("first")
    return path


def write_disk(_scratch, result):
    (result / "disk").write_text("whole")


def built(cache):
    return [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_a_second_run_finds_what_the_first_has_built(recipe):
    home = built_once("debian", [recipe], 1, write_disk)
    assert built_once("debian", [recipe], 1, lambda *_: pytest.fail("built twice")) == home
    assert (home / "disk").read_text() == "whole"


def test_a_changed_recipe_is_built_anew_and_the_old_is_removed(recipe, cache):
    old = built_once("debian", [recipe], 1, write_disk)
    recipe.write_text("second")
    new = built_once("debian", [recipe], 1, write_disk)
    assert old != new and built(cache) == [new]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, LabError])
def test_an_interrupted_build_leaves_nothing(recipe, cache, interruption):
    def stop_halfway(_scratch, result):
        (result / "disk").write_text("ha")
        raise interruption("now")

    with pytest.raises(interruption):
        built_once("debian", [recipe], 1, stop_halfway)
    assert built(cache) == []


def test_a_killed_build_leaves_nothing_that_a_later_run_would_take(recipe, cache):
    program = f"""
import sys, time; sys.path.insert(0, {str(LAB)!r})
from pathlib import Path
from cache import built_once
def build(scratch, result):
    (result / "disk").write_text("ha")
    print("halfway", flush=True)
    time.sleep(60)
built_once("debian", [Path({str(recipe)!r})], 1, build)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as building:
        assert building.stdout.readline() == b"halfway\n"
        building.send_signal(signal.SIGKILL)
    home = built_once("debian", [recipe], 1, write_disk)
    assert (home / "disk").read_text() == "whole" and built(cache) == [home]


def test_two_labs_at_once_build_once(recipe):
    builds, start = [], threading.Barrier(2)

    def build(scratch, result):
        builds.append(scratch)
        write_disk(scratch, result)

    def one_lab():
        start.wait()
        built_once("debian", [recipe], 1, build)

    labs = [threading.Thread(target=one_lab) for _ in range(2)]
    for lab in labs:
        lab.start()
    for lab in labs:
        lab.join()
    assert len(builds) == 1


def test_a_step_that_fails_says_its_first_error_in_one_line():
    said = "I: starting; E: cannot resolve the mirror; E: apt-get update failed; I: bye"
    with pytest.raises(LabError) as caught:
        run(["sh", "-c", f"echo '{said}' | sed 's/; /\\n/g'; exit 25"], {})
    assert str(caught.value) == "sh failed with status 25: E: cannot resolve the mirror"


def machine_that(script):
    """A machine whose emulator is a shell script that writes to the console, $1."""

    def start(_image, _job, console):
        machine_that.started.append(subprocess.Popen(["sh", "-c", script, "sh", str(console)]))
        return machine_that.started[-1]

    machine_that.started = []
    return start


IMAGE = Image(*(Path("/nonexistent") / name for name in ("disk", "kernel", "initrd", "cdrom")))


def test_the_commands_status_comes_back():
    machine = machine_that('printf "booted\\r\\nlab: exit status 7\\r\\n[ 9.1] reboot: Power down\\r\\n" >"$1"')
    assert run_in_host(machine, IMAGE, ["true"], timeout_s=60) == 7


def test_a_machine_that_hangs_is_ended_and_its_last_words_are_shown(capfd):
    machine = machine_that('seq -f "line %g" 100 >"$1"; exec sleep 60')
    with pytest.raises(LabError) as caught:
        run_in_host(machine, IMAGE, ["true"], timeout_s=0.3)
    assert str(caught.value).startswith("the lab ran longer than 0 s; its console:\nline 86\n")
    assert str(caught.value).endswith("\nline 100")
    assert [process.poll() for process in machine_that.started] == [-signal.SIGKILL] * 3
    assert capfd.readouterr().err.count("the emulated host crashed; booting it again") == 2


def test_a_machine_that_crashes_once_is_booted_again(tmp_path):
    booted = tmp_path / "booted"
    machine = machine_that(f'if [ -e {booted} ]; then echo "lab: exit status 0" >"$1"; else touch {booted}; fi')
    assert run_in_host(machine, IMAGE, ["true"], timeout_s=60) == 0
    assert len(machine_that.started) == 2
