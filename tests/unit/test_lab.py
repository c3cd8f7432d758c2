"""The lab's own promises: what it builds is whole or not there, what hangs is ended, and the status comes back."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from boots import run_in_host
from cache import LabError, built_once, run
from image import Image
from machine import Machine
from monitor import parse_cpus
from verdict import Evidence, Kind, judge

LAB = Path(__file__).resolve().parents[1] / "lab"


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="what the lab builds needs root")
needs_private_binfmt = pytest.mark.skipif(
    tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 7),
    reason="a namespace has a binfmt_misc of its own since Linux 6.7",
)


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


@pytest.mark.parametrize("other", ["arm64-debian", "debian-arm64", "debian-slim", "emulator-of-debian"])
def test_what_has_another_name_stays(recipe, cache, other):
    kept = built_once(other, [recipe], 1, write_disk)
    building = cache / f"{other}-building-0"
    building.mkdir()
    assert built_once("debian", [recipe], 1, write_disk) != kept
    recipe.write_text("second")
    new = built_once("debian", [recipe], 1, write_disk)
    assert sorted(built(cache)) == sorted([kept, building, new])


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


@needs_root
def test_what_a_step_mounts_is_gone_with_it(tmp_path):
    run(["mount", "-t", "tmpfs", "lab", str(tmp_path)], {})
    assert not os.path.ismount(tmp_path)


@needs_root
@pytest.mark.parametrize(
    "by", [[], pytest.param([str(LAB / "foreign.py"), "/bin/true"], marks=needs_private_binfmt)], ids=["amd64", "arm64"]
)
def test_a_killed_build_takes_its_step_with_it(tmp_path, by):
    """That of arm64 is in a user namespace too; /bin/true stands in for QEMU's user mode."""
    lock, started = tmp_path / "lock", tmp_path / "started"
    os.mkfifo(started)
    step = [*by, "flock", str(lock), "sh", "-c", f"echo >{started}; sleep 600"]
    program = f"import sys; sys.path.insert(0, {str(LAB)!r}); from cache import run; run({step!r}, {{}})"
    with subprocess.Popen([sys.executable, "-c", program]) as building:
        started.read_text()
        building.send_signal(signal.SIGKILL)
    subprocess.run(["flock", "--timeout", "60", lock, "true"], check=True)


@needs_root
def test_what_is_mounted_in_an_old_build_is_not_removed_with_it(recipe, cache, tmp_path):
    left, precious = cache / "debian-building-0/root/proc", tmp_path / "precious"
    left.mkdir(parents=True)
    precious.mkdir()
    (precious / "file").write_text("kept")
    subprocess.run(["mount", "--bind", precious, left], check=True)
    try:
        home = built_once("debian", [recipe], 1, write_disk)
    finally:
        subprocess.run(["umount", "--quiet", left], check=False)
    assert (precious / "file").read_text() == "kept" and built(cache) == [home]


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


@needs_root
def test_a_step_that_fails_says_its_first_error_in_one_line():
    said = "I: starting; E: cannot resolve the mirror; E: apt-get update failed; I: bye"
    with pytest.raises(LabError) as caught:
        run(["sh", "-c", f"echo '{said}' | sed 's/; /\\n/g'; exit 25"], {})
    assert str(caught.value) == "sh failed with status 25: E: cannot resolve the mirror"


IMAGE = Image(*(Path("/nonexistent") / name for name in ("disk", "kernel", "initrd", "cdrom")))


@pytest.fixture()
def emulators():
    """The emulators that a test started."""
    return []


@pytest.fixture()
def machine_that(emulators):
    """A machine whose emulator is a shell script that writes to the console, $1, and has no monitor, like Bochs."""
    if not (LAB.parents[1] / ".git").exists() or not shutil.which("git"):
        pytest.skip("the lab takes its job from a git checkout, and here is none")

    def machine(script):
        def start(_image, scratch):
            emulators.append(subprocess.Popen(["sh", "-c", script, "sh", str(scratch.console)]))
            return emulators[-1]

        return Machine(start, has_monitor=False)

    return machine


def test_the_commands_status_comes_back(machine_that):
    machine = machine_that('printf "booted\\r\\nlab: exit status 7\\r\\n[ 9.1] reboot: Power down\\r\\n" >"$1"')
    assert run_in_host(machine, IMAGE, ["true"], timeout_s=60) == 7


