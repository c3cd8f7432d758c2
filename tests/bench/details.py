"""How much CPU a report with details takes: 64 vCPUs, 200 details each, from the map's bytes to text. Runs anywhere."""

import ctypes
import struct
import time
from datetime import datetime, timezone

from virt_exitstat.counts.details import SIZE_SHIFT, WRITE_BIT, Kind
from virt_exitstat.counts.layout import ID_BITS, ROW_BITS, WhatBits
from virt_exitstat.counts.origin import Attachment, Provenance
from virt_exitstat.counts.snapshot import CountSnapshot
from virt_exitstat.counts.tally import Tally
from virt_exitstat.formats.aligned import import_tabulate, lay_out
from virt_exitstat.formats.format import Style
from virt_exitstat.formats.json_document import render_json
from virt_exitstat.formats.table import render_tables
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.maps.detail_map import DetailMap
from virt_exitstat.names.namer import Namer
from virt_exitstat.reports.choose import Choice, choose
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu

VCPUS, DETAILS = 64, 200
REASONS = ((32, Kind.MSR, 1 << WRITE_BIT), (30, Kind.PORT, 1 << SIZE_SHIFT), (48, Kind.MMIO, 0), (10, Kind.CPUID, 0))


def entries():
    """(key, value) of each, as the kernel has them."""
    for vcpu in range(VCPUS):
        identity = (2000 + vcpu) << ID_BITS + ROW_BITS | 1000 << ROW_BITS
        for number in range(DETAILS):
            reason, kind, bits = REASONS[number % len(REASONS)]
            key = struct.pack("=3Q", identity, reason | kind << WhatBits().kind, number | bits)
            yield key, struct.pack("=2Q", 5 + number, 1_000 * number)


def main():
    import_tabulate()
    keys, values = zip(*entries())

    def read_all(_fd, to_keys, to_values, _most):
        ctypes.memmove(to_keys, b"".join(keys), 24 * len(keys))
        ctypes.memmove(to_values, b"".join(values), 16 * len(values))
        return len(keys)

    details = DetailMap(type("table", (), {"map_fd": 0}), 65_536, VMX.fault, read_all)
    vcpus = tuple(VCpu(number, 2000 + number) for number in range(VCPUS))
    targets = Targets((Target(1000, vcpus, Domain("guest01", "uuid", 1)),))
    where = Provenance("host", "6.1", VMX, Attachment.RAW)
    namer = Namer("VMX")
    before = CountSnapshot(0.0, {})

    def snapshot():
        found = details.decode(details.capture())
        counts = {
            thread: {
                reason: Tally(sum(cost.exits for cost in of.values()), details=of) for reason, of in of_thread.items()
            }
            for thread, of_thread in found.items()
        }
        return CountSnapshot(1.0, counts)

    def measure(what, function):
        taken = []
        for _ in range(5):
            begun = time.process_time()
            result = function()
            taken.append(time.process_time() - begun)
        print(f"{what:32} {1000 * min(taken):7.1f} ms", flush=True)
        return result

    print(f"{VCPUS} vCPUs, {DETAILS} details each; CPU, the least of 5\n")
    now = measure("map to snapshot", snapshot)
    delta = measure("difference to the one before", lambda: now.since(before))
    when = datetime.now(timezone.utc)
    make = lambda: make_report(targets, delta, VMX.reasons.name_of, time=when, provenance=where, detailed=True)  # noqa: E731
    report = measure("report", make)
    style = Style(lay_out, describe=namer.describe, name_of=namer.name_of)
    measure("table, -n 10", lambda: render_tables(choose(report, Choice(top=10)), style))
    measure("table, all", lambda: render_tables(report, style))
    measure("json, all", lambda: render_json(report, style))


if __name__ == "__main__":
    main()
