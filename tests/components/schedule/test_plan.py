"""What EventBridge calls and when alarms are mute, against the calendar."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.schedule import plan
from functions.common import calendar
from functions.common.calendar import Override, Period
from functions.common.plain import of_plain
from functions.schedule import decide
from functions.schedule.env import Configuration

DETROIT = "America/Detroit"
ZONES = (DETROIT, "Europe/London", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Asia/Kolkata", "UTC")
OFFICE = Period(zone=DETROIT, days=(0, 1, 2, 3, 4), start=450, stop=1140)
READY = timedelta(minutes=20)
NAMES = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_each_period_has_a_start_and_a_stop_in_its_zone_and_all_have_one_sweep():
    made = {call.name: call for call in plan.calls({"office": OFFICE})}
    assert {name: (call.expression, call.zone, dict(call.event)) for name, call in made.items()} == {
        "office-start": ("cron(30 7 ? * MON,TUE,WED,THU,FRI *)", DETROIT, {"do": "start", "period": "office"}),
        "office-stop": ("cron(0 19 ? * MON,TUE,WED,THU,FRI *)", DETROIT, {"do": "stop", "period": "office"}),
        "sweep": ("cron(5/15 * * * ? *)", "UTC", {"do": "sweep"}),
    }


def test_the_function_understands_every_call():
    for call in plan.calls({"office": OFFICE, "lab": OFFICE}):
        decide.read(dict(call.event))


def test_another_period_renames_nothing():
    one, two = plan.calls({"office": OFFICE}), plan.calls({"lab": OFFICE, "office": OFFICE})
    assert [call for call in one if call not in two] == []


def test_the_function_reads_the_periods_that_were_configured():
    text = plan.configuration({"office": OFFICE})
    assert of_plain(Configuration, json.loads(text)) == Configuration(periods={"office": OFFICE})


def test_more_than_a_parameter_holds_is_refused():
    long = Period(zone=DETROIT, days=(0,), start=450, stop=1140, holidays=(date(2026, 1, 5),) * 400)
    with pytest.raises(ValueError, match="Delete holidays and overrides that are past"):
        plan.configuration({"office": long})


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(1, "PT1M"), (60, "PT1H"), (200, "PT3H20M"), (1440, "P1D"), (3600, "P2DT12H"), (1441, "P1DT1M")],
)
def test_durations_are_written_as_cloudwatch_takes_them(minutes, text):
    mute = plan.Mute(key="x", expression="", zone="UTC", length=timedelta(minutes=minutes))
    assert mute.duration == text


def test_the_regular_week_is_muted_by_three_rules():
    assert [(mute.key, mute.expression, mute.duration, mute.zone) for mute in plan.mutes(OFFICE, READY)] == [
        ("for-12h50", "cron(0 19 * * MON,TUE,WED,THU)", "PT11H50M", DETROIT),
        ("for-60h50", "cron(0 19 * * FRI)", "P2DT11H50M", DETROIT),
        ("until-start", "cron(50 4 * * MON,TUE,WED,THU,FRI)", "PT3H", DETROIT),
    ]


def test_a_morning_that_begins_the_evening_before_is_muted_on_that_day():
    early = Period(zone="UTC", days=(0,), start=60, stop=1140)
    assert plan.mutes(early, READY)[-1].expression == "cron(20 22 * * SUN)"


def test_an_exception_pauses_the_rules_that_repeat_from_one_time_of_running_to_another():
    test = Override(
        starts=datetime.fromisoformat("2026-01-10T09:00"),
        ends=datetime.fromisoformat("2026-01-10T18:00"),
        running=True,
        reason="Load test",
    )
    made = plan.mutes(Period(zone=DETROIT, days=OFFICE.days, start=450, stop=1140, overrides=(test,)), READY)
    assert [(mute.key, mute.starts, mute.expires) for mute in made if mute.key.startswith("for-60h50")] == [
        ("for-60h50", None, utc(2026, 1, 9, 18, 25)),
        ("for-60h50-from-20260112", utc(2026, 1, 12, 18, 25), None),
    ]
    assert [(mute.expression, mute.duration) for mute in made if mute.key.startswith("once")] == [
        ("at(2026-01-10T00:00)", "PT14H20M"),
        ("at(2026-01-10T23:00)", "P1DT13H50M"),
    ]


def test_a_holiday_has_one_rule_more_and_changes_no_other():
    made = plan.mutes(Period(zone=DETROIT, days=OFFICE.days, start=450, stop=1140, holidays=(date(2026, 1, 7),)), READY)
    assert made[:-1] == plan.mutes(OFFICE, READY)
    assert (made[-1].key, made[-1].duration) == ("once-20260107T0000", "P1DT12H50M")


def test_what_runs_shorter_than_it_needs_to_be_ready_changes_no_rule():
    short = Override(
        starts=datetime.fromisoformat("2026-01-10T09:00"),
        ends=datetime.fromisoformat("2026-01-10T09:15"),
        running=True,
        reason="A look",
    )
    period = Period(zone=DETROIT, days=OFFICE.days, start=450, stop=1140, overrides=(short,))
    assert plan.mutes(period, READY) == plan.mutes(OFFICE, READY)


def fired(mute, first, last):
    """The spans that a rule mutes, as CloudWatch would: by the clock of its zone, for a fixed time."""
    if match := re.fullmatch(r"at\((.*)\)", mute.expression):
        times = [datetime.fromisoformat(match[1]).replace(tzinfo=UTC)]
    else:
        minute, hour, _, _, days = re.fullmatch(r"cron\((.*)\)", mute.expression)[1].split()
        day, times = first.date(), []
        while day <= last.date():
            if NAMES[day.weekday()] in days.split(","):
                wall = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=ZoneInfo(mute.zone))
                times.append(wall.astimezone(UTC))
            day += timedelta(days=1)
    return [
        (at, min(at + mute.length, mute.expires) if mute.expires else at + mute.length)
        for at in times
        if (mute.starts is None or mute.starts <= at) and (mute.expires is None or at < mute.expires)
    ]


def union(spans):
    found = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def wanted(period, first, last):
    """From each stop until twenty minutes after the next start."""
    return union((part.begin, part.end + READY) for part in calendar.stretches(period, first, last) if not part.running)


@st.composite
def periods(draw):
    # As the settings allow them: no clock changes near a start or stop, 2 hours of running, 4 of rest.
    start = draw(st.integers(300, 720))
    first = draw(st.dates(date(2026, 2, 16), date(2026, 4, 20)))
    overrides = []
    at = datetime.combine(first, time())
    for _ in range(draw(st.integers(0, 3))):
        at += timedelta(minutes=draw(st.integers(0, 20_000)))
        until = at + timedelta(minutes=draw(st.integers(30, 30_000)))
        overrides.append(Override(starts=at, ends=until, running=draw(st.booleans()), reason="x"))
        at = until
    return Period(
        zone=draw(st.sampled_from(ZONES)),
        days=tuple(sorted(draw(st.sets(st.integers(0, 4), min_size=1)))),
        start=start,
        stop=draw(st.integers(start + 120, start + 660)),
        holidays=tuple(sorted(draw(st.sets(st.dates(date(2026, 2, 1), date(2026, 5, 20)), max_size=4)))),
        overrides=tuple(overrides),
    )


@settings(deadline=None, max_examples=150)
@given(periods())
def test_alarms_are_mute_in_every_stop_window_and_at_no_other_time(period):
    first, last = utc(2025, 12, 1), utc(2026, 9, 1)
    spans = union(span for mute in plan.mutes(period, READY) for span in fired(mute, first, last))
    inside = (first + timedelta(days=14), last - timedelta(days=14))
    cut = [span for span in spans if inside[0] < span[0] and span[1] < inside[1]]
    assert cut == [span for span in wanted(period, first, last) if inside[0] < span[0] and span[1] < inside[1]]


@settings(deadline=None, max_examples=100)
@given(periods())
def test_rules_have_names_of_their_own_and_last_as_long_as_cloudwatch_allows(period):
    made = plan.mutes(period, READY)
    assert len({mute.key for mute in made}) == len(made)
    assert all(timedelta(minutes=1) <= mute.length <= timedelta(days=15) for mute in made)
    assert all(not mute.expression.startswith("at(") or (mute.starts, mute.expires) == (None, None) for mute in made)
    assert all(mute.starts < mute.expires for mute in made if mute.starts and mute.expires)


def test_alarms_are_found_by_what_they_watch_and_composites_by_what_they_hear():
    alarms = [("site-slow", "balancer"), ("group-none", "group"), ("db-full", "database"), ("nat-full", "nat")]
    composites = [("site-down", ["group-none", "nat-full"]), ("net-down", ["nat-full"])]
    assert plan.alarms_of({"web": ("balancer", "group"), "database": ("database",)}, alarms, composites) == {
        "web": ("group-none", "site-slow", "site-down"),
        "database": ("db-full",),
    }


def test_the_package_holds_the_function_and_what_is_shared_and_nothing_else():
    found = plan.files(Path(__file__).parents[3])
    assert {path.rpartition("/")[0] for path in found} == {"functions", "functions/common", "functions/schedule"}
    assert "functions/common/calendar.py" in found
