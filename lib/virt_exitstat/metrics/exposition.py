"""Families to the text that Prometheus reads. The door to prometheus_client."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from ..host.needs.foreign import importing
from ..host.needs.packages import Need
from .family import Distribution, Family, Kind
from .garbage import no_search_for_cycles

#: Every Prometheus reads it, whatever else the library can write. Our names need nothing newer.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_CLASSES = {
    Kind.COUNTER: "CounterMetricFamily",
    Kind.GAUGE: "GaugeMetricFamily",
    Kind.HISTOGRAM: "HistogramMetricFamily",
}


def import_client() -> Any:
    """The library. Called before counting starts too: a long count must not end in this ExitStatError."""
    with importing("prometheus_client", Need.PROMETHEUS_CLIENT, hint="'-o json' and '-o csv' do without it"):
        importlib.import_module("prometheus_client.core")
        return importlib.import_module("prometheus_client")


@no_search_for_cycles()
def expose(families: Iterable[Family], *, process: bool = False) -> bytes:
    """The text of the families; with `process`, of this process's CPU time, memory and descriptors as well."""
    client = import_client()
    text: bytes = client.generate_latest(_Registry(client, families, process=process))
    return text


class _Registry:
    """What the library takes for a registry: nothing in it stays from one exposition to the next."""

    def __init__(self, client: Any, families: Iterable[Family], *, process: bool) -> None:
        self._client, self._families, self._process = client, families, process

    def collect(self) -> Iterator[Any]:
        for family in self._families:
            yield self._convert(family)
        if self._process:
            yield from self._client.ProcessCollector(registry=None).collect()

    def _convert(self, family: Family) -> Any:
        made = getattr(self._client.core, _CLASSES[family.kind])(family.name, family.about, labels=family.labels)
        for labels, value in family.samples:
            if isinstance(value, Distribution):
                # The bounds as Prometheus prints them; the last bucket has all.
                up_to = [(repr(bound_s), count) for bound_s, count in value.up_to.items()]
                made.add_metric(labels, [*up_to, ("+Inf", value.exits)], value.sum_s)
            else:
                made.add_metric(labels, value)
        return made
