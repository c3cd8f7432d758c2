"""table: reports as the user reads them."""

import re

import pytest

from made_up_reports import WHEN_AND_WHERE, lasted, snapshot, timed_report
from virt_exitstat.commands.listing import render_list
from virt_exitstat.counts.details import Access, Cost, Detail, Kind
from virt_exitstat.counts.durations import Durations, bucket_of
from virt_exitstat.counts.snapshot import CountSnapshot, Lost, State, Thread
from virt_exitstat.counts.tally import Tally
from virt_exitstat.formats.aligned import lay_out
from virt_exitstat.formats.format import Style
from virt_exitstat.formats.table import render_tables
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.names.namer import Namer
from virt_exitstat.reports.choose import Choice, choose
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.reports.sort import Sort
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


# -- reports of exits that are timed --

TIMES = {
    101: {
        12: lasted(2_000_000, 100),
        10: lasted(1_000, 300),
        30: lasted(700_000, 1, qemu_ns=350_000),
        State.STOPPED: lasted(50_000_000, 2),
        State.GUEST: Durations(total_ns=600_000_000),
    },
    102: {10: lasted(1_000, 200), 48: lasted(2_000, 0, in_flight_ns=4_000), State.GUEST: Durations(total_ns=10**9)},
}


def render_timed(times=None, *, targets=(GUEST01,), per_vcpu=False, choice=Choice(), **more):  # noqa: B008
    report = choose(timed_report(targets, TIMES if times is None else times, **more), choice)
    return render_tables(report, Style(lay_out, per_vcpu=per_vcpu)).rstrip("\n")


def test_a_timed_report_says_where_the_time_went():
    """Idle reasons and stops stand below the total, which has neither their exits nor their time."""
    assert render_timed(waited_ns={101: 10_000_000, 102: 30_000_000}) == (
        "guest01: vCPUs 0-1, 1.000 s\n"
        "guest 80.0%, exits 0.1% (KVM <0.1%, QEMU <0.1%), idle 10.0%, stopped 5.0%\n"
        "not seen 4.9%; in any of these, waiting for a CPU: 2.0%\n"
        "reason          count  per s   time    mean     p99     max  QEMU\n"
        "CPUID             500  500.0  41.5%  1.00us  1.00us  1.00us     -\n"
        "EPT_VIOLATION       1    1.0   0.3%       -       -       -     -\n"
        "IO_INSTRUCTION      1    1.0  58.1%   700us   700us   700us   50%\n"
        "total             502  502.0   100%  2.40us  1.02us   700us   29%\n"
        "HLT               100  100.0      -  2.00ms  2.00ms  2.00ms     -\n"
        "(stopped)           2    2.0      -  50.0ms  50.0ms  50.0ms     -"
    )


def timed_lines(text):
    """{reason: the rest of its line}, in order."""
    return {words[0]: words[1:] for words in (line.split() for line in text.splitlines()[4:])}


def test_a_timed_report_per_vcpu_has_an_account_of_each():
    first, second = render_timed(per_vcpu=True, waited_ns={102: 500_000_000}).split("\n\n")
    assert first.splitlines()[:3] == [
        "guest01: vCPU 0, 1.000 s",
        "guest 60.0%, exits 0.1% (KVM 0.1%, QEMU <0.1%), idle 20.0%, stopped 10.0%",
        "not seen 9.9%; in any of these, waiting for a CPU: not known",
    ]
    assert second.splitlines()[:3] == [
        "guest01: vCPU 1, 1.000 s",
        "guest 100.0%, exits <0.1% (KVM <0.1%, QEMU 0.0%), idle 0.0%, stopped 0.0%",
        # The parts are more than the whole by 0.2 ms here.
        "not seen 0.0%; in any of these, waiting for a CPU: 50.0%",
    ]
    assert list(timed_lines(first)) == ["CPUID", "IO_INSTRUCTION", "total", "HLT", "(stopped)"]
    assert list(timed_lines(second)) == ["CPUID", "EPT_VIOLATION", "total"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"top": 1}, ["CPUID", "(others)", "total", "HLT", "(stopped)"]),
        ({"top": 1, "sort": Sort.TIME}, ["IO_INSTRUCTION", "(others)", "total", "HLT", "(stopped)"]),
        ({"sort": Sort.TIME}, ["IO_INSTRUCTION", "CPUID", "EPT_VIOLATION", "total", "HLT", "(stopped)"]),
        ({"sort": Sort.NAME}, ["CPUID", "EPT_VIOLATION", "IO_INSTRUCTION", "total", "HLT", "(stopped)"]),
        ({"reasons": frozenset({12})}, ["(others)", "total", "HLT", "(stopped)"]),
        (
            {"without": frozenset({12})},
            ["CPUID", "EPT_VIOLATION", "IO_INSTRUCTION", "total", "(idle)", "(stopped)"],
        ),
        ({"min_count": 200}, ["CPUID", "(others)", "total", "(idle)", "(stopped)"]),
    ],
)
def test_idle_rows_stand_below_the_total_whatever_is_chosen(choice, names):
    shown = timed_lines(render_timed(choice=Choice(**choice)))
    assert list(shown) == names
    # Mean and longest of the total, which have no idle time; its share is always all.
    assert shown["total"][2:4] == ["100%", "2.40us"] and shown["total"][5] == "700us"


