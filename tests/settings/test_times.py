"""Windows and schedules, against their meaning minute by minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.faults import RefusedError
from settings.times import DAYS, association_schedule, collide, daily_window, free_weekly, weekly_window

DAY = 24 * 60
WEEK = 7 * DAY


def clock(minute):
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


@st.composite
def daily(draw):
    start, length = draw(st.integers(0, DAY - 1)), draw(st.integers(30, DAY - 1))
    return f"{clock(start)}-{clock(start + length)}", start, length


@st.composite
def weekly(draw):
    start, length = draw(st.integers(0, WEEK - 1)), draw(st.integers(30, DAY))
    end = (start + length) % WEEK
    return f"{DAYS[start // DAY]}:{clock(start)}-{DAYS[end // DAY]}:{clock(end)}", start, length


@given(daily())
def test_a_daily_window_is_its_start_and_length(window):
    text, start, length = window
    assert daily_window(text) == (start, length)


@given(weekly())
def test_a_weekly_window_is_its_start_and_length_in_any_letter_case(window):
    text, start, length = window
    assert weekly_window(text) == weekly_window(text.title()) == (start, length)


@given(daily(), weekly())
def test_windows_collide_when_they_share_a_minute(every_day, once):
    backup, start, length = every_day
    maintenance, weekly_start, weekly_length = once
    daily_minutes = {(day * DAY + start + minute) % WEEK for day in range(7) for minute in range(length)}
    weekly_minutes = {(weekly_start + minute) % WEEK for minute in range(weekly_length)}
    assert collide(backup, maintenance) == bool(daily_minutes & weekly_minutes)


@given(daily(), weekly())
def test_a_proposed_window_is_free_and_as_long(every_day, once):
    proposal = free_weekly(every_day[0], once[0])
    if proposal is not None:
        assert not collide(every_day[0], proposal)
        assert weekly_window(proposal)[1] == once[2]


def test_a_day_full_of_backups_has_no_room():
    assert free_weekly("00:00-23:00", "sun:01:00-sun:02:00") is None


@pytest.mark.parametrize(
    "text", ["03:00", "03:00-3:30", "24:00-24:30", "03:00-04:60", "03:00 - 04:00", " 03:00-04:00", "03:00-03:00", ""]
)
def test_what_is_no_daily_window_is_refused(text):
    with pytest.raises(RefusedError):
        daily_window(text)


@pytest.mark.parametrize(
    "text",
    [
        "sun:03:00-04:00",
        "sunday:03:00-sunday:04:00",
        "sun:03:00-sun:03:29",
        "sun:03:00-mon:03:01",
        "sun:03:00-sun:02:00",
        "xyz:03:00-xyz:04:00",
        "03:00-04:00",
    ],
)
def test_what_is_no_weekly_window_is_refused(text):
    with pytest.raises(RefusedError):
        weekly_window(text)


@pytest.mark.parametrize(
    "text",
    [
        "cron(0/30 * * * ? *)",
        "cron(0 0/1 * * ? *)",
        "cron(0 0/12 ? * * *)",
        "cron(15 13 ? * * *)",
        "cron(15 13 * * ? *)",
        "cron(15 13 ? * MON *)",
        "cron(0 0 ? * THU#2 *)",
        "rate(30 minutes)",
        "rate(1 hour)",
        "rate(1 day)",
        "rate(30 days)",
    ],
)
def test_a_schedule_of_an_association_is_taken(text):
    association_schedule(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0 3 * * *", "is neither cron(…) nor rate(…)"),
        ("at(2030-01-01T00:00:00)", "is neither cron(…) nor rate(…)"),
        ("cron()", "has 1 fields, not 6"),
        ("cron(0 0 3 ? * SUN *)", "has 7 fields, not 6"),
        ("cron(0  3 ? * SUN *)", "has 7 fields, not 6"),
        ("cron(0 3 ? JAN * *)", "names a month or a year, which associations do not know"),
        ("cron(0 3 ? * * 2030)", "names a month or a year, which associations do not know"),
        ("cron(0 3 * * * *)", "needs exactly one ? among day and weekday"),
        ("cron(0 3 ? * ? *)", "needs exactly one ? among day and weekday"),
        ("cron(0 3 15 * ? *)", "names a day of the month, which associations do not know"),
        ("cron(0 0/3 * * ? *)", "runs every 3 hours"),
        ("cron(0 0/2 ? * MON *)", "has the hour '0/2'"),
        ("cron(0/10 * * * ? *)", "has the minute '0/10'"),
        ("cron(60 3 ? * * *)", "has the minute '60'"),
        ("cron(0 24 ? * * *)", "has the hour '24'"),
        ("cron(0 3 ? * SUNDAY *)", "has the weekday 'SUNDAY'"),
        ("cron(0 3 ? * SUN#6 *)", "has the weekday 'SUN#6'"),
        ("rate(29 minutes)", "runs more often than every 30 minutes"),
        ("rate(31 days)", "runs less often than every 31 days"),
        ("rate(2 hour)", "mixes singular and plural"),
        ("rate(1 hours)", "mixes singular and plural"),
        ("rate(0 hours)", "is not a rate of the form rate(12 hours)"),
        ("rate(1.5 hours)", "is not a rate of the form rate(12 hours)"),
        ("rate(2 weeks)", "is not a rate of the form rate(12 hours)"),
    ],
)
def test_any_other_schedule_is_refused_with_its_reason(text, wrong):
    with pytest.raises(RefusedError) as error:
        association_schedule(text)
    assert error.value.wrong == wrong
