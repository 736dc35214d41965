"""When something has to run, against a walk through every minute."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.common import calendar
from functions.common.calendar import Override, Period, Stretch, Window
from functions.common.plain import of_plain, to_plain

DETROIT = "America/Detroit"
ZONES = (DETROIT, "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo", "America/Santiago", "UTC")
MINUTE = timedelta(minutes=1)
OFFICE = Period(zone=DETROIT, days=(0, 1, 2, 3, 4), start=450, stop=1140)

#: Days on whose eve or morning a clock of one of the zones changes, and one on which none does.
CHANGES = (
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 3, 29),
    date(2026, 4, 5),
    date(2026, 4, 24),
    date(2026, 9, 6),
)
DAYS = st.sampled_from((*CHANGES, date(2026, 6, 10)))


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def wall_clock(zone, first, days):
    """Each minute of the local days as the clock shows it -> its moment in UTC, the first one where it comes twice."""
    place = ZoneInfo(zone)
    shown = {}
    at = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    last = None
    while at < datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=days + 1):
        wall = at.astimezone(place).replace(tzinfo=None)
        shown.setdefault(wall, at)
        if last is not None and wall - last > MINUTE:
            gap = wall - last - MINUTE
            left_out = last + MINUTE
            while left_out < wall:
                # The clock leaves it out: as much later as it is put forward.
                shown[left_out] = at + (left_out + gap - wall)
                left_out += MINUTE
        last = wall
        at += MINUTE
    return shown


def walked(period, first, days):
    """The minutes of local days ``first`` to the last in which it has to run."""
    shown = wall_clock(period.zone, first - timedelta(days=1), days + 2)
    midnight = datetime.combine(first, time())
    begin, end = shown[midnight], shown[midnight + timedelta(days=days)]
    runs = set()
    for ahead in range(-1, days + 1):
        day = first + timedelta(days=ahead)
        if day.weekday() not in period.days or day in period.holidays:
            continue
        base = datetime.combine(day, time())
        at, until = (shown[base + timedelta(minutes=minute)] for minute in (period.start, period.stop))
        while at < until:
            runs.add(at)
            at += MINUTE
    for override in period.overrides:
        at, until = shown[override.starts], shown[override.ends]
        while at < until:
            (runs.add if override.running else runs.discard)(at)
            at += MINUTE
    return begin, end, {at for at in runs if begin <= at < end}


@st.composite
def periods(draw, first):
    start = draw(st.integers(0, 1200))
    stop = draw(st.integers(start + 30, 1439))
    overrides = []
    if draw(st.booleans()):
        begin = datetime.combine(first, time()) + timedelta(minutes=draw(st.integers(0, 1600)))
        end = begin + timedelta(minutes=draw(st.integers(90, 1200)))
        overrides.append(Override(starts=begin, ends=end, running=draw(st.booleans()), reason="Load test"))
    return Period(
        zone=draw(st.sampled_from(ZONES)),
        days=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))),
        start=start,
        stop=stop,
        holidays=(first + timedelta(days=1),) if draw(st.booleans()) else (),
        overrides=tuple(overrides),
    )


@settings(deadline=None, max_examples=60)
@given(st.data(), DAYS)
def test_the_stretches_are_those_of_a_walk_through_every_minute(data, first):
    period = data.draw(periods(first))
    begin, end, runs = walked(period, first, 3)
    found = calendar.stretches(period, begin, end)
    minutes = set()
    for stretch in found:
        at = stretch.begin
        while stretch.running and at < stretch.end:
            minutes.add(at)
            at += MINUTE
    assert minutes == runs
    assert (found[0].begin, found[-1].end) == (begin, end)
    assert all(one.end == two.begin and one.running != two.running for one, two in pairwise(found))


@settings(deadline=None, max_examples=60)
@given(st.data(), DAYS, st.integers(0, 3 * 1440))
def test_asked_at_any_moment_it_says_what_the_stretch_around_it_says(data, first, minute):
    period = data.draw(periods(first))
    now = utc(first.year, first.month, first.day) + timedelta(minutes=minute)
    (around,) = (
        one
        for one in calendar.stretches(period, now - timedelta(days=3), now + timedelta(days=3))
        if one.begin <= now < one.end
    )
    assert calendar.verdict(period, now).running == around.running


@pytest.mark.parametrize("zone", ZONES)
def test_each_working_day_has_one_start_and_one_stop_through_the_whole_year(zone):
    """Never twice where the clock repeats an hour, never skipped where it leaves one out."""
    for minute in (30, 90, 150, 450):
        period = Period(zone=zone, days=tuple(range(7)), start=minute, stop=minute + 300)
        begin = calendar.instant(date(2026, 1, 1), 0, zone)
        end = calendar.instant(date(2027, 1, 1), 0, zone)
        runs = [one for one in calendar.stretches(period, begin, end) if one.running]
        days = [one.begin.astimezone(ZoneInfo(zone)).date() for one in runs]
        assert len(days) == len(set(days)) == 365


def test_a_time_that_comes_twice_is_its_first_and_one_that_is_left_out_comes_an_hour_later():
    assert calendar.instant(date(2026, 11, 1), 90, DETROIT) == utc(2026, 11, 1, 5, 30)
    assert calendar.instant(date(2026, 3, 8), 150, DETROIT) == utc(2026, 3, 8, 7, 30)


@pytest.mark.parametrize(
    ("now", "running", "reason"),
    [
        (utc(2026, 1, 5, 12, 29), False, "outside of its hours"),
        (utc(2026, 1, 5, 12, 30), True, "within its hours"),
        (utc(2026, 1, 6, 0, 0), False, "outside of its hours"),
        (utc(2026, 1, 7, 15), False, "2026-01-07 is a holiday"),
        (utc(2026, 1, 10, 15), True, "Load test"),
        (utc(2026, 1, 8, 15), False, "Nobody works"),
    ],
)
def test_it_says_why(now, running, reason):
    period = Period(
        zone=DETROIT,
        days=OFFICE.days,
        start=450,
        stop=1140,
        holidays=(date(2026, 1, 7),),
        overrides=(
            Override(
                starts=datetime.fromisoformat("2026-01-10T09:00"),
                ends=datetime.fromisoformat("2026-01-10T18:00"),
                running=True,
                reason="Load test",
            ),
            Override(
                starts=datetime.fromisoformat("2026-01-08T09:00"),
                ends=datetime.fromisoformat("2026-01-09T06:00"),
                running=False,
                reason="Nobody works",
            ),
        ),
    )
    assert calendar.verdict(period, now) == calendar.Verdict(running, reason)


def test_a_stretch_counts_the_hours_that_pass_and_not_those_that_the_clock_shows():
    (night,) = [
        one
        for one in calendar.stretches(OFFICE, utc(2026, 3, 7, 1), utc(2026, 3, 9, 11, 30))
        if one == Stretch(utc(2026, 3, 7, 1), utc(2026, 3, 9, 11, 30), False, "outside of its hours")
    ]
    assert night.hours == 58.5


def test_a_period_survives_the_way_through_the_parameter():
    period = Period(
        zone=DETROIT,
        days=(0, 4),
        start=450,
        stop=1140,
        holidays=(date(2026, 1, 7),),
        overrides=(
            Override(
                starts=datetime.fromisoformat("2026-01-10T09:00"),
                ends=datetime.fromisoformat("2026-01-10T18:00"),
                running=True,
                reason="Load test",
            ),
        ),
    )
    assert of_plain(Period, to_plain(period)) == period


def test_the_changes_of_the_clock_are_found_to_the_minute():
    assert calendar.clock_changes(DETROIT, date(2026, 1, 1), date(2027, 1, 1)) == (
        utc(2026, 3, 8, 7),
        utc(2026, 11, 1, 6),
    )
    assert calendar.clock_changes("UTC", date(2026, 1, 1), date(2027, 1, 1)) == ()


WEEKS = (utc(2026, 1, 5), utc(2026, 1, 19))


def window(start, minutes=45, days=range(7), zone="UTC"):
    return Window(name="backup", zone=zone, days=tuple(days), start=start, minutes=minutes)


def test_a_daily_window_is_missed_by_each_day_of_running_that_holds_none():
    assert list(calendar.missed(OFFICE, window(21 * 60), *WEEKS)) == []
    # Half of it lies after the stop at midnight UTC.
    assert len(list(calendar.missed(OFFICE, window(23 * 60 + 40), *WEEKS))) == 10
    assert next(calendar.missed(OFFICE, window(5 * 60), *WEEKS)) == (utc(2026, 1, 5, 12, 30), utc(2026, 1, 6, 0))


def test_a_weekly_window_is_missed_each_time_that_it_does_not_run_throughout():
    assert list(calendar.missed(OFFICE, window(20 * 60, 60, days=(2,)), *WEEKS)) == []
    assert list(calendar.missed(OFFICE, window(8 * 60, 60, days=(6,)), *WEEKS)) == [
        (utc(2026, 1, 11, 8), utc(2026, 1, 11, 9)),
        (utc(2026, 1, 18, 8), utc(2026, 1, 18, 9)),
    ]
