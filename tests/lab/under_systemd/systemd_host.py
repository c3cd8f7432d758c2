"""The doors to the host's systemd, to its BPF programs, and to the Prometheus that scrapes there."""

import math
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from kvm_host import wait_until
from prometheus_api import Prometheus

SERVICE, SOCKET = "virt-exitstat.service", "virt-exitstat.socket"
TOTALS = "sum by (domain) (kvm_exits_total)"


class Started(NamedTuple):
    """The service that was started: its port, and what BPF there was before."""

    port: int
    loaded_before: set


def systemctl(*arguments):
    """Run systemctl, return what it prints; where it fails, show what the units said."""
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        journal = subprocess.run(["journalctl", "--no-pager", "-n", "40"], capture_output=True, text=True).stdout
        raise AssertionError(f"systemctl {' '.join(arguments)}: {done.stderr}{journal}")
    return done.stdout


def setting(unit, name):
    """A property of a unit, as systemd tells it."""
    return systemctl("show", f"--property={name}", "--value", unit).strip()


def seconds_to_ready(unit):
    """How long the last start of a unit took."""
    began, ready = (int(setting(unit, f"{state}TimestampMonotonic")) for state in ("InactiveExit", "ActiveEnter"))
    return (ready - began) / 1e6


def status_of(pid):
    """{field: value} of a process, as the kernel tells them."""
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


class ScrapingPrometheus(Prometheus):
    """Debian's service, which scrapes the exporter every two seconds."""

    def is_up(self):
        """Whether its last scrape succeeded."""
        try:
            return self.value("up") == 1
        except OSError:
            return False

    def value(self, expr):
        """The one value that an instant query finds, or None: also where the last scrape took too long."""
        found = self.query(expr)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def by_domain(self, expr, at_s):
        """{domain: value} of `expr`, which has a sample for each domain, at a time."""
        return {labels["domain"]: value for labels, value in self.query(expr, at_s)}

    def increase(self, began_s, ended_s):
        """{domain: increase() of its exits} between two whole seconds at which no domain works.

        increase() extrapolates from its first and last samples to the ends of its range. The subquery has a sample at
        each whole second, these two among them: nothing is left to extrapolate (Prometheus 2; since 3.0 a range begins
        behind its first second). It adds up first: of a reason that is counted for the first time, increase() would not
        see the first value.
        """
        return self.by_domain(f"increase({TOTALS}[{ended_s - began_s}s:1s])", ended_s)

    def at_rest(self):
        """A whole second by which all that was counted so far has been scraped. While no domain works."""
        scraped_s = time.time()
        # The second scrape from now: the first may have begun to read before now.
        for _ in range(2):
            scraped_s = self._scraped_after(scraped_s)
        at_s = math.ceil(scraped_s)
        wait_until(lambda: time.time() > at_s, "the second is over")
        return at_s

    def _scraped_after(self, since_s):
        """When a scrape began that succeeded, the next one after a time."""
        scrapes = [since_s]

        def has_scraped():
            scrapes.append(self.value("timestamp(virt_exitstat_collect_duration_seconds)") or 0)
            return scrapes[-1] > since_s

        wait_until(has_scraped, "Prometheus scrapes")
        return scrapes[-1]