def test_a_command_that_waits_for_ever_is_ended_and_not_run_again(machine_that, emulators):
    machine = machine_that('seq -f "line %g" 100 >"$1"; exec sleep 60')
    with pytest.raises(LabError) as caught:
        run_in_host(machine, IMAGE, ["true"], timeout_s=0.3)
    first, *rest = str(caught.value).splitlines()
    assert first == "time-out: the command had not ended after 0.3 s; whether the host was alive is not known"
    assert rest[:2] == ["its console:", "  line 86"] and rest[-2] == "  line 100"
    assert [process.poll() for process in emulators] == [-signal.SIGKILL]


def test_consoles_of_a_failed_boot_are_kept_and_old_ones_go(machine_that, cache):
    machine = machine_that('echo "lab: here" >"$1"; kill -TERM $$')
    for n in range(30):
        (cache / f"failures/2000010{n}").mkdir(parents=True)
    with pytest.raises(LabError, match="all of it: ") as caught:
        run_in_host(machine, IMAGE, ["true"], timeout_s=60)
    kept = Path(str(caught.value).rpartition(": ")[2])
    assert kept.parent == cache / "failures" and (kept / "console.log").read_text() == "lab: here\n"
    assert len(list(kept.parent.iterdir())) == 20


def test_a_machine_that_panics_once_is_booted_again(machine_that, emulators, tmp_path, capfd):
    booted = tmp_path / "booted"
    panic = "Kernel panic - not syncing: Fatal exception"
    machine = machine_that(
        f'if [ -e {booted} ]; then echo "lab: exit status 0" >"$1"; else touch {booted}; echo {panic} >"$1"; exit 1; fi'
    )
    assert run_in_host(machine, IMAGE, ["true"], timeout_s=60) == 0
    assert len(emulators) == 2
    said = capfd.readouterr().err
    assert said.startswith(f"lab: the host panicked: {panic}\n")
    assert said.endswith("lab: booting again and starting over (2 of 3)\n")


def test_a_host_that_is_reset_each_time_is_booted_as_often_as_allowed(machine_that, emulators):
    machine = machine_that('echo booting >"$1"; exit 1')
    with pytest.raises(
        LabError, match=r"^the host was reset: the emulator ended with status 1, without a word of panic"
    ):
        run_in_host(machine, IMAGE, ["true"], timeout_s=60, boots=2)
    assert len(emulators) == 2


@pytest.mark.parametrize(
    ("script", "said", "boots"),
    [
        ("kill -SEGV $$", "the emulator died: by SIGSEGV", 2),
        ("kill -ABRT $$", "the emulator died: by SIGABRT", 2),
        ("kill -TERM $$", "the emulator was killed from outside: by SIGTERM", 1),
        ("kill -INT $$", "the emulator was killed from outside: by SIGINT", 1),
        ("kill -KILL $$", "the emulator was killed from outside: by SIGKILL; perhaps for want of memory, see dmesg", 1),
        ("exit 2", "the emulator refused to start: status 2", 1),
        ('echo "[ 9.1] reboot: Power down" >"$1"; exit 1', "the host switched off or rebooted without", 1),
        ('echo "[ 9.1] sysrq: Trigger a crash" >"$1"; exit 1', "the command crashed the host", 1),
    ],
)
def test_only_what_the_emulator_did_is_tried_again(machine_that, emulators, script, said, boots):
    with pytest.raises(LabError) as caught:
        run_in_host(machine_that(script), IMAGE, ["true"], timeout_s=60, boots=2)
    assert str(caught.value).startswith(said)
    assert len(emulators) == boots


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (Evidence(0, "", shutdown="guest-reset"), Kind.RESET),
        (Evidence(0, "Oops: 0000 [#1]", shutdown="guest-reset"), Kind.PANIC),
        (Evidence(None, "Oops: 0000 [#1]", timed_out_after_s=9), Kind.PANIC),
        (Evidence(None, "BUG: unable to handle page fault", timed_out_after_s=9), Kind.PANIC),
        (Evidence(None, "quiet", timed_out_after_s=9, answers=False), Kind.TIMED_OUT),
        (Evidence(0, "", shutdown="guest-shutdown"), Kind.SWITCHED_OFF),
        (Evidence(0, "reboot: Restarting system", shutdown="guest-reset"), Kind.SWITCHED_OFF),
        (Evidence(0, "quiet", shutdown="host-signal"), Kind.KILLED),
        (Evidence(1, "quiet", shutdown="host-error"), Kind.EMULATOR_DIED),
        (Evidence(0, "quiet"), Kind.EMULATOR_DIED),
        (Evidence(-64, "quiet"), Kind.KILLED),
    ],
)
def test_an_outcome_is_told_from_the_surest_witness(evidence, kind):
    outcome = judge(evidence)
    assert outcome.kind is kind and outcome.status is None
    assert outcome.worth_another_boot == (kind in (Kind.RESET, Kind.PANIC, Kind.EMULATOR_DIED))


