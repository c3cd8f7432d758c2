"""The door to QEMU's monitor, QMP on a unix socket: why the host stopped, where its CPUs are, whether it is alive."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# An answer takes milliseconds, on a busy machine seconds. A QEMU that hangs itself gives none.
_ANSWER_S = 60

_CPU = re.compile(r"CPU#(\d+).*?\b[ER]IP=([0-9a-f]+) [ER]?FL=([0-9a-f]+).*?CPL=(\d).*?HLT=(\d)", re.DOTALL)


class MonitorError(Exception):
    """The monitor is gone or does not answer."""


@dataclass(frozen=True)
class Cpu:
    """A CPU of the host at a glance. Inside a nested guest the address is the guest's."""

    number: int
    address: str
    halted: bool
    interrupts: bool
    user_mode: bool

    def __str__(self) -> str:
        doing = "halted" if self.halted else "running"
        mode = "user mode" if self.user_mode else f"interrupts {'on' if self.interrupts else 'off'}"
        return f"CPU {self.number} {doing} at {self.address}, {mode}"


def parse_cpus(registers: str) -> list[Cpu]:
    """The CPUs in what the monitor prints for `info registers -a`."""
    return [
        Cpu(int(number), address, halt == "1", bool(int(flags, 16) & 0x200), ring == "3")
        for number, address, flags, ring, halt in _CPU.findall(registers)
    ]


class Monitor:
    """A connection to a running QEMU; a context manager."""

    def __init__(self, path: Path, running: subprocess.Popen) -> None:
        self._buffer = b""
        self._shutdown = ""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            # QEMU makes the socket a moment after it is started, or ends with an error.
            while True:
                with contextlib.suppress(OSError):
                    self._socket.connect(str(path))
                    break
                if running.poll() is not None:
                    raise MonitorError("QEMU ended before its monitor was there")
                time.sleep(0.02)
            self.command("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait_for_shutdown(self, timeout_s: float) -> str:
        """The reason of the host's SHUTDOWN, or "" when QEMU ended without one. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(MonitorError):
            while not self._shutdown:
                self._message(deadline)
        return self._shutdown

    def command(self, name: str, **arguments: Any) -> Any:
        """Execute a QMP command; its result, or its error as QEMU words it. Raises MonitorError without an answer."""
        try:
            self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
            while True:
                message = self._message(time.monotonic() + _ANSWER_S)
                if "return" in message or "error" in message:
                    return message.get("return", message.get("error"))
        except (OSError, TimeoutError) as error:
            raise MonitorError(f"no answer to {name}: {error}") from error

    def human(self, line: str) -> str:
        """What the human monitor prints for a line."""
        return str(self.command("human-monitor-command", **{"command-line": line})).replace("\r", "")

    def registers(self) -> str:
        """Registers and local APIC of each CPU, as the monitor prints them."""
        found = self.human("info registers -a")
        return "\n".join([found, *(self.human(f"info lapic {cpu.number}") for cpu in parse_cpus(found))])

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # The deadline of a command that waits for ever is longer than a socket's may be.
            self._socket.settimeout(min(left, 3600))
            try:
                got = self._socket.recv(65536)
            except socket.timeout:
                continue
            except OSError as error:
                raise MonitorError(str(error)) from error
            if not got:
                raise MonitorError("QEMU closed its monitor")
            self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if message.get("event") == "SHUTDOWN":
            self._shutdown = message["data"]["reason"]
        return message


def kernel_answers(monitor: Monitor, console_socket: Path, console: Path, *, timeout_s: float) -> bool:
    """Whether the host's kernel serves its console: a break and a key there are SysRq.

    It then prints all that it knows (9): what each CPU does (l) and which tasks wait for a device (w).
    """
    with socket.socket(socket.AF_UNIX) as keys:
        keys.connect(str(console_socket))
        for key in (b"9", b"l", b"w"):
            before = console.stat().st_size
            monitor.command("chardev-send-break", id="console")
            keys.sendall(key)
            deadline = time.monotonic() + timeout_s
            while b"sysrq: " not in console.read_bytes()[before:]:
                if time.monotonic() > deadline:
                    return False
                _drain(keys, 0.05)
        _drain(keys, 1)
    return True


def _drain(keys: socket.socket, seconds: float) -> None:
    """Read for a while: QEMU holds the console up for whoever is connected and does not."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        keys.settimeout(left)
        with contextlib.suppress(socket.timeout):
            if not keys.recv(65536):
                time.sleep(left)
