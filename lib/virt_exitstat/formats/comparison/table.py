"""A comparison for the eye: a table for each measure of each domain, below 80 columns, and the doubts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from ...comparisons.compare import Change, Comparison, Counted, Presence, Verdict
from ...comparisons.doubts import Doubt
from ...comparisons.medians import Median
from ...text import cut, escape, fill, plural
from ..columns import format_ns, format_share
from ..format import Grid

# Letters that a domain's name has at most where it stands over a column.
_NAME = 16

_ALIGNMENT = ("left", "right", "right", "right", "right", "right")

# Changes, and how far off a median may be, are told as a percentage below this.
_PERCENT = 9.995

#: Words for a row that is on one side only: of one domain, and of two.
_ONLY = {Presence.BOTH: "", Presence.NEW: "new", Presence.GONE: "gone"}
_ONLY_OF_TWO = {Presence.BOTH: "", Presence.NEW: "2nd only", Presence.GONE: "1st only"}

#: Writes a number for people.
_Write = Callable[[float], str]

#: {measure: how its numbers are written}.
_WRITE: Mapping[str, _Write] = {
    "per_second": "{:.1f}".format,
    "per_guest_second": "{:.1f}".format,
    "time_share": format_share,
    "mean_ns": format_ns,
    "p99_ns": format_ns,
}


def render_comparison(
    comparisons: Sequence[Comparison],
    doubts: Sequence[Doubt],
    files: Sequence[Sequence[str]],
    lay_out: Callable[[Grid], str],
    *,
    header: bool = True,
) -> str:
    """All comparisons, then the doubts about the recordings. Ends in a line's end.

    `files` are those before and those after. Where there are several, they are told: a pattern of the shell puts them
    in another order than that in which they are taken.
    """
    parts = [_render(comparison, lay_out, header=header) for comparison in comparisons]
    if header and len(files[0]) > 1:
        parts.insert(0, _name_files(files))
    if doubts:
        parts.append("\n".join(map(_warn, doubts)))
    return "\n\n".join(parts) + "\n"


def _name_files(files: Sequence[Sequence[str]]) -> str:
    # Their directories are told where names alone would be the same.
    paths = [path for side in files for path in side]
    names = {path: PurePath(path).name for path in paths}
    if len(set(names.values())) < len(paths):
        names = {path: path for path in paths}
    sides = zip(("before", "after"), files) if files[1] else [("recordings", files[0])]
    return "\n".join(
        fill(f"{when}: {', '.join(escape(names[path]) for path in side)}", further="  ") for when, side in sides
    )


def _render(comparison: Comparison, lay_out: Callable[[Grid], str], *, header: bool) -> str:
    before, after = _names(comparison)
    parts = []
    for compared in comparison.measures:
        write = _WRITE[compared.measure.key]
        only = _ONLY if before == "before" else _ONLY_OF_TWO
        rows = [_row(row, write, only) for row in compared.rows]
        headings = ("reason", before, after, "change", "p", "n") if header else ()
        text = lay_out(Grid(headings, _ALIGNMENT, rows))
        parts.append(f"{compared.measure.heading}\n{text}" if header and len(comparison.measures) > 1 else text)
    body = "\n\n".join(parts)
    text = f"{_heading(comparison)}\n{body}" if header else body
    return "\n".join([text, *map(_warn, comparison.doubts)])


def _names(comparison: Comparison) -> tuple[str, str]:
    if comparison.before.label == comparison.after.label:
        return "before", "after"
    return cut(escape(comparison.before.label), _NAME), cut(escape(comparison.after.label), _NAME)


def _heading(comparison: Comparison) -> str:
    before, after = comparison.before, comparison.after
    if before.label == after.label:
        return f"{escape(before.label)}: {_intervals(before)} before, {_intervals(after)} after"
    when = ("", "") if comparison.together else (" before", " after")
    return f"{escape(before.label)}: {_intervals(before)}{when[0]}; {escape(after.label)}: {_intervals(after)}{when[1]}"


def _intervals(counted: Counted) -> str:
    return f"{counted.intervals} x {counted.seconds:.3g} s" if counted.intervals else plural(0, "interval")


def _row(row: Change, write: _Write, only: Mapping[Presence, str]) -> tuple[str, ...]:
    samples = [str(side.samples) if side else "0" for side in (row.before, row.after)]
    return (
        escape(row.reason_name),
        _side(row.before, write),
        _side(row.after, write),
        _change(row, only),
        _p(row.p_of_all),
        "+".join(samples),
    )


def _p(p: float | None) -> str:
    """No p is 0."""
    return "-" if p is None else f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _side(side: Median | None, write: _Write) -> str:
    """The median and how far it may be off: `1204.1 +-4%`; where it is 0, the end of its interval."""
    if not side:
        return "-"
    if side.low is None:
        return f"{write(side.middle)} +-?"
    if side.spread is not None:
        return f"{write(side.middle)} +-{f'{side.spread:.0%}' if side.spread < _PERCENT else '>999%'}"
    return f"{write(side.middle)}..{write(side.high)}" if side.high else write(side.middle)


def _change(row: Change, only: Mapping[Presence, str]) -> str:
    if not row.before or not row.after:
        return "-"
    if row.verdict is Verdict.NOTHING:
        return f"~ {only[row.presence]}".strip()
    if only[row.presence] or row.change is None:
        return only[row.presence] or str(row.verdict.value)
    return f"{row.change:+.1%}" if row.change < _PERCENT else f"x{row.change + 1:.0f}"


def _warn(doubt: Doubt) -> str:
    return fill(f"warning: {doubt.text}", further="  ")
