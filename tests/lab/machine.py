"""Boot the lab's host under an emulator with hardware virtualization, run one job in it, and bring its status back."""

import io
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cache import LabError, say
from emulator import find_bochs, find_qemu
from image import Image, whole_cylinders

_CHECKOUT = Path(__file__).resolve().parents[2]

# How often the host is booted when the emulator lets it down. About one run in ten of QEMU's ends in a triple fault, a
# panic in KVM_RUN or a hang, with 7.2 and 10.0 alike, at a random place; a fault of ours would come every time.
_BOOTS = 3

# Starts the emulator with an image, the job's disk and the console's file; the job's output goes to our stdout.
Machine = Callable[[Image, Path, Path], subprocess.Popen]


class _CrashError(LabError):
    """The emulated host ended or hung without saying the command's exit status."""


def run_in_host(start: Machine, image: Image, command: list[str], *, timeout_s: float) -> int:
    """Run `command` in the checkout's root on a host that a machine of this module emulates; return its exit status.

    The command sees a copy of this checkout and has no network. What it prints on stdout and stderr is streamed to our
    stdout. When the host crashes, or runs longer than `timeout_s` seconds, it is booted again and the command starts
    over; LabError, with the last lines of the console, when that happens each time.
    """
    for boot in range(1, _BOOTS + 1):
        try:
            return _boot(start, image, command, timeout_s)
        except _CrashError as error:
            if boot == _BOOTS:
                raise
            say(f"{error}\nlab: the emulated host crashed; booting it again and starting over ({boot + 1} of {_BOOTS})")
    raise AssertionError


def svm_machine(*, mirror: str = "", icount: bool = False) -> Machine:
    """An AMD host, by QEMU's TCG: two CPUs, or with `icount` one whose time stamp counter counts instructions.

    The latter is slow, and the same in each run.
    """
    qemu = find_qemu(mirror=mirror)

    def start(image: Image, job: Path, console: Path) -> subprocess.Popen:
        command = [
            *qemu.command,
            *(word for name in ("qemu", "seabios") for word in ("-L", str(qemu.share / name))),
            "-nodefaults",
            "-no-user-config",
            "-display", "none",
            "-no-reboot",
            *(["-icount", "shift=0,sleep=off", "-smp", "1"] if icount else ["-accel", "tcg,thread=multi", "-smp", "2"]),
            "-cpu", "EPYC-v1,+svm,+npt",
            "-m", "3G",
            "-kernel", str(image.kernel),
            "-initrd", str(image.initrd),
            "-append", image.kernel_arguments,
            "-drive", f"file={image.disk},format=raw,if=virtio,snapshot=on",
            "-drive", f"file={job},format=raw,if=virtio,readonly=on",
            "-chardev", f"file,id=console,path={console},append=on",
            "-serial", "chardev:console",
            "-chardev", "stdio,id=output,signal=off",
            "-serial", "chardev:output",
        ]  # fmt: skip
        # On stderr QEMU lists the features that TCG lacks, twice; it matters only when the boot fails.
        with open(console, "ab") as log:
            environment = {**os.environ, "QEMU_MODULE_DIR": str(qemu.libraries / "qemu")}
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env=environment)

    return start


def vmx_machine(*, mirror: str = "") -> Machine:
    """An Intel host with one CPU, by Bochs. With two it hangs, and of its CPU models this one has a sound clock."""
    bochs = find_bochs(mirror=mirror)

    def start(image: Image, job: Path, console: Path) -> subprocess.Popen:
        scratch = job.parent
        # Bochs opens a file by its path and truncates it, so the job's output comes through a pipe.
        output = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        assert output.stdin
        (scratch / "bochsrc").write_text(
            f"""\
cpu: model=corei7_haswell_4770, count=1, ips=50000000, reset_on_triple_fault=0
clock: sync=none
memory: guest=1536, host=1536
romimage: file={bochs.share}/bochs/BIOS-bochs-latest
vgaromimage: file={bochs.share}/bochs/VGABIOS-lgpl-latest
display_library: sdl2
ata0-master: type=disk, path={image.disk}, mode=volatile, cylinders=0, journal=disk
ata0-slave: type=disk, path={job.name}, mode=volatile, cylinders=0, journal=job
ata1-master: type=cdrom, path={image.cdrom}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={console.name}
com2: enabled=1, mode=file, dev=/proc/self/fd/{output.stdin.fileno()}
log: /dev/null
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
"""
        )
        # Debian's Bochs has its debugger compiled in, which waits for a command first.
        (scratch / "continue").write_text("continue\n")
        command = [*bochs.command, "-q", "-f", "bochsrc", "-rc", "continue"]
        environment = {
            **os.environ,
            "LTDL_LIBRARY_PATH": str(bochs.libraries / "bochs/plugins"),
            "BXSHARE": str(bochs.share / "bochs"),
            "SDL_VIDEODRIVER": "dummy",
        }
        # What Bochs says itself matters when it does not start.
        with output.stdin as pipe, open(console, "ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=scratch,
                env=environment,
                pass_fds=[pipe.fileno()],
            )

    return start


def _boot(start: Machine, image: Image, command: list[str], timeout_s: float) -> int:
    with tempfile.TemporaryDirectory(prefix="virt-exitstat-lab-") as scratch:
        job, console = Path(scratch, "job.tar"), Path(scratch, "console.log")
        job.write_bytes(_pack_job(command))
        os.truncate(job, whole_cylinders(job.stat().st_size))
        with start(image, job, console) as running:
            try:
                running.wait(timeout_s)
            except subprocess.TimeoutExpired:
                tail = _tail(console)
                raise _CrashError(f"the lab ran longer than {timeout_s:.0f} s; its console:\n{tail}") from None
            finally:
                # Also on Ctrl-C and SIGTERM.
                running.kill()
        marker = "lab: exit status "
        for line in reversed(_tail(console).splitlines()):
            if line.startswith(marker):
                return int(line[len(marker) :])
        raise _CrashError(f"the lab ended without the command's exit status; its console:\n{_tail(console)}")


def _pack_job(command: list[str]) -> bytes:
    """A tar with the checkout's files below `checkout/` and the command as the script `start`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in filter(None, listed.split("\0")):
            if (_CHECKOUT / name).exists():
                tar.add(_CHECKOUT / name, f"checkout/{name}")
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
        script = f"#!/bin/sh\nexec {quoted}\n".encode()
        entry = tarfile.TarInfo("start")
        entry.size, entry.mode, entry.mtime = len(script), 0o755, int(time.time())
        tar.addfile(entry, io.BytesIO(script))
    return packed.getvalue()


def _tail(console: Path) -> str:
    text = console.read_text(errors="replace") if console.exists() else ""
    lines = [line for line in text.replace("\r", "").splitlines() if "warning: TCG doesn't support" not in line]
    return "\n".join(lines[-15:])
