"""isa/kernel_names: the kernel's own names, and ours against them."""

from pathlib import Path

import pytest

from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.kernel_names import name_reasons, parse_kernel_names
from virt_exitstat.isa.known import ISAS
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

DATA = Path(__file__).parent / "data"

every_isa = pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
every_kernel = pytest.mark.parametrize("kernel", ["bullseye", "bookworm", "trixie", "sid"])


def read_format(kernel, isa=VMX):
    return (DATA / f"kvm_exit.format.{'arm64.' if isa is ARM64 else ''}{kernel}").read_text()


@every_kernel
@every_isa
def test_our_names_are_the_kernels(kernel, isa):
    names = parse_kernel_names(isa, read_format(kernel, isa))
    assert {reason: isa.reasons.names.get(reason) for reason in names} == names


@every_kernel
@every_isa
def test_a_kernel_that_is_not_newer_than_this_program_adds_no_name(kernel, isa):
    assert name_reasons(isa, read_format(kernel, isa)) == isa


def test_a_newer_kernels_name_is_added_in_our_spelling():
    text = read_format("sid").replace('"npf" }', '"npf" }, { 0x40aull, "of a newer-kernel" }')
    assert name_reasons(SVM, text).reasons.name_of(0x40A) == "OF_A_NEWER_KERNEL"
    assert name_reasons(VMX, text) == VMX


@every_isa
def test_a_spelling_is_no_name_of_ours_and_leads_to_one(isa):
    for table in isa.kernel_tables:
        names = {name for reason, name in isa.reasons.names.items() if reason >= table.first}
        assert not set(table.spellings) & names
        assert set(table.spellings.values()) <= names


def test_the_kernels_spelling_becomes_ours():
    text = '__print_symbolic(a, { 1, "one" }) : __print_symbolic(b, { 0x60, "interrupt" }, { 0x52, "MC excp" })'
    assert parse_kernel_names(SVM, text) == {0x60: "INTR", 0x52: "EXCP_MC"}


@pytest.mark.parametrize(
    ("kernel", "vmx", "svm"), [("bullseye", 59, 93), ("bookworm", 62, 108), ("trixie", 62, 108), ("sid", 65, 110)]
)
def test_the_whole_of_the_kernels_tables_is_parsed(kernel, vmx, svm):
    text = read_format(kernel)
    # Every pair in the file but the one of __print_flags.
    assert vmx + svm == text.count('" }') - 1
    assert (len(parse_kernel_names(VMX, text)), len(parse_kernel_names(SVM, text))) == (vmx, svm)


@pytest.mark.parametrize(("kernel", "classes"), [("bullseye", 34), ("bookworm", 34), ("trixie", 35), ("sid", 35)])
def test_both_tables_of_arm64_are_parsed(kernel, classes):
    text = read_format(kernel, ARM64)
    names = parse_kernel_names(ARM64, text)
    # Every pair in the file but the code of a trap, which is no reason.
    assert len(names) == text.count('" }') - 1 == classes + 3
    assert {reason: names[reason] for reason in (0x00, 0x01, 0x16, 0x2F)} == {
        0x00: "UNKNOWN",
        0x01: "WFX",
        0x16: "HVC64",
        0x2F: "SERROR",
    }
    assert {reason: name for reason, name in names.items() if reason >= 0x100} == {
        0x100: "IRQ",
        0x101: "EL1_SERROR",
        0x100 + 0xBADCA11: "HYP_GONE",
    }


def test_a_newer_kernels_code_and_class_have_its_names():
    text = read_format("sid", ARM64).replace('{2, "TRAP" }', '{2, "TRAP" }, {4, "new" }')
    text = text.replace('"ERET" }', '"ERET" }, { (((0x3eUL))), "New" }')
    assert {*parse_kernel_names(ARM64, text).items()} - {
        *parse_kernel_names(ARM64, read_format("sid", ARM64)).items()
    } == {
        (0x104, "NEW"),
        (0x3E, "NEW"),
    }


@every_kernel
@every_isa
def test_flags_are_no_reasons(kernel, isa):
    assert "FAILED_VMENTRY" not in parse_kernel_names(isa, read_format(kernel, isa)).values()


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("10", 10),
        ("0", 0),
        ("0x07b", 0x7B),
        ("0x040 + 14", 0x4E),
        ("-1", 0xFFFFFFFF),
        ("-1ull", 0xFFFFFFFF),
        ("0x8000fffdull", 0x8000FFFD),
        ("(((0x16UL)))", 0x16),
    ],
)
def test_literals_of_the_format_file(literal, reason):
    text = f'__print_symbolic(REC->exit_reason & 0xffff, {{ {literal}, "newer-one" }}) : __print_flags(0)'
    assert parse_kernel_names(VMX, text) == {reason: "NEWER_ONE"}


@pytest.mark.parametrize(
    "literal", ["EXIT_REASON_HLT", "SVM_EXIT_EXCP_BASE + 1", "0x", "010", "1 << 4", "1.5", "+", "٣"]
)
def test_a_literal_that_is_not_a_number_is_skipped(literal):
    text = f'__print_symbolic(REC->exit_reason, {{ {literal}, "one" }}, {{ 12, "HLT" }})'
    assert parse_kernel_names(VMX, text) == {12: "HLT"}


def test_a_reason_without_a_name_is_skipped():
    assert parse_kernel_names(VMX, '__print_symbolic(REC->exit_reason, { 95, "" }, { 12, "HLT" })') == {12: "HLT"}


@pytest.mark.parametrize("text", ["", '"vcpu %u", REC->vcpu_id', "__print_symbolic("])
@every_isa
def test_a_format_without_tables_gives_no_names(isa, text):
    assert parse_kernel_names(isa, text) == {}


def test_one_table_alone_is_not_taken_for_svms_nor_for_arm64s():
    text = '__print_symbolic(REC->exit_reason, { 1, "one" })'
    assert parse_kernel_names(VMX, text) == {1: "ONE"}
    assert parse_kernel_names(SVM, text) == parse_kernel_names(ARM64, text) == {}
