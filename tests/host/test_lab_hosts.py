"""The lab tells its hosts' ends apart: real QEMU, by the lab's own command line, boots programs of a few bytes."""

import signal
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import boots
from boots import run_in_host
from cache import LabError
from image import Image
from machine import svm_machine

# This machine's QEMU instead of the lab's own.
QEMU = SimpleNamespace(
    command=["qemu-system-x86_64"], share=Path("/usr/share"), libraries=Path("/usr/lib/x86_64-linux-gnu")
)
CONSOLE, OUTPUT = 0x3F8, 0x2F8

# The kernel's place in memory, and of its first instruction.
LOADED_AT, ENTRY = 0x100000, 0x100000 + 48

TRIPLE_FAULT = b"\x0f\x01\x1d" + struct.pack("<I", ENTRY - 8) + b"\xcc"  # an empty IDT, then INT3
SWITCH_OFF = b"\x66\xba\x04\x06\x66\xb8\x00\x20\x66\xef"  # ACPI's PM1a control at port 0x604
HALT = b"\xfa\xf4\xeb\xfc"  # interrupts off: nothing wakes it


def write(text, port=CONSOLE):
    return b"".join(b"\x66\xba" + struct.pack("<H", port) + b"\xb0" + bytes([char]) + b"\xee" for char in text.encode())


def answer_each_key(text):
    wait_for_key = b"\x66\xba\xfd\x03\xec\xa8\x01\x74\xf7" + b"\x66\xba\xf8\x03\xec"
    body = wait_for_key + write(text)
    return body + b"\xe9" + struct.pack("<i", -len(body) - 5)


@pytest.fixture()
def host(tmp_path, monkeypatch):
    """Boots a program as the lab's host: run_in_host's result."""
    monkeypatch.setenv("VIRT_EXITSTAT_LAB_CACHE", str(tmp_path / "cache"))

    def run(code, **options):
        # Multiboot, with the addresses in the header: magic, flags, checksum; header, load, end, end of bss, entry.
        flags = 1 << 16
        header = struct.pack("<IIi", 0x1BADB002, flags, -(0x1BADB002 + flags))
        end = ENTRY + len(code)
        addresses = struct.pack("<IIIII", LOADED_AT, LOADED_AT, end, end, ENTRY)
        (tmp_path / "kernel").write_bytes((header + addresses).ljust(48, b"\0") + code)
        (tmp_path / "disk").write_bytes(bytes(1 << 20))
        (tmp_path / "initrd").write_bytes(b"\0")
        image = Image(*(tmp_path / name for name in ("disk", "kernel", "initrd", "cdrom")))
        return run_in_host(options.pop("machine", svm_machine(QEMU)), image, ["true"], **{"timeout_s": 60, **options})

    return run


@pytest.fixture()
def failure(host):
    """Boots a program that cannot pass: what the lab says, and what it keeps."""

    def run(code, **options):
        with pytest.raises(LabError) as caught:
            host(code, **options)
        message = str(caught.value)
        return message, Path(message.rpartition("all of it: ")[2])

    return run


def test_a_host_that_says_a_status_and_switches_off(host):
    assert host(write("lab: exit status 7\n") + SWITCH_OFF) == 7


def test_a_host_that_switches_off_without_a_status_is_not_booted_again(failure, capfd):
    message, _ = failure(write("hello\n") + SWITCH_OFF)
    assert message.startswith("the host switched off or rebooted without the command's status\n")
    assert "booting again" not in capfd.readouterr().err


def test_a_triple_fault_is_a_reset_and_its_registers_are_kept(failure, capfd):
    message, kept = failure(write("hello\n") + TRIPLE_FAULT, boots=2)
    assert message.startswith(
        "the host was reset: a triple fault or a reboot, without a word of panic on the console\n"
    )
    assert "CPU 0 running at 00100" in message and "its console:\n  hello\n" in message
    registers = (kept / "registers.txt").read_text()
    assert "CPU#1" in registers and registers.count("dumping local APIC state") == 2
    assert "booting again and starting over (2 of 2)" in capfd.readouterr().err


def test_a_panic_is_told_from_a_bare_reset(failure):
    message, _ = failure(write("Kernel panic - not syncing: made up\n") + TRIPLE_FAULT, boots=1)
    assert message.startswith("the host panicked: Kernel panic - not syncing: made up\n")


def test_a_host_that_hangs_is_a_time_out_of_a_host_that_no_longer_answers(failure, capfd, monkeypatch):
    monkeypatch.setattr(boots, "KERNEL_ANSWERS_WITHIN_S", 1)
    message, _ = failure(write("hello\n", OUTPUT) + HALT, timeout_s=2)
    assert message.startswith("time-out: the command had not ended after 2 s; the host no longer answered\n")
    assert "CPU 0 halted at 00100" in message and "interrupts off" in message
    assert "its last output:\n  hello\n" in message
    out, err = capfd.readouterr()
    assert out == "hello\n" and "booting again" not in err


def test_a_command_that_waits_for_ever_is_a_time_out_of_a_host_that_lives(failure, capfd):
    message, _ = failure(answer_each_key("sysrq: yes\n"), timeout_s=2)
    assert message.startswith("time-out: the command had not ended after 2 s; the host was alive\n")
    assert "booting again" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "the emulator was killed from outside: by SIGKILL"),
        (signal.SIGTERM, "the emulator was killed from outside: it ended by host-signal"),
        (signal.SIGSEGV, "the emulator died: by SIGSEGV"),
    ],
)
def test_an_emulator_that_ends_by_a_signal(failure, number, said):
    """It is killed as soon as its host has said a word."""
    machine = svm_machine(QEMU)

    def start(image, scratch):
        running = machine.start(image, scratch)
        wait = f"until [ -s {scratch.console} ]; do sleep 0.05; done; kill -{int(number)} {running.pid}"
        subprocess.Popen(["sh", "-c", wait])
        return running

    message, _ = failure(write("hello\n") + HALT, machine=replace(machine, start=start), boots=1)
    assert message.startswith(said)


def test_an_emulator_that_refuses_to_start_is_quoted(failure):
    machine = svm_machine(QEMU)

    def start(image, scratch):
        image.disk.unlink()
        return machine.start(image, scratch)

    message, _ = failure(HALT, machine=replace(machine, start=start))
    assert message.startswith("the emulator refused to start: status 1\nthe emulator said:\n")
    assert "disk': No such file or directory" in message
