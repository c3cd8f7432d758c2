"""Doubts about a comparison, as values: what a reader must know before believing it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..targets.target import describe_vcpus
from ..text import escape, plural
from .ranks import least_p
from .samples import Samples
from .sides import Origin, Side

#: Fewer intervals on a side claim nothing: 4 + 4 are the least that can reach 5%.
FEWEST = 4

#: Neighbours that correlate more than this depend on each other.
DEPENDENT = 0.3

#: A domain whose intervals have a lower p of drift_p() drifts, or has phases: not one in 20, as a warning that is there
#: in each twentieth comparison for nothing is heeded by nobody.
DRIFTING = 0.01

#: Lengths of intervals that differ by more than this, as a part, cannot be compared: bursts stand out in short ones.
_LENGTHS = 0.1

# Clocks are set back by no more, in seconds.
_STEP = 1.0

# Rows or domains that a doubt names; the others are counted.
_NAMED = 4


@dataclass(frozen=True)
class Doubt:
    """One doubt: `kind` for programs, `text` for people. With one that `forbids`, nothing is claimed."""

    kind: str
    text: str
    forbids: bool = False


def doubt_sides(before: Side, after: Side) -> Iterator[Doubt]:
    """Doubts about all of two sides: other hosts, lost exits."""
    for kind, what in (("host", "hosts"), ("kernel", "kernels"), ("isa", "ISAs"), ("attachment", "attachments")):
        found = list(dict.fromkeys(getattr(origin, kind) for origin in _origins(before, after)))
        if len(found) > 1:
            more = ": reasons have other names" if kind == "isa" else ""
            yield Doubt(f"other_{kind}", f"the reports are of several {what}{more}: {', '.join(map(escape, found))}")
    sides = {"before": before} if after is before else {"before": before, "after": after}
    for name, side in sides.items():
        if side.lost:
            yield Doubt("lost_exits", f"{plural(side.lost, 'exit')} {name} {'was' if side.lost == 1 else 'were'} lost")
    forgotten = sum([side.forgotten for side in sides.values()])
    if forgotten:
        yield Doubt(
            "forgotten",
            f"{plural(forgotten, 'domain')} with few intervals, ended since, left out: name those to compare with -d",
        )


def _origins(before: Side, after: Side) -> Iterable[Origin]:
    return (*before.origins, *after.origins)


def doubt_samples(samples: Samples, kept: int) -> Iterator[Doubt]:
    """Doubts about one side of a domain's."""
    name = escape(samples.label)
    if samples.came_and_went:
        yield Doubt(
            "came_and_went",
            f"{name} began or ended in {plural(samples.came_and_went, 'interval')}, left out",
        )
    if samples.stride > 1:
        yield Doubt(
            "sampled",
            f"{name} has {samples.intervals} intervals: one of each {samples.stride}, by chance, is compared",
        )
    left_out = len(samples.seconds) - kept
    if left_out:
        yield Doubt(
            "left_out",
            f"{plural(left_out, 'interval')} of {len(samples.seconds)} left out,"
            f" not about {samples.length:.3g} s long as the others of {name}",
        )
    if samples.partial:
        yield Doubt(
            "partial", f"reports of {name} leave out reasons (--top, --reason ..): these are not compared there"
        )


def doubt_times(before: Samples, after: Samples) -> Iterator[Doubt]:
    """The doubt that a domain was recorded twice at the same time, or that a recording was given twice."""
    sides = [before] if before is after else [before, after] if before.label == after.label else []
    spans = sorted(span for side in sides for span in side.spans.values())
    if any(one.host == other.host and other.begins < one.ends - _STEP for one, other in zip(spans, spans[1:])):
        yield Doubt(
            "same_time",
            f"recordings of {escape(before.label)} are of the same time, so nothing is claimed: give each only once",
            forbids=True,
        )


def doubt_likeness(before: Samples, after: Samples) -> Iterator[Doubt]:
    """Doubts that the same was counted on both sides: other vCPUs of a domain, times on one side only."""
    if before.label == after.label and before.vcpus != after.vcpus:
        one, other = describe_vcpus(before.vcpus), describe_vcpus(after.vcpus)
        yield Doubt("vcpus_differ", f"{escape(before.label)} has {one} before and {other} after, as it was counted")
    if before.intervals and after.intervals and before.timed != after.timed:
        untimed = after if before.timed else before
        yield Doubt(
            "times_missing",
            f"{escape(untimed.label)} was recorded without times {'after' if untimed is after else 'before'}, so only"
            " rates are compared",
        )


def doubt_lengths(before: Samples, after: Samples) -> Iterator[Doubt]:
    """The doubt that intervals are not alike: the bursts of a load stand out less in longer ones."""
    shorter, longer = sorted((before.length, after.length))
    if longer - shorter > _LENGTHS * longer:
        yield Doubt(
            "other_lengths",
            f"intervals are {before.length:.3g} s and {after.length:.3g} s long, so nothing is claimed:"
            " record both with the same -i",
            forbids=True,
        )


def doubt_number(before: int, after: int) -> Iterator[Doubt]:
    """The doubt that there are too few intervals to claim anything."""
    if min(before, after) < FEWEST:
        yield Doubt(
            "too_few_intervals",
            f"{before} and {after} intervals are too few to claim anything: record {FEWEST} or more of each, better 30,"
            " with -i",
            forbids=True,
        )


def doubt_power(
    samples: Sequence[tuple[int, int]], level: float, fewest: int, *, by_recordings: bool
) -> Iterator[Doubt]:
    """The doubt that the samples of each of some rows are too few for so many rows; `fewest` would do."""
    if not samples or min(least_p(*of) for of in samples) < level:
        return
    before, after = max(samples)
    if min(before, after) < FEWEST:  # doubt_number() says so
        return
    what = "recordings" if by_recordings else "intervals"
    text = (
        f"{before} and {after} {what} are too few for so many rows: record {fewest} or more of each, or choose rows"
        " with -r"
    )
    yield Doubt("too_few_recordings", text) if by_recordings else Doubt("too_few_intervals", text)


def doubt_dependence(
    withheld: Sequence[str], by_recordings: Sequence[str], fewest: int, *, drifts: bool
) -> Iterator[Doubt]:
    """The doubt that intervals depend on each other, in some rows or, as the domain `drifts`, in all."""
    why, where = "neighbouring intervals are alike (the load or the host drifts, or has phases)", ""
    if not drifts:
        why, where = f"intervals seem to depend on each other ({name_some(withheld or by_recordings)})", " there"
    if withheld:
        yield Doubt(
            "dependent_intervals",
            f"{why}, so nothing is claimed{where}: use a longer -i, or record {fewest} times or more before and after,"
            " alternately",
        )
    if by_recordings:
        yield Doubt("by_recordings", f"{why}: each recording is one sample{where}")


def name_some(names: Sequence[str]) -> str:
    """The first ones, for people, and how many there are beside these."""
    return ", ".join(map(escape, names[:_NAMED])) + f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
