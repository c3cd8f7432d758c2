"""uri: whatever text is given, it is a URI of this host or refused in a sentence."""

import random

import pytest

from virt_exitstat.domains.uri import check_uri, choose_uri, is_alias
from virt_exitstat.errors import ExitStatError
from virt_exitstat.targets.selection import DEFAULT_URI

#: What URIs are made of, and what trips those who take them apart.
PIECES = [
    *"[]:/?#@+%&=;,. \\\"'\n\t\r\0\x1b",
    "qemu", "qemu+unix", "qemu+ssh", "://", ":///", "/system", "/session", "/embed", "localhost", "host9", "::1",
    "🐧", "v1.x", "99999999", "-1", "socket=", "/tmp/sock", "ü", "℀", "\uff0e", "\u2028", "\ud800", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    [
        "qemu:///system",
        "qemu:///session",
        "qemu+unix:///system",
        "qemu+unix:///session?socket=/run/user/1000/libvirt/libvirt-sock",
        "qemu:///system?socket=/embed",
    ],
)
def test_a_uri_of_this_host_is_taken(uri):
    check_uri(uri)


@pytest.mark.parametrize(
    "uri", ["qemu://[::1/system", "qemu+ssh://[/system", "qemu://]/", "qemu://℀/system", "[::", "qemu://[v1.x/"]
)
def test_a_uri_that_cannot_be_parsed_is_refused_in_a_sentence(uri):
    with pytest.raises(ExitStatError, match="is not a URI") as refused:
        check_uri(uri)
    assert DEFAULT_URI in refused.value.hint


@pytest.mark.parametrize("uri", ["qemu:///system\udcff", "\udcff", "qemu+ssh://\udcff/system"])
def test_bytes_that_are_not_utf_8_are_refused_and_shown_escaped(uri):
    with pytest.raises(ExitStatError, match="is not a URI: it is not UTF-8") as refused:
        check_uri(uri)
    assert "\\udcff" in str(refused.value) and str(refused.value).isprintable()


@pytest.mark.parametrize("uri", ["qemu:///embed", "qemu:///embed?root=/tmp/x", "qemu:/embed", "qemu+unix:///embed/"])
def test_a_driver_of_our_own_is_refused_with_what_to_name_instead(uri):
    with pytest.raises(ExitStatError, match="is a driver inside virt-exitstat itself") as refused:
        check_uri(uri)
    assert DEFAULT_URI in refused.value.hint


@pytest.mark.parametrize(
    "uri",
    ["qemu://host9:x/system", "qemu+ssh://[::1]:99999999/system", "qemu+tcp:///system", "qemu+ssh://a\x1bb/system"],
)
def test_another_host_is_refused_whatever_its_port_is(uri):
    with pytest.raises(ExitStatError, match="is on another host") as refused:
        check_uri(uri)
    assert refused.value.hint.isprintable()


def test_whatever_is_put_together_is_taken_or_refused_in_a_printable_sentence():
    dice = random.Random(9)
    outcomes = {True: 0, False: 0}
    for _ in range(20_000):
        uri = "".join(dice.choices(PIECES, k=dice.randrange(8)))
        if dice.random() < 0.5:
            uri = f"qemu:///{uri}"
        try:
            check_uri(uri)
        except ExitStatError as error:
            assert str(error).isprintable() and error.hint.isprintable(), uri
            outcomes[False] += 1
        else:
            outcomes[True] += 1
    assert min(outcomes.values()) > 100  # both were tried


def test_the_command_line_comes_before_the_environment_and_that_before_the_default(monkeypatch):
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///session")
    assert choose_uri("qemu+unix:///system") == "qemu+unix:///system"
    assert choose_uri() == choose_uri("") == "qemu:///session"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "")
    assert choose_uri() == DEFAULT_URI


@pytest.mark.parametrize(
    ("name", "is_one"), [("lab", True), ("my_lab-2", True), ("a b", False), ("qemu:x", False), ("", False)]
)
def test_an_alias_is_a_plain_word(name, is_one):
    assert is_alias(name) == is_one
