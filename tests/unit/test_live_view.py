"""view: reports and keys in, lines out. No terminal, no rich."""

import pytest

from made_up_reports import domain, lasted, report, timed_report
from virt_exitstat.counts.snapshot import State
from virt_exitstat.live.cells import Look
from virt_exitstat.live.keyboard import BINDINGS, Press
from virt_exitstat.live.view import LiveView
from virt_exitstat.reports.sort import Sort

FEW = {101: {"HLT": 10, "MSR": 5}, 102: {"HLT": 20}, 201: {"CPUID": 100}}
TWO = [domain("guest01", 100, vcpus=2), domain("guest02", 200)]


def make_view(*reports, **options):
    view = LiveView("host9", 1.0, **options)
    for number, one in enumerate(reports):
        view.add(one, f"12:00:{number:02}")
    return view


def words(view, width=80, height=24):
    """The screen as lists of the cells' texts, lines without a cell left out."""
    return [[cell.text for cell in line.cells] for line in view.screen(width, height) if line.cells]


def listed(view, **size):
    """The first column of the upper table."""
    lines = words(view, **size)
    end = next(row for row, line in enumerate(lines) if line[0].startswith("reason"))
    roomy = size.get("height", 24) >= 16
    return [line[0] for line in lines[2 : end - roomy]]


def reasons(view, **size):
    """The first column of the lower table."""
    names = [line[0] for line in words(view, **size)]
    return names[next(row for row, name in enumerate(names) if name.startswith("reason")) + 1 : -1]


def selected(view, **size):
    (line,) = [line for line in view.screen(size.get("width", 80), size.get("height", 24)) if line.selected]
    return [cell.text for cell in line.cells][:2]


def press(view, *presses):
    for one in presses:
        view.screen(80, 24)
        view.press(one)


# -- what is on it --


def test_domains_with_their_figures_and_the_reasons_of_the_first():
    view = make_view(report(TWO, FEW), report(TWO, FEW))
    assert words(view) == [
        ["virt-exitstat", "host9", "12:00:01", "every 1 s", "135.0 exits/s"],
        ["domain", "vCPUs", "count", "exits/s", "share", "", "last 14 s"],
        ["guest02", "1", "200", "100.0", "74.1%", "█████▉", "            ██"],
        ["guest01", "2", "70", "35.0", "25.9%", "██▏", "            ██"],
        ["guest02: vCPU 0"],
        ["reason", "count", "exits/s", "share", "", "last 14 s"],
        ["CPUID", "200", "100.0", "100.0%", "████████", "            ██"],
        ["q quit", "h help", "d vCPUs", "s sort: count", "p pause", "f filter", "↑↓ select"],
    ]


def test_the_vcpu_view_lists_vcpus_and_the_reasons_of_one():
    view = make_view(report(TWO, FEW), per_vcpu=True)
    assert [line[:3] for line in words(view)[1:8]] == [
        ["domain", "vCPU", "count"],
        ["guest02", "0", "100"],
        ["guest01", "1", "20"],
        ["guest01", "0", "15"],
        ["guest02: vCPU 0"],
        ["reason", "count", "exits/s"],
        ["CPUID", "100", "100.0"],
    ]


def test_a_thread_without_a_name_is_told_by_its_tid():
    view = make_view(report(TWO[:1], {150: {"HLT": 1}}), per_vcpu=True)
    assert ["tid 150, guest01", "-", "1"] in [line[:3] for line in words(view)]
    assert ["guest01: thread 100/150"] in words(view)


def test_the_first_screen_says_when_figures_come():
    assert words(make_view())[2] == ["the first figures come after 1 s"]


def test_no_domain_is_said():
    view = make_view(report(TWO, FEW), report([]))
    assert words(view)[2] == ["no running domain"]
    press(view, *Press)  # and no key stumbles over it


def test_domains_without_exits_have_no_share():
    view = make_view(report(TWO))
    assert words(view)[2] == ["guest01", "2", "0", "0.0", "0.0%", "", " " * 14]
    assert reasons(view) == []


