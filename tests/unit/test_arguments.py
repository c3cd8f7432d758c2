"""arguments: the command line as a value, by its form alone."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat import __version__
from virt_exitstat.arguments.parser import parse_request
from virt_exitstat.arguments.requests import (
    About,
    Candidates,
    Complete,
    Count,
    Counting,
    Explain,
    List,
    Show,
    Timing,
    Watch,
)
from virt_exitstat.arguments.table import GROUPS, OPTIONS
from virt_exitstat.commands.opening import room_for
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.errors import UsageError
from virt_exitstat.reports.choose import Choice
from virt_exitstat.reports.sort import Sort
from virt_exitstat.targets.selection import Selection, guess_duration
from virt_exitstat.targets.target import Target, Targets, VCpu

LIB = Path(__file__).resolve().parents[2] / "lib"


def parse(line):
    return parse_request(line.split())


def request(verb, domains=(), **fields):
    """A request whose fields stand side by side, whichever of its parts they are of."""
    parts = {"selection": {"domains": tuple(domains)}, "timing": {}, "counting": {}}
    for kind, part in ((Selection, "selection"), (Timing, "timing"), (Counting, "counting")):
        for field in dataclasses.fields(kind):
            if field.name in fields:
                parts[part][field.name] = fields.pop(field.name)
    made = {"selection": Selection(**parts["selection"])}
    if verb in (Count, Watch, Explain):
        made.update(timing=Timing(**parts["timing"]), counting=Counting(**parts["counting"]))
    return verb(**made, **fields)


def counts(domains=(), **fields):
    return request(Count, domains, **fields)


def test_nothing_given_means_everything_until_ctrl_c():
    assert parse("") == counts()


# -- DURATION --


@pytest.mark.parametrize(
    ("line", "domains", "duration_s"),
    [
        ("guest01", ("guest01",), None),
        ("guest01 10", ("guest01",), 10),
        ("10", (), 10),
        ("3 10", ("3",), 10),
        ("10 guest01", ("10", "guest01"), None),
        ("guest01 guest02 0.5", ("guest01", "guest02"), 0.5),
        ("guest01 .5", ("guest01",), 0.5),
        ("guest01 5.", ("guest01",), 5),
        ("guest01 +5", ("guest01",), 5),
        ("guest01 010", ("guest01",), 10),
        ("guest01 0.001", ("guest01",), 0.001),
        ("guest01 1000000000", ("guest01",), 1e9),
        ("-d 42", ("42",), None),
        ("-d 42 10", ("42",), 10),
        ("--domain=42 10", ("42",), 10),
        ("guest01 -d 42", ("guest01", "42"), None),
        ("-d 1 -d 2 guest01 3", ("guest01", "1", "2"), 3),
    ],
)
def test_the_last_word_is_the_duration_if_it_is_a_number(line, domains, duration_s):
    options = parse(line)
    assert (options.selection.domains, options.timing.duration_s) == (domains, duration_s)


@pytest.mark.parametrize("word", ["nan", "inf", "infinity", "1e9", "1e3", "0x10", "10s", "1_0", "1,5", "10.0.0.1"])
def test_what_float_would_take_beyond_plain_numbers_is_a_domain(word):
    assert parse(word) == counts(domains=(word,))


def test_digits_of_another_script_are_a_name():
    word = "\u0661\u0660"
    assert parse(word) == counts(domains=(word,))


@pytest.mark.parametrize("word", ["0", "0.0", "-0", "-5", "-0.5", "-.5", "1000000001", "1000000000.5", "9" * 400])
def test_a_duration_out_of_range_is_refused(word):
    with refuses(UsageError, f"DURATION is {word},") as caught:
        parse(f"guest01 {word}")
    assert f"-d {word}" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "guest01 --vcpu 0 10",
        "--vcpu 0 guest01 10",
        "guest01 10 --vcpu 0",
        "--vcpu=0 guest01 10",
        "-d guest01 --vcpu 0 10",
    ],
)
def test_options_may_stand_anywhere(line):
    assert parse(line) == counts(domains=("guest01",), vcpus=frozenset({0}), duration_s=10)


def test_a_word_keeps_its_spaces():
    assert parse_request(["two words", "10"]) == counts(domains=("two words",), duration_s=10)


def test_a_number_with_a_newline_is_no_number():
    assert parse_request(["10\n"]) == counts(domains=("10\n",))


def test_a_domain_may_begin_with_a_dash():
    assert parse("--domain=-weird 5") == counts(domains=("-weird",), duration_s=5)


# -- `--` --


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-- -weird 5", counts(("-weird",), duration_s=5)),
        ("-- --list", counts(("--list",))),
        ("--list -- --list", request(List, ("--list",))),
        ("a -- -b 5", counts(("a", "-b"), duration_s=5)),
        ("a -- 5", counts(("a",), duration_s=5)),
        ("a 5 --", counts(("a",), duration_s=5)),
        ("a -i 1 -- b --", counts(("a", "b", "--"), interval_s=1)),
        ("-- -1e9", counts(("-1e9",))),
        ("-- -5s", counts(("-5s",))),
        ("--", counts()),
    ],
)
def test_what_follows_two_dashes_is_no_option_on_any_python(line, options):
    assert parse(line) == options


def test_two_dashes_are_no_value_of_an_option():
    with refuses(UsageError, "expected one argument"):
        parse("guest01 -d -- 5")


@pytest.mark.parametrize("word", ["-1e9", "-5s", "-1.", "-.5e1", "-0x10", "-1,2", "-1\x1b[2J"])
@pytest.mark.parametrize("before", [(), ("guest01",), ("-d",), ("--interval",)])
def test_what_only_begins_like_a_negative_number_is_an_unknown_option_on_any_python(before, word):
    with refuses(UsageError, "unrecognized arguments: " + word.replace("\x1b", "\\x1b")):
        parse_request([*before, word])


@pytest.mark.parametrize("word", ["-z\x1b[2J", "--\x1b[2J", "--list=\x1b[2J", "--complete=\x1b[2J"])
def test_what_argparse_quotes_cannot_drive_the_terminal(word):
    with refuses(UsageError, r"\x1b[2J"):
        parse_request([word])


def test_a_name_with_a_space_is_no_option():
    assert parse_request(["-1 st", "-d", "-2 nd"]).selection.domains == ("-1 st", "-2 nd")


# -- --vcpu --


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", {0}),
        ("10", {10}),
        ("0,2-5", {0, 2, 3, 4, 5}),
        ("2-2", {2}),
        ("0-3,2-5,4", {0, 1, 2, 3, 4, 5}),
        ("5,0", {0, 5}),
        ("0, 2", {0, 2}),
        ("00,1", {0, 1}),
        ("65535", {65535}),
        ("0-287", set(range(288))),
    ],
)
def test_a_vcpu_list_is_numbers_and_ranges(text, numbers):
    assert parse_request(["guest01", "--vcpu", text]).selection.vcpus == frozenset(numbers)


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", ",", "0,", ",0", "0,,1", "1-", "1-2-3", "0;1", "1.5", "0x1", "all", "+1", "²", "\u0661", "\x1b[2J"],
)
def test_what_is_no_vcpu_list_is_refused(text):
    with refuses(UsageError, "must be a vCPU's number"):
        parse_request(["guest01", f"--vcpu={text}"])


def test_a_backward_range_is_refused_and_turned_round():
    with refuses(UsageError, "3-1 runs backwards") as caught:
        parse("guest01 --vcpu 0,3-1")
    assert "1-3" in caught.value.hint


@pytest.mark.parametrize("text", ["65536", "0-65536"])
def test_a_vcpu_that_no_domain_has_is_refused(text):
    with refuses(UsageError, f"no domain has a vCPU {text.rpartition('-')[2]}"):
        parse(f"guest01 --vcpu {text}")


def test_a_vcpu_of_5000_digits_is_refused():
    with refuses(UsageError, "vCPU"):
        parse("guest01 --vcpu " + "9" * 5000)


# -- --pid, --tid --


@pytest.mark.parametrize(
    ("line", "pids", "everything"),
    [
        ("--pid 4242", (4242,), False),
        ("-p 1,2", (1, 2), False),
        ("-p 1 --pid 2", (1, 2), False),
        ("-p 4194304", (4194304,), False),
        ("-p all", (), True),
    ],
)
def test_pids(line, pids, everything):
    options = parse(f"{line} 10")
    assert options == counts(pids=pids, all_processes=everything, duration_s=10)


@pytest.mark.parametrize(
    ("line", "tids"),
    [("--tid 7", (7,)), ("-t 7,8,9", (7, 8, 9)), ("-t 7 -t 8,9", (7, 8, 9)), ("-t 4194304", (4194304,))],
)
def test_tids(line, tids):
    assert parse(line) == counts(tids=tids)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "x", "1,", ",1", "1 2", "4194305", "9" * 5000, "1.0", "0x10", "²", "\x1b"]
)
@pytest.mark.parametrize(("option", "kind"), [("--pid", "process"), ("--tid", "thread")])
def test_what_is_no_id_is_refused(option, kind, text):
    with refuses(UsageError, f"{option}: ", f"must be the id of a {kind}"):
        parse_request([f"{option}={text}"])


def test_all_threads_cannot_be_asked_for():
    with refuses(UsageError, "'all' must be the id of a thread"):
        parse("--tid all")


# -- --max-vcpus, --attach --


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("64", 64), ("4096", 4096), ("0010", 10), ("0000001", 1), ("1048573", 1048573)]
)
def test_there_is_room_for_as_many_vcpus_as_asked_for(text, number):
    assert parse(f"guest01 --max-vcpus {text} 10") == counts(("guest01",), max_vcpus=number, duration_s=10)
    assert parse(f"--max-vcpus={text}") == counts(max_vcpus=number)


@pytest.mark.parametrize(
    ("vcpus", "timed", "room"),
    [(0, False, 4096), (9000, False, 4096), (0, True, 1024), (512, True, 1024), (513, True, 1026)],
)
def test_there_is_room_for_so_many_vcpus_unless_asked_for(vcpus, timed, room):
    assert parse("guest01").counting.max_vcpus is None
    targets = Targets((Target(100, tuple(VCpu(number, 101 + number) for number in range(vcpus))),))
    assert room_for(targets, Counting(timed=timed)) == room


def test_time_is_asked_for_and_sorted_by_only_then():
    assert parse("guest01 -T").counting.timed and parse("-L --time").counting.timed
    assert not parse("guest01").counting.timed
    assert parse("-T --sort time").choice.sort is Sort.TIME
    with pytest.raises(UsageError, match="--sort time needs exits that are timed") as refusal:
        parse("guest01 --sort time")
    assert refusal.value.hint == "add --time (-T)"


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0000", "-1", "+1", "x", "1.0", "1e3", "0x10", "1_000", "1 ", " 1", "10\n", "1,2", "all"),
        *("1048574", "1048576", "9999999", "00000001", "9" * 5000, "²", "\u0661", "\x1b[2J"),
    ],
)
def test_what_is_no_number_of_vcpus_is_refused(text):
    with refuses(UsageError, "--max-vcpus: ", "must be a whole number from 1 to 1048573"):
        parse_request([f"--max-vcpus={text}"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", "5"), ("5 sec", "5"), ("10,5", "10.5"), ("2m", "120"), ("1h", "3600"), ("1,5h", "5400"), ("3MIN", "180")],
)
def test_what_looks_like_a_duration_is_guessed_in_seconds(text, seconds):
    assert guess_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5.5", "s", "web5s", "5x", "m5", "1,2,3", "-5s", "\u0665s", "5s\n"])
def test_what_looks_like_none_is_not_guessed(text):
    assert guess_duration(text) == ""


@pytest.mark.parametrize("attachment", Attachment)
def test_each_way_to_attach_can_be_asked_for(attachment):
    assert parse(f"guest01 --attach {attachment.value}") == counts(("guest01",), attachment=attachment)


def test_the_ways_to_attach_are_three():
    assert [attachment.value for attachment in Attachment] == ["auto", "raw", "tracepoint"]


def test_the_cheapest_way_is_looked_for_unless_asked_for():
    assert parse("guest01").counting.attachment is Counting().attachment is Attachment.AUTO


@pytest.mark.parametrize("text", ["", "RAW", "r", "kprobe", "raw,tracepoint", " raw", "\x1b[2J"])
def test_another_way_to_attach_is_refused_with_those_there_are(text):
    with refuses(UsageError, "--attach: there is no '") as caught:
        parse_request([f"--attach={text}"])
    assert caught.value.hint == "give auto, raw or tracepoint"


# -- what goes together --


@pytest.mark.parametrize(
    "line",
    ["guest01 --pid 1", "guest01 --tid 1", "--pid 1 --tid 2", "-d 42 --pid all", "--pid all --tid 1", "a -p 1 -t 2 10"],
)
def test_domains_pids_and_tids_exclude_each_other(line):
    with refuses(UsageError, "domains, --pid and --tid exclude each other"):
        parse(line)


def test_a_vcpu_of_a_thread_makes_no_sense():
    with refuses(UsageError, "--vcpu and --tid exclude each other"):
        parse("--tid 7 --vcpu 0")


def test_a_vcpu_of_a_process_does():
    assert parse("--pid 4242 --vcpu 0 10") == counts(pids=(4242,), vcpus=frozenset({0}), duration_s=10)


@pytest.mark.parametrize(
    "line",
    ["--per", "--no-such-option", "--vcpu", "-d", "--pid", "--list=yes", "-1e9", "--max-vcpus", "--attach", "--max 1"],
)
def test_what_argparse_refuses_is_one_of_our_errors(line):
    with refuses(UsageError) as caught:
        parse(line)
    assert "--help" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("--list", request(List)),
        ("--list --no-header -d 42", request(List, ("42",), header=False)),
        ("-L -a -s rate 10", request(Watch, interval_s=1.0, duration_s=10, per_vcpu=True, sort=Sort.RATE)),
        ("-L 0.5", request(Watch, interval_s=0.5, duration_s=0.5)),
        ("-a", counts(per_vcpu=True)),
        ("--per-vcpu", counts(per_vcpu=True)),
        ("--debug", counts(debug=True)),
        ("-c qemu:///session", counts(uri="qemu:///session")),
        ("--connect qemu:///session", counts(uri="qemu:///session")),
        ("-i 0.5", counts(interval_s=0.5)),
        ("--interval 2 --count 3 10", counts(interval_s=2, reports=3, duration_s=10)),
        ("-i 10 10", counts(interval_s=10, duration_s=10)),
        ("-o json", counts(output="json")),
        ("--output wide --log /var/log/exits", counts(output="wide", log=Path("/var/log/exits"))),
        ("-n 3 -s name", counts(choice=Choice(top=3, sort=Sort.NAME))),
        ("--top 3 --sort count --min-count 5 --total", counts(choice=Choice(top=3, min_count=5, total=True))),
        ("-r HLT,MSR_READ --reason 0x40", counts(reasons=("HLT", "MSR_READ", "0x40"))),
        ("-r !HLT,!MSR_READ --reason=!0x40", counts(without=("HLT", "MSR_READ", "0x40"))),
        ("--no-header", counts(header=False)),
        ("--complete vcpus web01", request(Complete, ("web01",), what=Candidates.VCPUS)),
        # What does not go together may be mended before the line is entered.
        ("--complete domains --list --top 3 -p 1 a", request(Complete, ("a",), pids=(1,), what=Candidates.DOMAINS)),
    ],
)
def test_plain_options(line, options):
    assert parse(line) == options


@pytest.mark.parametrize("word", ["0", "-1", "0.001", "1e9", "nan", "inf", "", "1s", "99999999999", "\u0661"])
def test_an_interval_is_a_plain_number_of_seconds_that_can_be_kept(word):
    with refuses(UsageError, "--interval"):
        parse_request([f"--interval={word}"])


@pytest.mark.parametrize("option", ["--top", "--min-count", "--count"])
@pytest.mark.parametrize("word", ["0", "-1", "1.5", "many", "", "9" * 30])
def test_numbers_of_things_are_whole_and_from_1(option, word):
    with refuses(UsageError, option):
        parse_request(["-i", "1", f"{option}={word}"])


@pytest.mark.parametrize(
    "line",
    ["-i 10 5", "--count 3", "--count 3 10", "--list -i 1", "--list --log x", "--list -o csv", "-o JSON", "-s share"],
)
def test_what_does_not_go_together_is_refused(line):
    with refuses(UsageError):
        parse(line)


VALUES = {"--interval": "2", "--count": "1", "--top": "1", "--min-count": "1", "--max-vcpus": "1", "--pid": "1"}


@pytest.mark.parametrize("option", OPTIONS, ids=[option.long for option in OPTIONS])
@pytest.mark.parametrize("verb", ["--list", "--live"])
def test_an_option_that_a_verb_has_no_use_for_is_refused_and_never_ignored(verb, option):
    """Each option, in each form, is in the request or is refused."""
    if option.long in ("--help", "--version"):
        return
    value = VALUES.get(option.long, option.choices[-1] if option.choices else "7")
    for form in option.forms:
        words = [verb, form, value] if option.takes else [verb, form]
        if verb in {one.value for one in option.verbs}:
            assert option.long in (verb, "--debug") or parse_request(words) != parse_request([verb])
        else:
            with refuses(UsageError, f"{verb} ", option.long):
                parse_request(words)


def test_a_list_has_no_duration():
    with refuses(UsageError, "--list counts nothing, DURATION is for counts") as caught:
        parse("--list guest01 42")
    assert "-d 42" in caught.value.hint


# -- the table --


def test_the_help_shows_each_option_in_its_group():
    text = parse("--help").text
    for heading, options in GROUPS.items():
        (group,) = re.findall(rf"^{heading}:\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^  .*?(--[a-z-]+)(?: |$)", group, re.MULTILINE) == [option.long for option in options]


def test_help_and_version_are_requests_too():
    assert parse("--version --list 3") == Show(f"virt-exitstat {__version__}\n")
    assert parse("--help").text.startswith("usage: virt-exitstat")


def test_what_excludes_another_is_an_option():
    known = {option.long for option in OPTIONS} | {"*", "-"}
    assert {other for option in OPTIONS for other in option.excludes} <= known


# -- --detail, --explain, --about --


@pytest.mark.parametrize("line", ["guest01 --detail 10", "-D guest01 10"])
def test_details_are_asked_for(line):
    assert parse(line) == counts(("guest01",), detailed=True, duration_s=10)
    assert parse("guest01 -DT 10") == counts(("guest01",), detailed=True, timed=True, duration_s=10)


def test_explain_counts_with_times_and_details():
    expected = request(Explain, ("guest01",), timed=True, detailed=True, duration_s=10)
    assert parse("--explain guest01 10") == parse("guest01 10 --explain") == expected
    assert parse("--explain -o json guest01 10") == dataclasses.replace(expected, output="json")
    assert parse("--explain guest01 10 --max-vcpus 64").counting.max_vcpus == 64
    assert parse("--explain --pid 42").selection == Selection(pids=(42,))


@pytest.mark.parametrize("options", ["-i 1", "-L", "--list", "-a", "--total", "-n 3", "-r HLT", "-s rate", "--log x"])
def test_explain_has_its_own_report(options):
    with pytest.raises(UsageError):
        parse(f"--explain {options} guest01 10")


@pytest.mark.parametrize("output", ["csv", "wide"])
def test_explain_is_text_or_json(output):
    with refuses(UsageError, f"--explain writes text or json, not {output}"):
        parse(f"--explain -o {output} guest01 10")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("--about", ""),
        ("--about HLT", "HLT"),
        ("--about=HLT", "HLT"),
        ("--about leaf 0xd", "leaf 0xd"),
        ("--about 0x6e0", "0x6e0"),
        ("--about 10", "10"),
        ("--about --debug", ""),
    ],
)
def test_about_takes_a_word_or_none(line, word):
    assert parse(line) == About(word)


@pytest.mark.parametrize("options", ["-d guest01", "-T", "--list", "-o json", "--pid 42", "--explain"])
def test_about_counts_nothing(options):
    with refuses(UsageError, "--about counts nothing, "):
        parse(f"--about HLT {options}")


def test_the_command_line_imports_nothing_that_metrics_are_made_by():
    """Each start pays for it, and each Tab."""
    script = "import sys, virt_exitstat.arguments.parser; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=LIB, capture_output=True, text=True, check=True)
    metrics = {name for name in done.stdout.split() if name.startswith("virt_exitstat.metrics.")}
    assert metrics == {"virt_exitstat.metrics.wanted"}
