"""--listen: metrics served over HTTP, read when Prometheus asks."""

from __future__ import annotations

import contextlib
import signal

from ...arguments.requests import Serve, Timing
from ...errors import ExitStatus
from ...host.streams import say
from ...host.systemd import inherited_sockets, notify
from ...metrics.exposition import CONTENT_TYPE, expose, import_client
from ...run.loop import run_reports
from ...run.signals import Signals
from ...web.listening import listen_at, url_of
from ...web.message import Page, error_page
from ...web.server import Server
from ...world import World
from ..opening import describe_targets, find_targets, make_schedule
from .exporter import open_exporter

# What is counted is read so often when nobody asks, so that nothing piles up: domains that ended, rows to be freed.
_TIMING = Timing(interval_s=60)

_HOME = Page(
    b"<!DOCTYPE html>\n<title>virt-exitstat</title>\n<h1>virt-exitstat</h1>\n"
    b'<p>KVM exits of libvirt domains: <a href="metrics">metrics</a> for Prometheus.\n',
    "text/html; charset=utf-8",
)


def run(request: Serve, world: World) -> ExitStatus:
    """Count and serve until a signal comes. Raises ExitStatError."""
    import_client()
    with contextlib.ExitStack() as opened:
        # Before anything that takes long: who asks meanwhile waits, and is answered.
        listening = [opened.enter_context(one) for one in inherited_sockets() or [listen_at(request.address)]]
        found = opened.enter_context(find_targets(request.selection, _TIMING, world))
        exporter = opened.enter_context(open_exporter(found, request.counting, request.wanted, world))
        signals = opened.enter_context(Signals())
        exporter.start()

        def answer(path: str) -> Page:
            if path == "/metrics":
                exporter.report()
                return Page(expose(exporter.families(), process=True), CONTENT_TYPE)
            return _HOME if path == "/" else error_page(404)

        def serve() -> bool:
            server.serve()
            return False

        def is_over() -> bool:
            # A daemon reads its files anew on SIGHUP; we have none. systemd takes an end by it for a wanted one.
            return bool(signals.take() - {signal.SIGHUP})

        server = opened.enter_context(Server(listening, answer, world.clock))
        where = " and ".join(map(url_of, listening))
        say(f"counting exits of {describe_targets(found.targets)}, served at {where}, Ctrl-C to stop")
        notify("READY=1")
        run_reports(
            exporter,
            make_schedule(_TIMING, world),
            world.clock,
            listeners={signals.fileno(): is_over, server.fileno(): serve},
            show=lambda _nothing: None,
            before_wait=server.prepare_wait,
        )
        notify("STOPPING=1")
    return found.status