def test_lost_exits_are_an_alarm_that_stays():
    view = make_view(report(TWO, FEW))
    assert Look.ALARM not in [cell.look for cell in view.screen(80, 24)[0].cells]
    view.add(report(TWO, FEW, lost=(7,)), "12:00:01")
    view.add(report(TWO, FEW), "12:00:02")
    assert [cell.text for cell in view.screen(80, 24)[0].cells if cell.look is Look.ALARM] == ["lost 7"]


@pytest.mark.parametrize("name", ["\x1b[31mred", "[bold]x[/bold]", "a\nb", "日本"])
def test_foreign_names_are_escaped_and_otherwise_as_they_are(name):
    shown = {"\x1b[31mred": "\\x1b[31mred", "a\nb": "a\\nb"}.get(name, name)
    view = make_view(report([domain(name, 100)]))
    assert listed(view) == [shown]
    assert [f"{shown}: vCPU 0"] in words(view)


def test_a_terminal_that_is_not_unicode_gets_what_it_can_show():
    view = make_view(report([domain("日本é", 100)], {101: {"HLT": 1}}), encoding="latin-1", blocks=False)
    assert listed(view) == ["\\u65e5\\u672cé"]
    assert all(cell.text.isascii() for line in view.screen(80, 24)[5:] for cell in line.cells)
    assert reasons(view) == ["HLT"]


# -- sizes --


@pytest.mark.parametrize("domains", [0, 1, 3, 40])
def test_the_screen_is_exactly_as_high_as_the_terminal(domains):
    targets = [domain(f"guest{n:02}", 100 * n, vcpus=2) for n in range(1, domains + 1)]
    view = make_view(report(targets, {100 * n + 1: {f"R{r:02}": r + 1 for r in range(23)} for n in range(1, domains)}))
    for width, height in ((80, 24), (40, 10), (200, 60), (20, 5), (10, 3), (1, 1), (80, 2)):
        assert len(view.screen(width, height)) == height


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60)])
def test_domains_and_reasons_both_have_room(width, height):
    targets = [domain(f"guest{n:02}", 100 * n) for n in range(1, 41)]
    view = make_view(report(targets, {101: {f"R{r:02}": 30 - r for r in range(30)}}))
    assert len(listed(view, width=width, height=height)) >= 2
    assert len(reasons(view, width=width, height=height)) >= 3
    assert words(view, width, height)[-1][0] == "q quit"


def test_few_domains_leave_their_room_to_reasons_and_the_other_way_round():
    many = {f"R{r:02}": 30 - r for r in range(30)}
    assert len(reasons(make_view(report(TWO[:1], {101: many})))) == 17
    targets = [domain(f"guest{n:02}", 100 * n) for n in range(1, 41)]
    assert len(listed(make_view(report(targets, {101: {"HLT": 1}})))) == 17


def test_what_is_left_out_is_said():
    targets = [domain(f"guest{n:02}", 100 * n) for n in range(1, 41)]
    view = make_view(report(targets, {101: {f"R{r:02}": 30 - r for r in range(30)}}))
    headings = [line[0] for line in words(view)]
    assert "domain 1-6/40" in headings and "reason 1-12/30" in headings
    press(view, Press.LAST)
    assert "domain 35-40/40" in [line[0] for line in words(view)]


def test_a_narrow_title_keeps_what_matters():
    view = make_view(report(TWO, FEW, lost=(7,)))
    press(view, Press.PAUSE)
    assert words(view, 40, 10)[0] == ["12:00:00", "135.0 exits/s", "lost 7", "PAUSED"]


# -- keys --


def test_s_sorts_by_count_then_rate_then_name():
    exits = [{101: {"HLT": 100, "MSR": 1}, 201: {"MSR": 1}}, {101: {"HLT": 1, "CPUID": 5}, 201: {"MSR": 9}}]
    view = make_view(*(report([TWO[1], TWO[0]], one) for one in exits))
    assert (listed(view), reasons(view)) == (["guest01", "guest02"], ["HLT", "CPUID", "MSR"])
    press(view, Press.SORT)
    assert (listed(view), reasons(view)) == (["guest02", "guest01"], ["CPUID", "HLT", "MSR"])
    press(view, Press.SORT)
    assert (listed(view), reasons(view)) == (["guest01", "guest02"], ["CPUID", "HLT", "MSR"])
    press(view, Press.SORT)
    assert reasons(view) == ["HLT", "CPUID", "MSR"]


