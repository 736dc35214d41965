"""What a stack may say of stops and starts."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from functions.common import calendar
from settings.backups import BackupSettings
from settings.schedules import SchedulesSettings, backup_needs, broken_rules, database_needs

OFFICE = {"start": "07:30", "stop": "19:00", "time_zone": "America/Detroit"}


def schedules(office=None, **more):
    return SchedulesSettings.model_validate(
        {"periods": {"office": {**OFFICE, **(office or {})}}, "resources": {"database": "office"}, **more}
    )


def override(starts="2026-03-14T09:00", ends="2026-03-14T18:00", **more):
    return {"starts": starts, "ends": ends, "state": "running", "reason": "Load test", **more}


def faults(settings, needs=()):
    return [
        (".".join(map(str, fault.path)), fault.wrong, fault.way_out) for fault in broken_rules(settings, needs=needs)
    ]


def test_nothing_is_stopped_by_default():
    settings = SchedulesSettings()
    assert (settings.followed(), settings.of("web"), faults(settings)) == ({}, None, [])


def test_the_calendar_of_each_period_that_something_follows_is_made_of_the_settings():
    settings = SchedulesSettings.model_validate(
        {
            "periods": {"lab": {**OFFICE, "days": ["sun", "mon"]}, "office": OFFICE},
            "holidays": ["2026-12-25", "2026-01-01"],
            "overrides": [override(periods=["office"]), override("2026-03-21T09:00", "2026-03-21T10:00")],
            "resources": {"web": "lab"},
        }
    )
    assert settings.followed() == {
        "lab": calendar.Period(
            zone="America/Detroit",
            days=(0, 6),
            start=450,
            stop=1140,
            holidays=(date(2026, 1, 1), date(2026, 12, 25)),
            overrides=(
                calendar.Override(
                    starts=datetime.fromisoformat("2026-03-21T09:00"),
                    ends=datetime.fromisoformat("2026-03-21T10:00"),
                    running=True,
                    reason="Load test",
                ),
            ),
        )
    }
    assert settings.of("web") == "lab"


@pytest.mark.parametrize(
    "wrong",
    [
        {"office": {"time_zone": "Mars/Olympus"}},
        {"office": {"time_zone": "EST5EDT"}},
        {"office": {"start": "7:30"}},
        {"office": {"stop": "24:00"}},
        {"office": {"days": []}},
        {"holidays": ["2026-02-30"]},
        {"overrides": [override(state="paused")]},
        {"overrides": [override(reason="")]},
        {"resources": {"printer": "office"}},
        {"periods": {"Office Hours": OFFICE}},
        {"ready_minutes": 0},
        {"off": True},
    ],
)
def test_a_value_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValidationError):
        schedules(**wrong)


@pytest.mark.parametrize(
    ("office", "expected"),
    [
        ({"stop": "07:30"}, ("stop", "is not after start, 07:30", "Write 09:30 or later.")),
        ({"stop": "09:00"}, ("stop", "is less than 2 hours after start, 07:30", "Write 09:30 or later.")),
        ({"start": "23:00", "stop": "22:00"}, ("stop", "is not after start, 23:00", "Write an earlier start.")),
        (
            {"start": "03:30", "stop": "23:45"},
            ("stop", "leaves less than 4 hours until the next start, 03:30", "Write 23:30 or earlier."),
        ),
    ],
)
def test_a_period_begins_and_ends_on_one_day_and_rests_in_the_night(office, expected):
    key, wrong, way_out = expected
    assert faults(schedules(office)) == [(f"schedules.periods.office.{key}", wrong, way_out)]


def test_a_resource_follows_a_period_that_there_is():
    assert faults(schedules(resources={"database": "offce"})) == [
        ("schedules.resources.database", "is no period", "Write one of them, or add the period.")
    ]
    assert faults(SchedulesSettings.model_validate({"resources": {"web": "office"}})) == [
        ("schedules.resources.web", "is no period", "Add the period.")
    ]


def test_exceptions_last_a_while_and_do_not_overlap():
    settings = schedules(
        overrides=[
            override(),
            override("2026-03-14T17:00", "2026-03-14T20:00"),
            override("2026-03-15T09:00", "2026-03-15T09:00"),
            override("2026-04-01T09:00", "2026-05-03T09:00"),
            override("2026-06-01T09:00", "2026-06-01T10:00", periods=["lab"]),
        ]
    )
    assert faults(settings) == [
        (
            "schedules.overrides.1.starts",
            "lies in the exception from 2026-03-14T09:00 to 2026-03-14T18:00",
            "Write 2026-03-14T18:00 or later, or shorten the other one.",
        ),
        ("schedules.overrides.2.ends", "is not after its start, 2026-03-15T09:00", "Write a later time."),
        (
            "schedules.overrides.3.ends",
            "is 32 days after its start, 2026-04-01T09:00",
            "Write an earlier time, or change the period.",
        ),
        ("schedules.overrides.4.periods.0", "is no period", "Write one of them, or add the period."),
    ]


def test_exceptions_of_different_periods_may_overlap():
    settings = SchedulesSettings.model_validate(
        {
            "periods": {"lab": OFFICE, "office": OFFICE},
            "overrides": [override(periods=["lab"]), override(periods=["office"])],
        }
    )
    assert faults(settings) == []


def test_no_clock_changes_near_a_start_or_a_stop():
    sunday = {"days": ["sun"]}
    assert faults(schedules({**sunday, "start": "04:30"})) == [
        (
            "schedules.periods.office.start",
            "is too near to the change of the clock on 2025-03-09 at 03:00",
            "Write another time, or leave that day out.",
        )
    ]
    assert faults(schedules({**sunday, "start": "01:00", "stop": "04:00"})) != []
    assert faults(schedules({**sunday, "start": "06:30"})) == []
    # On a weekday no clock changes in Detroit; where clocks never change, any time will do.
    assert faults(schedules({"start": "04:30"})) == []
    assert faults(schedules({**sunday, "start": "02:30", "time_zone": "Asia/Kolkata"})) == []


def test_windows_in_which_the_database_has_to_run_lie_in_its_hours_in_summer_and_in_winter():
    assert faults(schedules(), database_needs("21:00-21:45", "wed:20:00-wed:21:00")) == []
    # 19:00 in Detroit is midnight UTC in winter and 23:00 in summer; 07:30 is 12:30 and 11:30.
    assert faults(schedules(), database_needs("05:30-06:15", "sun:20:00-sun:21:00")) == [
        (
            "database.backup_window",
            "falls into hours in which database is stopped (schedules.periods.office)",
            "Put it between 12:30 and 23:00 UTC, or let it run longer.",
        ),
        (
            "database.maintenance_window",
            "falls into hours in which database is stopped (schedules.periods.office)",
            "Put it between 12:30 and 23:00 UTC on mon, tue, wed, thu and fri, or let it run longer.",
        ),
    ]
    assert [fault[0] for fault in faults(schedules(), database_needs("22:30-23:15", "wed:11:00-wed:12:00"))] == [
        "database.backup_window",
        "database.maintenance_window",
    ]


def test_windows_of_what_always_runs_are_nobody_s_concern():
    assert faults(schedules(resources={"web": "office"}), database_needs("05:30-06:15", "sun:20:00-sun:21:00")) == []


def test_the_way_out_that_is_proposed_is_one():
    wrong = database_needs("05:30-06:15", "sun:20:00-sun:21:00")
    assert len(faults(schedules(), wrong)) == 2
    assert faults(schedules(), database_needs("12:30-13:15", "mon:22:00-mon:23:00")) == []
    assert faults(schedules(), database_needs("22:15-23:00", "fri:12:30-fri:13:30")) == []


def test_windows_are_judged_as_rds_writes_them():
    backup, maintenance = database_needs("23:30-00:15", "sun:23:00-mon:01:00")
    assert (backup.window.is_daily, backup.window.start, backup.window.minutes) == (True, 1410, 45)
    assert (maintenance.window.days, maintenance.window.start, maintenance.window.minutes) == ((6,), 1380, 120)
    week = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC)
    assert list(calendar.occurrences(maintenance.window, *week)) == [
        (datetime(2026, 1, 11, 23, tzinfo=UTC), datetime(2026, 1, 12, 1, tzinfo=UTC))
    ]


def test_a_backup_finds_its_database_running():
    weekly = BackupSettings.model_validate({"weekly": {"day": "sun", "time": "10:30"}, "daily": {"time": "04:00"}})
    assert [
        (need.resource, need.path, need.window.days, need.window.start, need.window.minutes)
        for need in backup_needs(weekly)
    ] == [
        ("database", ("backups", "weekly", "time"), (6,), 630, 60),
        ("database", ("backups", "daily", "time"), (0, 1, 2, 3, 4, 5, 6), 240, 60),
    ]
