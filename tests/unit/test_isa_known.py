"""isa: each instruction set is a file, is known, and is a value that reads nothing."""

import ast
import json
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.known import ISAS, find_isa

LIB = Path(__file__).resolve().parents[2] / "lib"
WING = LIB / "virt_exitstat/isa"
SCHEMA = LIB / "virt_exitstat/formats/report.schema.json"


def makes_an_isa(module):
    calls = (node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id == "Isa" for function in calls)


def test_each_file_of_an_isa_is_in_the_tuple():
    assert {module.stem for module in WING.glob("*.py") if makes_an_isa(module)} == {isa.name.lower() for isa in ISAS}


def test_what_tells_one_isa_from_another_is_its_own():
    for what in ("name", "cpu_flag", "module", "kernel_table"):
        assert len({getattr(isa, what) for isa in ISAS}) == len(ISAS) > 1


def test_the_schema_has_the_isas_that_are_known():
    schema = json.loads(SCHEMA.read_text())
    assert schema["properties"]["isa"]["enum"] == [isa.name.lower() for isa in ISAS]


@pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
def test_the_flag_of_the_cpu_chooses_the_isa(isa):
    assert find_isa(f"processor\t: 0\nflags\t\t: fpu {isa.cpu_flag} ept\nvmx flags\t: vnmi svm\n") is isa


def test_a_cpu_without_virtualization_is_refused():
    with refuses(ExitStatError, "neither VMX nor SVM"):
        find_isa("processor\t: 0\nflags\t\t: fpu sse2 vmxoff svm_lock\nvmx flags\t: vnmi svm\n")


@pytest.mark.parametrize("cpuinfo", ["", "processor\t: 0\nFeatures\t: fp asimd vmx svm\nCPU implementer\t: 0x41\n"])
def test_another_architecture_is_refused(cpuinfo):
    with refuses(ExitStatError, "unsupported architecture"):
        find_isa(cpuinfo)
