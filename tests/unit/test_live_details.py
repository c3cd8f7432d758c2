"""view with details: from a domain to its reasons, and to what caused the exits of one."""

import pytest

from made_up_reports import domain, lasted, timed_report
from virt_exitstat.counts.details import Access, Cost, Detail, Kind
from virt_exitstat.counts.tally import Tally
from virt_exitstat.live.cells import Look
from virt_exitstat.live.keyboard import BINDINGS, Press
from virt_exitstat.live.view import LiveView
from virt_exitstat.names.namer import Namer
from virt_exitstat.reports.sort import Sort

TWO = [domain("guest01", 100, vcpus=2), domain("guest02", 200)]
TIMER, EOI, ICR = (Detail(Kind.MSR, number, Access.WRITE) for number in (0x6E0, 0x80B, 0x830))
DESCRIBE = Namer("VMX").describe
HLT, CPUID, MSR = 12, 10, 32
TIMER_WORDS, EOI_WORDS, UNTOLD = "write 0x6e0 TSC_DEADL..", "write 0x80b x2APIC EOI", "(not told yet)"
DETAILED = (Press.SWITCH, Press.OPEN, Press.BACK)


def told(exits, details, each_ns=1_000):
    """A tally with {detail: exits, or a Cost}."""
    costs = {detail: Cost(cost, cost * each_ns) if isinstance(cost, int) else cost for detail, cost in details.items()}
    return Tally(exits, lasted(each_ns, exits), details=costs)


def msr_writes(timer, eoi, untold=0, tid=101):
    return {tid: {MSR: told(timer + eoi + untold, {TIMER: timer, EOI: eoi}), HLT: Tally(5, lasted(10**6, 5))}}


OTHER = {201: {CPUID: told(1000, {Detail(Kind.CPUID, 1): 1000})}}


def make_view(*reports, describe=DESCRIBE, targets=TWO, **options):
    view = LiveView("host9", 1.0, describe=describe, **options)
    add(view, *reports, targets=targets)
    return view


def add(view, *reports, targets=TWO):
    for one in reports:
        view.add(timed_report(targets, one), "12:00:00")


def words(view, width=80, height=24):
    return [[cell.text for cell in line.cells] for line in view.screen(width, height) if line.cells]


def below(view, **size):
    """The lower list: its lines as lists of the cells' texts."""
    lines = words(view, **size)
    return lines[[row for row, line in enumerate(lines) if "exits/s" in line][-1] + 1 : -1]


def names_below(view, **size):
    return [line[0] for line in below(view, **size)]


def title_below(view):
    return words(view)[[row for row, line in enumerate(words(view)) if "exits/s" in line][-1] - 1]


def selected(view, **size):
    (line,) = [line for line in view.screen(size.get("width", 80), size.get("height", 24)) if line.selected]
    return line.cells[0].text


def press(view, *presses):
    for one in presses:
        view.screen(80, 24)
        view.press(one)


def opened(*reports, **options):
    """A view in which the first reason of guest01, MSR_WRITE, is open."""
    view = make_view(*(reports or [msr_writes(60, 30, untold=10)]), **options)
    press(view, Press.OPEN, Press.OPEN)
    assert title_below(view) == ["MSR_WRITE of guest01: vCPUs 0-1"]
    return view


# -- from list to list --


def test_tab_changes_between_the_lists_and_arrows_work_in_the_selected_one():
    view = make_view(msr_writes(60, 30) | OTHER)
    press(view, Press.DOWN)
    assert selected(view) == "guest01"
    press(view, Press.SWITCH)
    assert selected(view) == "MSR_WRITE"
    press(view, Press.DOWN)
    assert selected(view) == "HLT"
    press(view, Press.DOWN)
    assert selected(view) == "HLT"
    press(view, Press.FIRST)
    assert selected(view) == "MSR_WRITE"
    press(view, Press.LAST, Press.SWITCH)
    assert selected(view) == "guest01"
    press(view, Press.SWITCH)
    assert selected(view) == "HLT"  # as it was left


