"""run_live() on made-up domains, as a process of its own: what the tests of the live view drive.

live_driver.py COMMANDS_FD REPORTS_FD INTERVAL_S NAME[:VCPUS] ...

Every interval is one second long to the reports: vCPU N of domain D (from 0) takes 1000 / (D + 1) exits, of reasons in
falling order. Commands come as lines on COMMANDS_FD (-1: none): `+NAME` and `-NAME` start and end a domain, `raise`
makes the next report an error, `lose` loses 7 exits. Each report writes a dot to REPORTS_FD (-1: not).
"""

import contextlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from virt_exitstat.errors import ExitStatError
from virt_exitstat.live import run_live
from virt_exitstat.report import make_report
from virt_exitstat.snapshot import CountSnapshot, Lost, Thread
from virt_exitstat.targets import Domain, Target, Targets, VCpu

REASONS = ("CPUID", "MSR", "IOIO", "HLT", "INTR", "VINTR", "VMMCALL")


class MadeUpSource:
    """A ReportSource."""

    def __init__(self, commands, reports, names):
        self.commands = commands
        self.told = reports
        self.targets = []
        self.lost = 0
        self.fails = False
        self.reports = 0
        for name in names:
            self.start(name)

    def start(self, text):
        name, _, vcpus = text.partition(":")
        pid = 100 * (len(self.targets) + 1)
        while any(target.pid == pid for target in self.targets):
            pid += 100
        numbers = range(int(vcpus or 2))
        self.targets.append(Target(pid, tuple(VCpu(n, pid + 1 + n) for n in numbers), Domain(name, name, pid)))

    def report(self):
        if self.fails:
            print("said before the end", file=sys.stderr)
            raise ExitStatError("the source is out of order", "mend it")
        self.reports += 1
        counts = {
            Thread(target.pid, vcpu.tid): {
                # The last reason comes and goes.
                reason: 1000 // (1 + 100 * reason + target.pid // 100 - 1 + vcpu.number)
                for reason in range(len(REASONS) - self.reports % 2)
            }
            for target in self.targets
            for vcpu in target.vcpus
        }
        delta = CountSnapshot(1.0, counts, Lost(self.lost, 0, 0))
        self.lost = 0
        if self.told >= 0:
            os.write(self.told, b".")
        return make_report(Targets(tuple(self.targets)), delta, REASONS.__getitem__)

    def fileno(self):
        return self.commands

    def refresh(self):
        for command in os.read(self.commands, 4096).decode().split("\n"):
            if command.startswith("+"):
                self.start(command[1:])
            elif command.startswith("-"):
                self.targets = [target for target in self.targets if target.label != command[1:]]
            elif command == "raise":
                self.fails = True
            elif command == "lose":
                self.lost = 7


if __name__ == "__main__":
    try:
        commands, reports, interval_s, *names = sys.argv[1:]
        run_live(MadeUpSource(int(commands), int(reports), names), float(interval_s))
    except ExitStatError as error:
        print(f"virt-exitstat: {error}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.status)
    with contextlib.suppress(OSError):  # the terminal has gone
        os.write(1, b"ended well\n")
