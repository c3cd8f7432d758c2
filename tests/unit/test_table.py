"""table: reports as the user reads them."""

import pytest

from made_up_reports import WHEN_AND_WHERE, snapshot
from virt_exitstat.commands.listing import render_list
from virt_exitstat.counts.snapshot import Lost, Thread
from virt_exitstat.formats.aligned import lay_out
from virt_exitstat.formats.format import Style
from virt_exitstat.formats.table import render_tables
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Domain, Target, Targets, VCpu
from virt_exitstat.text import escape

UUID = "ed976740-be30-475d-ada2-37b68f7d76ed"
GUEST01 = Target(100, (VCpu(0, 101), VCpu(1, 102)), Domain("guest01", UUID, 1))
EXITS = {(100, 101): {12: 1200, 10: 23}, (100, 102): {12: 2800, 32: 2, 0xBEEF: 1}}


def render(targets, counts, *, seconds=10.0, lost=(), ended=(), per_vcpu=False, isa=VMX):
    delta = snapshot(seconds, {Thread(*thread): reasons for thread, reasons in counts.items()}, Lost(*lost))
    for process in ended:
        delta = delta.ended(*process)
    report = make_report(Targets(tuple(targets)), delta, isa.reasons.name_of, ended, **WHEN_AND_WHERE)
    return render_tables(report, Style(lay_out, per_vcpu=per_vcpu)).rstrip("\n")


def list_of(targets, **more):
    return lay_out(render_list(targets, **more))


def named(name, vcpus=GUEST01.vcpus):
    return Target(100, vcpus, Domain(name, UUID, 1))


def table_lines(text):
    return [line.split() for line in text.splitlines()[2:]]


# -- reports --


def test_a_collapsed_report():
    assert render([GUEST01], EXITS) == (
        "guest01: vCPUs 0-1, 10.000 s\n"
        "reason           count  per second   share\n"
        "HLT               4000       400.0   99.4%\n"
        "CPUID               23         2.3    0.6%\n"
        "MSR_WRITE            2         0.2   <0.1%\n"
        "UNKNOWN(0xbeef)      1         0.1   <0.1%\n"
        "total             4026       402.6  100.0%"
    )


def test_a_report_per_vcpu():
    assert render([GUEST01], EXITS, per_vcpu=True) == (
        "guest01: vCPU 1, 10.000 s\n"
        "reason           count  per second   share\n"
        "HLT               2800       280.0   99.9%\n"
        "MSR_WRITE            2         0.2    0.1%\n"
        "UNKNOWN(0xbeef)      1         0.1   <0.1%\n"
        "total             2803       280.3  100.0%\n"
        "\n"
        "guest01: vCPU 0, 10.000 s\n"
        "reason  count  per second   share\n"
        "HLT      1200       120.0   98.1%\n"
        "CPUID      23         2.3    1.9%\n"
        "total    1223       122.3  100.0%"
    )


def test_no_exits_have_no_share():
    assert render([GUEST01], {}) == (
        "guest01: vCPUs 0-1, 10.000 s\nreason  count  per second  share\ntotal       0         0.0      -"
    )


def test_domains_are_set_apart_by_an_empty_line():
    other = Target(200, (VCpu(0, 201),), Domain("guest02", "uuid-2", 2))
    first, second = render([GUEST01, other], {(100, 101): {12: 5}, (200, 201): {12: 3}}).split("\n\n")
    assert first.startswith("guest01: vCPUs 0-1, ")
    assert second.startswith("guest02: vCPU 0, ")


def test_a_domain_that_ended_says_so():
    header, _, _ = render([GUEST01], EXITS, ended=[(100, 0)]).partition("\n")
    assert header == "guest01: vCPUs 0-1, 10.000 s, ended while counting"
    for part in render([GUEST01], EXITS, ended=[(100, 0)], per_vcpu=True).split("\n\n"):
        assert part.partition("\n")[0].endswith(", ended while counting")


