"""--explain: counts with times and details, and says what is worth a change."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from ..advice.judge import Judgement, judge
from ..arguments.requests import Explain
from ..counts.details import Detail
from ..domains import libvirtd
from ..domains.asker import Asker
from ..errors import ExitStatError, ExitStatus
from ..formats.aligned import lay_out
from ..formats.findings import findings_document, render_findings
from ..formats.format import Style
from ..formats.json_document import JSON, make_document, write_document
from ..host.facts import read_facts
from ..host.processes import seconds_since_start
from ..host.streams import say
from ..reports.causes import see
from ..reports.report import Report
from ..run.loop import run_reports
from ..run.signals import Signals
from ..run.sinks import StandardOutput
from ..targets.target import Target, describe_vcpus
from ..text import escape, plural
from ..world import World
from .naming import make_namer
from .opening import describe_run, find_targets, make_schedule, open_session


@dataclass(frozen=True)
class _Known:
    """What libvirt tells of a domain. None: not known."""

    xml: ElementTree.Element | None = None
    job: bool | None = None


_NOTHING_KNOWN = _Known()


def run(request: Explain, world: World) -> ExitStatus:
    """Count until the time is up or a signal comes, and print findings. Raises ExitStatError."""
    namer = make_namer(world.root)
    with find_targets(request.selection, request.timing, world) as found:
        known = {target.process: _ask(target, found.asker, world) for target in found.targets.targets}
        with open_session(found, request.counting, world) as session, Signals() as signals:
            session.start()
            say(describe_run(found.targets, request.timing))
            run_reports(
                session,
                make_schedule(request.timing, world),
                world.clock,
                listeners={signals.fileno(): lambda: bool(signals.take())},
                show=lambda _report: None,
            )
            report = session.report(last=True)
    facts = read_facts(world.root)
    judged = []
    for shown in report.targets:
        told = known.get(shown.target.process, _NOTHING_KNOWN)
        up_seconds = seconds_since_start(shown.target.started, world.root)
        seen = see(shown, report.provenance.isa.name, host=facts, xml=told.xml, job=told.job, up_seconds=up_seconds)
        judged.append(Judged(judge(seen), namer.describe))
    if request.output == JSON.name:
        style = Style(lay_out, describe=namer.describe, name_of=namer.name_of)
        text = explain_in_json(report, judged, style)
    else:
        text = explain_in_words(report, judged)
    StandardOutput().write(text)
    return found.status


def _ask(target: Target, asker: Asker, world: World) -> _Known:
    """What libvirt tells of it; nothing, and a word to the user, when it cannot be asked."""
    if not target.domain:
        return _NOTHING_KNOWN
    try:
        text, job = asker.ask(functools.partial(libvirtd.describe_domain, domain=target.domain))
        return _Known(ElementTree.fromstring(text), job)
    except (ExitStatError, ElementTree.ParseError) as error:
        world.note(
            f"the XML of {escape(target.label)} cannot be read ({escape(str(error))}), so rules that need it are silent"
        )
        return _NOTHING_KNOWN


@dataclass(frozen=True)
class Judged:
    """What is said of a domain. `describe` words the causes."""

    judgement: Judgement
    describe: Callable[[Detail], str]


def explain_in_words(report: Report, judged: Sequence[Judged], *, when: str = "") -> str:
    """The findings of each domain of a report; `when` stands before what was counted."""
    parts = []
    for shown, one in zip(report.targets, judged):
        exits = plural(shown.table.total.exits, "exit")
        ended = ", ended while counting" * shown.ended
        counted = f"{when}{describe_vcpus(shown.vcpus)}, {shown.table.seconds:.3f} s, {exits}{ended}"
        parts.append(render_findings(shown.target.label, counted, one.judgement, one.describe))
    return "\n".join(parts)


def explain_in_json(report: Report, judged: Sequence[Judged], style: Style) -> str:
    """The report, whose domains have their findings."""
    document = make_document(report, style)
    for domain, one in zip(document["domains"], judged):
        domain.update(findings_document(one.judgement, one.describe))
    return write_document(document, indented=not style.repeats)
