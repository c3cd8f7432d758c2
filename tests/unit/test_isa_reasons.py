"""isa: reason <-> slot <-> name."""

import pytest
from refusals import refuses

from virt_exitstat.errors import UsageError
from virt_exitstat.isa import arm64, known, svm, vmx

VMX, SVM, ARM64 = vmx.VMX.reasons, svm.SVM.reasons, arm64.ARM64.reasons

every_isa = pytest.mark.parametrize("table", [isa.reasons for isa in known.ISAS], ids=[isa.name for isa in known.ISAS])


@every_isa
def test_slot_and_reason_are_inverse_for_every_slot(table):
    reasons = [table.reason_of(slot) for slot in range(table.slots)]
    assert [table.slot_of(reason) for reason in reasons] == list(range(table.slots))
    assert len(set(reasons)) == table.slots


@every_isa
@pytest.mark.parametrize("beyond", [-1, 0, 1000])
def test_a_slot_that_does_not_exist_is_an_index_error(table, beyond):
    slot = -1 if beyond < 0 else table.slots + beyond
    with pytest.raises(IndexError):
        table.reason_of(slot)


@every_isa
def test_ranges_do_not_overlap(table):
    reasons = [reason for run in table.ranges for reason in range(run.first, run.first + run.length)]
    assert len(reasons) == len(set(reasons)) == table.slots


@every_isa
def test_first_slots_are_the_running_sum_of_the_ranges(table):
    for run, slot in table.first_slots():
        assert table.slot_of(run.first) == slot
        assert table.slot_of(run.first + run.length - 1) == slot + run.length - 1


@every_isa
def test_rows_are_whole_cache_lines(table):
    # 64 bytes hold eight words: who the thread is and its counters; rows of two threads must not share a line.
    assert (1 + table.slots) % 8 == 0


def test_the_tables_are_as_big_as_the_program_is_planned_for():
    assert (VMX.slots, SVM.slots, ARM64.slots) == (95, 223, 71)


@pytest.mark.parametrize(
    ("table", "unslotted"),
    [(VMX, set()), (SVM, {0x80000018, 0x8000001A}), (ARM64, {0x100 + 0xBADCA11})],
    ids=["vmx", "svm", "arm64"],
)
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
        (ARM64, [64, 0xFF, 0x107, 0x100 + 0xBADCA11, 0x80000100, 0xFFFFFFFF]),
    ],
    ids=["vmx", "svm", "arm64"],
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
    assert VMX.with_names({95: "OF_A_NEWER_KERNEL"}).name_of(95) == "OF_A_NEWER_KERNEL"


def test_svm_has_no_flags():
    assert SVM.slot_of(0x78) == 0x78
    assert SVM.slot_of(0x80000078) is None


@every_isa
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
    assert [ARM64.name_of(reason) for reason in (0x01, 0x18, 0x24, 0x100)] == ["WFX", "SYS64", "DABT_LOW", "IRQ"]


@every_isa
def test_a_reason_nobody_knows_is_named_by_its_number(table):
    assert table.name_of(0xBEEF) == "UNKNOWN(0xbeef)"
    assert table.with_names({0xBEE0: "OTHER"}).name_of(0xBEEF) == "UNKNOWN(0xbeef)"


@every_isa
def test_the_kernels_name_is_the_fallback_and_ours_comes_first(table):
    reason, ours = next(iter(table.names.items()))
    both = table.with_names({0xBEEF: "NEWER", reason: "THEIRS"})
    assert (both.name_of(0xBEEF), both.name_of(reason)) == ("NEWER", ours)


# -- what --reason takes --


@pytest.mark.parametrize(
    ("table", "word", "reason"),
    [
        (VMX, "HLT", 12),
        (VMX, "hlt", 12),
        (VMX, " Msr_Write ", 32),
        (VMX, "12", 12),
        (VMX, "0xc", 12),
        (VMX, "0x8000000C", 12),
        (SVM, "0x78", 0x78),
        (SVM, "114", 0x72),
        (SVM, "cpuid", 0x72),
        (SVM, "0xFFFFFFFF", 0xFFFFFFFF),
        (ARM64, "wfx", 1),
        (ARM64, "0x101", 0x101),
        # The kernel has a class of this name, 0; a class without a name is another one.
        (ARM64, "UNKNOWN", 0),
        (ARM64, "UNKNOWN(0x2)", 2),
        (VMX, "UNKNOWN(0x5f)", 95),
        (SVM, "unknown(0x80000099)", 0x80000099),
        (SVM.with_names({0x40A: "OF_A_NEWER_KERNEL"}), "of_a_newer_kernel", 0x40A),
    ],
)
def test_a_reason_is_found_by_name_in_any_case_or_by_its_code(table, word, reason):
    assert table.find(word) == {reason}


@every_isa
def test_each_name_that_a_report_can_show_finds_its_reason(table):
    table = table.with_names({0xBEEF: "OF_A_NEWER_KERNEL"})
    for reason in [*table.names, 0xBEEF, *(table.reason_of(slot) for slot in range(table.slots)), 0xBEE0]:
        assert table.find(table.name_of(reason)) == {reason}


def test_a_name_that_two_reasons_have_means_both():
    # A report shows a line for each.
    assert SVM.with_names({0x40A: "HLT"}).find("HLT") == {0x40A, 0x78}


@pytest.mark.parametrize("table", [VMX, SVM], ids=["vmx", "svm"])
def test_a_name_that_another_isa_has_means_nothing(table):
    assert table.find("UNKNOWN") == table.find("WFX") == frozenset()


@every_isa
@pytest.mark.parametrize(
    "word",
    [
        "",
        "-1",
        "0x",
        "1e3",
        "0x1_0",
        "\x1b[2J",
        "99999999999",
        "(others)",
        "UNKNOWN()",
        "UNKNOWN(12)",
        "(0x47)",
    ],
)
def test_what_is_neither_name_nor_code_means_nothing(table, word):
    assert table.find(word) == frozenset()


def test_a_word_that_means_nothing_is_refused_by_the_name_of_the_isa():
    with refuses(UsageError, "--reason: SVM has no exit reason 'EPT_VIOLATION'"):
        svm.SVM.find_reasons(["EPT_VIOLATION"])
    with refuses(UsageError, r"VMX has no exit reason '\x1b[2J'"):
        vmx.VMX.find_reasons(["\x1b[2J"])


@pytest.mark.parametrize(("word", "hint"), [("HTL", "HLT"), ("msr_w", "MSR_WRITE"), ("ept_violatoin", "EPT_")])
def test_an_unknown_name_gets_a_suggestion(word, hint):
    with refuses(UsageError, word) as caught:
        vmx.VMX.find_reasons(["HLT", word])
    assert f"did you mean {hint}" in caught.value.hint


def test_a_name_of_the_running_kernel_is_suggested_too():
    with refuses(UsageError, "NEWSET") as caught:
        vmx.VMX.with_names({95: "NEWEST"}).find_reasons(["NEWSET"])
    assert caught.value.hint == "did you mean NEWEST?"
