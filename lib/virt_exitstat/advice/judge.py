"""Judges what was seen: the rules that speak, where it is worst, and how bad that is. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .rule import Rule, Step
from .rules import RULES
from .seen import Cause, Seen

#: Less is too short to judge: a guest's habits have periods of a second, and its start is not its life.
SHORTEST_SECONDS = 3.0

#: Fewer exits tell no rate.
FEWEST_EXITS = 100

#: So many times a rule's threshold is serious: 5% of a CPU where it speaks from 1%.
SERIOUS = 5.0


@dataclass(frozen=True)
class Finding:
    """A rule that speaks, on the vCPU where it is worst.

    `causes` are that vCPU's, the dearest first; `per_second` and `share`, the part of a CPU, are their sums. Time
    asleep is no part of it. `also` are the other vCPUs on which the rule would speak. `windows` says whether the guest
    is Windows; None: that is not known. `isa_name` is the host's.
    """

    rule: Rule
    causes: tuple[Cause, ...]
    vcpu: int | None
    per_second: float
    share: float
    serious: bool
    also: tuple[int | None, ...] = ()
    windows: bool | None = None
    isa_name: str = ""

    @property
    def change(self) -> tuple[Step, ...]:
        """The rule's steps that are for this guest; all where none of them is."""
        return tuple(step for step in self.rule.change if step.fits(self.windows, self.isa_name)) or self.rule.change


class Judgement(NamedTuple):
    """What is worth a change, the dearest first.

    `too_short`: too little was seen, for too short a time, or too few exits for a rule that would have spoken.
    """

    findings: tuple[Finding, ...] = ()
    too_short: bool = False


def judge(seen: Seen, rules: Sequence[Rule] = RULES) -> Judgement:
    """What the rules say of it."""
    if seen.seconds < SHORTEST_SECONDS:
        return Judgement(too_short=True)
    windows, isa_name = seen.windows, seen.isa_name
    found = _findings(seen, rules)
    findings = [replace(one, windows=windows, isa_name=isa_name) for one, exits in found if exits >= FEWEST_EXITS]
    silenced = {name for finding in findings for name in finding.rule.silences}
    loud = [finding for finding in findings if finding.rule.name not in silenced]
    dearest = sorted(loud, key=lambda finding: (-finding.share, -finding.per_second, finding.rule.name))
    return Judgement(tuple(dearest), too_short=len(findings) < len(found))


def _findings(seen: Seen, rules: Iterable[Rule]) -> list[tuple[Finding, float]]:
    """A finding of each rule whose threshold is reached, and the number of exits that it rests on."""
    found = []
    for rule in rules:
        if rule.isas and seen.isa_name not in rule.isas:
            continue
        causes = rule.when(seen)
        finding = _worst(rule, causes)
        if finding:
            found.append((finding, sum(cause.per_second for cause in causes) * seen.seconds))
    return found


def _worst(rule: Rule, causes: Iterable[Cause]) -> Finding | None:
    by_vcpu: dict[int | None, list[Cause]] = {}
    for cause in causes:
        by_vcpu.setdefault(cause.vcpu, []).append(cause)
    found = [finding for vcpu, of_vcpu in by_vcpu.items() for finding in _speak(rule, vcpu, of_vcpu)]
    if not found:
        return None
    weight, worst = max(found, key=lambda pair: pair[0])
    also = sorted((each.vcpu for _, each in found if each is not worst), key=lambda vcpu: (vcpu is None, vcpu or 0))
    return Finding(
        rule, worst.causes, worst.vcpu, worst.per_second, worst.share, serious=weight >= SERIOUS, also=tuple(also)
    )


def _speak(rule: Rule, vcpu: int | None, causes: list[Cause]) -> list[tuple[float, Finding]]:
    """The finding on one vCPU with its weight, if the threshold is reached there."""
    share, per_second = sum(cause.cost for cause in causes), sum(cause.per_second for cause in causes)
    weight = rule.weigh(share, per_second)
    if weight < 1:
        return []
    dearest = sorted(causes, key=lambda cause: (-cause.cost, -cause.per_second, cause.reason_name, cause.detail.number))
    return [(weight, Finding(rule, tuple(dearest), vcpu, per_second, share, serious=weight >= SERIOUS))]
