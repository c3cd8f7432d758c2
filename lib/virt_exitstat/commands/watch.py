"""--live: counting on a screen like top's."""

from __future__ import annotations

import contextlib

from ..arguments.requests import Watch
from ..errors import ExitStatus
from ..live.loop import check_live, run_live
from ..world import World
from .naming import make_namer
from .opening import find_targets, make_schedule, open_session


def run(request: Watch, world: World) -> ExitStatus:
    """Show what is counted until q, a signal, or the time is up. Raises ExitStatError."""
    check_live()
    describe = make_namer(world.root).describe if request.counting.detailed else None
    with contextlib.ExitStack() as opened:
        found = opened.enter_context(find_targets(request.selection, request.timing, world))
        session = opened.enter_context(open_session(found, request.counting, world))
        session.start()
        run_live(
            session,
            make_schedule(request.timing, world),
            world.clock,
            reports=request.timing.reports,
            per_vcpu=request.per_vcpu,
            sort=request.sort,
            timed=request.counting.timed,
            describe=describe,
        )
    return found.status
