"""The exporter as it is installed on a host with systemd, and Debian's Prometheus."""

import json
import subprocess
from pathlib import Path

import pytest

from kvm_host import CHECKOUT, bpf_objects, wait_until
from systemd_host import SERVICE, SOCKET, ScrapingPrometheus, Started, systemctl

_FIGURES = []


@pytest.fixture()
def measured():
    """Note a figure for whoever writes it down: measured(what, value)."""
    return lambda what, value: _FIGURES.append((what, value))


def pytest_terminal_summary(terminalreporter):
    """Print the figures."""
    for what, value in _FIGURES:
        terminalreporter.write_line(f"measured: {what}: {value}")


@pytest.fixture(scope="session", autouse=True)
def installed():
    """What docs/monitoring.md says; where the examples and rules are."""
    subprocess.run(["make", "-s", "-C", CHECKOUT, "install", "install-exporter"], check=True, capture_output=True)
    subprocess.run(["systemd-sysusers"], check=True, capture_output=True)
    return Path("/usr/local/share/virt-exitstat-exporter")


@pytest.fixture(scope="module")
def service():
    """The service, enabled and started."""
    before = bpf_objects()
    systemctl("enable", "--now", SERVICE)
    yield Started(port=19969, loaded_before=before)
    systemctl("disable", "--now", SERVICE, SOCKET)


@pytest.fixture(scope="module")
def prometheus(installed, service):
    """Debian's, which has scraped the service."""
    # JSON is YAML.
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(installed / "virt-exitstat.rules.yml")],
        "scrape_configs": [
            {"job_name": "virt-exitstat", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
        ],
    }
    Path("/etc/prometheus/prometheus.yml").write_text(json.dumps(config))
    one = ScrapingPrometheus("http://127.0.0.1:9090")
    systemctl("start", "prometheus.service")
    wait_until(one.is_up, "Prometheus has scraped the exporter")
    yield one
    systemctl("stop", "prometheus.service")
