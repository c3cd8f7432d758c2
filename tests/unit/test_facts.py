"""Facts about the host: read from files below a root, which may be missing or strange."""

import pytest

from virt_exitstat.host.facts import read_facts
from virt_exitstat.targets.host_facts import HostFacts


def host(root, **files):
    """A root with these files; a path's slashes are written as it has them."""
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


def cpuinfo(flags, more=""):
    one = f"processor\t: 0\nmodel name\t: x\nflags\t\t: {flags}\n{more}\n"
    return one + one.replace(": 0", ": 1").replace("flags", "flags_of_another")


INTEL = {
    "proc/cpuinfo": cpuinfo("fpu vmx x2apic tsc_scale", "vmx flags\t: apicv ipiv tsc_scaling\n"),
    "proc/cmdline": "quiet isolcpus=managed_irq,domain,2-3,6 nohz_full=2-7:1/2 root=/dev/x\n",
    "proc/sys/kernel/numa_balancing": "1\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/kernel/mm/ksm/run": "1\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/module/kvm/parameters/halt_poll_ns": "200000\n",
    "sys/module/kvm/parameters/nx_huge_pages": "Y\n",
    "sys/module/kvm/parameters/ignore_msrs": "N\n",
    "sys/module/kvm_intel/parameters/ept": "Y\n",
    "sys/module/kvm_intel/parameters/enable_apicv": "N\n",
    "sys/module/kvm_intel/parameters/enable_ipiv": "Y\n",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/module/kvm_intel/parameters/enable_shadow_vmcs": "N\n",
    "sys/module/kvm_intel/parameters/preemption_timer": "Y\n",
    "sys/module/kvm_intel/parameters/ple_window": "4096\n",
}


def test_an_intel_host(tmp_path):
    facts = read_facts(host(tmp_path, **INTEL))
    assert facts == HostFacts(
        module="kvm_intel",
        nested_paging=True,
        apicv=False,
        ipi_virtualization=True,
        nested=True,
        shadow_vmcs=False,
        preemption_timer=True,
        ple_window=4096,
        halt_poll_ns=200000,
        nx_huge_pages=True,
        ignore_msrs=False,
        cpu_flags=frozenset({"fpu", "vmx", "x2apic", "tsc_scale", "apicv", "ipiv", "tsc_scaling"}),
        clocksource="tsc",
        ksm=True,
        transparent_hugepages="madvise",
        numa_balancing=True,
        isolated=frozenset({2, 3, 6}),
        nohz_full=frozenset({2, 4, 6}),
    )
    assert facts.has_flag("apicv", "avic")
    assert facts.has_flag("x2avic") is False


def test_an_amd_host(tmp_path):
    parameters = {"npt": "Y", "avic": "N", "nested": "1", "vgif": "1", "vls": "0", "pause_filter_count": "3000"}
    files = {f"sys/module/kvm_amd/parameters/{name}": f"{value}\n" for name, value in parameters.items()}
    facts = read_facts(host(tmp_path, **files, **{"proc/cpuinfo": cpuinfo("svm avic"), "proc/cmdline": "quiet\n"}))
    assert (facts.module, facts.nested_paging, facts.apicv, facts.nested) == ("kvm_amd", True, False, True)
    assert (facts.virtual_gif, facts.virtual_vmload, facts.ple_window) == (True, False, 3000)
    assert (facts.isolated, facts.nohz_full) == (frozenset(), frozenset())
    assert facts.shadow_vmcs is None


def test_nothing_is_known_of_an_empty_root(tmp_path):
    assert read_facts(tmp_path) == HostFacts()
    assert read_facts(tmp_path / "gone") == HostFacts()
    assert HostFacts().has_flag("apicv") is None


@pytest.mark.parametrize("path", INTEL)
@pytest.mark.parametrize("text", ["", "\n", "\0\xff", "-", "auto", "99999999999999999999999", "a" * 10000, "[]"])
def test_a_strange_file_spoils_nothing_else(path, text, tmp_path):
    facts = read_facts(host(tmp_path, **{**INTEL, path: text}))
    assert facts.clocksource == ("tsc" if "clocksource" not in path else text.strip() or None)
    assert facts.halt_poll_ns in (200000, None)
    assert facts.isolated in (frozenset({2, 3, 6}), frozenset(), None)


@pytest.mark.parametrize("path", INTEL)
def test_a_directory_in_its_place_is_a_file_that_is_not_there(path, tmp_path):
    host(tmp_path, **{name: text for name, text in INTEL.items() if name != path})
    (tmp_path / path).mkdir(parents=True)
    assert read_facts(tmp_path).module in ("kvm_intel", None)


def test_the_module_is_found_without_flags(tmp_path):
    assert read_facts(host(tmp_path, **{"sys/module/kvm_amd/parameters/nested": "1\n"})).module == "kvm_amd"


def test_sysfs_knows_better_than_the_command_line(tmp_path):
    files = {
        "proc/cmdline": "isolcpus=4-N nohz_full=4-N\n",
        "sys/devices/system/cpu/isolated": "4-7\n",
        "sys/devices/system/cpu/nohz_full": "  (null)\n",
    }
    facts = read_facts(host(tmp_path, **files))
    assert (facts.isolated, facts.nohz_full) == (frozenset({4, 5, 6, 7}), frozenset())


@pytest.mark.parametrize(
    ("value", "cpus"),
    [
        ("2", {2}),
        ("0-3", {0, 1, 2, 3}),
        ("nohz,domain,managed_irq,1", {1}),
        ("0-7:2/4", {0, 1, 4, 5}),
        ('"1,2"', {1, 2}),
        ("", set()),
        ("4-N", None),
        ("3-1", set()),
        ("x", None),
        ("1-2:1/0", None),
        ("0-99999999999", None),
    ],
)
def test_a_list_of_cpus(value, cpus, tmp_path):
    facts = read_facts(host(tmp_path, **{"proc/cmdline": f"isolcpus={value} quiet"}))
    assert facts.isolated == (None if cpus is None else frozenset(cpus))
