"""Families of samples, as values: what Prometheus calls a metric, with its labels."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

#: The name of the format that writes metrics, beside those of reports (formats.known).
PROMETHEUS = "prometheus"

#: What the help says of it.
ABOUT = "metrics for Prometheus, cumulative"


class Kind(enum.Enum):
    """Prometheus' types of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Distribution(NamedTuple):
    """The value of a histogram's sample: {upper bound in seconds: exits up to it}, all of them, their sum."""

    up_to: Mapping[float, int]
    exits: int
    sum_s: float


class Sample(NamedTuple):
    """One value. `labels` are in the order of the family's names; a Distribution is a histogram's."""

    labels: Sequence[str]
    value: Union[float, Distribution]  # noqa: UP007  (evaluated, and Python 3.9 knows no `|` between types)


@dataclass(frozen=True)
class Family:
    """Samples of one name. A counter's `name` has its `_total`."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...]
    samples: Sequence[Sample]
