"""--compare: two recordings, or two domains of one, compared interval by interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...arguments.requests import Compare
from ...comparisons.compare import Comparison, Wanted, compare
from ...comparisons.doubts import Doubt, doubt_sides, name_some
from ...comparisons.sides import Side
from ...errors import ExitStatError, ExitStatus
from ...formats.aligned import import_tabulate, lay_out
from ...formats.comparison.document import comparison_document
from ...formats.comparison.records import comparison_csv
from ...formats.comparison.table import render_comparison
from ...formats.json_document import JSON, write_document
from ...formats.records import CSV
from ...isa.known import ISAS
from ...run.sinks import StandardOutput
from ...world import World
from .opening import check_once, name_file, no_such_domain, open_recording, tell_troubles

#: A pair of labels, before and after.
_Pair = tuple[str, str]


def run(request: Compare, world: World) -> ExitStatus:
    """Read all files, compare, write. Raises ExitStatError."""
    import_tabulate()
    check_once((*request.before, *request.after))
    before = _read(request.before, request.domains, world)
    together = not request.after
    after = before if together else _read(request.after, request.domains, world)
    pairs, missing = _pair(request, before, after)
    wanted = Wanted(_Rows(request.reasons, request.without, before, after).shows, request.top)
    comparisons = [
        compare(before.samples[one], after.samples[other], wanted, together=together) for one, other in pairs
    ]
    doubts = [*doubt_sides(before, after), *missing]
    StandardOutput().write(_write(comparisons, doubts, request))
    if request.output == CSV.name:
        for doubt in [*doubts, *(doubt for one in comparisons for doubt in one.doubts)]:
            world.note(f"warning: {doubt.text}")
    return ExitStatus.OK


def _write(comparisons: Sequence[Comparison], doubts: Sequence[Doubt], request: Compare) -> str:
    files = [[str(path) for path in side] for side in (request.before, request.after)]
    if request.output == JSON.name:
        return write_document(comparison_document(comparisons, doubts, files), indented=True)
    if request.output == CSV.name:
        return comparison_csv(comparisons, header=request.header)
    return render_comparison(comparisons, doubts, files, lay_out, header=request.header)


def _read(paths: Iterable[Path], domains: Sequence[str], world: World) -> Side:
    """A side's samples, of these domains or of all."""

    def wants(label: str) -> bool:
        # Of NAME:NAME, either may have a colon itself.
        ends = (text == label or text.startswith(f"{label}:") or text.endswith(f":{label}") for text in domains)
        return not domains or any(ends)

    side = Side(wants)
    for path in paths:
        side.begin_recording()
        with open_recording(path, per_vcpu=False) as recording:
            for recorded in recording.reports():
                side.add(recorded.report)
            tell_troubles(recording, world)
    return side


def _pair(request: Compare, before: Side, after: Side) -> tuple[list[_Pair], list[Doubt]]:
    """The domains to be compared, and what to say of those that are on one side only."""
    if request.domains:
        sides = ((before, request.before), (after, request.after or request.before))
        pairs = [_split_pair(text, before, after) for text in request.domains]
        for pair in pairs:
            for label, (side, files) in zip(pair, sides):
                if label not in side.samples:
                    raise no_such_domain(label, ", ".join(map(name_file, files)), list(side.labels))
        return pairs, []
    both = [label for label in before.samples if label in after.samples]
    if not both and len(before.samples) == len(after.samples) == 1:
        return [(next(iter(before.samples)), next(iter(after.samples)))], []
    if not both:
        raise ExitStatError(
            "no domain is in the reports of both sides", "name two with '--domain NAME:NAME', before and after"
        )
    missing = [
        Doubt("missing", f"only {when} the change: {name_some(alone)}")
        for when, alone in (
            ("before", [label for label in before.samples if label not in after.samples]),
            ("after", [label for label in after.samples if label not in before.samples]),
        )
        if alone
    ]
    return [(label, label) for label in both], missing


def _split_pair(text: str, before: Side, after: Side) -> _Pair:
    """NAME for the same domain on both sides, or NAME:NAME; a name may have a colon itself."""
    if ":" not in text or (text in before.samples and text in after.samples):
        return text, text
    colons = [at for at, char in enumerate(text) if char == ":"]
    pairs = [(text[:at], text[at + 1 :]) for at in colons]
    return next((pair for pair in pairs if pair[0] in before.samples and pair[1] in after.samples), pairs[0])


class _Rows:
    """The rows that --reason lets through. Raises UsageError for a name that neither the ISAs nor the reports know."""

    def __init__(self, reasons: Sequence[str], without: Sequence[str], before: Side, after: Side) -> None:
        self._wanted = self._find(reasons, before, after) if reasons else None
        self._without = self._find(without, before, after)

    def shows(self, name: str) -> bool:
        """Whether the row of that name is wanted."""
        return name not in self._without and (self._wanted is None or name in self._wanted)

    @staticmethod
    def _find(words: Sequence[str], before: Side, after: Side) -> frozenset[str]:
        names = {origin.isa for side in (before, after) for origin in side.origins}
        isas = [isa for isa in ISAS if isa.name in names]
        known = {row for side in (before, after) for samples in side.samples.values() for row in samples.rows}
        found: set[str] = set()
        for word in words:
            named = {name for name in known if name.casefold() == word.strip().casefold()}
            if not named:
                for isa in isas:
                    named |= {isa.reasons.name_of(reason) for reason in isa.reasons.find(word)}
            if not named:
                isas[0].find_reasons([word])
            found |= named
        return frozenset(found)
