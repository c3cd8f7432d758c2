"""The tracers that Debian packages, each started and waited for until it says that it is attached."""

import contextlib
import os
import subprocess
import threading
from pathlib import Path

TRIGGER = Path("/sys/kernel/tracing/events/kvm/kvm_exit/trigger")
LIMIT_S = 90


class PeerError(Exception):
    """A tracer did not get ready; its last line."""


@contextlib.contextmanager
def program(ready, *command):
    """A tracer that prints `ready` when it is attached."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        line = "(nothing)"
        for line in process.stdout:
            if ready in line:
                break
        else:
            raise PeerError(f"{Path(command[0]).name} was not ready in {LIMIT_S} s: {line.strip()[:40]}")
        yield
        limit.cancel()
        process.kill()


@contextlib.contextmanager
def hist_trigger():
    """ftrace's own histogram of reasons, per thread."""
    TRIGGER.write_text("hist:keys=common_pid,exit_reason")
    yield
    TRIGGER.write_text("!hist:keys=common_pid,exit_reason")


def bpftrace():
    """The usual one-liner, per thread."""
    events = "tracepoint:kvm:kvm_exit { @[tid, args->exit_reason] = count(); }"
    return program("ready", "bpftrace", "-e", 'BEGIN { printf("ready\\n"); } ' + events)


def kvmexit():
    """Debian's kvmexit, whose check for Intel is taken out: it refuses AMD, but compiles and attaches there.

    On Linux 6.1 it takes the raw tracepoint, whose first argument is no reason any more, and counts nothing.
    """
    text = Path("/usr/sbin/kvmexit-bpfcc").read_text().replace('if b"Intel" in arch_info:', "if True:")
    copy = Path("/tmp/kvmexit")
    copy.write_text(text.replace('print("Display kvm exit', 'print("ready", flush=True); print("Display kvm exit'))
    return program("ready", "/usr/bin/python3", str(copy), "9999")


@contextlib.contextmanager
def perf_kvm_stat():
    """perf kvm stat's recording, which starts when it is told to and acknowledges."""
    fifos = [Path("/tmp/perf.control"), Path("/tmp/perf.ack")]
    for fifo in fifos:
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
    control = "--control=fifo:{},{}".format(*fifos)
    command = ["perf", "kvm", "stat", "record", "-a", "-D", "-1", control, "-o", "/tmp/perf.data"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        told, answer = (os.open(fifo, os.O_RDWR) for fifo in fifos)
        os.set_blocking(answer, False)
        os.write(told, b"enable\n")
        while process.poll() is None:
            with contextlib.suppress(BlockingIOError):
                if b"ack" in os.read(answer, 16):
                    break
        else:
            raise PeerError(f"perf was not ready in {LIMIT_S} s: {process.stderr.read().strip()[:60]}")
        yield
        limit.cancel()
        process.kill()
