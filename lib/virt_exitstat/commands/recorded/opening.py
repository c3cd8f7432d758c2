"""A recording opened, and what is said beside its reports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ...counts.origin import Provenance
from ...errors import NotFoundError
from ...host.files import open_bytes
from ...recordings.recording import Recording
from ...text import escape
from ...world import World

_HINT = "give a file that '-o json' has written"


@contextlib.contextmanager
def open_recording(path: Path, *, per_vcpu: bool = True) -> Iterator[Recording]:
    """A recording, closed behind the block. Raises ExitStatError."""
    with open_bytes(path, _HINT) as file:
        yield Recording(path, file, per_vcpu=per_vcpu)


def tell_troubles(recording: Recording, world: World) -> None:
    """Say what is wrong with its file."""
    for trouble in recording.troubles():
        world.note(trouble)


class OriginTeller:
    """Says which other host the reports are of, once for each."""

    def __init__(self, world: World) -> None:
        self._world, self._told = world, {os.uname().nodename}

    def tell(self, label: str, origin: Provenance) -> None:
        """Say it of reports from there, if it was not said."""
        if origin.host not in self._told:
            self._told.add(origin.host)
            self._world.note(
                f"{label} was recorded on {escape(origin.host)}, Linux {escape(origin.kernel)}, {origin.isa.name}"
            )


def no_such_domain(name: str, label: str, known: list[str]) -> NotFoundError:
    """The error for a domain that a recording has not."""
    some = ", ".join(escape(one) for one in sorted(known)[:5]) + ", .." * (len(known) > 5)
    return NotFoundError(
        f"there is no domain '{escape(name)}' in {label}", f"there is {some}" if known else "there is none at all"
    )
