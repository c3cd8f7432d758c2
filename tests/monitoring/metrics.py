"""The metrics that the exporter serves: names, types and labels. Dashboards and rules may use these and no others."""

from typing import NamedTuple


class Metric(NamedTuple):
    """A metric as Prometheus names it; `later` ones are not served yet, so that nothing may ask for them."""

    name: str
    type: str
    labels: tuple[str, ...] = ()
    later: bool = False


METRICS = (
    Metric("kvm_exits_total", "counter", ("domain", "uuid", "reason", "vcpu")),
    Metric("kvm_exit_seconds_total", "counter", ("domain", "uuid", "reason", "vcpu")),
    Metric("kvm_exit_duration_seconds", "histogram", ("domain", "uuid", "reason")),
    Metric("kvm_domain_vcpus", "gauge", ("domain", "uuid")),
    Metric("virt_exitstat_lost_exits_total", "counter", ("cause",)),
    Metric("virt_exitstat_build_info", "gauge", ("version", "isa", "attachment", "kernel")),
    Metric("virt_exitstat_libvirt_up", "gauge"),
    Metric("virt_exitstat_collect_duration_seconds", "gauge"),
    Metric("kvm_domain_info", "gauge", ("domain", "uuid", "pid"), later=True),
)


def series_names():
    """What a query may ask for: a histogram is three kinds of series, and none has its name."""
    for metric in METRICS:
        if metric.type == "histogram":
            yield from (f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
        elif not metric.later:
            yield metric.name
