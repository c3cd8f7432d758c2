"""exit_reasons: reason <-> slot <-> name, and our names against the kernel's own."""

from pathlib import Path

import pytest

from virt_exitstat.exit_reasons import SVM, TABLES, VMX, Isa, parse_kernel_names
from virt_exitstat.reason_names import KERNEL_ALIASES

DATA = Path(__file__).parent / "data"
KERNELS = ("bullseye", "bookworm", "trixie", "sid")

both_isas = pytest.mark.parametrize("table", [VMX, SVM], ids=["vmx", "svm"])
every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def kernel_names(kernel, isa):
    return parse_kernel_names((DATA / f"kvm_exit.format.{kernel}").read_text().partition("print fmt:")[2], isa)


@both_isas
def test_slot_and_reason_are_inverse_for_every_slot(table):
    reasons = [table.reason_of(slot) for slot in range(table.slots)]
    assert [table.slot_of(reason) for reason in reasons] == list(range(table.slots))
    assert len(set(reasons)) == table.slots


@both_isas
@pytest.mark.parametrize("beyond", [-1, 0, 1000])
def test_a_slot_that_does_not_exist_is_an_index_error(table, beyond):
    slot = -1 if beyond < 0 else table.slots + beyond
    with pytest.raises(IndexError):
        table.reason_of(slot)


@both_isas
def test_ranges_do_not_overlap(table):
    reasons = [reason for run in table.ranges for reason in range(run.first, run.first + run.count)]
    assert len(reasons) == len(set(reasons)) == table.slots


@both_isas
def test_first_slots_are_the_running_sum_of_the_ranges(table):
    for run, slot in table.first_slots():
        assert table.slot_of(run.first) == slot
        assert table.slot_of(run.first + run.count - 1) == slot + run.count - 1


@both_isas
def test_rows_are_whole_cache_lines(table):
    # 64 bytes hold eight words: who the thread is and its counters; rows of two threads must not share a line.
    assert (1 + table.slots) % 8 == 0


def test_the_tables_are_as_big_as_the_program_is_planned_for():
    assert (VMX.slots, SVM.slots) == (95, 223)


@pytest.mark.parametrize(("table", "unslotted"), [(VMX, set()), (SVM, {0x80000018, 0x8000001A})], ids=["vmx", "svm"])
def test_every_named_reason_has_its_slot_or_is_known_to_have_none(table, unslotted):
    assert {reason for reason in table.names if table.slot_of(reason) is None} == unslotted
    for reason in table.names.keys() - unslotted:
        assert table.reason_of(table.slot_of(reason)) == reason


@pytest.mark.parametrize(
    ("table", "reasons"),
    [
        (VMX, [95, 96, 97, 0x400, 0xFFFF]),
        (
            SVM,
            [
                *(0xC0, 0x3FF, 0x410, 0x7FFFFFFF, 0x80000007, 0x8000000F, 0x80000014, 0x80000018),
                *(0x8000FFFC, 0x80010000, 0xFFFFFFFE),
            ],
        ),
    ],
    ids=["vmx", "svm"],
)
def test_reasons_beside_the_ranges_have_no_slot(table, reasons):
    assert [reason for reason in reasons if table.slot_of(reason) is not None] == []


@pytest.mark.parametrize("bit", [26, 27, 28, 31])
@pytest.mark.parametrize("reason", [0, 12, 48, 94])
def test_vmx_flags_do_not_change_the_slot(bit, reason):
    assert VMX.slot_of(reason | 1 << bit) == VMX.slot_of(reason) == reason


@pytest.mark.parametrize("bit", [16, 26, 27, 28, 31])
def test_vmx_flags_do_not_give_a_slot_to_a_reason_without_one(bit):
    assert VMX.slot_of(95 | 1 << bit) is None


@pytest.mark.parametrize(
    "reason",
    [0, 0xBF, 0x400, 0x40F, 0x80000000, 0x80000006, 0x80000010, 0x80000013, 0x8000FFFD, 0x8000FFFF, 0xFFFFFFFF],
)
def test_the_ends_of_svms_ranges_have_slots(reason):
    assert SVM.reason_of(SVM.slot_of(reason)) == reason


def test_a_reason_without_a_slot_may_have_a_name():
    assert (SVM.slot_of(0x80000018), SVM.name_of(0x80000018)) == (None, "VMGEXIT_SNP_RUN_VMPL")
    assert (VMX.slot_of(95), VMX.name_of(95)) == (None, "UNKNOWN(0x5f)")
    assert VMX.name_of(95, {95: "OF_A_NEWER_KERNEL"}) == "OF_A_NEWER_KERNEL"


