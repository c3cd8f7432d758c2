"""Boot the lab's host under an emulator with hardware virtualization, run one job in it, and bring its status back."""

import io
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from cache import LabError, say
from image import Image

_CHECKOUT = Path(__file__).resolve().parents[2]

# How often the host is booted when the emulator lets it down. About one run in ten ends in a triple fault, a panic in
# KVM_RUN or a hang, with QEMU 7.2 and 10.0 alike, at a random place; a fault of ours would come every time.
_BOOTS = 3


class _CrashError(LabError):
    """The emulated host ended or hung without saying the command's exit status."""


def run_in_svm_host(
    emulator: list[str], image: Image, command: list[str], *, timeout_s: float, icount: bool = False
) -> int:
    """Run `command` in the checkout's root on an AMD host that QEMU/TCG emulates; return its exit status.

    The command sees a copy of this checkout and has no network. What it prints on stdout and stderr is streamed to our
    stdout. With `icount` the host has one CPU whose time stamp counter counts instructions: slow, and the same in each
    run. When the host crashes, or runs longer than `timeout_s` seconds, it is booted again and the command starts over;
    LabError, with the last lines of the console, when that happens each time.
    """
    for boot in range(1, _BOOTS + 1):
        try:
            return _boot(emulator, image, command, timeout_s, icount)
        except _CrashError as error:
            if boot == _BOOTS:
                raise
            say(f"{error}\nlab: the emulated host crashed; booting it again and starting over ({boot + 1} of {_BOOTS})")
    raise AssertionError


def _boot(emulator: list[str], image: Image, command: list[str], timeout_s: float, icount: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="virt-exitstat-lab-") as scratch:
        job, console = Path(scratch, "job.tar"), Path(scratch, "console.log")
        job.write_bytes(_pack_job(command))
        qemu = [
            *emulator,
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
        try:
            # On stderr QEMU lists the features that TCG lacks, twice; it matters only when the boot fails.
            with open(console, "ab") as log:
                subprocess.run(qemu, stdin=subprocess.DEVNULL, stderr=log, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise _CrashError(f"the lab ran longer than {timeout_s:.0f} s; its console:\n{_tail(console)}") from None
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
