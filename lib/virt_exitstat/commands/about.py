"""--about: what is known of a reason, a rule, a register, a port. Needs no root, and counts nothing."""

from __future__ import annotations

import difflib

from ..advice.reasons import GROUPS, explanation_of
from ..advice.rules import RULES, SUBJECTS, find_rule
from ..arguments.requests import About
from ..errors import ExitStatus, NotFoundError
from ..formats.findings import render_rule
from ..isa.known import ISAS, reason_names
from ..names.entry import Named, Table
from ..names.known import TABLES, all_words, find_word
from ..run.sinks import StandardOutput
from ..text import escape, fill
from ..world import World

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
    parts = [_describe_reason(name) for name in reason_names() if name.casefold() == word.casefold()][:1]
    rule = find_rule(word.lower())
    if rule:
        parts.append(render_rule(rule))
    parts += [_describe_name(table, named) for table, named in find_word(word)]
    if not parts:
        spelled = {one.casefold(): one for one in all_subjects()}
        similar = difflib.get_close_matches(word.casefold(), spelled, _OFFERED)
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
        parts.append(_list(group.heading, names))
    parts.append("\nRules, which --explain judges by:\n")
    parts += [_list(subject.heading, [rule.name for rule in subject.rules]) for subject in SUBJECTS]
    parts.append("\nNames and numbers, as in TSC_DEADLINE, 0x6e0, 0x3f8, leaf 0xd, msr 0x10, HPET:\n")
    parts += [f"  {table.heading} ({len(table.entries)})\n" for table in TABLES]
    return "".join(parts)


def all_subjects() -> tuple[str, ...]:
    """The words that --about knows, for completion."""
    return tuple(sorted({*reason_names(), *(rule.name for rule in RULES), *all_words()}))


def _describe_reason(name: str) -> str:
    whose = [isa.name for isa in ISAS if name in isa.reasons.names.values()]
    codes = [
        f"{isa.name} {code:#x}" for isa in ISAS for code, known in sorted(isa.reasons.names.items()) if known == name
    ]
    head = f"{name}: an exit reason of {' and '.join(whose)} ({', '.join(codes)})"
    explanation = explanation_of(name)
    text = explanation.text.replace("`", "") if explanation else "Nothing more is known of it here."
    return _paragraphs(head, text)


def _describe_name(table: Table, named: Named) -> str:
    numbers = f"{named.first:#x}" if named.first == named.last else f"{named.first:#x} to {named.last:#x}"
    return _paragraphs(f"{named.name}: {table.heading}, {numbers}", named.about, f"Source: {table.source}")


def _paragraphs(head: str, *texts: str) -> str:
    return "".join(f"{part}\n" for part in (fill(head, "", "  "), *(fill(text, "  ", "  ") for text in texts if text)))


def _list(heading: str, names: list[str]) -> str:
    return fill(", ".join(names), f"  {heading}: ", "    ") + "\n"
