"""Medians and the intervals that they lie in. Small functions that the standard library lacks, each with its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

#: From here on the binomial distribution is as good as normal.
_MANY = 1000


@dataclass(frozen=True)
class Median:
    """The median of `samples` values, and where it lies with a confidence of 95%; None with fewer than 6."""

    middle: float
    low: float | None
    high: float | None
    samples: int

    @property
    def spread(self) -> float | None:
        """How far the interval's farther end lies from the median, as a part of it; None where that says nothing."""
        if self.low is None or self.high is None or not self.middle:
            return None
        return max(self.high - self.middle, self.middle - self.low) / self.middle


def estimate_median(samples: Sequence[float], confidence: float = 0.95) -> Median | None:
    """The median of some samples; None of none.

    Order statistics bound it whatever the distribution is: so many of the samples lie below the true median as a fair
    coin shows heads (W. J. Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2).
    """
    ordered = sorted(samples)
    if not ordered:
        return None
    outside = _outside(len(ordered), 1 - confidence)
    if outside is None:
        return Median(median(ordered), None, None, len(ordered))
    return Median(median(ordered), ordered[outside], ordered[-1 - outside], len(ordered))


def _outside(samples: int, level: float) -> int | None:
    """How many samples on each side may be left out of the interval; None where even all of them are too few."""
    if samples > _MANY:
        z = NormalDist().inv_cdf(1 - level / 2)
        return max(0, math.floor((samples - z * math.sqrt(samples)) / 2) - 1)
    found, below = None, 0
    for at in range(samples // 2):
        below += math.comb(samples, at)
        if 2 * below > level * 2**samples:
            break
        found = at
    return found
