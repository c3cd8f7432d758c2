"""columns: numbers as text, and which columns a format has."""

import random

import pytest

from made_up_reports import lasted
from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.tally import Tally
from virt_exitstat.formats.columns import COLUMNS, columns_of, format_ns
from virt_exitstat.reports.report import Row

FORMATS = ("table", "timed", "wide", "csv", "json", "live")


def row(time, exits=4, whole=None):
    tally = Tally(exits, time)
    return Row("MSR_WRITE", tally, whole=whole or tally, seconds=1.0)


def written(how, time, **more):
    width = (9,) if how == "live" else ()
    return {column.key: column.write(row(time, **more), how, *width) for column in columns_of(how, timed=True)}


@pytest.mark.parametrize(
    ("length_ns", "text"),
    [
        (0, "0ns"),
        (0.4, "0ns"),
        (999, "999ns"),
        (999.4, "999ns"),
        (999.6, "1.00us"),
        (1_000, "1.00us"),
        (9_994, "9.99us"),
        (9_996, "10.0us"),
        (99_940, "99.9us"),
        (99_960, "100us"),
        (999_400, "999us"),
        (999_600, "1.00ms"),
        (12_345_678, "12.3ms"),
        (999_600_000, "1.00s"),
        (59_990_000_000, "60.0s"),
        (3600 * 10**9, "3600s"),
        (86_400 * 10**9, "86400s"),
    ],
)
def test_a_time_has_three_digits_and_a_unit(length_ns, text):
    assert format_ns(length_ns) == text


def test_a_time_of_up_to_a_day_takes_six_columns_at_most_and_is_right():
    dice = random.Random(1)
    units = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    for _ in range(5_000):
        length_ns = 10 ** dice.uniform(2, 13.9)
        text = format_ns(length_ns)
        assert len(text) <= 6
        number = text.rstrip("nums")
        assert float(number) * units[text[len(number) :]] == pytest.approx(length_ns, rel=0.0051)


@pytest.mark.parametrize("how", FORMATS)
def test_columns_of_times_come_only_where_exits_are_timed(how):
    plain, timed = columns_of(how, timed=False), columns_of(how, timed=True)
    assert not any(column.timed for column in plain)
    assert [column for column in timed if not column.timed] == list(plain)


@pytest.mark.parametrize("how", ["csv", "wide", "json"])
def test_for_programs_columns_of_times_stand_behind_those_that_were_there(how):
    plain = columns_of(how, timed=False)
    assert columns_of(how, timed=True)[: len(plain)] == plain


def test_each_key_is_one_columns():
    assert len({column.key for column in COLUMNS}) == len(COLUMNS)


def test_a_row_has_its_times():
    time = lasted(2_000, 4, qemu_ns=500, in_flight_ns=2_000)
    assert written("timed", time, exits=5) == {
        "count": "5",
        "per_second": "5.0",
        "time_share": "100%",
        "mean_ns": "2.00us",
        "p99_ns": "2.00us",
        "max_is_bound": "2.00us",
        "qemu_share": "20%",
    }
    assert written("csv", time)["total_ns"] == "10000"
    assert written("json", time)["max_ns"] == 2_000


def test_a_bound_is_marked():
    time = Durations(total_ns=2_000, finished_ns=2_000, max_ns=2_048, is_bound=True, buckets={16: 1})
    assert written("timed", time)["max_is_bound"] == "<2.05us"
    assert written("json", time)["max_is_bound"] is True


@pytest.mark.parametrize(("how", "nothing"), [("timed", "-"), ("csv", ""), ("wide", ""), ("json", None), ("live", "-")])
def test_of_exits_that_have_not_ended_no_length_is_known(how, nothing):
    shown = written(how, lasted(2_000, 0, in_flight_ns=7_000), exits=1)
    lengths = {"mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"} & set(shown)
    assert lengths
    assert [shown[key] for key in lengths] == [nothing] * len(lengths)
    if how == "timed":
        assert shown["max_is_bound"] == "-"


def test_the_share_of_time_is_of_the_table_and_idle_exits_have_none():
    whole = Tally(10, lasted(1_000, 10))
    assert row(lasted(1_000, 4), whole=whole).time_share == 0.4
    idle = Row("HLT", Tally(4, lasted(1_000, 4)), whole=whole, seconds=1.0, is_idle=True)
    assert idle.time_share is None
    assert [column.write(idle, "timed") for column in COLUMNS if column.key == "time_share"] == ["-"]