@pytest.mark.parametrize(("sort", "heading"), [(Sort.RATE, "exits/s"), (Sort.COUNT, "count"), (Sort.NAME, "domain")])
def test_the_column_that_is_sorted_by_is_marked(sort, heading):
    line = make_view(report(TWO, FEW), sort=sort).screen(80, 24)[1]
    assert [cell.text for cell in line.cells if cell.look is Look.SORTED] == [heading]


def test_arrows_select_and_stop_at_the_ends():
    view = make_view(report(TWO, FEW))
    assert selected(view) == ["guest02", "1"]
    press(view, Press.UP)
    assert selected(view) == ["guest02", "1"]
    press(view, Press.DOWN)
    assert (selected(view), reasons(view)) == (["guest01", "2"], ["HLT", "MSR"])
    press(view, Press.DOWN)
    assert selected(view) == ["guest01", "2"]


def test_the_list_scrolls_with_the_selection():
    targets = [domain(f"guest{n:02}", 100 * n) for n in range(1, 21)]
    view = make_view(report(targets, {101: {f"R{r:02}": 30 - r for r in range(30)}}), sort=Sort.NAME)
    page = listed(view)
    assert page == [f"guest{n:02}" for n in range(1, 7)]
    press(view, *[Press.DOWN] * 5)
    assert listed(view) == page  # nor does it get longer where the selected domain has no reasons
    press(view, Press.DOWN)
    assert listed(view) == [f"guest{n:02}" for n in range(2, 8)]
    press(view, *[Press.UP] * 5)
    assert listed(view) == [f"guest{n:02}" for n in range(2, 8)]
    for key in (Press.PAGE_DOWN, Press.PAGE_DOWN, Press.PAGE_UP, Press.FIRST, Press.LAST, Press.UP, Press.PAGE_UP):
        press(view, key)
        assert selected(view)[0] in listed(view)
    press(view, Press.LAST)
    assert selected(view)[0] == "guest20"
    press(view, Press.FIRST)
    assert selected(view)[0] == "guest01"


def test_d_stays_with_the_domain():
    view = make_view(report(TWO, FEW))
    press(view, Press.DOWN, Press.PER_VCPU)
    assert selected(view) == ["guest01", "1"]  # its busiest vCPU
    press(view, Press.DOWN)
    assert selected(view) == ["guest01", "0"]
    press(view, Press.PER_VCPU)
    assert selected(view) == ["guest01", "2"]


def test_pause_freezes_the_screen_and_counts_go_on():
    view = make_view(report(TWO, FEW))
    press(view, Press.PAUSE)
    before = words(view)
    assert before[0][-1] == "PAUSED"
    view.add(report(TWO[:1], FEW, lost=(3,)), "12:00:01")
    assert words(view) == before
    # What is frozen can still be looked at.
    press(view, Press.DOWN)
    assert selected(view) == ["guest01", "2"]
    press(view, Press.PAUSE)
    assert words(view)[0][2:] == ["12:00:01", "every 1 s", "35.0 exits/s", "lost 3"]
    view.add(report(TWO[:1], FEW), "12:00:02")
    assert words(view)[0] == ["virt-exitstat", "host9", "12:00:02", "every 1 s", "35.0 exits/s", "lost 3"]
    assert words(view)[2][:3] == ["guest01", "2", "105"]


# -- domains come and go --


def test_the_selection_follows_the_domain_and_not_the_row():
    view = make_view(report(TWO, FEW))
    press(view, Press.DOWN)
    view.add(report(TWO, {101: {"HLT": 1000}, 201: {"HLT": 1}}), "12:00:01")
    assert listed(view) == ["guest01", "guest02"]
    assert selected(view)[0] == "guest01"


