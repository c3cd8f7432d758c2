"""Recording and alerting rules: their own tests, and a real Prometheus that evaluates them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from made_up_world import HERE, RULES

MONITORING = RULES.parent
TESTS = sorted(HERE.glob("*.test.yml"))


def rules(kind):
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def cases(kind):
    return [case for path in TESTS for one in yaml.safe_load(path.read_text())["tests"] for case in one.get(kind, [])]


def promtool_tests(promtool, path):
    done = subprocess.run([promtool, "test", "rules", path.name], cwd=path.parent, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=[path.name for path in TESTS])
def test_the_rules_pass_their_tests(promtool, path):
    status, text = promtool_tests(promtool, path)
    assert status == 0, text


# A second witness for the test above: each fault makes a test fail.
@pytest.mark.parametrize(
    ("tests", "right", "wrong"),
    [
        ("alerts", "> 20000", "> 30000"),
        ("alerts", "> 20000", "> 10000"),
        ("alerts", "ratio_rate5m > 0.3", "ratio_rate5m > 0.45"),
        ("alerts", "for: 10m", "for: 1m"),
        ("alerts", "for: 15m", "for: 25m"),
        ("alerts", 'reason!~"HLT|IDLE_HLT|WFX"', 'reason!~"HLT|WFX"'),
        ("alerts", 'reason!~"HLT|IDLE_HLT|WFX"', 'reason!~"HLT|IDLE_HLT"'),
        ("records", "/ on (job, instance, domain, uuid) kvm_domain_vcpus", "/ 1"),
        ("alerts", "rate(kvm_exit_seconds_total[5m])", "rate(kvm_exits_total[5m])"),
        ("unusual", "> 5 * avg_over_time", "> 15 * avg_over_time"),
        ("unusual", "per_vcpu:rate5m > 2000", "per_vcpu:rate5m > 20"),
        ("unusual", "[1h] offset 12h) > 0", "[1h] offset 1h) > 0"),
        ("alerts", "lost_exits_total[15m]", "lost_exits_total[1h]"),
        ("alerts", "libvirt_up == 0", "libvirt_up == 1"),
        ("alerts", "collect_duration_seconds > 5", "collect_duration_seconds > 3"),
        ("alerts", 'mtime_seconds{file=~"(.*/)?virt-exitstat', 'mtime_seconds{file=~"(.*/)?apt'),
        ("alerts", 'up{job="virt-exitstat"} == 0', "up == 0"),
        ("records", "rate5m > 1000", "rate5m > 900"),
        ("records", "or 0 * ", "or 1 * "),
    ],
)
def test_a_fault_in_the_rules_fails_a_test(promtool, tmp_path, tests, right, wrong):
    text = RULES.read_text()
    assert right in text
    (tmp_path / "monitoring").mkdir()
    (tmp_path / "monitoring" / RULES.name).write_text(text.replace(right, wrong))
    (tmp_path / "tests/monitoring").mkdir(parents=True)
    copy = shutil.copy(HERE / f"{tests}.test.yml", tmp_path / "tests/monitoring")
    status, text = promtool_tests(promtool, Path(copy))
    assert status != 0
    # The rules are still rules: what fails is what a test expects.
    assert "exp:" in text


def test_each_record_has_a_value_that_is_tested():
    tested = [case["expr"] for case in cases("promql_expr_test") if case["exp_samples"]]
    assert rules("record")
    assert [name for name in rules("record") if not any(name in expr for expr in tested)] == []


def test_each_alert_is_tested_to_tell_and_to_keep_still():
    told = {case["alertname"] for case in cases("alert_rule_test") if case["exp_alerts"]}
    still = {case["alertname"] for case in cases("alert_rule_test") if not case["exp_alerts"]}
    assert set(rules("alert")) == told == still


def test_each_alert_says_how_bad_it_is_and_what_to_do():
    for name, rule in rules("alert").items():
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), name
        assert set(rule["annotations"]) == {"summary", "description"}, name


def test_a_prometheus_evaluates_each_rule_without_an_error(prometheus):
    evaluated = {rule["name"]: (rule["health"], rule.get("lastError")) for rule in prometheus.rules()}
    assert set(evaluated) == set(rules("record")) | set(rules("alert"))
    assert {name: how for name, how in evaluated.items() if how != ("ok", None)} == {}


def test_a_prometheus_has_series_of_each_record(prometheus):
    assert [name for name in rules("record") if not prometheus.query(name)] == []


def test_the_example_of_a_shards_configuration_is_valid(promtool, tmp_path):
    for path in MONITORING.glob("*.yml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/hosts.json").write_text('[{"targets": ["h1:19969"]}]')
    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "WARNING" not in done.stdout


def test_the_records_that_go_up_are_those_that_the_page_lists():
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    keep = config["remote_write"][0]["write_relabel_configs"][0]["regex"]
    sent = {name for name in rules("record") if re.fullmatch(keep, name)}
    page = (MONITORING.parent / "docs/fleet.md").read_text()
    assert sent == set(re.findall(r"^\| `(instance_[\w:]+)` \|", page, re.MULTILINE))
