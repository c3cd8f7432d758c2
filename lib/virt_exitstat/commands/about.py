"""--about: what is known of a reason, a rule, a register, a port. Needs no root, and counts nothing."""

from __future__ import annotations

import difflib
import textwrap

from ..advice.explanation import Explanation
from ..advice.reasons import GROUPS, explanation_of
from ..advice.rules import RULES, SUBJECTS, find_rule
from ..arguments.requests import About
from ..errors import ExitStatus, NotFoundError
from ..formats.findings import render_rule
from ..isa.known import ISAS
from ..names.entry import Named, Table
from ..names.known import TABLES, all_words, find_word
from ..run.sinks import StandardOutput
from ..text import escape
from ..world import World

_WIDTH = 79

#: Similar words that a hint offers.
_OFFERED = 3


def run(request: About, _world: World) -> ExitStatus:
    """Print what is known of the word, or all there is. Raises NotFoundError for a word that nothing is known of."""
    text = describe_word(request.word) if request.word.strip() else describe_all()
    StandardOutput().write(text)
    return ExitStatus.OK


def describe_word(word: str) -> str:
    """All that is known of a word. Raises NotFoundError."""
    word = " ".join(word.split())
    parts = []
    names = _reason_names()
    for name in [name for name in names if name.casefold() == word.casefold()][:1]:
        parts.append(_describe_reason(name))
    rule = find_rule(word.lower())
    if rule:
        parts.append(render_rule(rule))
    parts += [_describe_name(table, named) for table, named in find_word(word)]
    if not parts:
        similar = difflib.get_close_matches(word.casefold(), {one.casefold(): one for one in all_subjects()}, _OFFERED)
        spelled = {one.casefold(): one for one in all_subjects()}
        mean = f"did you mean {' or '.join(spelled[one] for one in similar)}? " if similar else ""
        raise NotFoundError(
            f"nothing is known about '{escape(word)}'", f"{mean}'virt-exitstat --about' lists what there is"
        )
    return "\n".join(parts)


def describe_all() -> str:
    """What there is to ask for."""
    parts = ["Exit reasons:\n"]
    for group in GROUPS:
        names = sorted({name for each in group.explanations for name in each.names})
        parts.append(_listed(group.heading, names))
    parts.append("\nRules, which --explain judges by:\n")
    parts += [_listed(subject.heading, [rule.name for rule in subject.rules]) for subject in SUBJECTS]
    parts.append("\nNames and numbers, as in TSC_DEADLINE, 0x6e0, 0x3f8, leaf 0xd, msr 0x10, HPET:\n")
    parts += [f"  {table.heading} ({len(table.entries)})\n" for table in TABLES]
    return "".join(parts)


def all_subjects() -> tuple[str, ...]:
    """The words that --about knows, for completion."""
    return tuple(sorted({*_reason_names(), *(rule.name for rule in RULES), *all_words()}))


def _reason_names() -> list[str]:
    """The names of all reasons, as reports show them."""
    return sorted({name for isa in ISAS for name in isa.reasons.names.values()})


def _describe_reason(name: str) -> str:
    whose = [isa.name for isa in ISAS if name in isa.reasons.names.values()]
    codes = [
        f"{isa.name} {code:#x}" for isa in ISAS for code, known in sorted(isa.reasons.names.items()) if known == name
    ]
    head = f"{name}: an exit reason of {' and '.join(whose)} ({', '.join(codes)})"
    explanation = explanation_of(name)
    text = _explain(explanation) if explanation else "Nothing more is known of it here."
    return f"{_filled(head)}\n{_filled(text, '  ')}\n"


def _explain(explanation: Explanation) -> str:
    return " ".join(filter(None, (explanation.what, explanation.often, explanation.helps))).replace("`", "")


def _describe_name(table: Table, named: Named) -> str:
    numbers = f"{named.first:#x}" if named.first == named.last else f"{named.first:#x} to {named.last:#x}"
    parts = [_filled(f"{named.name}: {table.heading}, {numbers}")]
    if named.about:
        parts.append(_filled(named.about, "  "))
    parts.append(_filled(f"Source: {table.source}", "  "))
    return "\n".join(parts) + "\n"


def _listed(heading: str, names: list[str]) -> str:
    return (
        textwrap.fill(
            ", ".join(names), _WIDTH, initial_indent=f"  {heading}: ", subsequent_indent="    ", break_on_hyphens=False
        )
        + "\n"
    )


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent or "  ", break_on_hyphens=False)
