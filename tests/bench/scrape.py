"""How much CPU a scrape takes, from two snapshots to the text. Runs anywhere; prints, never fails."""

import sys
import time
import zlib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / name) for name in ("lib", "tests")]

from made_up_reports import WHEN_AND_WHERE, domain, lasted  # noqa: E402  (found by the line above)
from virt_exitstat.counts.snapshot import CountSnapshot, State, Thread  # noqa: E402
from virt_exitstat.counts.tally import Tally  # noqa: E402
from virt_exitstat.isa.vmx import VMX  # noqa: E402
from virt_exitstat.metrics.exposition import expose, import_client  # noqa: E402
from virt_exitstat.metrics.families import Collected, Identity, make_families, name_domains  # noqa: E402
from virt_exitstat.metrics.garbage import no_search_for_cycles  # noqa: E402
from virt_exitstat.metrics.totals import Totals, add_reading  # noqa: E402
from virt_exitstat.metrics.wanted import Wanted  # noqa: E402
from virt_exitstat.reports.reading import Reading  # noqa: E402
from virt_exitstat.targets.target import Targets  # noqa: E402

REASONS = (1, 7, 10, 12, 28, 30, 31, 32, 40, 48, 49, 52)
PER_DOMAIN = 4
ROUNDS = 3


def targets_of(vcpus):
    numbers = range(vcpus // PER_DOMAIN)
    return Targets(tuple(domain(f"instance-{number:08x}", 10_000 + 100 * number, PER_DOMAIN) for number in numbers))


def snapshot(targets, at, *, timed):
    """All counts at the `at`-th reading: each vCPU has taken exits of each reason since the one before."""

    def tally(reason):
        exits = at * 1000 * (reason + 1)
        time = None
        if timed:
            time = lasted(1000 * (reason + 1), exits // 2) + lasted(9000 * (reason + 1), exits - exits // 2)
        return Tally(exits, time)

    tallies = {reason: tally(reason) for reason in REASONS}
    if timed:
        tallies[State.GUEST] = Tally(0, lasted(0, 0, in_flight_ns=at * 10**9))
    threads = [Thread(target.pid, vcpu.tid) for target in targets.targets for vcpu in target.vcpus]
    return CountSnapshot(float(at), dict.fromkeys(threads, tallies))


@no_search_for_cycles()
def scrape(targets, totals, before, after, wanted, *, timed):
    """One scrape; the new totals, the text and the CPU seconds: of the delta, of adding it up, of the text."""
    marks = [time.process_time()]
    reading = Reading(targets, after.since(before), frozenset(), **WHEN_AND_WHERE)
    marks.append(time.process_time())
    totals = add_reading(
        totals,
        reading,
        VMX.reasons.name_of,
        lambda _thread: False,
        per_vcpu=wanted.per_vcpu,
        histogram=wanted.histogram,
    )
    marks.append(time.process_time())
    identities = {target.process: Identity(target.label, target.domain.uuid) for target in targets.targets}
    text = expose(make_families(Collected(totals, name_domains(totals, identities), timed, wanted)))
    marks.append(time.process_time())
    return totals, text, [end - begin for begin, end in zip(marks, marks[1:])]


def main():
    import_client()
    columns = ("vCPUs", "by", "with", "delta", "totals", "text", "CPU s", "MB", "gzip CPU s", "gzip MB")
    print("".join(f"{column:>11}" for column in columns))
    for vcpus in (64, 1024, 4096):
        targets = targets_of(vcpus)
        for per_vcpu, timed, histogram in (
            (False, False, False),
            (True, False, False),
            (False, True, False),
            (True, True, False),
            (False, True, True),
        ):
            wanted, totals, best = Wanted(per_vcpu, histogram), Totals(), []
            for at in range(1, ROUNDS + 1):
                before, after = snapshot(targets, at - 1, timed=timed), snapshot(targets, at, timed=timed)
                totals, text, parts = scrape(targets, totals, before, after, wanted, timed=timed)
                best = min(best or parts, parts, key=sum)
            began = time.process_time()
            small = zlib.compress(text, 1)
            squeezed = time.process_time() - began
            print(
                f"{vcpus:11}{'vCPU' if per_vcpu else 'domain':>11}{'hist' if histogram else 'time' * timed:>11}", end=""
            )
            print("".join(f"{part:11.3f}" for part in (*best, sum(best))), end="")
            print(f"{len(text) / 1e6:11.2f}{squeezed:11.3f}{len(small) / 1e6:11.2f}", flush=True)


if __name__ == "__main__":
    main()
