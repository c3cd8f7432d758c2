"""--list: what the names resolve to; nothing is counted."""

from __future__ import annotations

from ..formats.format import Grid
from ..targets.target import Targets
from ..text import escape


def render_list(targets: Targets, *, header: bool = True) -> Grid:
    """What names resolve to: a line for each vCPU."""
    rows = []
    for target in targets.targets:
        domain = target.domain
        known = [escape(domain.name), str(domain.id), domain.uuid] if domain else [target.label, "-", "-"]
        threads = [(str(vcpu.number), str(vcpu.tid)) for vcpu in sorted(target.vcpus)]
        threads += [
            ("-", str(tid)) for tid in sorted(target.tids or ()) if tid not in {vcpu.tid for vcpu in target.vcpus}
        ]
        rows += [[*known, str(target.pid), number, tid] for number, tid in threads or [("-", "-")]]
    columns = ("domain", "id", "uuid", "pid", "vcpu", "tid") if header else ()
    return Grid(columns, ("left", "right", "left", "right", "right", "right"), rows)
