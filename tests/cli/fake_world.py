"""The world of the command-line tests: libvirt's test driver, a host made of files, a counter with set counts."""

import contextlib
import functools
import io
import os
import signal
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

import libvirt

from fake_host import FakeHost
from made_up_reports import lasted, snapshot
from virt_exitstat import cli, errors, world
from virt_exitstat.clock import Clock
from virt_exitstat.counts.details import Access, Cost, Detail, Kind, Mark
from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.counts.snapshot import EndedThread, Lost, State, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.isa.host import host_isa
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.targets.target import Domain

WEB01 = Domain("web01", "11111111-1111-4111-8111-111111111111", 1)
DB01 = Domain("db01", "22222222-2222-4222-8222-222222222222", 2)
ODD = Domain('odd "name" $(id) ü', "33333333-3333-4333-8333-333333333333", 3)
NUMBERED = Domain("42", "44444444-4444-4444-8444-444444444444", 4)
SHUT_OFF = "idle01"
KVM_EXIT = "sys/kernel/tracing/events/kvm/kvm_exit/format"


class SetCounter:
    """Stands in for the kernel: the same counts for every thread that the filter lets through, 10.25 s after the start.

    Counts as the kernel does, by the filter, so that a wrong filter gives a wrong report.
    """

    def __init__(self, world, thread_filter, counting):
        self._world, self._filter, self._timed, self._detailed = world, thread_filter, counting.timed, counting.detailed
        self._time_s = 5.0
        self.isa = VMX
        with contextlib.suppress(errors.ExitStatError):
            self.isa = host_isa(world.root)
        world.opened += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.detach()
        self._world.opened -= 1

    def attach(self):
        self._world.attached += 1
        if self._world.press_ctrl_c:
            os.kill(os.getpid(), signal.SIGINT)

    def detach(self):
        self._world.attached = 0

    def end(self, *_process):
        assert self._world.opened

    def free_rows(self, is_gone):
        assert not any(is_gone(thread) for thread in self._world.counts if thread.tid != 1199)

    def snapshot(self, _is_gone=None):
        time_s, self._time_s = self._time_s, self._time_s + 10.25
        if time_s == 5.0:
            return snapshot(time_s, {})
        self._world.before_reading()
        wanted = {thread: counts for thread, counts in self._world.counts.items() if is_wanted(self._filter, thread)}
        return self._with_times(snapshot(time_s, wanted, self._world.lost))

    def _with_times(self, read, seen_s=10):
        """Each exit takes a microsecond for each unit of its number; every other one, three, half of that in QEMU.

        Each vCPU was held by QEMU once, and is in the guest for the rest of `seen_s`.
        """
        if self._detailed:
            counts = {
                thread: {
                    reason: replace(tally, details=details_of(self.isa, reason, tally.exits, self._world.detail_ns))
                    for reason, tally in of.items()
                }
                for thread, of in read.counts.items()
            }
            read = replace(
                read, counts=counts, no_detail=self._world.no_detail, missed_events=self._world.missed_events
            )
        if not self._timed:
            return read
        counts = {}
        for thread, tallies in read.counts.items():
            timed = {reason: replace(tally, time=times_of(reason, tally.exits)) for reason, tally in tallies.items()}
            busy_ns = sum(tally.time.total_ns for tally in timed.values()) + 10**6
            timed[State.STOPPED] = Tally(0, lasted(10**6, 1))
            timed[State.GUEST] = Tally(0, Durations(total_ns=round(seen_s * 1e9) - busy_ns))
            counts[thread] = timed
        return replace(read, counts=counts)

    def follow(self, thread_filter):
        assert self._filter.changes, "told of other threads, though its first filter did not say that it changes"
        self._filter = thread_filter

    attachment = Attachment.RAW

    def reason_name(self, reason):
        return self.isa.reasons.name_of(reason)


class TimedCounter(SetCounter):
    """Stands in for the kernel in a run of intervals: each thread takes `world.counts` exits a second while it runs.

    What a thread took before the filter let it through is not counted, as in the kernel.
    """

    def __init__(self, world, thread_filter, counting):
        super().__init__(world, thread_filter, counting)
        self._clock, self._time_s = world.clock, None
        self._counted, self._gone = {}, {}
        world.count_until_now = self._count

    def attach(self):
        super().attach()
        self._time_s = self._clock.monotonic_s()

    def free_rows(self, is_gone):
        pass

    def end(self, tgid, started):
        self._count()
        for thread in [thread for thread in self._counted if thread.tgid == tgid]:
            self._gone[EndedThread(*thread, started)] = self._counted.pop(thread)

    def follow(self, thread_filter):
        self._count()
        super().follow(thread_filter)

    def snapshot(self, _is_gone=None):
        self._count()
        gone, self._gone = self._gone, {}
        return self._with_times(snapshot(self._time_s, self._counted, self._world.lost, gone), self._time_s)

    def _count(self):
        if self._world.attached:
            elapsed_s, self._time_s = self._clock.monotonic_s() - self._time_s, self._clock.monotonic_s()
            for thread, rates in self._world.counts.items():
                if is_wanted(self._filter, thread) and self._world.host.is_running(thread):
                    counts = self._counted.setdefault(thread, {})
                    for reason, rate in rates.items():
                        counts[reason] = counts.get(reason, 0) + round(rate * elapsed_s)