def test_when_the_selected_domain_ends_the_one_in_its_place_is_selected():
    targets = [domain(f"guest{n}", 100 * n) for n in (1, 2, 3)]
    view = make_view(report(targets), sort=Sort.NAME)
    press(view, Press.DOWN)
    view.add(report([targets[0], targets[2]]), "12:00:01")
    assert selected(view)[0] == "guest3"
    view.add(report(targets[:1]), "12:00:02")
    assert selected(view)[0] == "guest1"
    view.add(report([]), "12:00:03")
    assert "no running domain" in words(view)[2]
    view.add(report(targets), "12:00:04")
    assert selected(view)[0] == "guest1"


def test_a_domain_that_is_started_again_stays_selected():
    view = make_view(report(TWO, FEW))
    press(view, Press.DOWN)
    view.add(report([TWO[1], domain("guest01", 300)], FEW), "12:00:01")
    assert selected(view)[0] == "guest01"


# -- help, filter, reset --


def test_h_shows_every_key_and_any_key_goes_back():
    view = make_view(report(TWO, FEW))
    before = words(view)
    press(view, Press.HELP)
    assert [line[0] for line in words(view)][1:-1] == [binding.name for binding in BINDINGS if not binding.detailed]
    for key in (Press.SORT, None, Press.HELP):
        press(view, key)
        assert words(view) == before
        press(view, Press.HELP)


def test_on_a_low_screen_help_fits():
    view = make_view(report(TWO, FEW))
    view.press(Press.HELP)
    for height in range(1, 30):
        assert len(view.screen(40, height)) == height


def type_text(view, text):
    for char in text:
        view.type_key(char.encode())


def test_f_shows_only_domains_whose_names_hold_what_is_typed():
    targets = [domain(name, 100 * at) for at, name in enumerate(("web01", "WEB02", "db01", "[x]"), 1)]
    view = make_view(report(targets))
    press(view, Press.FILTER)
    type_text(view, "eb")
    assert listed(view) == ["WEB02", "web01"]
    assert words(view)[-1][0] == "filter: eb_"
    assert "filter eb" in words(view)[0]
    type_text(view, "?1")
    assert listed(view) == ["web01"]
    view.type_key(b"\x7f")
    type_text(view, "2\r")
    assert listed(view) == ["WEB02"] and not view.is_typing
    press(view, Press.FILTER)
    type_text(view, "\x15")
    assert len(listed(view)) == 4


def test_a_filter_that_nothing_matches_says_so():
    view = make_view(report(TWO, FEW))
    press(view, Press.FILTER)
    type_text(view, "zzz")
    assert ["no running domain is called *zzz*"] in words(view)
    press(view, Press.DOWN)


def test_letters_are_text_while_the_filter_is_typed():
    view = make_view(report(TWO, FEW), sort=Sort.NAME)
    press(view, Press.FILTER)
    type_text(view, "s")
    view.type_key(b"\x1b")
    assert "s sort: name" in words(view)[-1]


@pytest.mark.parametrize("paused", [False, True])
def test_r_counts_from_0_again_and_keeps_rates(paused):
    view = make_view(report(TWO, FEW, lost=(7, 0, 0)), report(TWO, FEW), sort=Sort.RATE)
    if paused:
        press(view, Press.PAUSE)
    press(view, Press.RESET)
    assert not any("lost" in word for word in words(view)[0])
    assert [line[2:4] for line in words(view)[2:4]] == [["0", "100.0"], ["0", "35.0"]]
    if paused:
        press(view, Press.PAUSE)
    view.add(report(TWO, FEW), "12:00:09")
    assert [line[2] for line in words(view)[2:4]] == ["100", "35"]


# -- exits that are timed --

#: HLT is idle and takes most time, CPUID has most exits, of the busy ones MSR_WRITE takes most time.
TIMES = {
    101: {
        12: lasted(5_000_000, 100),
        10: lasted(1_000, 300, qemu_ns=10),
        32: lasted(40_000, 20),
        State.STOPPED: lasted(10**6, 1),
    },
    201: {10: lasted(2_000, 500)},
}


