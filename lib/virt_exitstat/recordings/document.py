"""A document as the report that it was written from, with the findings that it may have. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..advice.judge import Finding, Judgement
from ..advice.rule import Rule, Step
from ..advice.seen import Cause
from ..counts.details import Detail
from ..counts.origin import Attachment, Provenance
from ..counts.snapshot import Lost, Thread
from ..formats.json_document import FORMAT_VERSION
from ..isa.instruction_set import Isa
from ..isa.known import ISAS
from ..reports.report import Report, TargetReport, VCpuReport
from ..targets.target import Domain, Target, VCpu
from .documents import NoRecordingError
from .fields import Fields, MisfitError
from .tables import read_detail, read_names, read_table


@dataclass(frozen=True)
class Explained:
    """What --explain said of a domain, and the words for the causes."""

    judgement: Judgement
    words: Mapping[Detail, str]


@dataclass(frozen=True)
class Recorded:
    """A report that was read again.

    `names` are those of its details. `explained` is for each of its targets; None where --explain was not asked for.
    """

    report: Report
    names: Mapping[Detail, str] = field(default_factory=dict)
    explained: tuple[Explained | None, ...] = ()


def read_document(value: Any, *, per_vcpu: bool = True) -> Recorded:
    """The report of a document; without `per_vcpu`, its domains only.

    Raises NoRecordingError for a document of another program or version, MisfitError for one with a field that is
    missing or wrong.
    """
    document = Fields(value)
    _check_version(value)
    provenance = _read_provenance(document)
    isa, seconds = provenance.isa, document.number("seconds")
    lost = document.part("lost")
    timed, detailed = "no_room_for_time" in document, "no_room_for_details" in document
    domains = list(document.parts("domains"))
    total = document.part_or_none("all_domains")
    report = Report(
        tuple(_read_target(one, seconds, isa, per_vcpu=per_vcpu) for one in domains),
        seconds,
        Lost(*(lost.whole(cause) for cause in Lost._fields)),
        document.time("time"),
        provenance,
        total=read_table(total, seconds, isa.idle) if total else None,
        timed=timed,
        no_block=document.whole("no_room_for_time") if timed else 0,
        detailed=detailed,
        no_detail=document.whole("no_room_for_details") if detailed else 0,
        missed_events=document.whole("missed_events") if detailed else 0,
    )
    if any((shown.table.account is None) is timed for shown in report.targets):
        raise MisfitError("domains: some have times and some have none")
    names = {detail: name for one in domains for detail, name in _read_all_names(one).items()} if detailed else {}
    return Recorded(report, names, tuple(map(_read_explained, domains)))


def _check_version(value: Mapping[str, Any]) -> None:
    version = value.get("format_version")
    if "compared" in value:
        raise NoRecordingError("is a comparison, not a recording", "give the files that it was made of")
    if not isinstance(version, int) or "domains" not in value:
        raise NoRecordingError("is another program's JSON", "give a file that virt-exitstat's '-o json' has written")
    if version != FORMAT_VERSION:
        raise NoRecordingError(
            f"has format_version {version}, and this virt-exitstat reads {FORMAT_VERSION}",
            "read it with the virt-exitstat that wrote it, or with a newer one",
        )


def _read_provenance(document: Fields) -> Provenance:
    isas: dict[str, Isa] = {isa.name.lower(): isa for isa in ISAS}
    name = document.text("isa")
    if name not in isas:
        raise document.refuse("isa", f"one that this virt-exitstat knows: {', '.join(isas)}")
    try:
        attachment = Attachment(document.text("attachment"))
    except ValueError:
        raise document.refuse("attachment", "raw or tracepoint") from None
    names = {
        row.whole("code"): row.text("name") for domain in document.parts("domains") for row in domain.parts("reasons")
    }
    return Provenance(document.text("host"), document.text("kernel"), isas[name].with_names(names), attachment)


def _read_target(fields: Fields, seconds: float, isa: Isa, *, per_vcpu: bool) -> TargetReport:
    pid, name, uuid = fields.whole("pid"), fields.text_or_none("name"), fields.text_or_none("uuid")
    vcpus = [
        VCpuReport(one.whole_or_none("vcpu"), Thread(pid, one.whole("tid")), read_table(one, seconds, isa.idle))
        for one in (fields.parts("vcpus") if per_vcpu else ())
    ]
    ids = [(one.whole_or_none("vcpu"), one.whole("tid")) for one in fields.parts("vcpus")]
    numbered = [(number, tid) for number, tid in ids if number is not None]
    # libvirt's id of the domain is in no report.
    domain = None if name is None else Domain(name, uuid or "", 0)
    return TargetReport(
        target=Target(pid, tuple(VCpu(number, tid) for number, tid in numbered), domain),
        ended=fields.flag("ended"),
        vcpus=tuple(sorted(number for number, _ in numbered)),
        unnamed=tuple(sorted(Thread(pid, tid) for number, tid in ids if number is None)),
        table=read_table(fields, seconds, isa.idle),
        per_vcpu=tuple(vcpus),
    )


def _read_all_names(fields: Fields) -> Mapping[Detail, str]:
    names = read_names(fields)
    for vcpu in fields.parts("vcpus"):
        names.update(read_names(vcpu))
    return names


def _read_explained(fields: Fields) -> Explained | None:
    if "findings" not in fields:
        return None
    words: dict[Detail, str] = {}
    findings = tuple(_read_finding(one, words) for one in fields.parts("findings"))
    return Explained(Judgement(findings, too_short=fields.flag("too_short")), words)


def _read_finding(fields: Fields, words: dict[Detail, str]) -> Finding:
    """A finding with the text that it had then, whatever the rule says by now. Adds its causes' words to `words`."""
    vcpu = fields.whole_or_none("vcpu")
    rule = Rule(
        name=fields.text("rule"),
        title=fields.text("title"),
        looks_at="",
        cause=fields.text("why"),
        change=tuple(Step(step.text("say"), step.text("paste")) for step in fields.parts("change")),
        price=fields.text("price"),
        sources=tuple(fields.texts("sources")),
        when=lambda _seen: (),
    )
    return Finding(
        rule,
        tuple(_read_cause(cause, vcpu, words) for cause in fields.parts("causes")),
        vcpu,
        fields.number("per_second"),
        fields.number("share"),
        serious=fields.flag("serious"),
        also=tuple(fields.numbers_or_nulls("other_vcpus")),
    )


def _read_cause(fields: Fields, vcpu: int | None, words: dict[Detail, str]) -> Cause:
    detail = read_detail(fields)
    words[detail] = fields.text("what")
    return Cause(fields.text("reason"), detail, vcpu, fields.number("per_second"), fields.number("share"))