class SetClock(Clock):
    """A clock that moves on when it is waited for. `script` is what happens meanwhile: [(seconds from start, what)]."""

    #: libvirt's answer is waited for: the time that it takes is none of this clock's.
    grace_s = 600
    start = datetime(2026, 11, 22, 19, 53, 0, tzinfo=timezone.utc)

    def __init__(self):
        self._now_s = 0.0
        self.script = []

    def monotonic_s(self):
        return self._now_s

    def utc(self):
        return self.start + timedelta(seconds=self._now_s)

    def wait(self, fds, timeout_s):
        ready = super().wait(fds, 0)
        if ready or not timeout_s:
            return ready
        until_s = self._now_s + timeout_s
        self.script.sort(key=lambda step: step[0])
        if self.script and self.script[0][0] <= until_s:
            self._now_s, happen = self.script.pop(0)
            happen()
            return super().wait(fds, 0)
        self._now_s = until_s
        return frozenset()

    def pass_by(self, seconds):
        """Time goes by without being waited for."""
        self._now_s += seconds


def times_of(reason, exits):
    short, length_ns = exits // 2, (min(reason, 999) + 1) * 1_000
    return lasted(length_ns, exits - short) + lasted(3 * length_ns, short, qemu_ns=3 * length_ns // 2)


#: {reason: its details, of which each causes half of the exits that are left}; one exit is left over.
DETAILS = {
    1: (Detail(Kind.VECTOR, 0xEC), Detail(Kind.IRQ, 45)),
    12: (Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT), Detail(Kind.WAKEUP, 4, mark=Mark.POLLED)),
    48: (
        Detail(Kind.MMIO, 0xFED000F0, Access.READ, by_qemu=True),
        Detail(Kind.PAGE_FAULT, 0, Access.WRITE, mark=Mark.NO_PAGE),
    ),
    10: (Detail(Kind.CPUID, 0xD), Detail(Kind.CPUID, 0x80000000), Detail(Kind.CPUID, 1)),
    30: (
        Detail(Kind.PORT, 0x3F8, Access.WRITE, 1, by_qemu=True),
        Detail(Kind.PORT, 0x1F0, Access.READ, 2, by_qemu=True),
    ),
    32: (Detail(Kind.MSR, 0x6E0, Access.WRITE),),
}

#: The same on arm64.
ARM64_DETAILS = {
    0x01: (Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT), Detail(Kind.WAIT, 1)),
    0x16: (Detail(Kind.SMCCC_CALL, 0x84000000), Detail(Kind.SMCCC_CALL, 0xC4000001)),
    0x18: (Detail(Kind.SYSTEM_REGISTER, 0xC65D, Access.WRITE), Detail(Kind.SYSTEM_REGISTER, 0xC03D, Access.READ)),
    0x24: (
        Detail(Kind.MMIO, 0x09000018, Access.READ, by_qemu=True),
        Detail(Kind.MMIO, 0x09000000, Access.WRITE, by_qemu=True),
        Detail(Kind.MMIO, 0x8000003000, Access.WRITE),
        Detail(Kind.PAGE_FAULT, 0, Access.WRITE, mark=Mark.NO_PAGE),
    ),
    0x100: (Detail(Kind.IRQ, 12),),
}


def details_of(isa, reason, exits, each_ns=0):
    left, found = exits, {}
    for detail in (ARM64_DETAILS if isa.name == "ARM64" else DETAILS).get(reason, ()):
        part = left - left // 2
        if part:
            found[detail] = Cost(part, part * (each_ns or (reason + 1) * 1_000))
        left -= part
    if left > 1:
        found[Detail(Kind.NOTHING)] = Cost(left - 1, (left - 1) * 500)
    return found


def is_wanted(thread_filter, thread):
    return thread_filter.everything or thread.tgid in thread_filter.tgids or thread in thread_filter.threads


