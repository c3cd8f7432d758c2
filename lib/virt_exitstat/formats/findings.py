"""Findings and rules written as text, and as values for JSON. Judges nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ..advice.judge import SHORTEST_SECONDS, Finding, Judgement
from ..advice.rule import Rule, Step
from ..advice.seen import Cause
from ..counts.details import Detail, Kind
from ..text import WIDTH, escape, fill, plural
from .columns import format_share
from .records import words_of

#: Words for a detail: "out 0x3f8 serial 1, by QEMU".
Describe = Callable[[Detail], str]

# A finding's text stands behind its number and its label: `   change: `.
_LABEL = 8
_INDENT = 3

#: Causes of a finding that are shown; the others are summed up.
_SHOWN = 3


def render_findings(label: str, counted: str, judgement: Judgement, describe: Describe) -> str:
    """What was found in a domain, numbered, the dearest first. Ends in a line's end.

    `label` is the domain's name, `counted` what was counted: `vCPUs 0-3, 10.004 s, 41,800 exits`.
    """
    findings = judgement.findings
    result = plural(len(findings), "finding")
    parts = [fill(f"{escape(label)}: {escape(counted)}: {result}", "", "  ")]
    parts += [_finding(number, finding, describe) for number, finding in enumerate(findings, 1)]
    if judgement.too_short:
        parts.append(fill(f"This was too short to judge all: count for {SHORTEST_SECONDS:.0f} s or more, better 10 s."))
    elif not findings:
        parts.append(fill("nothing takes 1% of a CPU by any one cause; look elsewhere"))
    if not findings:
        return "\n".join(parts) + "\n"
    if any(step.is_xml for finding in findings for step in finding.change):
        parts.append("XML is for 'virsh edit', and holds from the domain's next start on.")
    rule = findings[0].rule.name if len(findings) == 1 else "RULE"
    return "\n\n".join(parts) + f"\nvirt-exitstat --about {rule} tells more.\n"


def render_rule(rule: Rule) -> str:
    """All that a rule knows, for `--about`. Ends in a line's end."""
    parts = [
        fill(f"{rule.name}: {_plain(rule.title)}", "", "  "),
        _field("looks at", f"{rule.looks_at} {rule.speaks_from}", indent=0),
        _field("why", rule.cause, indent=0),
        _field("change", rule.change, indent=0),
        _field("price", rule.price, indent=0),
        "\n".join(_field("sources" if not at else "", source, indent=0) for at, source in enumerate(rule.sources)),
    ]
    if rule.silences:
        parts.append(_field("silences", ", ".join(rule.silences), indent=0))
    return "\n".join(parts) + "\n"


def findings_document(judgement: Judgement, describe: Describe) -> dict[str, Any]:
    """What JSON has of it. Shares are parts of one CPU, `per_second` is of the vCPU where it is worst."""
    findings = [
        {
            "rule": finding.rule.name,
            "title": _plain(finding.rule.title),
            "serious": finding.serious,
            "vcpu": finding.vcpu,
            "other_vcpus": list(finding.also),
            "per_second": round(finding.per_second, 3),
            "share": round(finding.share, 6),
            "causes": [_cause_document(cause, describe) for cause in finding.causes],
            "why": _plain(finding.rule.cause),
            "change": [{"say": _plain(step.say), "paste": step.paste} for step in finding.change],
            "price": _plain(finding.rule.price),
            "sources": list(finding.rule.sources),
        }
        for finding in judgement.findings
    ]
    return {"findings": findings, "too_short": judgement.too_short}


def _cause_document(cause: Cause, describe: Describe) -> dict[str, Any]:
    return {
        "reason": cause.reason_name,
        **words_of(cause.detail),
        "what": _name(cause, describe),
        "per_second": round(cause.per_second, 3),
        "share": round(cause.share, 6),
    }


def _finding(number: int, finding: Finding, describe: Describe) -> str:
    serious = "serious: " if finding.serious else ""
    head = f"{number}. "
    return "\n".join(
        [
            fill(f"{serious}{_plain(finding.rule.title)} [{finding.rule.name}]", head, " " * len(head)),
            _field("seen", _seen(finding, describe)),
            _field("why", finding.rule.cause),
            _field("change", finding.change),
            _field("price", finding.rule.price),
        ]
    )


def _seen(finding: Finding, describe: Describe) -> str:
    """The dearest causes, and what all of them take."""
    causes = finding.causes
    # One that is left over is shown as well as counted.
    shown = causes if len(causes) <= _SHOWN + 1 else causes[:_SHOWN]
    parts = [f"{_name(cause, describe)}, {_rate(cause.per_second)}" for cause in shown]
    if len(shown) < len(causes):
        rest = sum(cause.per_second for cause in causes[len(shown) :])
        parts.append(f"{len(causes) - len(shown)} more, {_rate(rest)}")
    where = "" if finding.vcpu is None else f" on vCPU {finding.vcpu}"
    others = [str(vcpu) for vcpu in finding.also if vcpu is not None]
    also = f" (less on {', '.join(others)})" if others else ""
    total = f"{format_share(finding.share)} of a CPU{where}" if finding.share else f"all{where}"
    return f"{'; '.join(parts)}: {total}{also}"


def _name(cause: Cause, describe: Describe) -> str:
    """What exactly it was. Exits whose cause the kernel does not tell have their reason's name."""
    return escape(cause.reason_name if cause.detail.kind is Kind.NOTHING else describe(cause.detail))


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def _field(label: str, text: str | Sequence[Step], indent: int = _INDENT) -> str:
    """A text behind its label: `   why:    ..`."""
    width = _LABEL if indent else _LABEL + 2
    first = " " * indent + f"{label and label + ':':<{width}}"
    further = " " * len(first)
    if isinstance(text, str):
        return fill(_plain(text), first, further)
    lines: list[str] = []
    for step in text:
        lines += fill(_plain(step.say), further, further).splitlines()
        lines += [f"{further}  {line}" for line in _pasted(step, WIDTH - len(further) - 2)]
    return first + "\n".join(lines)[len(first) :]


def _pasted(step: Step, width: int) -> list[str]:
    """The lines to paste. Of XML, one that is too long is cut between elements, which changes nothing of it."""
    lines: list[str] = []
    for line in step.paste.splitlines():
        margin = line[: len(line) - len(line.lstrip())]
        parts = line.strip().replace("><", ">\n<").splitlines() if step.is_xml and len(line) > width else [line.strip()]
        lines += [margin + part for part in parts]
    return lines


def _plain(text: str) -> str:
    """Text of ours for a terminal: backticks go, or become quotes around what has a space in it."""
    return re.sub(r"`([^`]+)`", lambda found: f"'{found[1]}'" if " " in found[1] else found[1], text)
