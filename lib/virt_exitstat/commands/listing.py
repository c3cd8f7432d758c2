"""--list: the processes and threads that the names resolve to; nothing is counted."""

from __future__ import annotations

from ..arguments.requests import List
from ..domains.resolve import LeftOut, resolve
from ..errors import ExitStatus
from ..formats.aligned import lay_out
from ..formats.format import Grid
from ..run.sinks import StandardOutput
from ..targets.target import Targets
from ..text import escape
from ..world import World
from .opening import find_run_dir


def run(request: List, world: World) -> ExitStatus:
    """Print a line for each vCPU. Raises ExitStatError."""
    with world.make_asker(request.selection) as asker:
        run_dir = find_run_dir(request.selection, asker, world)
        resolved = resolve(
            request.selection,
            asker,
            run_dir,
            world.root,
            note=world.note,
            left_out=LeftOut(world.note),
            may_be_none=True,
        )
    StandardOutput().write(lay_out(render_list(resolved.targets, header=request.header)) + "\n")
    return resolved.status


def render_list(targets: Targets, *, header: bool = True) -> Grid:
    """A line for each vCPU."""
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
