"""layout: what the kernel program is compiled with is what its reader goes by."""

import re
from pathlib import Path

import pytest

from virt_exitstat.counts import layout
from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

PROGRAM = (Path(__file__).parents[2] / "bpf/exitstat.bpf.c").read_text()
CODE = PROGRAM.partition("*/")[2]


@pytest.mark.parametrize("thread", [Thread(1, 1), Thread(4_194_303, 4_194_303), Thread(77, 4_194_303)])
@pytest.mark.parametrize("row", [0, layout.MOST_ROWS - 1])
def test_a_thread_and_its_row_fit_into_one_word(thread, row):
    word = thread.tid << layout.ID_BITS + layout.ROW_BITS | thread.tgid << layout.ROW_BITS | row
    assert word < 1 << 64
    assert layout.thread_of(word) == thread


def test_the_highest_row_is_below_the_number_that_means_skipped():
    assert "#define ROW_SKIPPED ROW_MASK" in CODE
    assert layout.MOST_ROWS - 1 < (1 << layout.ROW_BITS) - 2


@pytest.mark.parametrize(
    ("isa", "plain", "timed"), [(VMX, 768, 1024), (SVM, 1792, 2304), (ARM64, 576, 768)], ids=["VMX", "SVM", "ARM64"]
)
def test_a_row_is_whole_cache_lines_and_only_times_make_it_longer(isa, plain, timed):
    assert layout.row_structure(isa.reasons.slots, timed=False).size == plain
    assert layout.row_structure(isa.reasons.slots, timed=True).size == timed
    assert layout.block_structure().size == 512


def test_fields_lie_one_behind_the_other():
    fields = layout.row_structure(9, timed=True).fields
    assert [(name, field.at, field.width, field.numbers) for name, field in fields.items()] == [
        ("identity", 0, 8, 1),
        ("window", 8, 8, 1),
        ("left", 16, 8, 1),
        ("guest", 24, 8, 1),
        ("exits", 32, 8, 9),
        ("block", 104, 2, 11),
    ]


@pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
def test_every_slot_and_state_fits_into_the_lower_bits_of_a_window(isa):
    others = layout.window_slots(isa.reasons.slots)
    assert isa.reasons.slots == others.unslotted < others.stopped < others.guest < others.unknown == 0xFF


def test_the_number_of_a_block_fits_into_16_bits():
    assert [layout.blocks_for(rows) for rows in (1, 1024, layout.MOST_ROWS)] == [76, 12_352, 65_535]


def test_each_map_of_the_program_is_known_and_no_other():
    of_program = [re.split(r", ?", arguments) for arguments in re.findall(r"^BPF_\w+\((.*)\);$", CODE, re.MULTILINE)]
    # BPF_TABLE(type, key, value, name, ..), BPF_QUEUE(name, ..).
    names = [words[3] if words[0].startswith('"') else words[0] for words in of_program]
    assert sorted(names) == sorted(layout.MAPS)


def test_each_macro_is_used_by_the_program():
    names = [re.match(r"-D(\w+)=", macro)[1] for macro in layout.layout_macros(9, 64, timed=True)]
    assert "ROW_FIELDS" in names
    assert [name for name in names if not re.search(rf"\b{name}\b", CODE)] == []
    assert "-DROW_FIELDS=u64 identity; u64 exits[9];" in layout.layout_macros(9, 64, timed=False)
    assert "-DTIME=1" not in layout.layout_macros(9, 64, timed=False)


def test_each_cause_of_loss_is_told_by_its_name():
    assert set(layout.LOST_CAUSES) == set(Lost._fields) - {"recursion"}
