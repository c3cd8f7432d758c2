"""cells: what fits, and what it looks like."""

import dataclasses

import pytest

from virt_exitstat.formats.columns import format_count, format_rate, format_share
from virt_exitstat.live.cells import (
    GAP,
    Cell,
    draw_bar,
    draw_history,
    fit_columns,
    fit_line,
)


def all_widths(width, **more):
    columns = dataclasses.asdict(fit_columns(width, **more))
    return [*columns.pop("numbers").values(), *columns.values()]


@pytest.mark.parametrize("timed", [False, True])
def test_columns_never_take_more_than_there_is(timed):
    for width in range(12, 300):
        widths = [taken for taken in all_widths(width, timed=timed) if taken]
        assert sum(widths) + GAP * (len(widths) - 1) <= width


def test_80_columns_show_everything():
    columns = fit_columns(80)
    assert 0 not in all_widths(80)
    # The longest name of a reason that has no name.
    assert columns.name_and_vcpus >= len("UNKNOWN(0x80000013)")


def test_a_narrow_terminal_keeps_names_rates_and_bars():
    columns = fit_columns(40)
    assert columns.name and columns.numbers["per_second"] and columns.bar
    assert not columns.history


def test_80_columns_show_the_times_and_what_they_are_of():
    columns = fit_columns(80, timed=True)
    assert {"time_share", "mean_ns", "count", "per_second"} <= {key for key, width in columns.numbers.items() if width}
    assert not {"time_share", "mean_ns"} & set(fit_columns(80).numbers)
    assert columns.name_and_vcpus >= len("UNKNOWN(0x80000013)")


def test_a_narrow_terminal_keeps_rates_and_shares_of_time():
    columns = fit_columns(40, timed=True)
    assert columns.name and columns.numbers["per_second"] and columns.numbers["time_share"]
    assert not columns.numbers["count"]


def test_more_room_makes_no_column_narrower():
    assert all(was <= now for width in range(80, 250) for was, now in zip(all_widths(width), all_widths(width + 1)))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (99999, "99999"),
        (100000, "100k"),
        (12345678, "12M"),
        (1234567, "1234k"),
        (98765432109, "98G"),
        (10**15, "1000T"),
    ],
)
def test_a_count_that_does_not_fit_loses_no_digit_at_its_end(count, text):
    assert format_count(count, 5) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "0.0"), (1234.56, "1234.6"), (123456.7, "123457"), (98765432, "98765k")]
)
def test_a_rate_that_does_not_fit_gives_up_its_decimal_first(rate, text):
    assert format_rate(rate, 6) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0.0%"), (0.0001, "<0.1%"), (0.0005, "0.1%"), (1, "100.0%")])
def test_a_share_that_is_there_is_never_shown_as_nothing(share, text):
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("share", "bar"), [(0, ""), (0.0001, "▏"), (0.125, "█"), (0.5, "████"), (0.5625, "████▌"), (1, "████████")]
)
def test_a_bar_is_as_long_as_the_share(share, bar):
    assert draw_bar(share, 8, blocks=True) == bar


@pytest.mark.parametrize(("share", "bar"), [(0, ""), (0.5, "####"), (0.99, "########"), (1.0000001, "########")])
def test_a_bar_without_block_characters(share, bar):
    assert draw_bar(share, 8, blocks=False) == bar


def test_a_history_ends_at_the_right_with_the_newest():
    assert draw_history([0, 1, 50, 100], 6, blocks=True) == "   ▁▅█"
    assert draw_history([0, 1, 50, 100], 6, blocks=False) == "   .+@"


def test_a_history_shows_only_what_fits_and_is_scaled_to_that():
    assert draw_history([1000, 1, 1], 2, blocks=True) == "██"


def test_a_history_without_exits_is_empty():
    assert draw_history([0, 0], 3, blocks=True) == draw_history([], 3, blocks=True) == "   "


def test_the_least_important_goes_first():
    cells = [(Cell("first"), 1), (Cell("second"), 3), (Cell("third"), 2)]

    def kept(width):
        return [cell.text for cell in fit_line(cells, width).cells]

    assert kept(20) == ["first", "second", "third"]
    assert kept(19) == kept(13) == ["second", "third"]
    assert kept(12) == kept(1) == ["second"]
