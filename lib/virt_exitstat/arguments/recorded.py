"""Words to a request for what was recorded: --replay and --compare. Checks form only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..formats.json_document import JSON
from ..formats.known import FORMATS
from ..formats.records import CSV
from ..formats.table import TABLE
from ..text import escape
from .checks import check_verb, chosen_rows, split_reasons, text_or_json
from .option import Verb
from .requests import Compare, Replay
from .values import parse_name


def parse_replay(given: argparse.Namespace, words: Sequence[str]) -> Replay:
    """--replay FILE [FORMAT]. Raises UsageError."""
    check_verb(given, Verb.REPLAY)
    for word in words[1:] if words[:1] and words[0] in FORMATS else words:
        raise UsageError(
            f"--replay: there is no format '{escape(word)}'",
            f"give one of {', '.join(FORMATS)}; a domain is given with '-d {escape(word)}'",
        )
    if words and given.output not in (None, words[0]):
        raise UsageError(f"--replay: both {words[0]} and --output {given.output}", "leave one of them out")
    output = words[0] if words else given.output
    if output not in (None, *FORMATS):
        raise UsageError(
            f"--replay writes {', '.join(FORMATS)}, not {output}", "leave --output out, or name one of these"
        )
    return Replay(
        given.replay,
        domains=tuple(map(parse_name, given.domain or ())),
        explain=bool(given.explain),
        per_vcpu=bool(given.per_vcpu),
        output=text_or_json(output) if given.explain else output or TABLE.name,
        header=not given.no_header,
        choice=chosen_rows(given),
        **split_reasons(given.reason),
    )


def parse_compare(given: argparse.Namespace, words: Sequence[str]) -> Compare:
    """--compare BEFORE AFTER [BEFORE AFTER ..], or --compare FILE -d NAME:NAME. Raises UsageError."""
    check_verb(given, Verb.COMPARE)
    if given.output not in (None, TABLE.name, JSON.name, CSV.name):
        raise UsageError(
            f"--compare writes table, json or csv, not {given.output}", "leave --output out, or name one of these"
        )
    files = (given.compare, *map(Path, words))
    domains = tuple(map(parse_name, given.domain or ()))
    for name in domains:
        if not name.strip(":"):
            raise UsageError(f"--domain: '{name}' must be NAME or NAME:NAME", "name the domains to be compared")
    if len(files) == 1 and not (domains and all(":" in name for name in domains)):
        raise UsageError(
            "--compare needs two files, or two domains of one",
            "give BEFORE and AFTER, or '--domain NAME:NAME' with one file",
        )
    if len(files) % 2 and len(files) > 1:
        raise UsageError(
            f"--compare: {len(files)} files are no pairs",
            f"give them alternately: BEFORE AFTER BEFORE AFTER; a domain is given with '-d {escape(words[-1])}'",
        )
    return Compare(
        before=files[::2],
        after=files[1::2],
        domains=domains,
        output=given.output or TABLE.name,
        header=not given.no_header,
        top=given.top,
        **split_reasons(given.reason),
    )
