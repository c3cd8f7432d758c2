"""The dashboard: a real Prometheus takes each of its queries and finds something."""

import json

import pytest

from dashboard_check import faults_of
from made_up_world import RULES

PATH = RULES.parent / "dashboards/virt-exitstat.json"


def test_the_dashboard_has_no_fault(prometheus):
    board = json.loads(PATH.read_text())
    assert len(board["panels"]) > 10
    assert faults_of(board, prometheus) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("sum by (reason) (rate(kvm_exits_total", "sum by (reason) (rate(kvm_exit_total", "finds nothing"),
        ("count(kvm_domain_vcpus", "count((kvm_domain_vcpus", "parse error"),
        ("{{domain}} vCPU", "{{name}} vCPU", "no label name"),
        ("count by (version, isa", "count by (version, cpu", "no label cpu"),
        ('instance=~\\"$instance\\"', 'instance=~\\"$host\\"', "variable instance is used nowhere"),
        ("label_values(kvm_domain_vcpus, job)", "label_values(kvm_vcpus, job)", "variable job has no values"),
        ('"uid": "${datasource}"', '"uid": "P1809F7CD0C75ACF3"', "its data source is fixed"),
        ('"x": 6,', '"x": 5,', "overlaps"),
        ('"id": 2,', '"id": 1,', "id 1 twice"),
        ("[$__rate_interval]", "[$__rate]", "no variable __rate"),
        ('"unit": "percentunit"', '"unit": ""', "no title, description or unit"),
    ],
)
def test_a_fault_is_found(prometheus, right, wrong, fault):
    text = PATH.read_text()
    assert right in text
    board = json.loads(text.replace(right, wrong))
    assert fault in " ".join(faults_of(board, prometheus))