@pytest.mark.parametrize("later", [{"timed_out_after_s": 9.0}, {"shutdown": "guest-reset"}, {"returncode": -15}])
def test_a_status_holds_whatever_became_of_the_host_behind_it(later):
    outcome = judge(Evidence(**{"returncode": 0, "console": "lab: exit status 3\nOops: 0000", **later}))
    assert (outcome.kind, outcome.status) == (Kind.STATUS, 3)


def test_a_time_out_says_whether_the_host_was_alive_and_what_came_last():
    evidence = Evidence(
        None, "login:", output="4 of 5", timed_out_after_s=600, answers=True, cpus="CPU 0 halted at fff0"
    )
    assert judge(evidence).message.splitlines() == [
        "time-out: the command had not ended after 600 s; the host was alive",
        "where its CPUs were:",
        "  CPU 0 halted at fff0",
        "its last output:",
        "  4 of 5",
        "its console:",
        "  login:",
    ]


def test_of_a_panic_the_first_lines_are_shown():
    trace = "\n".join(f"? function_{n}" for n in range(40))
    message = judge(Evidence(0, f"booting\nOops: 0002 [#1] SMP\nRIP: error_entry\n{trace}")).message
    assert message.splitlines()[:4] == [
        "the host panicked: Oops: 0002 [#1] SMP",
        "its console:",
        "  Oops: 0002 [#1] SMP",
        "  RIP: error_entry",
    ]


def test_the_monitors_registers_are_read_in_each_mode():
    printed = """CPU#0
RAX=0000000000000000 RBX=0
RIP=ffffffff81a4e8cb RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
CPU#1
EAX=00000000 EBX=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=0
"""
    assert [str(cpu) for cpu in parse_cpus(printed)] == [
        "CPU 0 halted at ffffffff81a4e8cb, interrupts on",
        "CPU 1 running at 0000fff0, user mode",
    ]


# -- what is only of some machines --


@pytest.mark.parametrize(
    ("machine", "option", "why"),
    [
        ("vmx", "--icount", "--icount is for --machine svm"),
        ("arm64", "--icount", "--icount is for --machine svm"),
        ("vmx", "--systemd", "--systemd is for --machine svm"),
        ("arm64", "--systemd", "--systemd is for --machine svm"),
        ("svm", "--no-el2", "--no-el2 is for --machine arm64"),
        ("vmx", "--no-el2", "--no-el2 is for --machine arm64"),
        ("vmx", "--append=quiet", "--append is not for --machine vmx, which boots from a CD"),
    ],
)
def test_an_option_that_a_machine_does_not_have_is_refused_before_anything_is_built(machine, option, why, tmp_path):
    command = [sys.executable, LAB / "lab", "--machine", machine, "run", option, "true"]
    environment = {**os.environ, "VIRT_EXITSTAT_LAB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and done.stderr.endswith(f"error: {why}\n")
    assert not (tmp_path / "cache").exists()


# -- arm64's programs --


def test_where_no_namespace_has_programs_of_arm64_the_lab_says_so_in_a_sentence():
    """Before Linux 6.7, or, as here, for whoever may not map ids."""
    command = [sys.executable, LAB / "foreign.py", "/nonexistent/qemu-aarch64", "true"]
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if not os.geteuid() else {}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", **nobody)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("E: this kernel, ") and "programs of arm64 do not run here: " in line


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_each_architecture_has_its_part_of_the_recipe(arch):
    recipe = LAB / "image"
    console = {"amd64": "ttyS0", "arm64": "ttyAMA0"}[arch]
    assert f"console={console} " in Image(*[Path()] * 4, arch=arch).kernel_arguments
    assert f"linux-image-{arch}\n" in (recipe / arch / "packages").read_text()
    script = f"set -eu; . {recipe / arch / 'of-finish'}; echo $disk_modules; type make_cd make_rom prepare_units"
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout
