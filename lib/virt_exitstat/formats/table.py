"""Reports to text. The door to tabulate; adds nothing up."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from ..host.foreign import importing
from ..host.packages import Need
from ..reports.report import Report, Table, TargetReport, VCpuReport
from ..targets.target import Targets, describe_vcpus
from ..text import escape

# In the order of Lost's fields.
_WHY_LOST = (
    "of vCPUs above --max-vcpus; raise it",
    "whose reason could not be stored",
    "while another BPF program was running on their CPU",
)


def render_report(report: Report, *, per_vcpu: bool, header: bool = True, timestamp: bool = False) -> str:
    """The report as tables below 80 columns: one per domain, or one per vCPU of each domain.

    `header` puts a heading and the columns' names over each, `timestamp` the local time into the heading.
    """
    when = report.time.astimezone().strftime("%Y-%m-%dT%H:%M:%S%z ") if timestamp else ""
    length = f"{report.seconds:.3f} s"
    tables = []
    for target in report.targets:
        ended = ", ended while counting" * target.ended
        if per_vcpu and target.per_vcpu:
            tables += [(f"{_heading_of_vcpu(target, vcpu)}, {length}{ended}", vcpu.table) for vcpu in target.per_vcpu]
        else:
            tables.append((f"{_heading_of_target(target)}, {length}{ended}", target.table))
    if report.total:
        tables.append((f"{label_of_total(report)}: {length}", report.total))
    parts = [_render_table(table, f"{when}{heading}" if header else None) for heading, table in tables]
    if not tables and header:
        parts.append(f"{when}nothing to count, {length}")
    lost = [f"lost: {count} exits {why}" for count, why in zip(report.lost, _WHY_LOST) if count]
    if lost:
        parts.append("\n".join(lost))
    return "\n\n".join(parts)


def label_of_total(report: Report) -> str:
    """What the table of all targets is called."""
    return "all processes" if any(not target.target.domain for target in report.targets) else "all domains"


def render_list(targets: Targets, *, header: bool = True) -> str:
    """What names resolve to: a line for each vCPU."""
    rows = []
    for target in targets.targets:
        domain = target.domain
        known = [escape(domain.name), str(domain.id), domain.uuid] if domain else [target.label, "-", "-"]
        threads = [(str(vcpu.number), str(vcpu.tid)) for vcpu in sorted(target.vcpus)]
        threads += [
            ("-", str(tid)) for tid in sorted(target.tids or ()) if tid not in {vcpu.tid for vcpu in target.vcpus}
        ]
        rows += [[*known, str(target.pid), number, tid] for number, tid in threads or [("-", "-")]]
    columns = ("domain", "id", "uuid", "pid", "vcpu", "tid") if header else ()
    return tabulate_rows(rows, columns, ("left", "right", "left", "right", "right", "right"))


def _heading_of_target(target: TargetReport) -> str:
    counted = describe_vcpus(target.vcpus)
    if target.unnamed:
        counted += f", {len(target.unnamed)} unnamed thread{'s' if len(target.unnamed) > 1 else ''}"
    return f"{escape(target.target.label)}: {counted}"


def _heading_of_vcpu(target: TargetReport, vcpu: VCpuReport) -> str:
    thread = f"thread {vcpu.thread.tgid}/{vcpu.thread.tid}"
    return f"{escape(target.target.label)}: {thread if vcpu.vcpu is None else describe_vcpus([vcpu.vcpu])}"


def _render_table(table: Table, heading: str | None) -> str:
    shown = (*table.rows, table.others) if table.others else table.rows
    rows = [[row.reason_name, str(row.count), f"{row.per_second:.1f}", _percent(row.share)] for row in shown]
    rows.append(["total", str(table.total), f"{table.total_per_second:.1f}", "100.0%" if table.total else "-"])
    columns = ("reason", "count", "per second", "share") if heading is not None else ()
    text = tabulate_rows(rows, columns, ("left", "right", "right", "right"))
    return f"{heading}\n{text}" if heading is not None else text


def _percent(share: float) -> str:
    # A reason that is there is never shown as 0.0%.
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def import_tabulate() -> Any:
    """The table library. Called before counting starts too: a long count must not end in this ExitStatError."""
    with importing("tabulate", Need.TABULATE):
        return importlib.import_module("tabulate")


def tabulate_rows(rows: list[list[str]], headers: Sequence[str], alignment: Sequence[str]) -> str:
    """Aligned columns, two spaces apart; without names when `headers` is empty."""
    tabulate = import_tabulate()
    tabulate.MIN_PADDING = 0  # columns stand two spaces apart, under wide headers too
    if not rows:  # tabulate 0.8 and 0.9 stumble over an alignment without rows
        return "  ".join(headers)
    # A domain's name may begin with a space. Since tabulate 0.10 that is an argument; before, a variable of the module.
    tabulate.PRESERVE_WHITESPACE = True
    parameters = inspect.signature(tabulate.tabulate).parameters
    keep = {"preserve_whitespace": True} if "preserve_whitespace" in parameters else {}
    # Numbers come as text, ready to print: tabulate must not parse a domain named 0x10 or 1e5.
    text: str = tabulate.tabulate(
        rows, headers=headers, tablefmt="plain", colalign=alignment, disable_numparse=True, **keep
    )
    return text
