"""A host made of files: /proc, /run and /sys below a temporary directory."""

import shutil
from xml.sax.saxutils import escape, quoteattr

from virt_exitstat.targets.target import Domain

GUEST01 = Domain("guest01", "ed976740-be30-475d-ada2-37b68f7d76ed", 1)
GUEST02 = Domain("guest02", "866ed94c-0a4f-4e6a-9a5d-3abcc3bafb0f", 2)


class FakeHost:
    """What virt-exitstat reads of a host, below `root`. pids and tids are as the kernel shows them."""

    def __init__(self, root):
        self.root = root
        self.proc = root / "proc"
        self.run_dir = root / "run/libvirt/qemu"
        self.proc.mkdir()
        # Since Linux 6.1; a host of ours is no other machine where the tests run on one.
        self.add_file("proc/sys/kernel/arch", "x86_64\n")
        self.run_dir.mkdir(parents=True)

    def add_process(
        self, pid, threads=None, *, domain=GUEST01, comm="qemu-system-x86", kvm=True, parent=1, inside=None, started=0
    ):
        """A process that runs `domain`; `threads` are {tid: name}, the main thread comes by itself.

        `inside` is {pid or tid: its id in a pid namespace below}; `started` is in clock ticks since boot.
        """
        fds = self.proc / str(pid) / "fd"
        fds.mkdir(parents=True)
        (fds / "0").symlink_to("/dev/null")
        (fds / "9").symlink_to("/dev/kvm")
        if kvm:
            (fds / "10").symlink_to("anon_inode:kvm-vm")
            (fds / "11").symlink_to("anon_inode:kvm-vcpu:0")
        arguments = ["/usr/bin/qemu-system-x86_64", "-name", f"guest={domain.name}", "-uuid", domain.uuid, "-S", ""]
        (self.proc / str(pid) / "cmdline").write_bytes("\0".join(arguments).encode())
        for tid, name in {pid: comm, **(threads or {})}.items():
            self.add_thread(pid, tid, name, parent=parent, inside=(inside or {}).get(tid))
        if started:
            # The name may hold what looks like the end of the name (proc_pid_stat(5)).
            numbers = " ".join(["S", str(parent), *["0"] * 17, str(started), *["0"] * 30])
            (self.proc / str(pid) / "stat").write_text(f"{pid} (a) b) {numbers}\n")

    def add_thread(self, pid, tid, name, *, parent=1, inside=None):
        task = self.proc / str(pid) / "task" / str(tid)
        # The kernel has a /proc/TID for every thread, though no listing of /proc shows it.
        shown = self.proc / str(tid)
        for directory in (task, shown):
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "comm").write_text(f"{name}\n")
            (directory / "status").write_text(
                f"Name:\t{name}\nUmask:\t0022\nTgid:\t{pid}\nPid:\t{tid}\nPPid:\t{parent}\n"
                f"NStgid:\t{pid}\nNSpid:\t{tid}{f'{chr(9)}{inside}' if inside else ''}\n"
            )

    def add_schedstat(self, pid, tid, waited_ns):
        """How long the thread has had no CPU since it began, beside the time it ran and how often it did."""
        self.add_file(f"proc/{pid}/task/{tid}/schedstat", f"123456789 {waited_ns} 42\n")

    def add_vcpus(self, pid, tids, *, domain=GUEST01):
        """A process with the vCPU threads {number: tid} and libvirt's status file of it."""
        self.add_process(pid, {tid: f"CPU {number}/KVM" for number, tid in tids.items()}, domain=domain)
        self.add_status(pid, tids.items(), domain=domain)

    def end_process(self, pid):
        for task in (self.proc / str(pid) / "task").iterdir():
            if task.name != str(pid):
                shutil.rmtree(self.proc / task.name)
        shutil.rmtree(self.proc / str(pid))

    def is_running(self, thread):
        return (self.proc / str(thread.tgid) / "task" / str(thread.tid)).exists()

    def add_status(self, pid, vcpus, *, domain=GUEST01, domain_type="kvm"):
        """libvirt's status file; `vcpus` are (number, tid) in the order in which they are to stand there."""
        lines = "".join(f"    <vcpu id='{number}' pid='{tid}'/>\n" for number, tid in vcpus)
        self.add_status_text(
            f"<domstatus state='running' reason='booted' pid='{pid}'>\n  <vcpus>\n{lines}  </vcpus>\n"
            f"  <domain type={quoteattr(domain_type)} id='{domain.id}'>\n    <name>{escape(domain.name)}</name>\n"
            f"    <uuid>{domain.uuid}</uuid>\n    <vcpu placement='static'>2</vcpu>\n  </domain>\n</domstatus>\n",
            domain=domain,
        )

    def add_status_text(self, text, *, domain=GUEST01):
        (self.run_dir / f"{domain.name}.xml").write_text(text)

    def add_pid_file(self, text, *, domain=GUEST01):
        (self.run_dir / f"{domain.name}.pid").write_text(text)

    def add_file(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