@pytest.mark.parametrize(
    ("choice", "idle"),
    [
        ({}, "HLT"),
        ({"top": 1}, "HLT"),
        ({"sort": Sort.TIME, "top": 2}, "HLT"),
        ({"reasons": frozenset({12, 30})}, "HLT"),
        ({"without": frozenset({12})}, "(idle)"),
        ({"min_count": 200}, "(idle)"),
    ],
)
def test_the_total_of_timed_exits_has_none_of_the_idle_ones_below_it(choice, idle):
    shown = timed_lines(render_timed(choice=Choice(**choice)))
    assert shown["total"][0] == "502"
    assert shown[idle] == ["100", "100.0", "-", "2.00ms", "2.00ms", "2.00ms", "-"]


def test_a_halt_of_a_guest_on_amd_is_idle_too():
    shown = timed_lines(render_timed({101: {0x78: lasted(10, 5), 0xA6: lasted(10, 4), 0x72: lasted(10, 3)}}, isa=SVM))
    assert list(shown) == ["CPUID", "total", "HLT", "IDLE_HLT"]


def test_a_bound_of_the_longest_is_marked():
    times = {101: {10: lasted(1_000, 3) - lasted(1_000, 2)}}
    assert timed_lines(render_timed(times))["CPUID"][5] == "<1.00us"


def test_a_domain_that_was_not_seen_has_an_account():
    assert render_timed({}) == (
        "guest01: vCPUs 0-1, 1.000 s\n"
        "guest 0.0%, exits 0.0% (KVM 0.0%, QEMU 0.0%), idle 0.0%, stopped 0.0%\n"
        "not seen 100.0%; in any of these, waiting for a CPU: not known\n"
        "reason  count  per s  time  mean  p99  max  QEMU\n"
        "total       0    0.0  0.0%     -    -    -     -"
    )


@pytest.mark.parametrize(("seconds", "targets"), [(0.0, (GUEST01,)), (1.0, (named("guest01", ()),))])
def test_an_account_of_no_time_is_one(seconds, targets):
    assert "\nguest 0.0%, exits 0.0% (" in render_timed({}, seconds=seconds, targets=targets)


@pytest.mark.parametrize(
    ("untimed", "no_block", "lines"),
    [
        (1, 0, "not timed: 1 exit, whose end was not seen"),
        (
            7,
            5,
            "not timed: 7 exits, whose end was not seen\nno room: 5 times of exits or stops; raise --max-vcpus",
        ),
    ],
)
def test_exits_that_were_not_timed_are_told(untimed, no_block, lines):
    times = {101: {10: Tally(10, lasted(1_000, 3), untimed=untimed)}}
    assert render_timed(times, no_block=no_block).split("\n\n")[1] == lines
    assert "not timed" not in render_timed()


def test_an_exit_of_an_earlier_report_whose_time_has_become_known_is_no_exit_of_this_one():
    assert "not timed" not in render_timed({101: {10: Tally(10, lasted(1_000, 11), untimed=-1)}})


#: Takes six columns.
LONG_NS = 12_345_678


@pytest.mark.parametrize(("isa", "reason"), [(isa, reason) for isa in (SVM, VMX) for reason in longest_names(isa)])
@pytest.mark.parametrize(
    ("count", "is_bound", "longest"), [(12_345_678, False, "12.3ms"), (1_234_567, True, "<12.3ms")]
)
def test_timed_reports_stay_below_80_columns(isa, reason, count, is_bound, longest):
    time = Durations(
        total_ns=LONG_NS * count,
        qemu_ns=LONG_NS * count,
        finished_ns=LONG_NS * count,
        max_ns=LONG_NS,
        is_bound=is_bound,
        buckets={bucket_of(LONG_NS): count},
    )
    idle = {next(iter(isa.idle)): time, State.STOPPED: time}
    text = render_timed({101: {reason: time, 0xBEEF: time, **idle}}, seconds=count / 10_000, isa=isa)
    assert isa.reasons.name_of(reason) in text
    assert timed_lines(text)["total"] == [str(2 * count), "20000", "100%", "12.3ms", "12.3ms", longest, "100%"]
    # The account is of more than the time that passed here.
    assert [line for line in text.splitlines()[2:] if len(line) >= 80] == []


