"""layout: what the kernel program is compiled with is what its reader goes by."""

import dataclasses
import re
from pathlib import Path

import pytest

from virt_exitstat.counts import layout
from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.isa.known import ISAS

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


@pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
def test_a_row_is_whole_cache_lines_so_that_no_two_share_one(isa):
    assert layout.row_words(isa.reasons.slots) * 8 % 64 == 0
    assert layout.field_at("identity", 9) == 0 and layout.field_at("exits", 9) == 1


def test_each_map_of_the_program_is_known_and_no_other():
    of_program = [re.split(r", ?", arguments) for arguments in re.findall(r"^BPF_\w+\((.*)\);$", CODE, re.MULTILINE)]
    # BPF_TABLE(type, key, value, name, ..), BPF_QUEUE(name, ..).
    names = [words[3] if words[0].startswith('"') else words[0] for words in of_program]
    assert sorted(names) == sorted(layout.MAPS)


def test_each_macro_is_used_by_the_program():
    names = [re.match(r"-D(\w+)=", macro)[1] for macro in layout.layout_macros(9)]
    assert "ROW_FIELDS" in names
    assert [name for name in names if not re.search(rf"\b{name}\b", CODE)] == []
    assert "-DROW_FIELDS=u64 identity; u64 exits[9];" in layout.layout_macros(9)


def test_each_number_of_a_tally_is_a_field_of_the_row():
    assert layout.tally_fields() == tuple(field.name for field in dataclasses.fields(Tally))


def test_each_cause_of_loss_is_told_by_its_name():
    assert set(layout.LOST_CAUSES) == set(Lost._fields) - {"recursion"}
