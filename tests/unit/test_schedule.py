"""schedule: reports are due at whole intervals from the start, whenever the one before was ready."""

import math
import os

import pytest

from virt_exitstat.clock import Clock
from virt_exitstat.run.schedule import Schedule


def all_due(schedule, *, late_s=0.0):
    """When reports are due if each is `late_s` late."""
    due = [schedule.due_after(schedule.start_s)]
    while due[-1] < schedule.end_s:
        due.append(schedule.due_after(due[-1] + late_s))
    return due


def test_without_an_interval_only_the_end_is_due():
    assert all_due(Schedule(100.0, None, 10)) == [110.0]
    assert Schedule(100.0).due_after(5e6) == math.inf


@pytest.mark.parametrize("interval_s", [1, 0.1, 0.01, 0.3, 1 / 3, 7.7])
@pytest.mark.parametrize("start_s", [0.0, 12345.6789, 9e6 + 0.1])
def test_reports_do_not_drift(interval_s, start_s):
    schedule, now_s = Schedule(start_s, interval_s), start_s
    for number in range(1, 3000):
        now_s = schedule.due_after(now_s)
        assert now_s == pytest.approx(start_s + number * interval_s, abs=interval_s / 1000)
        now_s += interval_s * 0.4


def test_missed_reports_are_skipped():
    schedule = Schedule(100.0, 1)
    assert schedule.due_after(103.2) == 104
    assert schedule.due_after(104) == 105


@pytest.mark.parametrize(
    ("interval_s", "duration_s", "reports"), [(1, 3, 3), (0.1, 0.3, 3), (0.1, 0.7, 7), (1, 2.5, 3), (2, 2, 1)]
)
def test_the_last_report_is_at_the_end_and_not_twice(interval_s, duration_s, reports):
    due = all_due(Schedule(0.0, interval_s, duration_s))
    assert len(due) == reports and due[-1] == duration_s


def test_waiting_ends_when_a_descriptor_is_readable():
    quiet, loud = os.pipe(), os.pipe()
    try:
        assert Clock().wait([quiet[0], loud[0]], 0.001) == frozenset()
        os.write(loud[1], b"x")
        assert Clock().wait([quiet[0], loud[0]], 600) == {loud[0]}
        os.close(quiet[1])
        assert quiet[0] in Clock().wait([quiet[0]], 600)
    finally:
        for fd in (quiet[0], *loud):
            os.close(fd)


def test_times_have_a_zone():
    assert Clock().utc().utcoffset().total_seconds() == 0
