"""Weekly hours: when something runs, what mutes it, and windows of another clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook import hours
from policies.rulebook.cron import ScheduleError
from policies.rulebook.windows import DAY, WEEK, Window

MINUTES = st.integers(0, WEEK - 1)
WINDOWS = st.builds(Window, MINUTES, st.integers(1, WEEK - 1))


def held(window):
    return {(window.start + step) % WEEK for step in range(window.length)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 7 ? * MON,TUE *)", {7 * 60, DAY + 7 * 60}),
        ("cron(30 20 ? * FRI-SUN *)", {day * DAY + 20 * 60 + 30 for day in (4, 5, 6)}),
        ("cron(0 1 ? * SAT-MON *)", {day * DAY + 60 for day in (5, 6, 0)}),
        ("cron(0 2 ? * 1 *)", {6 * DAY + 120}),
        ("cron(0 2 ? * SUN#1 *)", {6 * DAY + 120}),
        ("cron(0 2 ? * FRIL *)", {4 * DAY + 120}),
        ("cron(0 20 * * MON)", {20 * 60}),
        ("cron(0,30 1,2 ? * TUE *)", {DAY + 60, DAY + 90, DAY + 120, DAY + 150}),
        ("cron(0 3 1 * ? *)", {day * DAY + 180 for day in range(7)}),
        ("cron(0 3 * * ? *)", {day * DAY + 180 for day in range(7)}),
    ],
)
def test_the_times_of_a_week(expression, expected):
    assert hours.times(expression) == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(1 day)", "it is no cron(…) of every year"),
        ("at(2027-01-01T00:00:00)", "it is no cron(…) of every year"),
        ("cron(0 7 ? * MON 2027)", "it is no cron(…) of every year"),
        ("cron(0/5 7 ? * MON *)", "0/5 is no list of hours or minutes"),
        ("cron(0 24 ? * MON *)", "24 is no list of hours or minutes"),
        ("cron(0 7 ? * 8 *)", "8 is no weekday's name"),
        ("cron(0 7 * * 1)", "1 is no weekday's name"),
        ("cron(0 7 ? * MON-TUE-WED *)", "MON-TUE-WED is no weekday"),
    ],
)
def test_what_cannot_be_told_says_why(expression, said):
    with pytest.raises(ScheduleError) as refused:
        hours.times(expression)
    assert str(refused.value) == said


@pytest.mark.parametrize(("text", "expected"), [("PT4H", 240), ("P2DT10H20M", 3500), ("P7D", 7 * DAY), ("PT1M", 1)])
def test_durations_are_read(text, expected):
    assert hours.minutes(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "4H", "P1M", "PT1.5H"])
def test_other_durations_are_refused(text):
    with pytest.raises(ScheduleError):
        hours.minutes(text)


def test_running_and_stopped_are_the_whole_week():
    week = hours.hours("UTC", [7 * 60, DAY + 7 * 60], [20 * 60, DAY + 20 * 60])
    assert week.running == (Window(7 * 60, 13 * 60), Window(DAY + 7 * 60, 13 * 60))
    assert week.stopped == (Window(20 * 60, 11 * 60), Window(DAY + 20 * 60, 5 * DAY + 11 * 60))


@given(starts=st.sets(MINUTES, min_size=1, max_size=6), stops=st.sets(MINUTES, min_size=1, max_size=6))
def test_every_minute_is_either_running_or_stopped(starts, stops):
    week = hours.hours("UTC", starts, stops - starts or {(min(starts) + 1) % WEEK} - starts or {-1})
    parts = [held(window) for window in (*week.running, *week.stopped)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == WEEK


def test_a_stop_at_the_time_of_a_start_is_refused():
    with pytest.raises(ScheduleError, match="it stops and starts at the same time"):
        hours.hours("UTC", [60], [60, 120])


def test_what_is_never_started_has_no_hours():
    assert hours.hours("UTC", [], [60]).running == ()


@given(outer=WINDOWS, inner=WINDOWS)
def test_a_window_holds_another_as_its_minutes_do(outer, inner):
    assert hours.holds(outer, inner) == (held(inner) <= held(outer))


def test_a_window_holds_one_of_its_own_length_and_no_longer_one():
    assert hours.holds(Window(60, 30), Window(60, 30))
    assert not hours.holds(Window(60, 30), Window(60, 31))
    assert not hours.holds(Window(60, 30), Window(61, 30))


@given(window=WINDOWS, covers=st.lists(WINDOWS, max_size=4))
def test_a_gap_is_the_first_minute_that_nothing_covers(window, covers):
    covered = set().union(*map(held, covers))
    ordered = [(window.start + step) % WEEK for step in range(window.length)]
    assert hours.gap(window, covers) == next((at for at in ordered if at not in covered), None)


def test_a_window_of_another_clock_moves_with_the_summer():
    assert hours.shifted(Window(60, 30), "UTC", "America/Detroit") == (
        Window(WEEK - 4 * 60, 30),
        Window(WEEK - 3 * 60, 30),
    )
    assert hours.shifted(Window(60, 30), "UTC", "UTC") == (Window(60, 30),) * 2


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc"])
def test_a_zone_that_is_none_is_refused(zone):
    with pytest.raises(ScheduleError, match="is no time zone"):
        hours.shifted(Window(0, 1), "UTC", zone)


def test_a_time_is_told_as_people_do():
    assert hours.clock(4 * DAY + 20 * 60 + 5) == "Fri 20:05"
    assert hours.clock(WEEK) == "Mon 00:00"
