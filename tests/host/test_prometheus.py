"""A real Prometheus scrapes the exporter, whose counter is made up: what it stores is what was counted."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from prometheus_api import running
from required import find_program

DRIVER = [sys.executable, str(Path(__file__).resolve().parents[1] / "cli/run_driver.py")]

CONFIGURATION = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: virt-exitstat
  static_configs: [{{targets: ["{host}"]}}]
"""


@pytest.fixture(scope="module")
def exporter(tmp_path_factory):
    """Its address, as HOST:PORT."""
    root = tmp_path_factory.mktemp("exporter")
    words = [*DRIVER, "--listen", "0", "--time", "--histogram", "--domain-info", "--per-vcpu"]
    environment = {**os.environ, "WORLD": str(root), "GROWS": "1"}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment)
    yield re.search(r"http://(\S+)/metrics", process.stderr.readline()).group(1)
    process.terminate()
    assert process.wait(20) == 0
    process.stderr.close()


@pytest.fixture(scope="module")
def ask(exporter, tmp_path_factory):
    """Ask a Prometheus that has scraped the exporter four times: a query to [(labels, value)]."""
    program = find_program("prometheus", "prometheus")
    home, configuration = tmp_path_factory.mktemp("prometheus"), CONFIGURATION.format(host=exporter)
    with running(home, configuration, until=lambda one: scrapes(one) >= 4, program=program) as prometheus:
        yield prometheus.query


def scrapes(prometheus):
    return sum(count for _, count in prometheus.query("count_over_time(up[1m])"))


def test_every_scrape_is_taken(ask):
    assert [value for _, value in ask("min_over_time(up[1m])")] == [1]


def test_what_is_stored_grows_as_the_counter_does(ask):
    """db01 takes 99 exits a second."""
    ((labels, values),) = ask('kvm_exits_total{domain="db01"}[1m]')
    assert labels["vcpu"] == "0" and labels["uuid"] == "22222222-2222-4222-8222-222222222222"
    (first_s, first), (last_s, last) = values[0], values[-1]
    assert (last - first) / (last_s - first_s) == pytest.approx(99, rel=0.1)


def test_a_hostile_name_is_stored_as_it_is(ask):
    names = {labels["domain"] for labels, _ in ask("kvm_domain_vcpus")}
    assert names == {"web01", "db01", "42", 'odd "name" $(id) ü'}


def test_times_are_there_by_vcpu_and_the_histogram_by_domain(ask):
    assert {labels["vcpu"] for labels, _ in ask('kvm_exit_seconds_total{domain="web01"}')} == {"0", "1"}
    ((_, quantile),) = ask(
        'histogram_quantile(0.5, sum by (le) (rate(kvm_exit_duration_seconds_bucket{domain="db01"}[1m])))'
    )
    assert 1e-6 < quantile < 1


def test_the_types_are_known(ask, exporter):
    assert ask("virt_exitstat_libvirt_up") and ask("virt_exitstat_build_info") and ask("kvm_domain_info")
    with urllib.request.urlopen(f"http://{exporter}/metrics", timeout=20) as response:
        text = response.read().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert kinds["kvm_exits_total"] == "counter" and kinds["kvm_exit_duration_seconds"] == "histogram"
    assert "untyped" not in kinds.values()


def test_its_checker_has_nothing_to_say(exporter):
    promtool = find_program("promtool", "prometheus")
    with urllib.request.urlopen(f"http://{exporter}/metrics", timeout=20) as response:
        text = response.read()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