def test_svm_has_no_flags():
    assert SVM.slot_of(0x78) == 0x78
    assert SVM.slot_of(0x80000078) is None


@both_isas
def test_names_are_unique_capitals_without_a_prefix(table):
    names = list(table.names.values())
    assert len(names) == len(set(names))
    for name in names:
        assert name.replace("_", "").isalnum()
        assert name == name.upper()
        assert not name.startswith(("EXIT_REASON", "SVM_EXIT"))


def test_some_names_as_the_manuals_have_them():
    assert [VMX.name_of(reason) for reason in (0, 10, 12, 48)] == ["EXCEPTION_NMI", "CPUID", "HLT", "EPT_VIOLATION"]
    assert [SVM.name_of(reason) for reason in (0x10, 0x46, 0x72, 0x78, 0x400)] == [
        "WRITE_CR0",
        "EXCP_UD",
        "CPUID",
        "HLT",
        "NPF",
    ]
    assert SVM.name_of(0xFFFFFFFF) == "INVALID"


@both_isas
def test_a_reason_nobody_knows_is_named_by_its_number(table):
    assert table.name_of(0xBEEF) == "UNKNOWN(0xbeef)"
    assert table.name_of(0xBEEF, {0xBEE0: "OTHER"}) == "UNKNOWN(0xbeef)"


@both_isas
def test_the_kernels_name_is_the_fallback_and_ours_comes_first(table):
    reason, ours = next(iter(table.names.items()))
    assert table.name_of(0xBEEF, {0xBEEF: "NEWER"}) == "NEWER"
    assert table.name_of(reason, {reason: "THEIRS"}) == ours


def test_each_isa_has_its_table():
    assert {isa: table.isa for isa, table in TABLES.items()} == {Isa.VMX: Isa.VMX, Isa.SVM: Isa.SVM}


def test_isa_values_are_the_tracepoints():
    # KVM_ISA_VMX and KVM_ISA_SVM in arch/x86/kvm/trace.h
    assert (Isa.VMX, Isa.SVM) == (1, 2)


@every_kernel
@both_isas
def test_our_names_are_the_kernels(kernel, table):
    names = kernel_names(kernel, table.isa)
    assert {reason: table.names.get(reason) for reason in names} == names


@both_isas
def test_an_alias_is_no_name_of_ours_and_leads_to_one(table):
    assert not set(KERNEL_ALIASES) & set(table.names.values())
    assert table is VMX or set(KERNEL_ALIASES.values()) <= set(SVM.names.values())


def test_the_kernels_spelling_becomes_ours():
    text = '__print_symbolic(a, { 1, "one" }) : __print_symbolic(b, { 0x60, "interrupt" }, { 0x52, "MC excp" })'
    assert parse_kernel_names(text, Isa.SVM) == {0x60: "INTR", 0x52: "EXCP_MC"}


@pytest.mark.parametrize(("kernel", "vmx", "svm"), [("bullseye", 59, 93), ("trixie", 62, 108), ("sid", 65, 110)])
def test_the_whole_of_the_kernels_tables_is_parsed(kernel, vmx, svm):
    text = (DATA / f"kvm_exit.format.{kernel}").read_text()
    # Every pair in the file but the one of __print_flags.
    assert vmx + svm == text.count('" }') - 1
    assert (len(kernel_names(kernel, Isa.VMX)), len(kernel_names(kernel, Isa.SVM))) == (vmx, svm)


@every_kernel
def test_flags_are_no_reasons(kernel):
    for isa in Isa:
        assert "FAILED_VMENTRY" not in kernel_names(kernel, isa).values()


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("10", 10),
        ("0x07b", 0x7B),
        ("0x040 + 14", 0x4E),
        ("-1", 0xFFFFFFFF),
        ("-1ull", 0xFFFFFFFF),
        ("0x8000fffdull", 0x8000FFFD),
    ],
)
def test_literals_of_the_format_file(literal, reason):
    text = f'__print_symbolic(REC->exit_reason & 0xffff, {{ {literal}, "idle-halt" }}) : __print_flags(0)'
    assert parse_kernel_names(text, Isa.VMX) == {reason: "IDLE_HLT"}


@pytest.mark.parametrize("text", ["", '"vcpu %u", REC->vcpu_id', "__print_symbolic("])
def test_a_format_without_tables_gives_no_names(text):
    assert parse_kernel_names(text, Isa.VMX) == {}
    assert parse_kernel_names(text, Isa.SVM) == {}


def test_one_table_alone_is_not_taken_for_svms():
    text = '__print_symbolic(REC->exit_reason, { 1, "one" })'
    assert parse_kernel_names(text, Isa.VMX) == {1: "ONE"}
    assert parse_kernel_names(text, Isa.SVM) == {}