def test_while_the_selection_is_below_the_domain_stands_out_above():
    view = make_view(msr_writes(60, 30) | OTHER)
    press(view, Press.DOWN, Press.SWITCH)
    assert [line.cells[0].look for line in view.screen(80, 24)[2:4]] == [Look.PLAIN, Look.TITLE]
    press(view, Press.SWITCH)
    assert [line.cells[0].look for line in view.screen(80, 24)[2:4]] == [Look.PLAIN, Look.PLAIN]


def test_enter_goes_to_the_reasons_then_opens_one_then_closes_it():
    view = make_view(msr_writes(60, 30))
    press(view, Press.OPEN)
    assert (selected(view), title_below(view)) == ("MSR_WRITE", ["guest01: vCPUs 0-1"])
    press(view, Press.OPEN)
    assert title_below(view) == ["MSR_WRITE of guest01: vCPUs 0-1"]
    assert (names_below(view), selected(view)) == ([TIMER_WORDS, EOI_WORDS], TIMER_WORDS)
    press(view, Press.OPEN)
    assert (names_below(view), selected(view)) == (["MSR_WRITE", "HLT"], "MSR_WRITE")


def test_escape_goes_a_step_back_each_time():
    view = opened()
    assert view.can_go_back
    press(view, Press.BACK)
    assert selected(view) == "MSR_WRITE"
    press(view, Press.BACK)
    assert selected(view) == "guest01"
    assert not view.can_go_back
    press(view, Press.BACK)
    assert (selected(view), names_below(view)) == ("guest01", ["MSR_WRITE", "HLT"])


def test_the_second_reason_can_be_opened_too_and_stays_selected_when_closed():
    view = make_view(msr_writes(60, 30))
    press(view, Press.OPEN, Press.DOWN, Press.OPEN)
    assert title_below(view) == ["HLT of guest01: vCPUs 0-1"]
    press(view, Press.BACK)
    assert selected(view) == "HLT"


def test_keys_that_come_together_do_the_same_as_one_by_one():
    view = make_view(msr_writes(60, 30))
    for one in (Press.OPEN, Press.DOWN, Press.OPEN):
        view.press(one)
    assert title_below(view) == ["HLT of guest01: vCPUs 0-1"]


def test_the_open_reason_is_shown_of_each_domain_that_has_it():
    view = opened(msr_writes(60, 30) | {201: {MSR: told(7, {ICR: 7})}})
    press(view, Press.SWITCH, Press.DOWN)
    assert title_below(view) == ["MSR_WRITE of guest02: vCPU 0"]
    assert (names_below(view), selected(view)) == (["write 0x830 x2APIC ICR"], "guest02")
    press(view, Press.OPEN)
    assert selected(view) == "write 0x830 x2APIC ICR"


def test_a_domain_without_the_open_reason_shows_its_reasons():
    view = opened(msr_writes(9000, 30) | OTHER)
    press(view, Press.SWITCH, Press.DOWN)
    assert (title_below(view), names_below(view)) == (["guest02: vCPU 0"], ["CPUID"])


def test_d_keeps_the_reason_open_for_a_vcpu():
    view = opened(msr_writes(60, 30) | msr_writes(1, 2, tid=102))
    press(view, Press.PER_VCPU)
    assert title_below(view) == ["MSR_WRITE of guest01: vCPU 0"]
    assert [line[1] for line in below(view)] == ["60", "30"]


def test_a_domain_without_exits_has_no_lower_list_to_go_to():
    view = make_view({})
    press(view, *DETAILED)
    assert selected(view) == "guest01"
    press(view, Press.OPEN, Press.OPEN)
    assert selected(view) == "guest01"
    assert not any("⏎" in text for text in words(view)[-1])


@pytest.mark.parametrize("targets", [[], TWO])
def test_no_key_stumbles_over_an_empty_screen(targets):
    view = LiveView("host9", 1.0, describe=DESCRIBE)
    press(view, *Press, *Press)
    add(view, {}, targets=targets)
    press(view, *Press, *DETAILED * 2)
    assert len(view.screen(80, 24)) == 24


