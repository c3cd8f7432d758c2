"""paint: lines as a terminal shows them."""

import pyte
import pytest

from made_up_reports import domain, report
from virt_exitstat.live.cells import Cell, Line, Look
from virt_exitstat.live.keyboard import Press
from virt_exitstat.live.paint import paint_lines
from virt_exitstat.live.view import LiveView


@pytest.fixture(autouse=True)
def _terminal_with_colours(monkeypatch):
    """Whatever the tests themselves run on."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def show(lines, width, **options):
    """pyte's screen, one line and a column larger than what is painted."""
    screen = pyte.Screen(width + 1, len(lines) + 1)
    pyte.Stream(screen).feed("\r\n".join(paint_lines(lines, width, **{"ellipsis": True, **options})))
    return screen


def texts(screen):
    return [line.rstrip() for line in screen.display]


def make_view(names, **options):
    view = LiveView("host9", 1.0, **options)
    targets = [domain(name, 100 * n, vcpus=n) for n, name in enumerate(names, 1)]
    view.add(report(targets, {101: {"HLT": 10, "MSR": 3}}), "12:00:00")
    return view


def test_cells_stand_in_their_columns():
    line = Line((Cell("ab", width=4), Cell("12", width=4, right=True), Cell("x")))
    assert texts(show([line, Line(), line], 20)) == ["ab      12  x", "", "ab      12  x", ""]


@pytest.mark.parametrize("ellipsis", [True, False])
def test_what_is_too_long_is_cut(ellipsis):
    cut = Line((Cell("abcdefgh", width=4), Cell("x", width=30, right=True)))
    shown = texts(show([cut], 10, ellipsis=ellipsis))[0]
    assert shown == ("abc…     …" if ellipsis else "abcd")


def test_every_line_fills_the_width_so_that_nothing_old_remains():
    for line in paint_lines(make_view(["guest01"]).screen(80, 24), 80, ellipsis=False):
        screen = pyte.Screen(80, 1)
        pyte.Stream(screen).feed("#" * 80 + "\r" + line)
        assert "#" not in screen.display[0]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60), (20, 5), (12, 4), (1, 1)])
@pytest.mark.parametrize("paused", [True, False])
def test_the_screen_is_never_wider_or_higher_than_the_terminal(width, height, paused):
    view = make_view(["guest01", "a-name-of-a-domain-" * 20, "日本語" * 30, "[/bold]"])
    if paused:
        view.press(Press.PAUSE)
    screen = show(view.screen(width, height), width)
    assert len(screen.display) == height + 1
    assert {screen.buffer[row][width].data for row in range(height + 1)} == {" "}
    assert screen.display[height].strip() == ""


def test_columns_stay_aligned_beside_wide_characters():
    screen = show(make_view(["guest01", "日本語", "日本語の名前はとても長い", "한국어"]).screen(80, 24), 80)
    for row in range(2, 6):
        # The vCPU column ends at the same place in every line.
        assert screen.buffer[row][22].data.isdigit() and screen.buffer[row][23].data == " "
        assert screen.buffer[row][53].data == "%"


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", ":smile:", "[link=http://x]y"])
def test_names_are_never_parsed(name):
    assert any(line.startswith(name) for line in texts(show(make_view([name]).screen(80, 24), 80)))


def test_the_selected_line_stands_out_without_making_its_bar_look_full():
    screen = show(make_view(["guest01", "guest02"]).screen(80, 24), 80)
    reverse = [[screen.buffer[row][column].reverse for column in range(80)] for row in range(24)]
    assert reverse[2][:54] == [True] * 54  # name to share
    assert True not in reverse[2][56:64]  # the bar
    assert True not in reverse[3]


def test_an_alarm_is_red():
    screen = show([Line((Cell("ok"), Cell("lost 7", Look.ALARM)))], 20)
    assert (screen.buffer[0][0].fg, screen.buffer[0][4].fg) == ("default", "red")