@pytest.mark.parametrize(
    ("target", "counts", "header"),
    [
        (named("guest01", ()), {}, "guest01: no vCPUs, 10.000 s"),
        (named("guest01", (VCpu(3, 103),)), {}, "guest01: vCPU 3, 10.000 s"),
        (named("guest01", tuple(VCpu(n, 200 + n) for n in (0, 1, 2, 7))), {}, "guest01: vCPUs 0-2,7, 10.000 s"),
        (Target(100, ()), {(100, 109): {12: 1}}, "pid 100: no vCPUs, 1 unnamed thread, 10.000 s"),
        (
            named("guest01", (VCpu(0, 101),)),
            {(100, 108): {12: 1}, (100, 109): {12: 1}},
            "guest01: vCPU 0, 2 unnamed threads, 10.000 s",
        ),
    ],
)
def test_the_header_says_what_was_counted(target, counts, header):
    assert render([target], counts).partition("\n")[0] == header


def test_a_thread_without_a_name_is_headed_by_its_ids():
    assert render([Target(100, ())], {(100, 109): {12: 1}}, per_vcpu=True).startswith(
        "pid 100: thread 100/109, 10.000 s"
    )


def test_a_domain_without_vcpus_is_shown_per_vcpu_too():
    assert render([named("guest01", ())], {}, per_vcpu=True).startswith("guest01: no vCPUs, ")


@pytest.mark.parametrize(
    ("count", "share"),
    [(1, "<0.1%"), (49, "<0.1%"), (50, "0.1%"), (149, "0.1%"), (1000, "1.0%"), (50000, "50.0%")],
)
def test_a_reason_that_is_there_is_never_shown_as_nothing(count, share):
    rows = table_lines(render([GUEST01], {(100, 101): {12: 100_000 - count, 10: count}}))
    assert ["CPUID", share] in [[row[0], row[3]] for row in rows]


WHY_LOST = {
    "no_row": "lost: 7 exits of vCPUs above --max-vcpus; raise it",
    "no_reason": "lost: 7 exits whose reason could not be stored",
    "recursion": "lost: 7 exits while another BPF program was running on their CPU",
}


@pytest.mark.parametrize("cause", Lost._fields)
@pytest.mark.parametrize("per_vcpu", [False, True])
def test_lost_exits_are_told_with_their_cause(cause, per_vcpu):
    whole = render([GUEST01], EXITS, per_vcpu=per_vcpu)
    assert "lost" not in whole
    assert render([GUEST01], EXITS, lost=Lost(**{cause: 7}), per_vcpu=per_vcpu) == f"{whole}\n\n{WHY_LOST[cause]}"


def test_each_cause_of_loss_has_its_line():
    text = render([GUEST01], EXITS, lost=Lost(*[7] * len(Lost._fields)))
    assert text.split("\n\n")[1].splitlines() == list(WHY_LOST.values())


def test_the_counts_of_lost_exits_are_their_own():
    text = render([GUEST01], EXITS, lost=Lost(no_row=1000, no_reason=0, recursion=30))
    counts = [line.split(" exits ")[0] for line in text.split("\n\n")[1].splitlines()]
    assert counts == ["lost: 1000", "lost: 30"]


def test_lost_exits_are_told_where_there_is_nothing_else():
    assert WHY_LOST["no_row"] in render([], {}, lost=Lost(no_row=7))


def test_big_numbers_are_written_out():
    rows = table_lines(render([GUEST01], {(100, 101): {12: 2**64 - 1}}, seconds=0.001))
    assert rows[0] == ["HLT", "18446744073709551615", "18446744073709551616000.0", "100.0%"]


def longest_names(isa):
    return sorted(isa.reasons.names, key=lambda reason: len(isa.reasons.name_of(reason)))[-5:]


@pytest.mark.parametrize("isa", [VMX, SVM], ids=["vmx", "svm"])
@pytest.mark.parametrize("per_vcpu", [False, True])
def test_reports_stay_below_80_columns(isa, per_vcpu):
    target = named("web-frontend", tuple(VCpu(number, 4_000_000 + number) for number in range(288)))
    counts = {
        (100, tid): dict.fromkeys([*longest_names(isa), 0xBEEF], 10**12) for tid in (4_000_000, 4_000_287, 4_100_000)
    }
    text = render([target], counts, seconds=86400, ended=[(100, 0)], lost=Lost(1, 2, 3), per_vcpu=per_vcpu, isa=isa)
    assert [line for line in text.splitlines() if len(line) >= 80] == []


