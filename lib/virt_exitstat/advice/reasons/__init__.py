"""The exit reasons that administrators meet, explained: a module for each group, in the order of the man page."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group
from virt_exitstat.advice.reasons.devices import DEVICES
from virt_exitstat.advice.reasons.instructions import INSTRUCTIONS
from virt_exitstat.advice.reasons.interrupts import INTERRUPTS
from virt_exitstat.advice.reasons.memory import MEMORY
from virt_exitstat.advice.reasons.nested import NESTED
from virt_exitstat.advice.reasons.trouble import TROUBLE
from virt_exitstat.advice.reasons.waiting import WAITING

GROUPS: tuple[Group, ...] = (WAITING, DEVICES, INTERRUPTS, MEMORY, INSTRUCTIONS, NESTED, TROUBLE)


def explanation_of(name: str) -> Explanation | None:
    """The explanation of the reason that reports show by this name, or None."""
    for group in GROUPS:
        for explanation in group.explanations:
            if explanation.explains(name):
                return explanation
    return None
