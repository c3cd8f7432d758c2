"""A recording opened, and what is said beside its reports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...counts.origin import Provenance
from ...errors import NotFoundError, UsageError
from ...host.files import identify, open_bytes
from ...host.streams import open_input
from ...recordings.recording import Recording
from ...text import escape
from ...world import World

_HINT = "give a file that '-o json' has written"

#: Stands for standard input where a file is named.
_INPUT = Path("-")


@contextlib.contextmanager
def open_recording(path: Path, *, per_vcpu: bool = True) -> Iterator[Recording]:
    """A recording, closed behind the block. Raises ExitStatError."""
    with open_input() if path == _INPUT else open_bytes(path, _HINT) as file:
        yield Recording(name_file(path), file, per_vcpu=per_vcpu)


def name_file(path: Path) -> str:
    """What a file is called."""
    return "standard input" if path == _INPUT else escape(str(path))


def check_once(paths: Iterable[Path]) -> None:
    """Raise UsageError for a file that is given twice: the same intervals are no new samples."""
    seen: dict[object, Path] = {}
    for path in paths:
        same = seen.setdefault(identify(path) or path, path)
        if same is not path:
            names = " and ".join(dict.fromkeys(map(name_file, (same, path))))
            raise UsageError(
                f"{names} {'is given twice' if same == path else 'are the same file'}",
                "record again, for the same intervals are no new samples; two domains of one file: '-d NAME:NAME'",
            )


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