def test_a_trillion_lost_exits_stay_below_80_columns():
    text = render([GUEST01], EXITS, lost=Lost(*[10**12] * len(Lost._fields)))
    assert text.count("1000000000000") == len(Lost._fields)
    assert [line for line in text.splitlines() if len(line) >= 80] == []


# -- the list --


def test_a_list():
    guest = Target(4242, (VCpu(1, 4250), VCpu(0, 4249)), Domain("guest01", UUID, 7))
    process = Target(99, (VCpu(0, 100),), tids=frozenset({100, 105}))
    assert list_of(Targets((guest, process))) == (
        "domain   id  uuid                                   pid  vcpu   tid\n"
        "guest01   7  ed976740-be30-475d-ada2-37b68f7d76ed  4242     0  4249\n"
        "guest01   7  ed976740-be30-475d-ada2-37b68f7d76ed  4242     1  4250\n"
        "pid 99    -  -                                       99     0   100\n"
        "pid 99    -  -                                       99     -   105"
    )


@pytest.mark.parametrize(
    ("name", "pid"),
    [
        ("guest01", 4_193_999),
        ("web-frontend", 4_193_999),
    ],
)
def test_a_list_stays_below_80_columns(name, pid):
    guest = Target(pid, tuple(VCpu(number, pid + 7 + number) for number in range(20)), Domain(name, UUID, 42))
    assert [line for line in list_of(Targets((guest,))).splitlines() if len(line) >= 80] == []


def test_a_list_of_nothing_is_its_header():
    assert list_of(Targets(())).split() == ["domain", "id", "uuid", "pid", "vcpu", "tid"]


def test_a_process_without_named_threads_is_listed():
    assert "pid 99" in list_of(Targets((GUEST01, Target(99, ()))))


@pytest.mark.parametrize("name", ["0x10", "1e5", "007", "1.0", "nan", "+5", "1,000", "-"])
def test_a_name_like_a_number_is_not_rewritten(name):
    listed = list_of(Targets((Target(4242, (VCpu(0, 4249),), Domain(name, UUID, 7)),)))
    assert listed.splitlines()[1].split() == [name, "7", UUID, "4242", "0", "4249"]


@pytest.mark.parametrize(
    "name",
    [
        "two  words",
        " padded",
    ],
)
def test_a_name_keeps_its_spaces(name):
    listed = list_of(Targets((named(name, (VCpu(0, 101),)),)))
    assert listed.splitlines()[1].startswith(f"{name}  ")


# -- names --

HOSTILE = [
    ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
    ("a\nb", r"a\nb"),
    ("a\r\tb", r"a\r\tb"),
    ("bell\x07\x00\x7f", r"bell\x07\x00\x7f"),
    ("c1\x9b31m", r"c1\x9b31m"),
    ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
    ("\u2066x\u2069\u200f\u200b", r"\u2066x\u2069\u200f\u200b"),
    ("a\u2028b", r"a\u2028b"),
    ("\ud800", r"\ud800"),
    ("\U000e0001tag", r"\U000e0001tag"),
]


@pytest.mark.parametrize(("text", "escaped"), HOSTILE)
def test_what_a_terminal_would_obey_is_escaped(text, escaped):
    assert escape(text) == escaped
    assert escape(text).isprintable()


@pytest.mark.parametrize(
    "text", ["", "guest01", "two words", "gäste-客-имя", "e\u0301", 'it\'s "$(x)" <&> \\ %s {0}', "🐧"]
)
def test_what_a_terminal_prints_as_itself_is_kept(text):
    assert escape(text) == text


@pytest.mark.parametrize(("name", "escaped"), HOSTILE)
def test_names_are_escaped_wherever_they_are_shown(name, escaped):
    target = named(name)
    for text in (
        render([target], EXITS),
        render([target], EXITS, per_vcpu=True),
        list_of(Targets((target,))),
    ):
        assert escaped in text
        assert name not in text
        assert text.replace("\n", "").isprintable()
