"""The way in and the way out: words to a request, the request to its command, errors to the user."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from .arguments.parser import parse_request
from .arguments.requests import (
    About,
    Compare,
    Complete,
    Explain,
    Expose,
    List,
    Replay,
    Request,
    Serve,
    Show,
    Watch,
)
from .errors import ExitStatError, ExitStatus, UsageError
from .host.files import explain_refusal
from .host.limits import raise_descriptor_limit
from .host.streams import drop_unwritten, open_missing_streams, say
from .world import World


def run_cli(run: Callable[[Sequence[str]], ExitStatus] | None = None) -> NoReturn:
    """Run main(), or what stands for it, with this process's arguments, report errors the way users read them, exit."""
    open_missing_streams()
    raise_descriptor_limit()
    debug = "--debug" in sys.argv[1:]
    # Outside of counting, where signals are held back, Ctrl-C ends us as it ends any program, also while libvirt does
    # not answer or clang compiles: Python's handler would wait for them. One that is ignored (nohup) stays so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if sys.stdout is None:
            raise ExitStatError("standard output is closed", "let it go to a terminal, a file or a pipe")
        status = (run or main)(sys.argv[1:])
    except Exception as error:
        status = _report(error, debug=debug)
    drop_unwritten()
    # Python's own way out closes connections, which waits for a daemon that may hang, and a thread that comes back from
    # libvirt's code into an interpreter that is gone may crash.
    os._exit(status)


def main(argv: Sequence[str], world: World | None = None) -> ExitStatus:
    """Do what `argv` asks for and return the exit status; data goes to stdout, progress to stderr. Raises
    ExitStatError.
    """
    try:
        request = parse_request(argv)
    except UsageError:
        if any(word.partition("=")[0] == "--complete" for word in argv):
            return ExitStatus.OK  # a line that is still being typed may be wrong
        raise
    return _run(request, world or World())


def _run(request: Request, world: World) -> ExitStatus:
    # Each command is imported only when it is run: completion asks often, and waits for every import.
    if isinstance(request, Show):
        from .run.sinks import StandardOutput

        StandardOutput().write(request.text)
        return ExitStatus.OK
    if isinstance(request, Complete):
        from .commands import complete

        return complete.run(request, world)
    if isinstance(request, List):
        from .commands import listing

        return listing.run(request, world)
    if isinstance(request, About):
        from .commands import about

        return about.run(request, world)
    if isinstance(request, Explain):
        from .commands import explain

        return explain.run(request, world)
    if isinstance(request, Replay):
        from .commands.recorded import replay

        return replay.run(request, world)
    if isinstance(request, Compare):
        from .commands.recorded import compare

        return compare.run(request, world)
    if isinstance(request, Watch):
        from .commands import watch

        return watch.run(request, world)
    if isinstance(request, Expose):
        from .commands.metrics import expose

        return expose.run(request, world)
    if isinstance(request, Serve):
        from .commands.metrics import serve

        return serve.run(request, world)
    from .commands import count

    return count.run(request, world)


def _report(error: Exception, *, debug: bool) -> ExitStatus:
    """Tell the user, and say how to end."""
    if isinstance(error, BrokenPipeError):
        return ExitStatus.FAILURE  # the reader (`| head`) has seen enough
    if debug:
        say(traceback.format_exc())
    if isinstance(error, (OSError, MemoryError)):
        # No descriptors, no memory, a full disk: that can happen anywhere.
        error = explain_refusal(error)
    if isinstance(error, ExitStatError):
        say(f"virt-exitstat: {error}\nhint: {error.hint}")
        return error.status
    say(f"virt-exitstat: internal error: {error!r}\nhint: please report what --debug shows")
    return ExitStatus.FAILURE
