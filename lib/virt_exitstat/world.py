"""The world that the program works on: libvirt, a counter, a host's files, a clock. Tests hand in another."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .arguments.requests import Counting
from .clock import Clock
from .counts.counter import Counter
from .domains import libvirtd
from .domains.asker import Asker
from .domains.uri import choose_uri
from .host.streams import say
from .targets.selection import Selection
from .targets.thread_filter import ThreadFilter


class World:
    """This host, except for the parts that are given.

    `connection` is a virConnect, `make_counter` makes a counter for a filter; /proc, /sys and /run lie below `root`.
    """

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        clock: Clock | None = None,
        connection: Any = None,
        make_counter: Callable[[ThreadFilter, Counting], Counter] | None = None,
    ) -> None:
        self.root, self.clock = root, clock or Clock()
        self._connection, self._make_counter = connection, make_counter

    def make_counter(self, thread_filter: ThreadFilter, counting: Counting) -> Counter:
        """Make a counter of the exits that the filter lets through. Raises ExitStatError when this host cannot."""
        if self._make_counter:
            return self._make_counter(thread_filter, counting)
        assert counting.max_vcpus, "whoever opens a session says how many"
        from .kernel.attach_plan import plan_attachment  # only here: nothing else than counting waits for it
        from .kernel.exit_counter import ExitCounter

        return ExitCounter(
            thread_filter,
            plan_attachment(self.root, counting.attachment),
            max_vcpus=counting.max_vcpus,
            timed=counting.timed,
            detailed=counting.detailed,
            root=self.root,
            debug=counting.debug,
            note=self.note if counting.debug else lambda _text: None,
            warn=self.note,
        )

    def make_asker(self, selection: Selection, *, watches: bool = False, **more: Any) -> Asker:
        """Make an Asker; with `watches`, libvirt tells it of domains that come and go. `more` goes to Asker."""
        uri = choose_uri(selection.uri)
        connect = functools.partial(libvirtd.open_connection, uri, events=watches)
        return Asker(connect, where=uri, connection=self._connection, watches=watches, **{"note": self.note, **more})

    def note(self, text: str) -> None:
        """Tell the user something beside the report."""
        say(f"virt-exitstat: {text}")
