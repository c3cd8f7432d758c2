"""The manual page of advice, virt-exitstat-advice(7), made of the rules and of the explanations of exit reasons."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "lib"))

from mdoc import literals, paragraph  # noqa: E402  (lib/ is found by the line above)
from virt_exitstat.advice.judge import FEWEST_EXITS, SERIOUS, SHORTEST_SECONDS  # noqa: E402
from virt_exitstat.advice.reasons import GROUPS  # noqa: E402
from virt_exitstat.advice.rule import Rule, Step  # noqa: E402
from virt_exitstat.advice.rules import SUBJECTS  # noqa: E402

_HEAD = """\
.\\" SPDX-License-Identifier: Apache-2.0
.\\" Made by 'make docs' from lib/virt_exitstat/advice/: change it there.
.Dd {date}
.Dt VIRT-EXITSTAT-ADVICE 7
.Os
.Sh NAME
.Nm virt-exitstat-advice
.Nd what to do about the KVM exits of a domain
.Sh DESCRIPTION
"""

_ABOUT = f"""\
virt-exitstat(8) counts the exits of domains, and `virt-exitstat --explain` judges them by the rules below. \
A rule speaks when exits take a part of a host CPU's time that is worth a change, or come so often that something is \
wrong; {SERIOUS:.0f} times as much is serious. \
The vCPU where it is worst counts. \
Nothing is judged in less than {SHORTEST_SECONDS:.0f} seconds, nor by fewer than {FEWEST_EXITS} exits."""

_PASTE = """\
XML is for `virsh edit`. \
It begins below the domain's own element, to show where it belongs: merge it with what the domain has there already. \
A change takes effect when the domain was shut down and is started; a reboot of the guest is too little."""

_TAIL = """\
.Sh SEE ALSO
.Xr virsh 1 ,
.Xr virt-exitstat 8
"""


def advice_page() -> str:
    """The page's source, in mdoc."""
    lines = [*paragraph(_ABOUT), ".Pp", *paragraph(_PASTE), ".Sh RULES"]
    for subject in SUBJECTS:
        lines += [f".Ss {subject.heading}", ".Bl -tag -width Ds"]
        for rule in subject.rules:
            lines += _rule(rule)
        lines += [".El"]
    lines += [".Sh EXIT REASONS", *paragraph("Intel's names stand before AMD's, and arm64's last.")]
    for group in GROUPS:
        lines += [f".Ss {group.heading}", ".Bl -tag -width Ds"]
        for explanation in group.explanations:
            lines += [f".It Li {literals(explanation.names)}"]
            lines += paragraph(" ".join(filter(None, (explanation.what, explanation.often, explanation.helps))))
        lines += [".El"]
    return _HEAD.format(date=_date()) + "".join(f"{line}\n" for line in lines) + _TAIL


def _rule(rule: Rule) -> list[str]:
    lines = [f".It Sy {rule.name}", *paragraph(f"{rule.title}. {rule.cause}"), ".Pp", *_labelled("It looks at", rule)]
    for step in rule.change:
        lines += [".Pp", *paragraph(step.say), *_pasted(step)]
    lines += [".Pp", ".Em Price :", *paragraph(rule.price)]
    if rule.silences:
        lines += [".Pp", *paragraph(f"Where it speaks, {_listed(rule.silences)} stays silent.")]
    return [*lines, ".Pp", ".Em Sources :", *paragraph("; ".join(rule.sources) + ".")]


def _labelled(label: str, rule: Rule) -> list[str]:
    """What it looks at, and from when on it speaks. Its first word goes on with the label's sentence."""
    text = rule.looks_at
    # An exit reason in capitals keeps them.
    goes_on = text[0].lower() + text[1:] if text[1:2].islower() else text
    return paragraph(f"{label} {goes_on} {rule.speaks_from}")


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _pasted(step: Step) -> list[str]:
    if not step.paste:
        return []
    return [".Bd -literal -offset indent", *map(_literal, step.paste.splitlines()), ".Ed"]


def _literal(line: str) -> str:
    """A line that readers copy: each character is shown as itself, and a quote is no typographic one."""
    line = line.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\\&" + line if line.startswith(".") else line


def _date() -> str:
    """The day of the program's own page: made twice, the page is the same."""
    (date,) = re.findall(r"^\.Dd (.*)$", (TREE / "man/virt-exitstat.8").read_text(encoding="utf-8"), re.MULTILINE)
    return str(date)
