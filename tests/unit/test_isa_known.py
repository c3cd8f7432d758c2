"""isa: each instruction set is a file, is known, and is a value that reads nothing."""

import ast
import json
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS, find_isa
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

LIB = Path(__file__).resolve().parents[2] / "lib"
WING = LIB / "virt_exitstat/isa"
SCHEMA = LIB / "virt_exitstat/formats/report.schema.json"


def makes_an_isa(module):
    calls = (node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id == "Isa" for function in calls)


def test_each_file_of_an_isa_is_in_the_tuple():
    assert {module.stem for module in WING.glob("*.py") if makes_an_isa(module)} == {isa.name.lower() for isa in ISAS}


def test_what_tells_one_isa_from_another_is_its_own():
    for what in ("name", "cpu_flag", "module", "interrupt"):
        assert len({getattr(isa, what) for isa in ISAS}) == len(ISAS) > 1
    assert len({(isa.machine, isa.kernel_tables[0].position) for isa in ISAS}) == len(ISAS)


def test_an_isa_that_the_machine_alone_does_not_tell_has_a_flag():
    for isa in ISAS:
        others = [other for other in ISAS if other is not isa and other.machine == isa.machine]
        assert bool(isa.cpu_flag) == bool(others)


def test_the_schema_has_the_isas_that_are_known():
    schema = json.loads(SCHEMA.read_text())
    assert schema["properties"]["isa"]["enum"] == [isa.name.lower() for isa in ISAS]


@pytest.mark.parametrize("machine", ["x86_64", "i686"])
@pytest.mark.parametrize("isa", [VMX, SVM], ids=["VMX", "SVM"])
def test_the_flag_of_the_cpu_chooses_the_isa(isa, machine):
    """A 32-bit personality calls the machine i686."""
    cpuinfo = f"processor\t: 0\nflags\t\t: fpu {isa.cpu_flag} ept\nvmx flags\t: vnmi svm\n"
    assert find_isa(machine, lambda: cpuinfo) is isa


def test_the_machine_chooses_arm64_and_its_cpus_are_not_asked():
    assert find_isa("aarch64", pytest.fail) is ARM64


def test_a_cpu_without_virtualization_is_refused():
    with refuses(ExitStatError, "neither VMX nor SVM"):
        find_isa("x86_64", lambda: "processor\t: 0\nflags\t\t: fpu sse2 vmxoff svm_lock\nvmx flags\t: vnmi svm\n")


@pytest.mark.parametrize(
    "machine", ["armv7l", "armv8l", "aarch64_be", "arm64", "riscv64", "s390x", "x86_64", "", "\x1b[2J"]
)
@pytest.mark.parametrize("cpuinfo", ["", "processor\t: 0\nFeatures\t: fp asimd vmx svm\nCPU implementer\t: 0x41\n"])
def test_another_architecture_is_refused(machine, cpuinfo):
    """32-bit ARM too: its KVM is gone since Linux 5.7."""
    with refuses(ExitStatError, "unsupported architecture", machine.replace("\x1b", "\\x1b")):
        find_isa(machine, lambda: cpuinfo)
