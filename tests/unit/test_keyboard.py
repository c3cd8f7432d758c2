"""keyboard: bytes to keys."""

import pytest

from virt_exitstat.live.keyboard import BINDINGS, Press, press_of, read_keys, text_of


def read_presses(data):
    keys, rest = read_keys(data)
    return [press_of(key) for key in keys if press_of(key)], rest


@pytest.mark.parametrize(
    ("typed", "presses"),
    [
        (b"q", [Press.QUIT]),
        (b"dsp", [Press.PER_VCPU, Press.SORT, Press.PAUSE]),
        (b"DSPQ", [Press.PER_VCPU, Press.SORT, Press.PAUSE, Press.QUIT]),
        (b"\x1b[A\x1b[B", [Press.UP, Press.DOWN]),
        (b"\x1bOA\x1bOB", [Press.UP, Press.DOWN]),
        (b"\x1b[5~\x1b[6~", [Press.PAGE_UP, Press.PAGE_DOWN]),
        (b"\x1b[H\x1b[F\x1bOH\x1bOF\x1b[1~\x1b[4~", [Press.FIRST, Press.LAST] * 3),
        (b"\t\r\n", [Press.SWITCH, Press.OPEN, Press.OPEN]),
        (b"\x7f\b", [Press.BACK, Press.BACK]),
    ],
)
def test_keys_are_known_in_each_form_that_terminals_send(typed, presses):
    assert read_presses(typed) == (presses, b"")


@pytest.mark.parametrize("typed", [b"x", b"\xc3\xa9", b"\x1b[1;5A", b"\x1b[3~", b"\x1bOP", b"\0\v", b"[A"])
def test_other_keys_mean_nothing(typed):
    assert read_presses(typed)[0] == []


def test_the_letters_of_a_sequence_are_no_keys():
    # Ctrl-Alt-something may come with a d, p, q or s in it.
    assert read_presses(b"\x1b[1p\x1b[2q\x1bOs\x1b[d") == ([], b"")


def test_a_sequence_may_come_in_pieces():
    found, rest = [], b""
    for byte in b"\x1b[Ad\x1bOB\x1b[5~":
        presses, rest = read_presses(rest + bytes([byte]))
        found += presses
    assert (found, rest) == ([Press.UP, Press.PER_VCPU, Press.DOWN, Press.PAGE_UP], b"")


def test_escape_alone_does_not_swallow_the_next_key():
    presses, rest = read_presses(b"\x1b")
    assert presses == []
    assert read_presses(rest + b"q") == ([Press.BACK, Press.QUIT], b"")
    assert read_presses(b"\x1b\x1b[") == ([Press.BACK], b"\x1b[")


def test_each_press_has_a_key_and_no_key_two():
    assert [binding.press for binding in BINDINGS] == list(Press)
    sent = [sent for binding in BINDINGS for sent in binding.sent]
    assert len(sent) == len(set(sent))


@pytest.mark.parametrize("text", ["a", "Q", " ", "ü", "客", "🐧"])
def test_a_character_is_typed_however_its_bytes_come(text):
    keys, rest = [], b""
    for byte in text.encode():
        more, rest = read_keys(rest + bytes([byte]))
        keys += more
    assert [text_of(key) for key in keys] == [text] and rest == b""


@pytest.mark.parametrize("sent", [b"\x1b[A", b"\t", b"\0", b"\xff", b"\x80", b"\xc2\x9b", b"\xe2\x80\xae"])
def test_a_key_that_types_nothing_types_nothing(sent):
    assert "".join(map(text_of, read_keys(sent)[0])) == ""