# -- what is shown --


def test_a_detail_has_the_columns_of_its_reason_without_a_history():
    view = opened(msr_writes(60, 30, untold=10), msr_writes(60, 30, untold=10))
    assert below(view) == [
        [TIMER_WORDS, "120", "60.0", "57.1%", "████▋", ""],
        [EOI_WORDS, "60", "30.0", "28.6%", "██▎", ""],
        [UNTOLD, "20", "10.0", "9.5%", "▊", ""],
    ]


def test_with_times_a_detail_has_its_share_of_time_and_its_mean():
    details = {TIMER: Cost(60, 600_000), EOI: Cost(30, 0)}
    view = opened({101: {MSR: told(90, details, 10_000), CPUID: told(10, {})}}, timed=True)
    assert [line[:6] for line in below(view, width=110)] == [
        ["write 0x6e0 TSC_DEADLINE", "60", "60.0", "60.0%", "65.9%", "10.0us"],
        [EOI_WORDS, "30", "30.0", "30.0%", "0.0%", "-"],
    ]


def test_details_of_idle_reasons_have_no_share_of_time():
    view = make_view({101: {HLT: told(10, {Detail(Kind.WAKEUP, 4): 10})}}, timed=True)
    press(view, Press.OPEN, Press.OPEN)
    assert below(view, width=110)[0][4:6] == ["-", "1.00us"]


def test_exits_that_are_not_told_come_last_and_may_be_below_0():
    assert names_below(opened(msr_writes(1, 1, untold=98))) == [TIMER_WORDS, EOI_WORDS, UNTOLD]
    view = opened(msr_writes(60, 30, untold=3), {101: {MSR: told(7, {TIMER: 10})}})
    assert below(view)[-1] == [UNTOLD, "0", "-3.0", "-", "", ""]


def test_a_reason_of_which_nothing_is_told_says_so():
    view = make_view({101: {MSR: told(4, {})}})
    press(view, Press.OPEN, Press.OPEN)
    assert [line[:2] for line in below(view)] == [[UNTOLD, "4"]]


def test_a_detail_that_did_not_occur_stays_with_a_rate_of_0():
    view = opened(msr_writes(60, 30), {101: {MSR: told(8, {ICR: 8})}})
    assert {line[0]: line[1:3] for line in below(view)} == {
        TIMER_WORDS: ["60", "0.0"],
        EOI_WORDS: ["30", "0.0"],
        "write 0x830 x2APIC ICR": ["8", "8.0"],
    }


@pytest.mark.parametrize("width", [40, 60, 80])
def test_words_are_cut_to_the_column(width):
    view = opened(describe=lambda _detail: "x" * 300)
    cells = view.screen(width, 24)[7].cells
    assert cells[0].text == "x" * (cells[0].width - 2) + ".."


def test_hostile_words_are_escaped_before_they_are_cut():
    view = opened(describe=lambda _detail: "IRQ 5 \x1b[2J\n" + "\x1b" * 30)
    assert names_below(view)[0] == "IRQ 5 \\x1b[2J\\n\\x1b\\x.."
    view = opened(describe=lambda _detail: "日本", encoding="ascii", blocks=False)
    assert names_below(view)[0] == "\\u65e5\\u672c"


def test_hostile_names_of_domains_are_escaped_in_the_title():
    view = make_view(msr_writes(60, 30), targets=[domain("\x1b[2J", 100)])
    press(view, Press.OPEN, Press.OPEN)
    assert title_below(view) == ["MSR_WRITE of \\x1b[2J: vCPU 0"]


@pytest.mark.parametrize(("width", "height"), [(40, 10), (40, 24), (20, 5), (12, 4), (1, 1), (200, 60)])
def test_the_screen_stays_as_high_as_the_terminal(width, height):
    view = opened({101: {MSR: told(500, {Detail(Kind.MSR, number): 5 for number in range(100)})}})
    for key in (None, Press.LAST, Press.PAGE_UP, Press.BACK, Press.SWITCH, Press.OPEN):
        view.press(key)
        assert len(view.screen(width, height)) == height


