"""What an option is, and the verbs that options go with. Values only."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Verb(enum.Enum):
    """The verbs. The values are the options that ask for them; counting is asked for by none."""

    COUNT = ""
    WATCH = "--live"
    EXPOSE = "--output prometheus"
    SERVE = "--listen"
    LIST = "--list"
    EXPLAIN = "--explain"
    ABOUT = "--about"
    REPLAY = "--replay"
    COMPARE = "--compare"


@dataclass(frozen=True)
class Option:
    """One option.

    `takes` is what its value is called in the help; empty: it takes none. `parse` makes the value of a word, or raises
    UsageError. `completes` names what a shell offers for the value: a kind of candidates, "uris", "file" or "number";
    where there are `choices`, these. `optional`: the value may be left out. `verbs` are those that it goes with,
    `excludes` the options it replaces or is replaced by ("*" is a domain as a plain word).
    """

    long: str
    help: str
    short: str = ""
    takes: str = ""
    parse: Callable[[str], Any] = str
    completes: str = "number"
    choices: tuple[str, ...] = ()
    repeats: bool = False
    optional: bool = False
    verbs: frozenset[Verb] = frozenset(Verb)
    excludes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in Python."""
        return self.long[2:].replace("-", "_")

    @property
    def forms(self) -> tuple[str, ...]:
        """Its forms on the command line, the short one first."""
        return (self.short, self.long) if self.short else (self.long,)
