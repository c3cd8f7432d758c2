"""families, exposition: the metrics of what was counted, read back by prometheus_client's own parser."""

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_totals import add_up, reading, timed

from made_up_reports import domain
from virt_exitstat.metrics.exposition import CONTENT_TYPE, expose, import_client
from virt_exitstat.metrics.families import METRICS, Collected, Identity, make_families, name_domains
from virt_exitstat.metrics.totals import Totals
from virt_exitstat.metrics.wanted import Wanted
from virt_exitstat.targets.nova import NovaNames

WEB, DB = domain("web01", 100, 2), domain("db01", 200)

NOVA = NovaNames("my shop", "m1.small", "demo", "p-1", "admin", "u-1")


def collect(totals, *, identities=None, ended=False, **more):
    if identities is None:
        identities = {
            process: Identity(one.target.label, one.target.domain.uuid) for process, one in totals.domains.items()
        }
    return Collected(totals, name_domains(totals, identities, ended=ended), **more)


def read_back(collected, **how):
    """{sample's name: {its labels' values, in the order of their names: value}}."""
    found = {}
    for family in text_string_to_metric_families(expose(make_families(collected), **how).decode()):
        for sample in family.samples:
            values = tuple(value for _, value in sorted(sample.labels.items()))
            assert values not in found.setdefault(sample.name, {}), "Prometheus refuses two of the same labels"
            found[sample.name][values] = sample.value
    return found


EXITS = reading([WEB, DB], {101: {12: 5}, 102: {12: 1, 30: 2}, 201: {10: 9}}, lost=(1, 0, 2))
TIMES = reading([WEB], {101: {12: timed(2000, 3)}, 102: {12: timed(500, 1)}})


def test_exits_by_domain():
    found = read_back(collect(add_up(EXITS), libvirt_up=True, seconds=0.25))
    assert found["kvm_exits_total"] == {
        ("web01", "12", "uuid of web01"): 6,
        ("web01", "30", "uuid of web01"): 2,
        ("db01", "10", "uuid of db01"): 9,
    }
    assert found["kvm_domain_vcpus"] == {("web01", "uuid of web01"): 2, ("db01", "uuid of db01"): 1}
    assert found["virt_exitstat_lost_exits_total"] == {("no_row",): 1, ("no_reason",): 0, ("recursion",): 2}
    assert found["virt_exitstat_libvirt_up"] == {(): 1}
    assert found["virt_exitstat_collect_duration_seconds"] == {(): 0.25}
    ((build, one),) = found["virt_exitstat_build_info"].items()
    assert one == 1 and build[:3] == ("raw", "vmx", "6.1.0")
    assert set(found) & {"kvm_exit_seconds_total", "kvm_exit_duration_seconds_sum", "kvm_domain_info"} == set()


def test_exits_by_vcpu_and_those_of_a_thread_without_a_number():
    more = reading([WEB], {101: {12: 5}, 102: {12: 1}, 150: {12: 4}, 151: {12: 3}})
    found = read_back(collect(add_up(more, per_vcpu=True), wanted=Wanted(per_vcpu=True)))
    # Labels in the order of their names: domain, reason, uuid, vcpu.
    assert {(labels[1], labels[3]): value for labels, value in found["kvm_exits_total"].items()} == {
        ("12", "0"): 5,
        ("12", "1"): 1,
        ("12", ""): 7,
    }


def test_times_are_in_seconds():
    found = read_back(collect(add_up(TIMES), timed=True))
    assert found["kvm_exit_seconds_total"] == {("web01", "12", "uuid of web01"): pytest.approx(6.5e-6)}
    assert "kvm_exit_duration_seconds_sum" not in found


def test_the_histogram_is_by_domain_also_beside_vcpus():
    wanted = Wanted(per_vcpu=True, histogram=True)
    found = read_back(collect(add_up(TIMES, per_vcpu=True, histogram=True), timed=True, wanted=wanted))
    buckets = {labels[1]: value for labels, value in found["kvm_exit_duration_seconds_bucket"].items()}
    assert list(buckets)[-1] == "+Inf" and next(iter(buckets)) == "1.024e-06"
    assert [*buckets.values()] == [1, *[4] * (len(buckets) - 1)]
    assert found["kvm_exit_duration_seconds_count"] == {("web01", "12", "uuid of web01"): 4}
    assert found["kvm_exit_duration_seconds_sum"] == {("web01", "12", "uuid of web01"): pytest.approx(6.5e-6)}


