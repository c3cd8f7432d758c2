"""The hosts of fleet.test.yml as the data of a real Prometheus that has just scraped them for 90 minutes."""

import json
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import yaml

import prometheus_api

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "monitoring/virt-exitstat.rules.yml"

_STEP_S = 15

# A host more, that has all which is off by default, and whose libvirt hangs.
_H8 = 'job="virt-exitstat",instance="h8",domain="db01",uuid="u8"'
_MORE = {
    f"kvm_domain_vcpus{{{_H8}}}": "1x360",
    f'kvm_exits_total{{{_H8},reason="MSR_WRITE",vcpu="0"}}': "0+1500x360",
    f'kvm_exit_seconds_total{{{_H8},reason="MSR_WRITE",vcpu="0"}}': "0+0.003x360",
    f'kvm_exit_duration_seconds_bucket{{{_H8},reason="MSR_WRITE",le="1.024e-06"}}': "0+500x360",
    f'kvm_exit_duration_seconds_bucket{{{_H8},reason="MSR_WRITE",le="4.096e-06"}}': "0+1500x360",
    f'kvm_exit_duration_seconds_bucket{{{_H8},reason="MSR_WRITE",le="+Inf"}}': "0+1500x360",
    f'kvm_exit_duration_seconds_sum{{{_H8},reason="MSR_WRITE"}}': "0+0.003x360",
    f'kvm_exit_duration_seconds_count{{{_H8},reason="MSR_WRITE"}}': "0+1500x360",
    'virt_exitstat_libvirt_up{job="virt-exitstat",instance="h1"}': "1x360",
    'virt_exitstat_libvirt_up{job="virt-exitstat",instance="h8"}': "0x360",
    'virt_exitstat_collect_duration_seconds{job="virt-exitstat",instance="h8"}': "0.1x360",
}


def values_of(notation):
    """The values that promtool's notation stands for: `A+BxN`, `AxN`, one after the other."""
    for part in notation.split():
        start, step, times = re.fullmatch(r"([\d.]+)(?:\+([\d.]+))?x(\d+)", part).groups()
        yield from (float(start) + float(step or 0) * n for n in range(int(times) + 1))


def openmetrics(end_s):
    """The text of all series, the last sample of each at `end_s`."""
    (world,) = yaml.safe_load((HERE / "fleet.test.yml").read_text())["tests"]
    series = {**{one["series"]: one["values"] for one in world["input_series"]}, **_MORE}
    lines = []
    for name in sorted(series):  # The samples of a metric stand together.
        values = [*values_of(series[name])]
        lines += [f"{name} {value:.9g} {end_s - _STEP_S * (len(values) - 1 - n)}" for n, value in enumerate(values)]
    return "\n".join([*lines, "# EOF", ""])


class WorldPrometheus(prometheus_api.Prometheus):
    """A server that runs, with the time of its data's last sample."""

    def __init__(self, url, end_s):
        super().__init__(url)
        self.end_s = end_s


@contextmanager
def running(promtool, program, directory):
    """A Prometheus with the made-up data, which has evaluated the rules twice."""
    end_s = int(time.time())
    (directory / "world.txt").write_text(openmetrics(end_s))
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", directory / "world.txt", directory / "data"],
        check=True,
        capture_output=True,
    )
    # JSON is YAML.
    configuration = json.dumps({"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)]})
    with prometheus_api.running(directory, configuration, until=_has_evaluated, program=program) as prometheus:
        yield WorldPrometheus(prometheus.url, end_s)


def _has_evaluated(prometheus):
    """Whether each rule was evaluated after all that it may look at: twice."""
    groups = prometheus.ask("rules")["groups"]
    records = prometheus.query("count_over_time(instance_domain:kvm_exit_time:ratio_rate5m[1m])")
    return bool(groups) and bool(records) and all(count >= 2 for _, count in records)