def test_a_low_and_narrow_screen_says_which_reason_is_open():
    view = opened(msr_writes(60, 30))
    lines = words(view, 40, 10)
    assert "MSR_WRITE" in [line[0] for line in lines]
    assert [line[0][:11] for line in lines[-3:-1]] == ["write 0x6e0", "write 0x80b"]
    assert selected(view, width=40, height=10).startswith("write 0x6e0")
    assert lines[-1] == ["q quit", "h help", "⏎ back", "d vCPUs"]


def test_a_long_list_of_details_scrolls_with_the_selection_and_has_room():
    targets = [domain(f"guest{n:02}", 100 * n) for n in range(1, 41)]
    many = {Detail(Kind.MSR, 0xF000 + number): 100 - number for number in range(100)}
    view = make_view({101: {MSR: told(5050, many)}}, targets=targets)
    press(view, Press.OPEN, Press.OPEN)
    assert len(below(view)) == 12
    headings = [line[0] for line in words(view)]
    assert "detail 1-12/100" in headings
    for key in (Press.PAGE_DOWN, Press.DOWN, Press.LAST, Press.PAGE_UP, Press.UP):
        press(view, key)
        assert selected(view) in names_below(view)
    press(view, Press.LAST)
    assert selected(view) == "0xf063" and "detail 89-100/100" in [line[0] for line in words(view)]


def test_reasons_scroll_too():
    view = make_view({101: {500 + n: Tally(100 - n) for n in range(30)}})
    press(view, Press.OPEN, Press.LAST)
    assert selected(view) == names_below(view)[-1]
    assert "reason 15-30/30" in [line[0] for line in words(view)]


def test_another_list_begins_at_its_top():
    view = make_view(msr_writes(9000, 30) | {201: {500 + n: Tally(100 - n) for n in range(30)}})
    press(view, Press.DOWN, Press.SWITCH, Press.LAST, Press.SWITCH, Press.UP)
    assert names_below(view)[0] == "MSR_WRITE"
    press(view, Press.SWITCH)
    assert selected(view) == "MSR_WRITE"
    press(view, Press.OPEN, Press.DOWN, Press.BACK, Press.OPEN)
    assert selected(view) == TIMER_WORDS


# -- order --


def test_details_are_sorted_as_the_view_is():
    before = {101: {MSR: told(159, {TIMER: 100, EOI: 50, ICR: 9})}}
    newest = {101: {MSR: told(15, {TIMER: Cost(1, 500), EOI: Cost(5, 100), ICR: Cost(9, 300)})}}
    view = opened(before, newest, timed=True, describe={EOI: "a", TIMER: "b", ICR: "c"}.get)
    orders = {}
    for sort in Sort:
        orders[sort] = "".join(names_below(view))
        press(view, Press.SORT)
    assert orders == {Sort.COUNT: "bac", Sort.RATE: "cab", Sort.TIME: "bca", Sort.NAME: "abc"}


def test_the_selection_stays_on_the_reason_and_on_the_detail_when_the_order_changes():
    view = make_view(msr_writes(60, 30))
    press(view, Press.OPEN)
    add(view, {101: {HLT: Tally(1000)}})
    assert (names_below(view), selected(view)) == (["HLT", "MSR_WRITE"], "MSR_WRITE")
    press(view, Press.OPEN)
    assert selected(view) == TIMER_WORDS
    add(view, msr_writes(1, 500))
    assert (names_below(view), selected(view)) == ([EOI_WORDS, TIMER_WORDS], TIMER_WORDS)
    press(view, Press.BACK)
    assert selected(view) == "MSR_WRITE"


def test_the_open_reason_stays_open_when_the_order_of_domains_changes():
    view = opened(msr_writes(60, 30))
    add(view, OTHER)
    assert [line[0] for line in words(view)[2:4]] == ["guest02", "guest01"]
    assert title_below(view) == ["MSR_WRITE of guest01: vCPUs 0-1"]


