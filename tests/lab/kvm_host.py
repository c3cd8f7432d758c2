"""Run the tool in the lab beside its second witnesses: KVM's own counters, by debugfs and by libvirt."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# Debian 11's QEMU on arm64, when KVM_CREATE_VM is interrupted, which happens in one start of twenty. Since QEMU commit
# bbde13cd14ad (7.2) it tries again by itself.
_INTERRUPTED = "Failed to retrieve host CPU features"
_STARTS = 10


def virsh(*arguments):
    """Run virsh, return what it prints."""
    for _ in range(_STARTS):
        done = subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, check=False)
        if _INTERRUPTED not in done.stderr:
            break
    assert done.returncode == 0, f"virsh {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def tool(*arguments, **options):
    """Run virt-exitstat to its end."""
    options = {"capture_output": True, "text": True, "check": False, **options}
    return subprocess.run([CHECKOUT / "virt-exitstat", *arguments], **options)


def wait_until(true, what):
    """Poll a condition; the limit only ends a test that would hang."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited in vain until {what}")


def programs_loaded():
    """The kernel's list of loaded BPF programs that are ours."""
    listed = subprocess.run(["bpftool", "prog"], capture_output=True, text=True).stdout
    return re.findall(r"name (?:count_exit|enter_guest|leave_kernel)", listed)


def bpf_objects():
    """The kernel's programs, maps and what links programs to events, by id; systemd's, for units, are left out."""
    found = set()
    for kind in ("prog", "map", "link"):
        listed = subprocess.run(["bpftool", "-j", kind], capture_output=True, text=True, check=True).stdout
        found |= {
            (kind, entry["id"]) for entry in json.loads(listed or "[]") if not entry.get("name", "").startswith("sd_")
        }
    return found


def refusal(*arguments, **options):
    """Run the tool, which must refuse: its status, message and hint."""
    done = tool(*arguments, **options)
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    message, hint = lines
    assert message.startswith("virt-exitstat: ") and hint.startswith("hint: "), done.stderr
    assert done.stdout == "" and not programs_loaded()
    return done.returncode, message.partition(": ")[2], hint.partition(": ")[2]


def stop_libvirtd():
    """End libvirt's daemon; domains run on."""
    subprocess.run(["pkill", "-x", "libvirtd"], check=True)
    wait_until(lambda: subprocess.run(["pgrep", "-x", "libvirtd"], capture_output=True).returncode, "libvirtd is gone")


def start_libvirtd():
    """Start it again, and wait until it answers."""
    subprocess.run(["libvirtd", "-d"], check=True)
    wait_until(libvirtd_answers, "libvirtd is back")


def libvirtd_answers():
    """Whether it does, now."""
    return not subprocess.run(["virsh", "-q", "list"], capture_output=True).returncode


class Witness:
    """KVM's own exit counters of a domain."""

    def __init__(self, name):
        self.name = name
        (self._debugfs,) = Path("/sys/kernel/debug/kvm").glob(f"{self.pid()}-*")

    def pid(self):
        """Of its QEMU process, by libvirt's pid file."""
        return int(Path(f"/run/libvirt/qemu/{self.name}.pid").read_text())

    def tids(self):
        """{vCPU: tid}, by the names of QEMU's threads."""
        threads = {int(task.name): (task / "comm").read_text() for task in Path(f"/proc/{self.pid()}/task").iterdir()}
        named = {tid: re.fullmatch(r"CPU (\d+)/KVM\n", name) for tid, name in threads.items()}
        return {int(found.group(1)): tid for tid, found in named.items() if found}

    def exits(self):
        """Of the whole domain, by debugfs."""
        return int((self._debugfs / "exits").read_text())

    def halts(self):
        """HLT exits of the whole domain, on arm64 WFIs, by debugfs."""
        name = "wfi_exit_stat" if os.uname().machine == "aarch64" else "halt_exits"
        return int((self._debugfs / name).read_text())

    def virsh(self, *arguments):
        """Ask the libvirt that runs it."""
        return virsh(*arguments)

    def exits_by_vcpu(self):
        """{vCPU: exits}, by libvirt."""
        stats = self.virsh("domstats", "--vcpu", self.name)
        return {int(n): int(count) for n, count in re.findall(r"vcpu\.(\d+)\.exits\.sum=(\d+)", stats)}


class Run:
    """A virt-exitstat that counts: started and attached when made, its report read when stopped."""

    def __init__(self, *arguments, inside=()):
        """`inside` is the beginning of a command that runs the rest as its only child, in a container for instance."""
        self._process = subprocess.Popen(
            [*inside, CHECKOUT / "virt-exitstat", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._has_child = bool(inside)
        self.ready_line = self._process.stderr.readline()
        assert self.ready_line.startswith("counting exits of "), self.ready_line + self._process.stderr.read()

    def stop(self, how=signal.SIGINT):
        """End it by a signal; the report as {heading: {reason: count}}, the total among the reasons."""
        return parse_report(self.stop_text(how))

    def stop_text(self, how=signal.SIGINT):
        """End it by a signal; the report as it was printed."""
        pid = self._process.pid
        os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text()) if self._has_child else pid, how)
        self.text, errors = self._process.communicate()
        assert (self._process.returncode, errors) == (0, "")
        return self.text

    def kill(self):
        """End it without giving it a chance."""
        self._process.kill()
        self._process.communicate()


def parse_report(text):
    """{heading: {reason: count, .., "total": count}}; a heading is what stands before the measured seconds."""
    tables = {}
    for part in text.strip().split("\n\n"):
        header, columns, *rows = part.splitlines()
        assert columns.split() == ["reason", "count", "per", "second", "share"]
        heading = re.fullmatch(r"(.*), \d+\.\d{3} s(, ended while counting)?", header)
        assert heading, header
        tables[heading.group(1)] = {row.split()[0]: int(row.split()[1]) for row in rows}
    for table in tables.values():
        assert table["total"] == sum(count for reason, count in table.items() if reason != "total")
    return tables


def work_for(witnesses, exits=3000):
    """Resume suspended domains, let each take some exits, suspend them again."""
    goals = {witness: witness.exits() + exits for witness in witnesses}
    for witness in witnesses:
        witness.virsh("resume", witness.name)
    wait_until(lambda: all(witness.exits() > goal for witness, goal in goals.items()), f"{exits} exits are taken")
    for witness in witnesses:
        witness.virsh("suspend", witness.name)
