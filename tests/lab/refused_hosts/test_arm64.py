"""Hosts of arm64 that are refused in words, with nothing attached. tests/lab/matrix boots one for each test."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvm_host import refusal, tool
from kvm_types import KvmTypes

EVENT = Path("/sys/kernel/tracing/events/kvm/kvm_exit/format")
BTF = Path("/sys/kernel/btf/vmlinux")

each_way = pytest.mark.parametrize("wanted", ["auto", "raw", "tracepoint"])


def refused(wanted):
    return refusal("--pid", "all", "--attach", wanted, "1")


@each_way
def test_kvm_is_switched_off(wanted):
    """By kvm-arm.mode=none."""
    assert EVENT.exists()
    status, message, hint = refused(wanted)
    assert (status, message) == (1, "KVM is switched off on this host: its kernel was booted with kvm-arm.mode=none")
    assert hint == "take that from the kernel's command line, and boot"


@each_way
def test_the_kernel_was_not_started_at_el2(wanted):
    assert EVENT.exists()
    status, message, hint = refused(wanted)
    assert (status, message) == (1, "KVM cannot run on this host: there is no /dev/kvm")
    assert hint.startswith("the kernel must be started at EL2")


@contextmanager
def another(path, content):
    """The kernel's file has another content for a while."""
    instead = Path("/tmp", path.name)
    instead.write_bytes(content)
    subprocess.run(["mount", "--bind", instead, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_the_event_is_a_vendors():
    """A patch of 2019 has (vcpu_id, ret, vcpu_pc), as many as Linux: by the record and by types it is another event."""
    linux = EVENT.read_text()
    ret, esr_ec = "field:int ret;", "field:unsigned int esr_ec;"
    vendors = linux.replace(ret, "-").replace(esr_ec, ret).replace("-", "field:unsigned vcpu_id;")
    assert vendors != linux and ret in vendors
    with another(EVENT, vendors.encode()):
        for wanted in ("auto", "tracepoint"):
            assert refused(wanted)[:2] == (1, "this kernel's kvm:kvm_exit has no field esr_ec of 4 bytes")
        no_raw = "the raw tracepoint cannot be used on this kernel: "
        assert refused("raw")[1] == f"{no_raw}kvm_exit has other fields than ret, esr_ec, vcpu_pc"
    with another(BTF, KvmTypes().with_arguments("unsigned int", "int", "unsigned long").data()):
        assert refused("raw")[1].startswith(f"{no_raw}BTF shows other types of kvm_exit's arguments than int, ")
    assert tool("--pid", "all", "--attach", "raw", "0.1").returncode == 0, "nothing but that was wrong"
