"""--explain in the lab: three findings in real guests, what they name, and that they go when what they say is changed.

`disk` boots SeaBIOS and a boot sector that reads the disk all the time. `old` is Linux with HPET as its clock and its
console on a serial port.
"""

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kvm_host import CHECKOUT, Witness, virsh, wait_until

IMAGE = Path("/lab/guest/disk.img")

# xor %ax, %ax; mov %ax, %es; mov $0x8000, %bx; 1: mov $0x201, %ax; mov $1, %cx; mov $0x80, %dx; int $0x13; jmp 1b
READS = bytes.fromhex("31c0 8ec0 bb0080 b80102 b90100 ba8000 cd13 ebf3")

DISK = f"""\
<domain type='kvm'>
  <name>disk</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough' check='none'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{IMAGE}'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class Explained:
    """What one run of --explain says of both domains."""

    def __init__(self, seconds=6):
        command = [CHECKOUT / "virt-exitstat", "--explain", "disk", "old", "-o", "json", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.notes = done.stderr
        self.domains = {domain["name"]: domain for domain in json.loads(done.stdout)["domains"]}

    def findings(self, name):
        return {finding["rule"]: finding for finding in self.domains[name]["findings"]}

    def details(self, name):
        """(name of a detail, by whom) of each, of the whole domain."""
        reasons = self.domains[name]["reasons"]
        return {(one["name"], one["by"]) for reason in reasons for one in reason["details"] if one["kind"]}


def old_xml(*, hpet, console):
    root = ET.fromstring(virsh("dumpxml", "guest02", "--inactive"))
    root.find("name").text = "old"
    root.remove(root.find("uuid"))
    words = root.find("os/cmdline").text.replace("console=ttyS0", console)
    root.find("os/cmdline").text = f"{words} no-kvmclock clocksource=hpet"
    serial = root.find("devices/serial/source")
    serial.set("path", "/var/log/old.console")
    for element in root.findall("devices/console"):
        root.find("devices").remove(element)
    clock = root.find("clock")
    if clock is None:
        clock = ET.SubElement(root, "clock", offset="utc")
    for timer in clock.findall("timer[@name='hpet']"):
        clock.remove(timer)
    ET.SubElement(clock, "timer", name="hpet", present=hpet)
    return ET.tostring(root, encoding="unicode")


def start(xml, directory):
    file = directory / "domain.xml"
    file.write_text(xml)
    virsh("create", str(file))


def wait_for_work():
    """Firmware takes a while, and its exits tell nothing: the one reads its disk, the other takes Linux' exits."""
    reads = re.compile(r"rd_req (\d+)")
    wait_until(lambda: int(reads.search(virsh("domblkstat", "disk"))[1]) > 50, "the domain disk reads its disk")
    old = Witness("old")
    goal = old.exits() + 10_000
    wait_until(lambda: old.exits() > goal, "the domain old takes exits")


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory):
    """What is said at first, and when the changes are made that it proposes."""
    scratch = tmp_path_factory.mktemp("explain")
    IMAGE.write_bytes((READS.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))
    IMAGE.chmod(0o666)
    told = []
    try:
        start(DISK, scratch)
        start(old_xml(hpet="yes", console="console=ttyS0"), scratch)
        told.append(explain_when_at_work())
        for name in ("disk", "old"):
            virsh("destroy", name)
        start(changed_disk(told[0].findings("disk")["emulated-disk"]), scratch)
        start(old_xml(hpet=proposed_hpet(told[0].findings("old")["hpet-clock"]), console=""), scratch)
        told.append(explain_when_at_work())
    finally:
        for name in {"disk", "old"} & set(virsh("list", "--name").split()):
            virsh("destroy", name)
        IMAGE.unlink()
    return told


def explain_when_at_work():
    wait_for_work()
    return Explained()


def pasted(finding, path):
    """The element that a finding's change has at a path."""
    for step in finding["change"]:
        if step["paste"].startswith("<"):
            found = ET.fromstring(f"<domain>{step['paste']}</domain>").find(path)
            if found is not None:
                return found
    raise AssertionError(f"no {path} in {finding['change']}")


def changed_disk(finding):
    """The domain with the disk's new target."""
    target = pasted(finding, "devices/disk/target")
    root = ET.fromstring(DISK)
    disk = root.find("devices/disk")
    disk.remove(disk.find("target"))
    disk.append(target)
    return ET.tostring(root, encoding="unicode")


def proposed_hpet(finding):
    return pasted(finding, "clock/timer[@name='hpet']").get("present")


def test_an_emulated_disk_is_found_and_named(before_and_after):
    before, _ = before_and_after
    finding = before.findings("disk")["emulated-disk"]
    assert finding["share"] >= 0.01 and finding["vcpu"] == 0
    assert any(re.match(r"(in|out) 0x1f[0-7] IDE 1.*, by QEMU", cause["what"]) for cause in finding["causes"])
    assert ("IDE 1", "qemu") in before.details("disk")


def test_a_virtio_disk_has_doorbells_and_no_finding(before_and_after):
    _, after = before_and_after
    assert "emulated-disk" not in after.findings("disk")
    assert any(name and "virtio" in name and "queue 0" in name for name, _ in after.details("disk"))


def test_a_clock_that_is_emulated_is_found_and_goes(before_and_after):
    before, after = before_and_after
    finding = before.findings("old")["hpet-clock"]
    assert any(cause["what"].startswith("read 0xfed000f0 HPET") for cause in finding["causes"])
    assert ("HPET", "qemu") in before.details("old")
    assert "hpet-clock" not in after.findings("old")


def test_a_serial_console_is_found_and_goes(before_and_after):
    before, after = before_and_after
    finding = before.findings("old")["serial-console"]
    assert any(cause["what"].startswith("out 0x3f8 serial 1, by QEMU") for cause in finding["causes"])
    assert "serial-console" not in after.findings("old")


def test_nothing_was_too_short_to_judge_and_nothing_is_missing(before_and_after):
    for told in before_and_after:
        assert "cannot be read" not in told.notes
        assert [domain["too_short"] for domain in told.domains.values()] == [False, False]
