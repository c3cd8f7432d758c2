"""Families of samples, as values: what Prometheus calls a metric, with its labels."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union


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


#: One value: its labels, in the order of the family's names, and a number; a histogram's is a Distribution. A bare
#: tuple, for there are a hundred thousand in a scrape of 4,096 vCPUs.
Sample = tuple[Sequence[str], Union[float, Distribution]]


@dataclass(frozen=True)
class Family:
    """Samples of one name. A counter's `name` has its `_total`."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...]
    samples: Sequence[Sample]
