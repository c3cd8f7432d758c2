"""Run one job on a host that an emulator makes: boot it, watch it, judge how it ended, boot again where that helps."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from cache import LabError, cache_directory, say
from image import Image, whole_cylinders
from machine import Machine, Scratch
from monitor import Monitor, MonitorError, kernel_answers, parse_cpus
from verdict import Evidence, Kind, Outcome, judge

_CHECKOUT = Path(__file__).resolve().parents[2]

# How often the host is booted when the emulator lets it down by a reset, a panic or its own death. That is rare, of the
# order of once in some hours of guests at work, and its cause is unknown (emulator.py). A time-out is none of these and
# boots nothing again: most were a command that waited for ever.
BOOTS = 3

# How long a host's kernel may take to answer a key on its console; the machine may be busy.
KERNEL_ANSWERS_WITHIN_S = 15

# Failed boots whose consoles and registers are kept.
_KEPT = 20


@dataclass(frozen=True)
class _Look:
    """What the monitor saw of a host that stopped or that took too long."""

    cpus: str = ""
    registers: str = ""
    answers: bool | None = None


def run_in_host(machine: Machine, image: Image, command: list[str], *, timeout_s: float, boots: int = BOOTS) -> int:
    """Run `command` in the checkout's root on the host that `machine` emulates; return its exit status.

    The command sees a copy of this checkout and has no network. What it prints on stdout and stderr is streamed to our
    stdout. When the emulator lets the host down, it is booted again and the command starts over, up to `boots` times.
    Raises LabError with what happened; consoles and registers are then kept below the lab's cache.
    """
    for boot in range(1, boots + 1):
        outcome = _boot(machine, image, command, timeout_s)
        if outcome.status is not None:
            return outcome.status
        if boot == boots or not outcome.worth_another_boot:
            break
        say(f"{outcome.message}\nlab: booting again and starting over ({boot + 1} of {boots})")
    raise LabError(outcome.message)


def _boot(machine: Machine, image: Image, command: list[str], timeout_s: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="virt-exitstat-lab-") as directory:
        scratch = Scratch(Path(directory))
        scratch.job.write_bytes(_pack_job(command))
        os.truncate(scratch.job, whole_cylinders(scratch.job.stat().st_size))
        with machine.start(image, scratch) as running:
            try:
                evidence, look = _watch(running, scratch, timeout_s, has_monitor=machine.has_monitor)
            finally:
                # Also on Ctrl-C and SIGTERM.
                running.kill()
        outcome = judge(
            replace(
                evidence,
                console=_text(scratch.console),
                output=_text(scratch.output),
                emulator=_text(scratch.emulator),
                cpus=look.cpus,
                answers=look.answers,
            )
        )
        if outcome.kind is Kind.STATUS:
            return outcome
        scratch.registers.write_text(look.registers)
        return replace(outcome, message=f"{outcome.message}\nall of it: {_keep(outcome.kind, scratch)}")


def _watch(
    running: subprocess.Popen, scratch: Scratch, timeout_s: float, *, has_monitor: bool
) -> tuple[Evidence, _Look]:
    """Wait for the end of a boot; the emulator may run on behind it, for us to end."""
    deadline = time.monotonic() + timeout_s
    look, shutdown = _Look(), ""
    try:
        try:
            if has_monitor:
                with Monitor(scratch.monitor, running) as monitor:
                    try:
                        shutdown = monitor.wait_for_shutdown(deadline - time.monotonic())
                    except TimeoutError:
                        look = _look(monitor, scratch, ask_the_kernel=True)
                        raise
                    if shutdown.startswith("guest-"):
                        if shutdown != "guest-shutdown":
                            look = _look(monitor, scratch, ask_the_kernel=False)
                        monitor.command("quit")
        except MonitorError:
            # QEMU itself ended, or hangs and runs into the time-out below.
            pass
        running.wait(max(0.1, deadline - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        return Evidence(None, "", shutdown=shutdown, timed_out_after_s=None if shutdown else timeout_s), look
    return Evidence(running.returncode, "", shutdown=shutdown), look


def _look(monitor: Monitor, scratch: Scratch, *, ask_the_kernel: bool) -> _Look:
    look = _Look()
    with contextlib.suppress(MonitorError, OSError):
        registers = monitor.registers()
        look = _Look("\n".join(map(str, parse_cpus(registers))), registers)
        if ask_the_kernel:
            look = replace(
                look, answers=kernel_answers(monitor, scratch.keys, scratch.console, timeout_s=KERNEL_ANSWERS_WITHIN_S)
            )
            # A second look tells a CPU that stands from one that runs.
            later = monitor.registers()
            look = replace(
                look,
                cpus="\n".join([look.cpus, "and a moment later:", *map(str, parse_cpus(later))]),
                registers=f"{registers}\n-- a moment later\n{later}",
            )
    return look


def _keep(kind: Kind, scratch: Scratch) -> Path:
    """Copy what tells about a failed boot out of its scratch directory, and forget the oldest."""
    failures = cache_directory() / "failures"
    home = failures / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind.name.lower()}-{os.getpid()}"
    home.mkdir(parents=True, exist_ok=True)
    for path in (scratch.console, scratch.output, scratch.emulator, scratch.registers):
        if path.exists():
            shutil.copy(path, home)
    for old in sorted(failures.iterdir())[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return home


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


def _text(path: Path) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    # QEMU lists on stderr the features that TCG lacks, twice.
    lines = [line for line in text.replace("\r", "").splitlines() if "warning: TCG doesn't support" not in line]
    return "\n".join(lines)
