"""A comparison as CSV: a line for each domain, measure and reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ...comparisons.compare import Comparison
from ...comparisons.medians import Median
from .numbers import rounded

#: Columns only grow, at the end.
_COLUMNS = (
    "before_domain",
    "after_domain",
    "measure",
    "reason",
    "before",
    "before_low",
    "before_high",
    "before_samples",
    "after",
    "after_low",
    "after_high",
    "after_samples",
    "presence",
    "change",
    "p",
    "p_of_all",
    "claimed",
)


def comparison_csv(comparisons: Sequence[Comparison], *, header: bool = True) -> str:
    """The rows of all comparisons, by RFC 4180. A number that is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(_COLUMNS)
    for one in comparisons:
        for compared in one.measures:
            for row in compared.rows:
                fields = (
                    one.before.label,
                    one.after.label,
                    compared.measure.key,
                    row.reason_name,
                    *_median(row.before),
                    *_median(row.after),
                    row.presence.value,
                    _written(row.change),
                    _written(row.p),
                    _written(row.p_of_all),
                    row.verdict.value,
                )
                writer.writerow(field.replace("\0", "") for field in fields)
    return text.getvalue()


def _median(side: Median | None) -> tuple[str, ...]:
    if not side:
        return ("", "", "", "0")
    return (_written(side.middle), _written(side.low), _written(side.high), str(side.samples))


def _written(value: float | None) -> str:
    number = rounded(value)
    return "" if number is None else f"{number:.15g}"
