"""The offline simulator, against a walk through every minute of its days."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.schedule import render
from runbook.schedule.simulate import simulate
from settings.schedules import DAYS, SchedulesSettings, database_needs

OFFICE = {"start": "07:30", "stop": "19:00", "time_zone": "America/Detroit"}
NEEDS = database_needs("21:00-21:45", "wed:20:00-wed:21:00")


def schedules(**more):
    return SchedulesSettings.model_validate(
        {"periods": {"office": OFFICE}, "resources": {"database": "office", "web": "office"}, **more}
    )


def told(forecasts, first="2026-03-06", days=4):
    return "\n".join(line.plain for line in render.lines("staging", forecasts, first, days))


def test_each_start_and_stop_has_its_local_time_and_offset_through_the_change_of_the_clock():
    (database, _web) = simulate(schedules(), NEEDS, date(2026, 3, 6), 4)
    assert told([database]).splitlines() == [
        "Schedules of staging, 4 days from 2026-03-06, offline",
        "",
        "database follows office (America/Detroit)",
        "  is stopped at first",
        "  Fri 2026-03-06 07:30 -05:00  start  within its hours",
        "  Fri 2026-03-06 19:00 -05:00  stop   outside of its hours",
        "  Sun 2026-03-08 03:00 -04:00  clock  the offset changes from -05:00 to -04:00",
        "  Mon 2026-03-09 07:30 -04:00  start  within its hours",
        "  Mon 2026-03-09 19:00 -04:00  stop   outside of its hours",
        "  23.0 hours running, 72.0 stopped: 76% saved",
        "",
        "No collision with windows.",
    ]


def test_holidays_exceptions_and_collisions_are_told_in_their_order():
    settings = schedules(
        holidays=["2026-03-11"],
        overrides=[
            {"starts": "2026-03-12T07:00", "ends": "2026-03-12T12:00", "state": "stopped", "reason": "Move of the lab"}
        ],
    )
    (database, web) = simulate(settings, NEEDS, date(2026, 3, 10), 4)
    assert told([database], "2026-03-10").splitlines()[4:-3] == [
        "  Tue 2026-03-10 07:30 -04:00  start  within its hours",
        "  Tue 2026-03-10 19:00 -04:00  stop   outside of its hours",
        "  Wed 2026-03-11               holiday: not started",
        "  Wed 2026-03-11 16:00 -04:00  ! is stopped during the database maintenance, until Wed 17:00",
        "  Thu 2026-03-12 12:00 -04:00  start  within its hours",
        "  Thu 2026-03-12 19:00 -04:00  stop   outside of its hours",
        "  Fri 2026-03-13 07:30 -04:00  start  within its hours",
        "  Fri 2026-03-13 19:00 -04:00  stop   outside of its hours",
    ]
    assert told([database]).endswith("\n1 collision with windows.")
    # Only the database has windows.
    assert web.collisions == ()


def test_a_day_without_a_backup_is_a_collision():
    (database, _web) = simulate(schedules(), database_needs("05:00-06:00", "wed:20:00-wed:21:00"), date(2026, 3, 9), 2)
    assert [one.window for one in database.collisions] == ["database backup", "database backup"]
    assert "  Mon 2026-03-09 07:30 -04:00  ! runs until Mon 19:00 without a database backup" in told([database])


def test_the_document_says_the_same():
    forecasts = simulate(schedules(), NEEDS, date(2026, 3, 6), 4)
    document = json.loads(render.document("staging", forecasts, "2026-03-06", 4))
    assert (document["stack"], document["from"], document["days"]) == ("staging", "2026-03-06", 4)
    database, web = document["resources"]
    assert database == {
        "resource": "database",
        "period": "office",
        "timeZone": "America/Detroit",
        "runsAtFirst": False,
        "changes": [
            {"at": "2026-03-06T07:30:00-05:00", "action": "start", "reason": "within its hours"},
            {"at": "2026-03-06T19:00:00-05:00", "action": "stop", "reason": "outside of its hours"},
            {"at": "2026-03-09T07:30:00-04:00", "action": "start", "reason": "within its hours"},
            {"at": "2026-03-09T19:00:00-04:00", "action": "stop", "reason": "outside of its hours"},
        ],
        "clockChanges": [{"at": "2026-03-08T03:00:00-04:00", "before": "-05:00", "after": "-04:00"}],
        "holidays": [],
        "collisions": [],
        "hoursRunning": 23.0,
        "hoursStopped": 72.0,
        "shareSaved": 0.7579,
    }
    assert web["resource"] == "web"


def test_a_stack_in_which_nothing_is_stopped_says_so():
    assert told(simulate(SchedulesSettings(), NEEDS, date(2026, 3, 6), 4)).splitlines()[1:] == [
        "Nothing follows a period: everything always runs."
    ]


@pytest.mark.parametrize(("minutes", "text"), [(330, "+05:30"), (-300, "-05:00"), (0, "+00:00"), (-210, "-03:30")])
def test_offsets_are_written_with_their_sign(minutes, text):
    assert render.offset(timedelta(minutes=minutes)) == text


@settings(deadline=None, max_examples=30)
@given(
    zone=st.sampled_from(("America/Detroit", "Europe/London", "Australia/Sydney", "Asia/Kolkata")),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    hours=st.tuples(st.integers(4, 11), st.integers(14, 23)),
    first=st.sampled_from((date(2026, 3, 5), date(2026, 3, 26), date(2026, 4, 2), date(2026, 10, 29))),
    off=st.integers(0, 6),
)
def test_the_simulator_agrees_with_a_walk_through_every_minute(zone, days, hours, first, off):
    holiday = first + timedelta(days=off)
    period = {"days": sorted(days), "start": f"{hours[0]:02}:15", "stop": f"{hours[1]:02}:45", "time_zone": zone}
    made = SchedulesSettings.model_validate(
        {"periods": {"office": period}, "resources": {"web": "office"}, "holidays": [holiday.isoformat()]}
    )
    (forecast,) = simulate(made, (), first, 7)
    place, at = ZoneInfo(zone), datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    changes, minutes, was = [], {True: 0, False: 0}, None
    while (local := at.astimezone(place)).date() < first + timedelta(days=7):
        if local.date() >= first:
            shown = f"{local:%H:%M}"
            runs = (
                DAYS[local.weekday()] in days and local.date() != holiday and period["start"] <= shown < period["stop"]
            )
            minutes[runs] += 1
            if was is not None and runs != was:
                changes.append((local, runs))
            was = runs
        at += timedelta(minutes=1)
    assert [(change.at, change.starts) for change in forecast.changes] == changes
    assert (round(forecast.running * 60), round(forecast.stopped * 60)) == (minutes[True], minutes[False])
