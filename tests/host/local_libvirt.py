"""Run virsh and the tool on this machine; describe domains to start here."""

import contextlib
import subprocess
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
URI = "qemu:///system"


def virsh(*arguments, uri=URI, check=True):
    """Run virsh, return what it prints."""
    done = subprocess.run(["virsh", "-q", "-c", uri, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def tool(*arguments, **options):
    """Run virt-exitstat from the checkout as a user would."""
    return subprocess.run(
        [CHECKOUT / "virt-exitstat", *arguments], capture_output=True, text=True, check=False, **options
    )


@contextlib.contextmanager
def started_domains(directory):
    """A function that starts domains by (name, vcpus, most vcpus, emulator); they are destroyed at the end."""
    started = []

    def start(name, vcpus=1, most=None, emulator=None):
        xml = directory / f"{len(started)}.xml"
        xml.write_text(domain_xml(name, vcpus, most or vcpus, emulator), encoding="utf-8")
        virsh("create", str(xml))
        started.append(name)
        return name

    try:
        yield start
    finally:
        for name in started:
            virsh("destroy", name, check=False)


def domain_xml(name, vcpus, most, emulator=None):
    """A domain without disks: its firmware finds nothing to boot, which is all that --list needs."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    return f"""
        <domain type='kvm'>
          <name>{escaped}</name><uuid>{uuid.uuid4()}</uuid><memory unit='MiB'>64</memory>
          <vcpu current='{vcpus}'>{most}</vcpu>
          <os><type arch='x86_64' machine='pc'>hvm</type></os>
          <features><acpi/><apic/></features>
          <devices>
            {f"<emulator>{emulator}</emulator>" if emulator else ""}<memballoon model='none'/>
          </devices>
        </domain>"""