def test_an_account_of_all_the_time_stays_below_80_columns():
    second = Durations(total_ns=10**9, qemu_ns=10**9)
    for key in (12, 10, State.STOPPED, State.GUEST):
        for per_vcpu in (False, True):
            text = render_timed({101: {key: Tally(1, second)}}, per_vcpu=per_vcpu, waited_ns={101: 10**9, 102: 10**9})
            assert [line for line in text.splitlines() if len(line) >= 80] == []


# -- reports with details --

TIMER = Detail(Kind.MSR, 0x6E0, Access.WRITE)
EOI = Detail(Kind.MSR, 0x80B, Access.WRITE)
TOLD = {101: {32: Tally(10, details={TIMER: Cost(6, 600), EOI: Cost(3, 300)})}, 102: {12: Tally(4)}}


def render_detailed(tallies=None, *, choice=Choice(), describe=Namer("VMX").describe, times=False, **more):  # noqa: B008
    counts = {Thread(100, tid): dict(reasons) for tid, reasons in (tallies or TOLD).items()}
    delta = CountSnapshot(1.0, counts, no_detail=more.pop("no_detail", 0), missed_events=more.pop("missed", 0))
    waited = {} if times else None
    made = make_report(
        Targets((GUEST01,)), delta, VMX.reasons.name_of, **WHEN_AND_WHERE, waited_ns=waited, detailed=True, **more
    )
    return render_tables(choose(made, choice), Style(lay_out, describe=describe)).rstrip("\n")


def test_details_stand_below_their_reason_and_add_up_to_it():
    assert render_detailed() == (
        "guest01: vCPUs 0-1, 1.000 s\n"
        "reason                      count  per second   share\n"
        "MSR_WRITE                      10        10.0   71.4%\n"
        "  write 0x6e0 TSC_DEADLINE      6         6.0   42.9%\n"
        "  write 0x80b x2APIC EOI        3         3.0   21.4%\n"
        "  (not told yet)                1         1.0    7.1%\n"
        "HLT                             4         4.0   28.6%\n"
        "total                          14        14.0  100.0%"
    )


@pytest.mark.parametrize(("most", "shown"), [(None, ["(not told yet)"]), (1, ["(not told yet)"])])
def test_exits_of_which_nothing_has_been_told_are_not_told_yet(most, shown):
    """One that is in flight since the beginning, for instance."""
    text = render_detailed({101: {32: Tally(2, details={})}}, choice=Choice(top=most))
    assert [line.strip().split("  ")[0] for line in text.splitlines()[3:-1]] == shown


def test_top_limits_details_as_well_and_sums_up_the_others():
    lines = render_detailed(choice=Choice(top=1)).splitlines()[2:]
    assert [line.split("  ")[0] or line.strip().split("  ")[0] for line in lines] == [
        "MSR_WRITE",
        "write 0x6e0 TSC_DEADLINE",
        "(1 more)",
        "(not told yet)",
        "(others)",
        "total",
    ]


def test_an_interval_in_which_more_ended_than_began_says_so():
    text = render_detailed({101: {32: Tally(2, details={TIMER: Cost(3, 30)})}})
    assert re.search(r"\n  \(begun before\) +-1 +-1.0 +-\n", text)


def test_without_details_there_are_no_lines_for_them():
    assert "(not told" not in render([GUEST01], EXITS)


@pytest.mark.parametrize(
    ("no_detail", "missed", "lines"),
    [
        (1, 0, ["no room: details of 1 exit, shown as not told yet; raise --max-vcpus"]),
        (0, 2, ["lost: 2 events that may have told a detail, while another one was told on their CPU"]),
        (0, 0, []),
    ],
)
def test_what_details_lack_is_told(no_detail, missed, lines):
    parts = render_detailed(no_detail=no_detail, missed=missed).split("\n\n")[1:]
    assert [line for part in parts for line in part.splitlines()] == lines


def test_what_a_terminal_would_obey_is_escaped_in_a_detail():
    text = render_detailed(describe=lambda _detail: "IRQ 5 \x1b[2J")
    assert r"  IRQ 5 \x1b[2J" in text and "\x1b" not in text


@pytest.mark.parametrize("times", [False, True])
def test_reports_with_details_stay_below_80_columns(times):
    count = 12_345_678
    details = {Detail(Kind.IRQ, 2**31, by_qemu=True): Cost(count, 10**15), TIMER: Cost(count, 10**9)}
    busy = Durations(total_ns=10**15, qemu_ns=10**15, finished_ns=10**15, max_ns=10**9, buckets={100: count})
    tally = Tally(count * 2, busy if times else None, details=details)
    text = render_detailed({101: {32: tally, 48: tally}}, describe=lambda _detail: "x" * 60, times=times)
    assert "  " + "x" * 36 + ".." in text
    assert [line for line in text.splitlines()[3:] if len(line) >= 80] == []


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
