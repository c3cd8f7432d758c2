"""The tracers that Debian packages, each started and waited for until it says that it is attached."""

import contextlib
import os
import subprocess
import threading
from pathlib import Path

EVENTS = Path("/sys/kernel/tracing/events/kvm")
TRIGGER = EVENTS / "kvm_exit/trigger"
PERF_DATA = Path("/tmp/perf.data")
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
        limit.cancel()
        try:
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def hist_trigger():
    """ftrace's own histogram of reasons, per thread."""
    TRIGGER.write_text("hist:keys=common_pid,exit_reason")
    yield
    TRIGGER.write_text("!hist:keys=common_pid,exit_reason")


@contextlib.contextmanager
def ftrace_events():
    """Both events with their times, in ftrace's ring buffer."""
    switches = [EVENTS / name / "enable" for name in ("kvm_exit", "kvm_entry")]
    for switch in switches:
        switch.write_text("1")
    yield
    for switch in switches:
        switch.write_text("0")


def bpftrace():
    """The usual one-liner, per thread."""
    return _bpftrace("tracepoint:kvm:kvm_exit { @[tid, args->exit_reason] = count(); }")


def bpftrace_hist():
    """The usual one-liner that keeps time, per thread."""
    return _bpftrace(
        "tracepoint:kvm:kvm_exit { @start[tid] = nsecs; @why[tid] = args->exit_reason; } "
        "tracepoint:kvm:kvm_entry /@start[tid]/ "
        "{ @[tid, @why[tid]] = hist(nsecs - @start[tid]); delete(@start[tid]); }"
    )


def _bpftrace(events):
    return program("ready", "bpftrace", "-e", 'BEGIN { printf("ready\\n"); } ' + events)


def kvmexit():
    """Debian's kvmexit, whose check for Intel is taken out: it refuses AMD, but compiles and attaches there.

    On Linux 6.1 it takes the raw tracepoint, whose first argument is no reason any more, and counts nothing.
    """
    text = Path("/usr/sbin/kvmexit-bpfcc").read_text().replace('if b"Intel" in arch_info:', "if True:")
    copy = Path("/tmp/kvmexit")
    copy.write_text(text.replace('print("Display kvm exit', 'print("ready", flush=True); print("Display kvm exit'))
    return program("ready", "/usr/bin/python3", str(copy), "9999")


def perf_kvm_stat():
    """perf kvm stat's recording."""
    return perf("kvm", "stat", "record")


@contextlib.contextmanager
def perf(*words):
    """perf with those words, which records to PERF_DATA once it has been told to and has acknowledged.

    Yields what has it stop, all data written.
    """
    fifos = [Path("/tmp/perf.control"), Path("/tmp/perf.ack")]
    for fifo in fifos:
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
    control = "--control=fifo:{},{}".format(*fifos)
    command = ["perf", *words, "-a", "-D", "-1", control, "-o", str(PERF_DATA)]
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
        limit.cancel()

        def stop():
            os.write(told, b"stop\n")
            process.wait(LIMIT_S)

        try:
            yield stop
        finally:
            process.kill()
            os.close(told)
            os.close(answer)
