"""Names of metrics: those that the exporter serves, everywhere, and each of them of use."""

import re

import pytest

from made_up_world import RULES
from virt_exitstat.metrics.families import METRICS
from virt_exitstat.metrics.family import Kind

MONITORING = RULES.parent
DOCS = MONITORING.parent / "docs"
PLACES = [
    *sorted(path for path in MONITORING.rglob("*") if path.is_file()),
    DOCS / "fleet.md",
    DOCS / "monitoring.md",
]


def series_names(metric):
    """What a query may ask for: a histogram is three kinds of series, and none has its name."""
    parts = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
    return {f"{metric.name}{part}" for part in parts}


def named_in(text):
    """Names like the exporter's; a record's has colons, and is none of these."""
    return set(re.findall(r"(?<![\w:])(?:kvm|virt_exitstat)_[a-z]\w*(?![\w:])", text))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_each_metric_that_is_named_is_served(place):
    named = named_in(place.read_text())
    known = set().union(*map(series_names, METRICS))
    if place.name == "monitoring.md":
        known |= {metric.name for metric in METRICS}
    assert named
    assert named - known == set()


def test_each_metric_that_is_served_is_of_use_here():
    """In a rule, in the dashboard, or in a fleet's query."""
    used = set().union(*(named_in(place.read_text()) for place in PLACES if place.name != "monitoring.md"))
    assert [metric.name for metric in METRICS if not series_names(metric) & used] == []
