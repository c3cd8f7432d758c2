"""What the verbs share: options that do not go with one, rows, lists, formats. Raise UsageError."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import UsageError
from ..formats.json_document import JSON
from ..formats.table import TABLE
from ..reports.choose import Choice
from ..reports.sort import Sort
from .option import Verb
from .table import OPTIONS

# The message for an option that does not go with a verb.
_WHY_NOT = {
    Verb.COUNT: "{} is for metrics, and needs --listen or -o prometheus",
    Verb.WATCH: "--live shows a screen, {} is for what is printed",
    Verb.EXPOSE: "-o prometheus writes all counters, {} is for reports",
    Verb.SERVE: "--listen serves metrics when asked, {} is for what is written",
    Verb.LIST: "--list counts nothing, {} is for counts",
    Verb.EXPLAIN: "--explain says what to change, {} is for other reports",
    Verb.ABOUT: "--about counts nothing, {} is for counts",
    Verb.REPLAY: "--replay shows what was recorded, {} is for something else",
    Verb.COMPARE: "--compare compares recordings, {} is for something else",
}


def check_verb(given: argparse.Namespace, verb: Verb, duration_s: float | None = None) -> None:
    """Raise UsageError for an option that the verb has no use for."""
    for option in OPTIONS:
        value = getattr(given, option.key, None)
        if value is not None and verb not in option.verbs:
            shown = f"{option.long} {getattr(value, 'value', value)}" if option.choices else option.long
            hint = "leave it out, or add one of them" if verb is Verb.COUNT else "leave one of them out"
            raise UsageError(_WHY_NOT[verb].format(shown), hint)
    if verb in (Verb.LIST, Verb.SERVE) and duration_s is not None:
        raise UsageError(
            _WHY_NOT[verb].format("DURATION"),
            f"leave one of them out; a domain of that name or id is given with '-d {duration_s:.15g}'",
        )


def text_or_json(output: str | None) -> str:
    """The format of --explain, which has two."""
    if output not in (None, TABLE.name, JSON.name):
        raise UsageError(f"--explain writes text or json, not {output}", "leave --output out, or '-o json'")
    return output or TABLE.name


def split_reasons(lists: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """The fields of --reason: those to show, or those behind `!`, to leave out."""
    words = split_lists(lists)
    without = tuple(word.strip()[1:] for word in words if word.strip().startswith("!"))
    if without and len(without) < len(words):
        raise UsageError(
            "--reason: some are to be shown and some, behind '!', to be left out",
            "give only one kind: 'HLT,MSR' shows these, '!HLT,!MSR' all others",
        )
    return {"without": without} if without else {"reasons": tuple(words)}


def chosen_rows(given: argparse.Namespace) -> Choice:
    """The rows that are wanted, but for --reason, whose names wait for an ISA."""
    return Choice(
        top=given.top,
        min_count=given.min_count or 0,
        sort=given.sort or Sort.COUNT,
        total=bool(given.total),
    )


def split_lists(lists: Sequence[str] | None) -> list[str]:
    """The words of an option that takes a list and may be repeated."""
    return [word for text in lists or () for word in text.split(",")]
