"""run_live() on made-up domains, as a process of its own: what the tests of the live view drive.

live_driver.py COMMANDS_FD REPORTS_FD INTERVAL_S[,DURATION_S] NAME[:VCPUS] ...

To the reports, every interval is one second long: 1000 exits of the first reason on the first vCPU of the first domain,
fewer of others. Commands come as lines on COMMANDS_FD (-1: none): `+NAME` and `-NAME` start and end a domain, `raise`
makes the next report an error, `lose` loses 7 exits. Each report writes a dot to REPORTS_FD (-1: not). $DESCRIPTORS are
how many are open before the view begins.
"""

import contextlib
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import made_up_reports
from virt_exitstat.clock import Clock
from virt_exitstat.errors import ExitStatError
from virt_exitstat.live.loop import check_live, run_live
from virt_exitstat.run.schedule import Schedule

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
        pid = 100 + max((target.pid for target in self.targets), default=0)
        self.targets.append(made_up_reports.domain(name, pid, int(vcpus or 2)))

    def report(self):
        if self.fails:
            print("said before the end", file=sys.stderr)
            raise ExitStatError("the source is out of order", "mend it")
        self.reports += 1
        exits = {
            vcpu.tid: {
                # The last reason comes and goes.
                reason: 1000 // (100 * number + target.pid // 100 + vcpu.number)
                for number, reason in enumerate(REASONS[: len(REASONS) - self.reports % 2])
            }
            for target in self.targets
            for vcpu in target.vcpus
        }
        lost, self.lost = self.lost, 0
        if self.told >= 0:
            os.write(self.told, b".")
        return made_up_reports.report(self.targets, exits, lost=(lost,))

    def fileno(self):
        return self.commands

    def keep_house(self):
        pass

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
    already_open = int(os.environ.get("DESCRIPTORS", "0"))
    if already_open:
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    for _ in range(already_open):
        os.open(os.devnull, os.O_RDONLY)
    try:
        commands, reports, times, *names = sys.argv[1:]
        interval_s, _, duration_s = times.partition(",")
        check_live()  # imports rich, which takes a while
        clock = Clock()
        schedule = Schedule(clock.monotonic_s(), float(interval_s), float(duration_s) if duration_s else None)
        run_live(MadeUpSource(int(commands), int(reports), names), schedule, clock)
    except ExitStatError as error:
        print(f"virt-exitstat: {error}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.status)
    with contextlib.suppress(OSError):  # the terminal has gone
        os.write(1, b"ended well\n")
