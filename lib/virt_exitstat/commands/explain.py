"""--explain: counts with times and details, and says what is worth a change."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from ..advice.judge import judge
from ..advice.seen import Seen
from ..arguments.requests import Explain
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
from ..names.namer import Namer
from ..reports.causes import see
from ..reports.report import Report, TargetReport
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
    seen = []
    for shown in report.targets:
        told = known.get(shown.target.process, _NOTHING_KNOWN)
        up_seconds = seconds_since_start(shown.target.started, world.root)
        seen.append(
            see(shown, report.provenance.isa.name, host=facts, xml=told.xml, job=told.job, up_seconds=up_seconds)
        )
    if request.output == JSON.name:
        text = _document(report, seen, namer)
    else:
        text = "\n".join(_text(shown, one, namer) for shown, one in zip(report.targets, seen))
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


def _text(shown: TargetReport, seen: Seen, namer: Namer) -> str:
    exits = plural(shown.table.total.exits, "exit")
    ended = ", ended while counting" * shown.ended
    counted = f"{describe_vcpus(shown.vcpus)}, {seen.seconds:.3f} s, {exits}{ended}"
    return render_findings(shown.target.label, counted, judge(seen), namer.describe)


def _document(report: Report, seen: Sequence[Seen], namer: Namer) -> str:
    """The report, whose domains have their findings."""
    document = make_document(report, Style(lay_out, describe=namer.describe, name_of=namer.name_of))
    for domain, one in zip(document["domains"], seen):
        domain.update(findings_document(judge(one), namer.describe))
    return write_document(document, indented=True)