def make_timed(times=None, **options):
    return make_view(timed_report(TWO, TIMES if times is None else times), timed=True, **options)


def heading(view):
    return [cell.text for cell in view.screen(100, 24)[1].cells]


def test_time_and_mean_are_columns_only_where_exits_are_timed():
    assert heading(make_view(report(TWO, FEW)))[2:5] == ["count", "exits/s", "share"]
    assert heading(make_timed())[2:7] == ["count", "exits/s", "share", "time", "mean"]


def test_rows_have_their_times_and_idle_ones_no_share_of_it():
    view = make_timed(sort=Sort.TIME)
    lines = {line[0]: line[2:7] for line in words(view, 100)}
    # Of all time that exits took, 2.1 ms: 1.1 ms and 1 ms.
    assert lines["guest01"] == ["420", "420.0", "45.7%", "52.4%", "3.44us"]
    assert lines["guest02"] == ["500", "500.0", "54.3%", "47.6%", "2.00us"]
    lines = {line[0]: line[1:6] for line in words(view, 100)}
    assert lines["MSR_WRITE"] == ["20", "20.0", "4.8%", "72.7%", "40.0us"]
    assert lines["CPUID"] == ["300", "300.0", "71.4%", "27.3%", "1.00us"]
    assert lines["HLT"] == ["100", "100.0", "23.8%", "-", "5.00ms"]
    assert "(stopped)" not in lines


def test_by_time_idle_reasons_come_last():
    view = make_timed(sort=Sort.TIME)
    assert (listed(view), reasons(view)) == (["guest01", "guest02"], ["MSR_WRITE", "CPUID", "HLT"])
    view = make_timed(sort=Sort.COUNT)
    assert (listed(view), reasons(view)) == (["guest02", "guest01"], ["CPUID"])


def test_by_time_it_is_the_newest_intervals_that_counts():
    view = make_timed(sort=Sort.TIME)
    view.add(timed_report(TWO, {101: {10: lasted(1_000, 9), 32: lasted(10, 9)}}), "12:00:01")
    assert reasons(view) == ["CPUID", "MSR_WRITE", "HLT"]


def test_an_idle_reason_stays_idle_when_it_does_not_occur():
    """Three took no time in the newest interval. HLT has more exits than MSR_WRITE, and still comes last."""
    view = make_timed(sort=Sort.TIME)
    view.add(timed_report(TWO, {101: {48: lasted(1_000, 1)}}), "12:00:01")
    assert reasons(view) == ["EPT_VIOLATION", "CPUID", "MSR_WRITE", "HLT"]


@pytest.mark.parametrize(
    ("timed", "orders"),
    [(True, ["count", "rate", "time", "name", "count"]), (False, ["count", "rate", "name", "count"])],
)
def test_s_sorts_by_time_only_where_exits_are_timed(timed, orders):
    view = make_timed() if timed else make_view(report(TWO, FEW))
    shown = []
    for _ in orders:
        shown.append(next(word for word in words(view)[-1] if word.startswith("s sort: ")))
        press(view, Press.SORT)
    assert shown == [f"s sort: {order}" for order in orders]


def test_the_column_of_times_is_marked_when_it_is_sorted_by():
    line = make_timed(sort=Sort.TIME).screen(100, 24)[1]
    assert [cell.text for cell in line.cells if cell.look is Look.SORTED] == ["time"]


def test_of_exits_that_have_not_ended_the_mean_is_not_known():
    view = make_timed({101: {30: lasted(1_000, 0, in_flight_ns=10**9)}}, sort=Sort.TIME)
    (line,) = [line for line in words(view, 100) if line[0] == "IO_INSTRUCTION"]
    assert line[4:6] == ["100.0%", "-"]


def test_r_keeps_times_as_it_keeps_rates():
    view = make_timed(sort=Sort.TIME)
    press(view, Press.RESET)
    lines = {line[0]: line[1:6] for line in words(view, 100)}
    assert lines["MSR_WRITE"] == ["0", "20.0", "4.8%", "72.7%", "40.0us"]
