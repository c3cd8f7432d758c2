"""fire.c, compiled and run: events for a loaded program without KVM. For the lab's tests and the bench."""

import subprocess
from pathlib import Path


def compile_fire(directory):
    """Compile fire.c into a directory; the binary's path."""
    binary = Path(directory) / "fire"
    subprocess.run(["gcc", "-O2", "-pthread", "-o", binary, Path(__file__).with_name("fire.c")], check=True)
    return binary


def fire(binary, program_fd, threads, events, cpus, *reasons):
    """Run the program from threads (fire.c says what the numbers mean); the tgid and the tids that ran it."""
    command = [str(word) for word in (binary, program_fd, threads, events, cpus, *reasons)]
    with subprocess.Popen(command, pass_fds=[program_fd], stdout=subprocess.PIPE, text=True) as process:
        tids = [int(line) for line in process.stdout]
    assert process.returncode == 0 and len(tids) == threads
    return process.pid, tids