# -- domains come and go --


@pytest.mark.parametrize("depth", [1, 2])
def test_when_its_domain_ends_the_selection_goes_back_to_the_domains(depth):
    both = msr_writes(60, 30) | {201: {MSR: told(7, {ICR: 7})}}
    view = make_view(both)
    press(view, *[Press.OPEN] * depth)
    add(view, {201: both[201]}, targets=TWO[1:])
    assert (selected(view), title_below(view)) == ("guest02", ["guest02: vCPU 0"])
    assert names_below(view) == ["MSR_WRITE"]
    assert not view.can_go_back


def test_when_the_last_domain_ends_and_one_comes_nothing_is_open():
    view = opened(msr_writes(60, 30))
    add(view, {}, targets=[])
    assert words(view)[2] == ["no running domain"]
    press(view, *DETAILED)
    add(view, msr_writes(60, 30))
    assert (selected(view), title_below(view)) == ("guest01", ["guest01: vCPUs 0-1"])


def test_a_domain_that_is_started_again_goes_back_to_the_reasons_that_it_has():
    view = opened(msr_writes(60, 30))
    add(view, {301: {HLT: Tally(5)}}, targets=[domain("guest01", 300)])
    assert (selected(view), title_below(view)) == ("HLT", ["guest01: vCPU 0"])


# -- reset, pause --


@pytest.mark.parametrize("paused", [False, True])
def test_r_counts_details_from_0_again_and_keeps_rates(paused):
    view = opened(msr_writes(60, 30))
    press(view, *[Press.PAUSE] * paused, Press.RESET)
    assert [line[1:3] for line in below(view)] == [["0", "60.0"], ["0", "30.0"]]
    press(view, *[Press.PAUSE] * paused)
    add(view, msr_writes(1, 0))
    assert [line[:3] for line in below(view)] == [[TIMER_WORDS, "1", "1.0"], [EOI_WORDS, "0", "0.0"]]


def test_pause_freezes_details_and_they_go_on():
    view = opened(msr_writes(60, 30))
    press(view, Press.PAUSE)
    before = words(view)
    add(view, msr_writes(5, 5), msr_writes(5, 5))
    assert words(view) == before
    press(view, Press.DOWN)
    assert selected(view) == EOI_WORDS  # they can still be looked at
    press(view, Press.PAUSE)
    assert [line[1:3] for line in below(view)] == [["70", "5.0"], ["40", "5.0"]]


# -- the keys that are offered --


@pytest.mark.parametrize(("blocks", "enter"), [(True, "⏎"), (False, "Enter")])
def test_the_bottom_line_says_what_enter_does(blocks, enter):
    view = make_view(msr_writes(60, 30), blocks=blocks)
    offered = []
    for _ in range(4):
        offered += [text for text in words(view)[-1] if text.startswith(enter)]
        press(view, Press.OPEN)
    assert offered == [f"{enter} reasons", f"{enter} open", f"{enter} back", f"{enter} open"]
    press(view, Press.SWITCH)
    assert f"{enter} details" in words(view)[-1]


def test_help_shows_the_keys_for_details():
    view = make_view(msr_writes(60, 30))
    press(view, Press.HELP)
    assert [line[0] for line in words(view)][1:-1] == [binding.name for binding in BINDINGS]
    press(view, Press.BACK)
    assert "keys" not in words(view)[0]


def test_without_details_the_keys_for_them_say_nothing():
    view = LiveView("host9", 1.0)
    add(view, msr_writes(60, 30))
    before = words(view)
    for one in DETAILED:
        press(view, one)
        assert words(view) == before and selected(view) == "guest01" and not view.can_go_back
        press(view, one)
        assert words(view) == before and selected(view) == "guest01" and not view.can_go_back
    assert words(view)[-1][2] == "d vCPUs"
    press(view, Press.HELP)
    assert not {"Tab", "Enter", "Esc"} & {line[0] for line in words(view)}
