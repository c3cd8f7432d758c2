#!/usr/bin/python3
"""Write the parts of documentation and completions that are made from the program's own data: `make docs`.

Such a part stands between two lines of its file, which name it: `NAME: made by 'make docs'` and `NAME: end`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "lib"))

from advice_page import advice_page  # noqa: E402  (lib/ is found by the line above)
from completion_tables import bash_options, fish_options, zsh_options  # noqa: E402  (lib/ is found by the line above)
from mdoc import literals, paragraph  # noqa: E402  (lib/ is found by the line above)
from virt_exitstat.advice.explanation import Explanation  # noqa: E402
from virt_exitstat.advice.reasons import GROUPS, explanation_of  # noqa: E402
from virt_exitstat.metrics.families import METRICS, Metric  # noqa: E402
from virt_exitstat.metrics.wanted import Wanted  # noqa: E402

#: The reasons that the README explains; each stands for all that mean the same.
IN_README = ("HLT", "IOIO", "EPT_MISCONFIG", "MSR_WRITE", "EXTERNAL_INTERRUPT", "EPT_VIOLATION", "CPUID", "PAUSE")


class Part(NamedTuple):
    """A made part of a file in the tree; without a name it is the whole file."""

    file: str
    name: str
    make: Callable[[], str]

    def renewed(self, text: str) -> str:
        """The file's text with this part made anew."""
        if not self.name:
            return self.make()
        begin, end = rf"^[^\n]*\b{self.name}: made by 'make docs'[^\n]*\n", rf"^[^\n]*\b{self.name}: end\b"
        around = re.findall(rf"\A(.*{begin}).*?({end}.*)\Z", text, re.MULTILINE | re.DOTALL)
        if not around:
            raise ValueError(f'{self.file} has no lines "{self.name}: made by \'make docs\'" and "{self.name}: end"')
        ((before, after),) = around
        return f"{before}{self.make()}{after}"


def man_page_reasons() -> str:
    """The man page's EXIT REASONS: a list for each group."""
    lines = []
    for group in GROUPS:
        lines += [f".Ss {group.heading}", ".Bl -tag -width Ds"]
        for explanation in group.explanations:
            lines += [f".It Li {literals(explanation.names)}"]
            lines += paragraph(explanation.text)
        lines += [".El"]
    return "".join(f"{line}\n" for line in lines)


def readme_reasons() -> str:
    """The README's table of common reasons."""
    rows = ["| reason (Intel / AMD) | what happens | why there are many |", "| --- | --- | --- |"]
    for name in IN_README:
        explanation = explanation_of(name)
        assert explanation, name
        rows += [f"| {_names(explanation)} | {explanation.first_sentence} | {explanation.often} |"]
    return "".join(f"{row}\n" for row in rows)


def metrics_page() -> str:
    """The table of metrics of docs/monitoring.md."""
    rows = ["| metric | type | labels | is |", "| --- | --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in _labels(metric)) or "none"
        rows += [f"| `{metric.name}` | {metric.kind.value} | {labels} | {_with_option(metric)} |"]
    return "".join(f"{row}\n" for row in rows)


def man_page_metrics() -> str:
    """The man page's list of metrics."""
    lines = []
    for metric in METRICS:
        labels = _labels(metric)
        lines += [f".It Li {literals([metric.name])}", *paragraph(_with_option(metric))]
        if labels:
            lines += ["Labels:", f".Li {literals(labels)} ."]
    return "".join(f"{line}\n" for line in lines)


def _labels(metric: Metric) -> list[str]:
    """Its labels; the one that `--per-vcpu` adds stands last."""
    always = metric.labels(Wanted())
    return [*always, *[label for label in metric.labels(Wanted(per_vcpu=True)) if label not in always]]


def _with_option(metric: Metric) -> str:
    return f"With `{metric.option}`. {metric.about}" if metric.option else metric.about


def _names(explanation: Explanation) -> str:
    """The first name on each ISA, once where both have the same."""
    names = dict.fromkeys(explanation.vmx[:1] + explanation.svm[:1])
    return " / ".join(f"`{name}`" for name in names)


PARTS = (
    Part("man/virt-exitstat.8", "exit reasons", man_page_reasons),
    Part("man/virt-exitstat.8", "metrics", man_page_metrics),
    Part("docs/monitoring.md", "metrics", metrics_page),
    Part("man/virt-exitstat-advice.7", "", advice_page),
    Part("README.md", "exit reasons", readme_reasons),
    Part("completions/virt-exitstat", "options", bash_options),
    Part("completions/_virt-exitstat", "options", zsh_options),
    Part("completions/virt-exitstat.fish", "options", fish_options),
)


def main() -> None:
    """Write each part into its file; say which files changed."""
    for part in PARTS:
        path = TREE / part.file
        text = path.read_text(encoding="utf-8")
        renewed = part.renewed(text)
        if renewed != text:
            path.write_text(renewed, encoding="utf-8")
            print(f"{part.file}: {part.name or 'all of it'}")


if __name__ == "__main__":
    main()
