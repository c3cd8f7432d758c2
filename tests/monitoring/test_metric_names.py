"""Names of metrics: those of the exporter everywhere, and each of them explained."""

import re

import pytest

from made_up_world import RULES
from metrics import METRICS, series_names

MONITORING = RULES.parent
DOCS = MONITORING.parent / "docs"
PLACES = [
    *sorted(path for path in MONITORING.rglob("*") if path.is_file()),
    DOCS / "fleet.md",
    DOCS / "monitoring.md",
]


def named_in(text):
    """Names like the exporter's; a record's has colons, and is none of these."""
    return set(re.findall(r"(?<![\w:])(?:kvm|virt_exitstat)_[a-z]\w*(?![\w:])", text))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_each_metric_that_is_named_is_served(place):
    named = named_in(place.read_text())
    known = {*series_names()}
    if place.parent == DOCS:
        known |= {metric.name for metric in METRICS}
    assert named
    assert named - known == set()


def test_each_metric_is_explained_with_its_type_and_labels():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|$", (DOCS / "monitoring.md").read_text(), re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}
    assert told == {metric.name: (metric.type, metric.labels) for metric in METRICS}


def test_each_metric_that_is_served_is_of_use_here():
    """In a rule or in the dashboard."""
    used = set().union(*(named_in(place.read_text()) for place in PLACES if place.parent != DOCS))
    served = {metric.name for metric in METRICS if not metric.later}
    assert {name for name in served if not any(one.startswith(name) for one in used)} == set()
