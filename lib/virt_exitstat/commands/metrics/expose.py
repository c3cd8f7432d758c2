"""-o prometheus: metrics written once, or at each interval to a file that is replaced."""

from __future__ import annotations

import contextlib
import signal

from ...arguments.requests import Expose
from ...errors import ExitStatus
from ...host.streams import say
from ...metrics.exposition import expose, import_client
from ...run.loop import run_reports
from ...run.replaced import ReplacedFile
from ...run.signals import Signals
from ...run.sinks import StandardOutput
from ...world import World
from ..opening import describe_run, find_targets, make_schedule
from .exporter import open_exporter


def run(request: Expose, world: World) -> ExitStatus:
    """Count until the time is up or a signal comes, and write the counters. Raises ExitStatError."""
    import_client()
    with contextlib.ExitStack() as opened:
        found = opened.enter_context(find_targets(request.selection, request.timing, world))
        file = opened.enter_context(ReplacedFile(request.file, world.note)) if request.file else None
        with open_exporter(found, request.counting, request.wanted, world) as exporter, Signals() as signals:
            exporter.start()
            if file:
                # The first one tells that counting has begun, and that the file can be written.
                exporter.report()
                file.write_first(expose(exporter.families()))
            say(describe_run(found.targets, request.timing))

            def is_over() -> bool:
                # On SIGHUP logs are opened anew; this file is made anew each time.
                return any(number != signal.SIGHUP or not file for number in signals.take())

            def show(_nothing: None) -> None:
                assert file, "there are intervals only with a file"
                file.write(expose(exporter.families()))

            run_reports(
                exporter,
                make_schedule(request.timing, world),
                world.clock,
                listeners={signals.fileno(): is_over},
                show=show,
                reports=request.timing.reports,
            )
            if not file:
                exporter.report(last=True)
        if not file:
            StandardOutput().write(expose(exporter.families(ended=True)).decode())
    return found.status
