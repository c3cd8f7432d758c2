"""A container with a libvirt of its own, as KubeVirt's and Kolla's: pid and mount namespaces, own /proc and records."""

import re
import subprocess
import uuid
from pathlib import Path

from kvm_host import Witness, virsh, wait_until

# What is the container's own lies below these; all else is the host's.
_START = """
set -e
mount -t tmpfs tmpfs /run/libvirt
mount -t tmpfs tmpfs /var/lib/libvirt
virtlogd -d -p /run/libvirt/virtlogd.pid
libvirtd -d -p /run/libvirt/libvirtd.pid
exec sleep infinity
"""


class Container:
    """Started when made. `inside` is the beginning of a command that runs the rest in it."""

    def __init__(self):
        # tini reaps what libvirt leaves behind, as any container's first process must.
        self._outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "tini", "--", "sh", "-c", _START]
        )
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        wait_until(lambda: children.read_text(), "the container has a first process")
        self.init = int(children.read_text())
        self.inside = ["nsenter", "--target", str(self.init), "--pid", "--mount", f"--wd={Path.cwd()}", "--"]
        wait_until(lambda: self.run("virsh", "-q", "list", check=False).returncode == 0, "its libvirtd answers")

    def run(self, *command, check=True):
        """Run a command in it; what it printed."""
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, check=check)

    def virsh(self, *arguments):
        """Run virsh in it, return what it prints."""
        return self.run("virsh", "-q", *arguments).stdout

    def start_like(self, host_domain, name):
        """Start a domain in it, paused, that is one of the host's but for its name and UUID; KVM's counters of it."""
        xml = virsh("dumpxml", "--inactive", host_domain)
        xml = re.sub(r"<uuid>.*</uuid>", f"<uuid>{uuid.uuid4()}</uuid>", xml)
        xml = xml.replace(f"<name>{host_domain}</name>", f"<name>{name}</name>")
        file = Path(f"/tmp/{name}.xml")
        file.write_text(xml.replace(f"/var/log/{host_domain}.console", f"/var/log/{name}.console"))
        self.virsh("create", "--paused", str(file))
        return ContainerWitness(self, name)

    def end(self):
        """Kill all that runs in it."""
        self._outer.kill()
        self._outer.wait()


class ContainerWitness(Witness):
    """KVM's own counters of a domain in the container, by the host's debugfs and by the container's libvirt."""

    def __init__(self, container, name):
        self._container = container
        self._uuid = container.virsh("domuuid", name).strip()
        super().__init__(name)

    def pid(self):
        """Of its QEMU process, as the host numbers it."""
        (pid,) = subprocess.run(
            ["pgrep", "-f", f"[-]uuid {self._uuid}"], capture_output=True, text=True, check=True
        ).stdout.split()
        return int(pid)

    def pid_inside(self):
        """Of the same process, as the container numbers it."""
        return int(
            re.search(r"^NSpid:.*\s(\d+)$", Path(f"/proc/{self.pid()}/status").read_text(), re.MULTILINE).group(1)
        )

    def virsh(self, *arguments):
        return self._container.virsh(*arguments)