def test_novas_names_are_a_metric_of_their_own():
    collected = collect(
        add_up(EXITS),
        identities={(100, 0): Identity("web01", "u1", NOVA), (200, 0): Identity("db01", "u2")},
        wanted=Wanted(domain_info=True),
    )
    names = "domain flavor_name instance_name pid project_id project_name user_id user_name uuid".split()
    found = [dict(zip(names, labels)) for labels in read_back(collected)["kvm_domain_info"]]
    # The parser leaves no label out, and an empty one is none to Prometheus.
    assert found[1] == {
        "domain": "web01",
        "flavor_name": "m1.small",
        "instance_name": "my shop",
        "pid": "100",
        "project_id": "p-1",
        "project_name": "demo",
        "user_id": "u-1",
        "user_name": "admin",
        "uuid": "u1",
    }
    assert found[0]["pid"] == "200" and found[0]["flavor_name"] == ""


HOSTILE = {
    "quotes": 'a "b" c',
    "a backslash": "a\\b\\n\\",
    "a newline": 'a\nkvm_exits_total{domain="forged"} 1\n',
    "an end": '"} 1 #',
    "no UTF-8": "caf\udce9",
    "half a surrogate pair": "\ud800",
    "other scripts": "日本 ü",
    "control characters": "\x1b[2J\r\0",
    "nothing": "",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_stays_one_label(name):
    nova = NovaNames(*[name] * 6)
    found = read_back(
        collect(
            add_up(EXITS),
            identities={(100, 0): Identity(name, name, nova), (200, 0): Identity("db01", "u2")},
            wanted=Wanted(domain_info=True),
        )
    )
    shown = name.encode(errors="backslashreplace").decode()
    assert {labels[0] for labels in found["kvm_exits_total"]} == {shown, "db01"}
    assert {labels[2] for labels in found["kvm_domain_info"]} == {shown, ""}


def test_two_processes_of_one_name_are_told_apart_and_the_older_keeps_the_name():
    same = Identity("web01", "")
    totals = add_up(reading([replace(WEB, started=7), replace(DB, started=3)], {101: {12: 5}, 201: {12: 9}}))
    found = read_back(collect(totals, identities={(100, 7): same, (200, 3): same}))
    assert {labels[0]: value for labels, value in found["kvm_exits_total"].items()} == {
        "web01": 9,
        "web01 (pid 100)": 5,
    }


def test_a_domain_that_has_ended_is_left_out_unless_it_is_wanted():
    totals = add_up(reading([WEB, DB], {101: {12: 5}, 201: {12: 9}}, ended=[(100, 0)]))
    assert {labels[0] for labels in read_back(collect(totals))["kvm_exits_total"]} == {"db01"}
    assert {labels[0] for labels in read_back(collect(totals, ended=True))["kvm_exits_total"]} == {"db01", "web01"}


def test_libvirt_is_not_mentioned_where_it_is_not_asked():
    assert "virt_exitstat_libvirt_up" not in read_back(collect(Totals()))
    assert read_back(collect(Totals(), libvirt_up=False))["virt_exitstat_libvirt_up"] == {(): 0}


def test_our_own_process_is_told_where_that_is_wanted():
    assert "process_cpu_seconds_total" not in read_back(collect(Totals()))
    assert read_back(collect(Totals()), process=True)["process_resident_memory_bytes"][()] > 1e6


def test_a_large_counter_is_exact():
    found = read_back(collect(add_up(reading([WEB], {101: {12: 2**53 - 1}}))))
    assert [*found["kvm_exits_total"].values()] == [2**53 - 1]


def everything():
    wanted = Wanted(per_vcpu=True, histogram=True, domain_info=True)
    totals = add_up(TIMES, per_vcpu=True, histogram=True)
    return make_families(collect(totals, timed=True, wanted=wanted, libvirt_up=True))


def test_every_metric_can_be_told():
    assert [family.name for family in everything()] == [metric.name for metric in METRICS]


def test_the_type_is_one_that_every_prometheus_reads():
    assert re.fullmatch(r"text/plain; version=0\.0\.4; charset=utf-8", CONTENT_TYPE)
    assert import_client().CONTENT_TYPE_LATEST.startswith("text/plain; version=")
