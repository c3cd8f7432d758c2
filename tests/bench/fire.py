"""tests/lab/fire.c, compiled and run: events for a loaded program without KVM."""

import subprocess
import tempfile
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[1] / "lab/fire.c"


def compile_fire():
    binary = Path(tempfile.mkdtemp(prefix="fire-")) / "fire"
    subprocess.run(["gcc", "-O2", "-pthread", "-o", binary, _SOURCE], check=True)
    return binary


def fire(binary, program_fd, threads, events, cpus, reason):
    command = [str(word) for word in (binary, program_fd, threads, events, cpus, reason)]
    subprocess.run(command, pass_fds=[program_fd], stdout=subprocess.DEVNULL, check=True)
