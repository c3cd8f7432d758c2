"""A comparison as JSON, described by comparison.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...comparisons.compare import LEVEL, Change, Comparison, Counted
from ...comparisons.doubts import Doubt
from ...comparisons.medians import Median
from .numbers import rounded

#: Changes when a field changes its meaning or goes; fields that come do not change it.
COMPARISON_VERSION = 1


def comparison_document(
    comparisons: Sequence[Comparison], doubts: Sequence[Doubt], files: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """The comparisons as values of JSON; `files` are those before and those after."""
    return {
        "format_version": COMPARISON_VERSION,
        "level": LEVEL,
        "before": list(files[0]),
        "after": list(files[1]),
        "warnings": [_doubt(doubt) for doubt in doubts],
        "compared": [
            {
                "before": _counted(one.before),
                "after": _counted(one.after),
                "drift_p": rounded(one.drift_p),
                "warnings": [_doubt(doubt) for doubt in one.doubts],
                "measures": [
                    {"measure": compared.measure.key, "rows": [_row(row) for row in compared.rows]}
                    for compared in one.measures
                ],
            }
            for one in comparisons
        ],
    }


def _doubt(doubt: Doubt) -> dict[str, Any]:
    return {"kind": doubt.kind, "text": doubt.text}


def _counted(counted: Counted) -> dict[str, Any]:
    return {"domain": counted.label, "intervals": counted.intervals, "seconds": round(counted.seconds, 9)}


def _row(row: Change) -> dict[str, Any]:
    return {
        "reason": row.reason_name,
        "before": _median(row.before),
        "after": _median(row.after),
        "presence": row.presence.value,
        "change": rounded(row.change),
        "p": rounded(row.p),
        "p_of_all": rounded(row.p_of_all),
        "claimed": row.verdict.value,
        "correlation": round(row.correlation, 3),
    }


def _median(side: Median | None) -> dict[str, Any] | None:
    if not side:
        return None
    low, high = rounded(side.low), rounded(side.high)
    return {"median": rounded(side.middle), "low": low, "high": high, "samples": side.samples}
