"""Windows of RDS on the circle of a week."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.windows import DAY, WEEK, Window, daily, weekly

windows = st.builds(Window, start=st.integers(0, WEEK - 1), length=st.integers(1, WEEK - 1))


def minutes(window):
    """The minutes of the week that a window holds, counted one by one."""
    return {(window.start + minute) % WEEK for minute in range(window.length)}


def clock(minute):
    return f"{minute % DAY // 60:02}:{minute % 60:02}"


def moment(minute):
    return f"{('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')[minute // DAY]}:{clock(minute)}"


@given(windows, windows)
def test_windows_meet_where_they_share_a_minute(one, other):
    assert one.meets(other) == bool(minutes(one) & minutes(other))


@given(windows, windows)
def test_meeting_is_mutual(one, other):
    assert one.meets(other) == other.meets(one)


@given(windows)
def test_a_weekly_window_is_read_as_it_is_written(window):
    assert weekly(f"{moment(window.start)}-{moment((window.start + window.length) % WEEK)}") == window


@given(begin=st.integers(0, DAY - 1), length=st.integers(1, DAY - 1))
def test_a_daily_window_comes_every_day(begin, length):
    found = daily(f"{clock(begin)}-{clock(begin + length)}")
    assert found == tuple(Window(day * DAY + begin, length) for day in range(7))


def test_windows_that_only_touch_do_not_meet():
    assert not Window(0, 60).meets(Window(60, 60))
    assert not Window(60, 60).meets(Window(0, 60))
    assert not Window(WEEK - 60, 60).meets(Window(0, 60))


def test_sunday_night_goes_over_into_monday():
    assert weekly("sun:23:30-mon:00:30") == Window(6 * DAY + 23 * 60 + 30, 60)
    assert weekly("sun:23:30-mon:00:30").meets(Window(0, 1))


@pytest.mark.parametrize(
    "text", ["", "24:00-01:00", "03:60-04:00", "03:00", "03:00-03:00", "3:00-4:00", "sun:03:00-04:00"]
)
def test_what_is_no_daily_window_is_none(text):
    assert daily(text) is None


@pytest.mark.parametrize(
    "text", ["", "03:00-04:00", "sun:03:00-sun:03:00", "son:03:00-son:04:00", "sun:25:00-mon:01:00"]
)
def test_what_is_no_weekly_window_is_none(text):
    assert weekly(text) is None
