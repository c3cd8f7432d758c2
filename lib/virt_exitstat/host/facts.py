"""Reads the facts about this host that advice asks for, below /sys and /proc. No file has to be there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..targets.host_facts import HostFacts
from .files import HostFileError, read_text

# How the kernel writes a parameter that is a bool. (nx_huge_pages also has "never", and what is -1 means "auto".)
_BOOLS = {"Y": True, "y": True, "1": True, "N": False, "n": False, "0": False, "never": False}

# isolcpus= may begin with flags, each with a comma behind it: isolcpus=managed_irq,domain,2-7
# A list of CPUs (Documentation/admin-guide/kernel-parameters.rst): 1,2,10-20,100-2000:2/25
_RUN = re.compile(r"(?P<first>[0-9]+)(?:-(?P<last>[0-9]+|N)(?::(?P<used>[0-9]+)/(?P<group>[0-9]+))?)?")

# More CPUs than any kernel is built for (NR_CPUS is at most 8,192): a list that names more is no list.
_MOST_CPUS = 65536


def read_facts(root: Path) -> HostFacts:
    """What can be read of the host below `root`. Raises nothing: what is missing or strange is not known."""
    kvm = _Directory(root / "sys/module/kvm/parameters")
    memory = _Directory(root / "sys/kernel/mm")
    flags = _cpu_flags(_read(root / "proc/cpuinfo"))
    module = _module(root, flags)
    parameters = _Directory(root / "sys/module" / (module or "kvm_intel") / "parameters")
    amd = module == "kvm_amd"
    words = _command_line(_read(root / "proc/cmdline"))
    return HostFacts(
        module=module,
        nested_paging=parameters.flag("npt" if amd else "ept"),
        apicv=parameters.flag("avic" if amd else "enable_apicv"),
        ipi_virtualization=parameters.flag("enable_ipiv"),
        nested=parameters.flag("nested"),
        shadow_vmcs=parameters.flag("enable_shadow_vmcs"),
        virtual_gif=parameters.flag("vgif"),
        virtual_vmload=parameters.flag("vls"),
        preemption_timer=parameters.flag("preemption_timer"),
        ple_window=_number(parameters.text("ple_window" if not amd else "pause_filter_count")),
        halt_poll_ns=_number(kvm.text("halt_poll_ns")),
        nx_huge_pages=kvm.flag("nx_huge_pages"),
        ignore_msrs=kvm.flag("ignore_msrs"),
        cpu_flags=flags,
        clocksource=_read(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ksm=_is(_number(memory.text("ksm/run")), 1),
        transparent_hugepages=_chosen(memory.text("transparent_hugepage/enabled")),
        # 1 balances, 2 is memory tiering, 3 both (Documentation/admin-guide/sysctl/kernel.rst).
        numa_balancing=_is(_number(_read(root / "proc/sys/kernel/numa_balancing")), 1, 3),
        isolated=_listed(root / "sys/devices/system/cpu/isolated", words, "isolcpus"),
        nohz_full=_listed(root / "sys/devices/system/cpu/nohz_full", words, "nohz_full"),
    )


class _Directory:
    """Files that hold one value each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def text(self, name: str) -> str | None:
        return _read(self._path / name)

    def flag(self, name: str) -> bool | None:
        text = self.text(name)
        # `nested` of kvm_amd is a number.
        return None if text is None else _BOOLS.get(text)


def _read(path: Path) -> str | None:
    """The text without the space around it; None where there is none."""
    try:
        return read_text(path).strip() or None
    except HostFileError:
        return None


def _number(text: str | None) -> int | None:
    # Only what int() reads and the kernel writes: not "1_000", nor digits of other scripts.
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,19}", text) else None


def _is(number: int | None, *wanted: int) -> bool | None:
    return None if number is None else number in wanted


def _chosen(text: str | None) -> str | None:
    """The one in brackets: `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found.group(1) if found else None


def _cpu_flags(text: str | None) -> frozenset[str] | None:
    """The flags of the first CPU. Since Linux 5.10 those of VMX stand in a line of their own, `vmx flags`."""
    first = (text or "").partition("\n\n")[0]
    lines = re.findall(r"^(?:flags|vmx flags)[ \t]*:(.*)$", first, re.MULTILINE)
    return frozenset(word for line in lines for word in line.split()) or None


def _module(root: Path, flags: frozenset[str] | None) -> str | None:
    """KVM's module for these CPUs: by their flag, or, where that is not known, whichever has parameters."""
    for module, flag in (("kvm_intel", "vmx"), ("kvm_amd", "svm")):
        if flag in flags if flags else _read(root / "sys/module" / module / "parameters/nested") is not None:
            return module
    return None


def _command_line(text: str | None) -> Mapping[str, str] | None:
    """{parameter: value}. Of several the last one holds, as it does for isolcpus= and nohz_full=."""
    if text is None:
        return None
    return dict(word.partition("=")[::2] for word in text.split())


def _listed(path: Path, words: Mapping[str, str] | None, parameter: str) -> frozenset[int] | None:
    """The CPUs of a list in sysfs, where the kernel has resolved it (`4-N`), else of the command line's parameter."""
    try:
        # An empty list of nohz_full is "(null)" in some kernels.
        return _cpus(read_text(path).strip().replace("(null)", ""))
    except HostFileError:
        return None if words is None else _cpus(words.get(parameter, ""))


def _cpus(text: str) -> frozenset[int] | None:
    """The CPUs of a list as the kernel has it; None for one that cannot be read."""
    found: set[int] = set()
    for part in text.strip('"').split(","):
        if not part or re.fullmatch(r"domain|managed_irq|nohz", part):
            continue
        run = _RUN.fullmatch(part)
        if not run or run["last"] == "N":
            return None
        first, last = int(run["first"]), int(run["last"] or run["first"])
        used, group = int(run["used"] or 1), int(run["group"] or 1)
        if last >= _MOST_CPUS or not group:
            return None
        found.update(cpu for cpu in range(first, last + 1) if (cpu - first) % group < used)
    return frozenset(found)
