"""--replay: a recording shown again, in any form."""

from __future__ import annotations

from dataclasses import replace

from ...advice.judge import judge
from ...arguments.requests import Replay
from ...errors import ExitStatError, ExitStatus
from ...formats.aligned import import_tabulate, lay_out
from ...formats.format import Style
from ...formats.json_document import JSON
from ...formats.known import FORMATS
from ...names.namer import Namer
from ...recordings.document import Recorded
from ...recordings.recording import Recording, only_domains
from ...reports.causes import see
from ...reports.sort import Sort
from ...run.output import Output
from ...run.sinks import StandardOutput
from ...targets.host_facts import HostFacts
from ...world import World
from ..explain import Judged, explain_in_json, explain_in_words
from .opening import OriginTeller, no_such_domain, open_recording, tell_troubles


def run(request: Replay, world: World) -> ExitStatus:
    """Show each report of the file. Raises ExitStatError."""
    import_tabulate()
    sink, teller = StandardOutput(), OriginTeller(world)
    wanted, known = frozenset(request.domains), set[str]()
    with open_recording(request.path) as recording:
        for recorded in recording.reports():
            teller.tell(recording.label, recorded.report.provenance)
            known.update(shown.target.label for shown in recorded.report.targets)
            shown = only_domains(recorded, wanted)
            if wanted and not shown.report.targets:
                continue
            if request.explain:
                text = _explain(shown, request, recording)
                sink.write(text if sink.is_empty() or request.output == JSON.name else f"\n{text}")
            else:
                _show(shown, request, recording, sink)
        tell_troubles(recording, world)
    for name in request.domains:
        if name not in known:
            raise no_such_domain(name, recording.label, sorted(known))
    return ExitStatus.OK


def _show(recorded: Recorded, request: Replay, recording: Recording, sink: StandardOutput) -> None:
    report = recorded.report
    if request.choice.sort is Sort.TIME and not report.timed:
        raise ExitStatError(
            f"{recording.label} has no times to sort by", "record with --time (-T), or leave '--sort time' out"
        )
    choice = request.choice
    if request.reasons:
        choice = replace(choice, reasons=report.provenance.isa.find_reasons(request.reasons))
    if request.without:
        choice = replace(choice, without=report.provenance.isa.find_reasons(request.without))
    style = replace(_style(recorded, recording), per_vcpu=request.per_vcpu, header=request.header)
    Output(FORMATS[request.output], style, choice, sink).write(report)


def _style(recorded: Recorded, recording: Recording) -> Style:
    style = Style(lay_out, repeats=recording.on_lines)
    if not recorded.report.detailed:
        return style
    namer = Namer(recorded.report.provenance.isa.name, told=recorded.names)
    return replace(style, describe=namer.describe, name_of=namer.name_of)


def _explain(recorded: Recorded, request: Replay, recording: Recording) -> str:
    """The findings that the recording has; where it has none, those of its exits alone."""
    report = recorded.report
    if not (report.timed and report.detailed):
        missing = " and ".join(["times"] * (not report.timed) + ["details of exits"] * (not report.detailed))
        raise ExitStatError(
            f"{recording.label} has no {missing}, which --explain needs",
            "record with 'virt-exitstat --explain -o json', or with --time --detail (-TD)",
        )
    style = _style(recorded, recording)
    judged = _judge(recorded, style)
    if request.output == JSON.name:
        return explain_in_json(report, judged, style)
    when = report.time.astimezone().strftime("%Y-%m-%dT%H:%M:%S%z, ") if style.repeats else ""
    return explain_in_words(report, judged, when=when)


def _judge(recorded: Recorded, style: Style) -> list[Judged]:
    found = []
    assert style.describe, "there are details"
    for shown, told in zip(recorded.report.targets, recorded.explained):
        if told:
            found.append(Judged(told.judgement, told.words.__getitem__))
            continue
        # This host's settings, and what runs here now, are another's or another time's.
        seen = see(shown, recorded.report.provenance.isa.name, host=HostFacts(), xml=None, job=None, up_seconds=None)
        found.append(Judged(judge(seen), style.describe))
    return found
