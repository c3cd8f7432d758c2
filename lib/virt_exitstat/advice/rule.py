"""The value that is a rule: when it speaks, why, what to change, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .seen import Cause, Seen


@dataclass(frozen=True)
class Step:
    """One thing to do: a sentence, and text to paste, if any: XML for `virsh edit`, or commands.

    XML begins below <domain>, so that it shows where it belongs; what the domain has already is merged with it. A
    sentence that begins with `Windows` or `Linux` is for such a guest only; with `isas` it is for these only.
    """

    say: str
    paste: str = ""
    isas: tuple[str, ...] = ()

    def fits(self, windows: bool | None, isa_name: str = "") -> bool:
        """Whether it is for a guest that is Windows, or is not; None: that is not known. "" is any ISA."""
        if self.isas and isa_name and isa_name not in self.isas:
            return False
        return windows is None or not self.say.startswith("Linux" if windows else "Windows")

    @property
    def is_xml(self) -> bool:
        """Whether the text to paste is XML of a domain."""
        return self.paste.startswith("<")


@dataclass(frozen=True)
class Rule:
    """Advice on one thing that takes exits.

    `title` says what the guest or its host does; `looks_at` which exits the rule counts and what else must hold;
    `cause` why that costs, `change` what to do, `price` what one gives up for it. These are whole sentences of plain
    text but for the title, which has no full stop; `backticks` mark words that are typed or read as they stand.

    `when` gives the causes that speak for the rule, or none. The rule speaks when on one vCPU these take `at_least` of
    a CPU's time, or come `at_least_per_second`; None: that does not count. Five times as much is serious. Where it
    speaks, the rules that it `silences` do not: they are about the same exits and know less. With `isas` it speaks of
    their guests only.
    """

    name: str
    title: str
    looks_at: str
    cause: str
    change: tuple[Step, ...]
    price: str
    sources: tuple[str, ...]
    when: Callable[[Seen], Sequence[Cause]]
    at_least: float | None = 0.01
    at_least_per_second: float | None = None
    silences: tuple[str, ...] = ()
    isas: tuple[str, ...] = ()

    @property
    def speaks_from(self) -> str:
        """The threshold as a sentence."""
        parts = [
            *([] if self.at_least is None else [f"take {self.at_least:.0%} of a CPU"]),
            *([] if self.at_least_per_second is None else [f"come {self.at_least_per_second:,.0f} times a second"]),
        ]
        return f"It speaks when these {' or '.join(parts)} on one vCPU."

    def weigh(self, share: float, per_second: float) -> float:
        """How many times its threshold that is: from 1 on the rule speaks."""
        weights = [
            *([] if self.at_least is None else [share / self.at_least]),
            *([] if self.at_least_per_second is None else [per_second / self.at_least_per_second]),
        ]
        return max(weights, default=0.0)


@dataclass(frozen=True)
class Subject:
    """Rules about one subject, under the heading that they have in the manual."""

    heading: str
    rules: tuple[Rule, ...]