class World:
    """Everything that main() is given, and what came of it."""

    def __init__(self, root):
        self.host = FakeHost(root)
        self.root = root
        self.opened = self.attached = 0
        self.clock = None
        self.count_until_now = lambda: None
        self.lost = Lost()
        self.no_detail = self.missed_events = self.detail_ns = 0
        self.press_ctrl_c = False
        self.before_reading = lambda: None
        self.host.add_vcpus(1100, {0: 1101, 1: 1102}, domain=WEB01)
        for tid in (1101, 1102):
            self.host.add_schedstat(1100, tid, 5_000_000)
        self.host.add_vcpus(1200, {0: 1201}, domain=DB01)
        self.host.add_vcpus(1300, {0: 1301}, domain=ODD)
        self.host.add_vcpus(1400, {0: 1401}, domain=NUMBERED)
        self.counts = {
            Thread(1100, 1101): {12: 40_000, 48: 1_500, 32: 1, 71: 7},
            Thread(1100, 1102): {12: 1_000, 1: 250_000},
            Thread(1200, 1201): {30: 99},
            Thread(1300, 1301): {10: 23_000},
            Thread(1400, 1401): {10: 5},
        }
        self.connect(WEB01, DB01, ODD, NUMBERED)

    def connect(self, *running, vcpus=None):
        """Open libvirt's test driver with these domains running and one that does not, of one vCPU each or `vcpus`."""
        node = self.root / "node.xml"
        domains = "".join(
            f"<domain type='test'><name>{domain.name.replace('&', '&amp;')}</name><uuid>{domain.uuid}</uuid>"
            f"<memory>1024</memory><vcpu>{(vcpus or {}).get(domain, 1)}</vcpu><os><type>hvm</type></os></domain>"
            for domain in running
        )
        node.write_text(f"<node>{domains}</node>")
        self.connection = libvirt.open(f"test://{node}")
        self.connection.defineXML(
            f"<domain type='test'><name>{SHUT_OFF}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
        )

    def run_newer_kernel(self, names=MappingProxyType({71: "of a newer-kernel"})):
        """An Intel host whose kernel has names for reasons that this program has none for."""
        text = (Path(__file__).parents[1] / "unit/data/kvm_exit.format.trixie").read_text()
        self.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
        newer = "".join(f', {{ {reason}, "{name}" }}' for reason, name in names.items())
        self.host.add_file(KVM_EXIT, text.replace('"CPUID" }', f'"CPUID" }}{newer}'))

    def run_on_arm64(self):
        """An arm64 host. web01 sleeps, sends interrupts and writes to its serial port, db01 calls its hypervisor."""
        text = (Path(__file__).parents[1] / "unit/data/kvm_exit.format.arm64.trixie").read_text()
        self.host.add_file("proc/sys/kernel/arch", "aarch64\n")
        self.host.add_file("dev/kvm", "")
        self.host.add_file("proc/interrupts", " 12:     4121     3904     GICv3  27 Level     kvm guest vtimer\n")
        self.host.add_file(KVM_EXIT, text)
        self.counts.update(
            {
                Thread(1100, 1101): {0x01: 40_000, 0x24: 30_000, 0x18: 9_000, 0x02: 7},
                Thread(1100, 1102): {0x01: 1_000, 0x100: 2_500, 0x101: 1, 0x100 + 0xBADCA11: 1},
                Thread(1200, 1201): {0x16: 23_000, 0x01: 1},
            }
        )

    def script(self, *steps):
        """Give the run a clock of its own; (seconds, function, arguments ..) happen when it shows that time."""
        self.clock = SetClock()
        self.clock.script = [(at_s, functools.partial(*what)) for at_s, *what in steps]

    def end(self, domain, pid):
        """A domain ends: for libvirt, in its records, and its process."""
        self.count_until_now()
        self.connection.lookupByName(domain.name).destroy()
        (self.host.run_dir / f"{domain.name}.xml").unlink()
        self.host.end_process(pid)

    def start(self, domain, pid, vcpus):
        """A domain that is defined starts."""
        self.host.add_vcpus(pid, vcpus, domain=domain)
        self.connection.lookupByName(domain.name).create()

    def main(self, *argv):
        """Run main(), with this process's own stdout and stderr; its status."""
        counter = TimedCounter if self.clock else SetCounter
        return cli.main(
            argv,
            world.World(
                connection=self.connection,
                make_counter=functools.partial(counter, self),
                root=self.root,
                clock=self.clock,
            ),
        )

    def run(self, *argv):
        """Run main(); what the user sees, as one text: status, stdout, stderr."""
        out, err = io.StringIO(newline=""), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = self.main(*argv)
            except errors.ExitStatError as error:
                status = error.status
                err.write(f"virt-exitstat: {error}\nhint: {error.hint}\n")
        assert (self.opened, self.attached) == (0, 0), "something is left attached"
        text = out.getvalue()
        for machines in (os.uname().nodename, os.uname().release):
            text = text.replace(f'"{machines}"', '"THIS MACHINE\'S"')
        return f"status {status.value} {status.name}\n--- stdout\n{text}--- stderr\n{err.getvalue()}"
