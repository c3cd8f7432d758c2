"""The exporter's service on a real host: its rights, its counts by Prometheus beside KVM's own, and its end.

The tests stand in the order of a service's life, and each begins where the one before has ended.
"""

import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from kvm_host import Witness, bpf_objects, programs_loaded, virsh, wait_until, work_for
from systemd_host import SERVICE, SOCKET, TOTALS, seconds_to_ready, setting, status_of, systemctl

pytestmark = pytest.mark.usefixtures("service")

# CAP_DAC_READ_SEARCH, CAP_PERFMON and CAP_BPF.
_THREE_CAPABILITIES = f"{1 << 2 | 1 << 38 | 1 << 39:016x}"


def test_when_systemd_takes_it_for_started_it_counts(service, measured):
    assert setting(SERVICE, "ActiveState") == "active"
    assert programs_loaded()
    assert {kind for kind, _ in bpf_objects() - service.loaded_before} == {"prog", "map", "link"}
    measured("systemd", systemctl("--version").split()[1])
    measured("seconds to READY", f"{seconds_to_ready(SERVICE):.1f}")


def test_it_runs_as_its_user_with_three_capabilities():
    status = status_of(setting(SERVICE, "MainPID"))
    (uid,) = re.findall(r"^_virt-exitstat:[^:]*:(\d+):", Path("/etc/passwd").read_text(), re.MULTILINE)
    assert set(status["Uid"].split()) == {uid}
    assert {status[kind] for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {_THREE_CAPABILITIES}
    # 2: a filter of system calls.
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_systemd_finds_it_little_exposed(measured):
    said = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", SERVICE], capture_output=True, text=True, check=False
    ).stdout
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    measured("exposure", score)
    assert float(score) <= 1.5


def test_the_port_answers_on_loopback_out_of_a_network_of_its_own(service):
    text = urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=60).read().decode()
    assert 'kvm_domain_vcpus{domain="guest01"' in text
    networks = {Path(f"/proc/{pid}/ns/net").readlink() for pid in (1, setting(SERVICE, "MainPID"))}
    assert len(networks) == 2


def test_over_a_pause_prometheus_increase_is_the_difference_of_kvms_counters(prometheus, suspended, measured):
    guests = suspended("guest01", "guest02")
    # A domain that has taken no exit yet has no series, and what it begins with is no increase.
    work_for(guests, exits=100)
    before, began_s = {guest.name: guest.exits() for guest in guests}, prometheus.at_rest()
    work_for(guests)
    taken = {guest.name: guest.exits() - before[guest.name] for guest in guests}
    ended_s = prometheus.at_rest()
    first, last = (prometheus.by_domain(TOTALS, at_s) for at_s in (began_s, ended_s))
    assert {name: last[name] - first[name] for name in taken} == taken
    assert prometheus.increase(began_s, ended_s) == taken
    measured("Prometheus", prometheus.ask("status/buildinfo")["version"])
    measured("exits of both domains", sum(taken.values()))


def test_a_domain_that_comes_back_is_counted_from_its_first_exit_each_time(prometheus):
    for _ in range(2):
        virsh("start", "cpuid", "--paused")
        wait_until(lambda: prometheus.value('kvm_domain_vcpus{domain="cpuid"}') == 1, "the domain is counted")
        cpuid = Witness("cpuid")
        virsh("resume", "cpuid")
        wait_until(lambda cpuid=cpuid: cpuid.halts() == 1, "the guest has halted")
        virsh("suspend", "cpuid")
        at_s = prometheus.at_rest()
        assert prometheus.by_domain('kvm_exits_total{domain="cpuid",reason="CPUID"}', at_s) == {"cpuid": 23000}
        assert prometheus.by_domain(TOTALS, at_s)["cpuid"] == cpuid.exits()
        virsh("destroy", "cpuid")
        ended = '(up == 1) unless on () kvm_exits_total{domain="cpuid"}'
        wait_until(lambda ended=ended: prometheus.query(ended), "its series have ended")


def test_while_libvirtd_is_stopped_counting_goes_on_and_prometheus_sees_both(prometheus, suspended):
    (guest01,) = suspended("guest01")
    before, began_s = guest01.exits(), prometheus.at_rest()
    first = prometheus.by_domain(TOTALS, began_s)["guest01"]
    virsh("resume", "guest01")
    daemon = ["libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"]
    systemctl("stop", *daemon)
    try:
        wait_until(lambda: prometheus.value("virt_exitstat_libvirt_up") == 0, "Prometheus sees that libvirt is gone")
        taken = guest01.exits() - before
        counted = 'sum(kvm_exits_total{domain="guest01"})'
        wait_until(lambda: (prometheus.value(counted) or 0) - first > taken, "exits are counted that came later")
    finally:
        systemctl("start", *daemon)
    wait_until(lambda: prometheus.value("virt_exitstat_libvirt_up") == 1, "Prometheus sees that libvirt is back")
    virsh("suspend", "guest01")
    taken, ended_s = guest01.exits() - before, prometheus.at_rest()
    assert prometheus.increase(began_s, ended_s) == {"guest01": taken, "guest02": 0}


def test_nothing_was_lost_and_the_service_never_ended_by_itself(prometheus, measured):
    assert prometheus.value("sum(max_over_time(virt_exitstat_lost_exits_total[1h]))") == 0
    assert setting(SERVICE, "NRestarts") == "0"
    measured("MB of memory", f"{int(setting(SERVICE, 'MemoryCurrent')) / 1e6:.0f}")
    measured("MB resident", f"{prometheus.value('max_over_time(process_resident_memory_bytes[1h])') / 1e6:.0f}")
    measured(
        "seconds to collect", f"{prometheus.value('avg_over_time(virt_exitstat_collect_duration_seconds[1h])'):.2f}"
    )


def test_stopped_it_leaves_nothing_and_the_next_scrape_starts_it(prometheus, service):
    pid = setting(SERVICE, "MainPID")
    # While Prometheus scrapes, the socket would start it again at once.
    systemctl("stop", "prometheus.service")
    systemctl("stop", SERVICE)
    assert setting(SERVICE, "Result") == "success"
    assert not Path(f"/proc/{pid}").exists()
    assert bpf_objects() == service.loaded_before
    assert setting(SOCKET, "ActiveState") == "active"
    systemctl("start", "prometheus.service")
    wait_until(lambda: setting(SERVICE, "ActiveState") == "active", "a scrape has started the service")
    wait_until(prometheus.is_up, "Prometheus scrapes again")
    assert programs_loaded() and setting(SERVICE, "MainPID") != pid
