"""The rules, in the order of the manual: a module for each subject, and a row for each here."""

from __future__ import annotations

from ..rule import Rule, Subject
from . import clocks, devices, host, idle, instructions, interrupts, memory, nested

SUBJECTS: tuple[Subject, ...] = (
    Subject("Clocks", clocks.RULES),
    Subject("Sleeping and waiting", idle.RULES),
    Subject("Interrupts and timers of the guest", interrupts.RULES),
    Subject("Interrupts of the host", host.RULES),
    Subject("Memory", memory.RULES),
    Subject("Devices", devices.RULES),
    Subject("Instructions", instructions.RULES),
    Subject("Nested guests", nested.RULES),
)

RULES: tuple[Rule, ...] = tuple(rule for subject in SUBJECTS for rule in subject.rules)


def find_rule(name: str) -> Rule | None:
    """The rule of this name, in any case, or None."""
    wanted = name.strip().lower()
    return next((rule for rule in RULES if rule.name == wanted), None)
