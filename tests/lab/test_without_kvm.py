"""KVM is unloaded, which no domain survives: by its name, this file is the last that runs."""

import subprocess

from kvm_host import refusal, virsh


def test_without_kvm_the_module_to_load_is_named():
    for name in virsh("list", "--name").split():
        virsh("destroy", name)
    subprocess.run(["rmmod", "kvm_amd", "kvm"], check=True)
    try:
        status, message, hint = refusal("--pid", "all", "1")
    finally:
        subprocess.run(["modprobe", "kvm_amd"], check=True)
    assert (status, message) == (1, "this kernel has no tracepoint kvm:kvm_exit: KVM is not loaded")
    assert "modprobe kvm_amd" in hint
