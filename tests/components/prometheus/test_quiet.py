"""Alert manager is silent exactly while the servers are stopped or not ready yet, by a reader of its own intervals."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.prometheus import rules
from components.prometheus.quiet import intervals
from functions.common.calendar import Override, Period, verdict

ZONE = "America/Detroit"
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
OFFICE = Period(zone=ZONE, days=(0, 1, 2, 3, 4), start=7 * 60, stop=20 * 60)


def is_silent(found, moment):
    """As Prometheus documents time intervals: all fields of one interval have to fit; an end is not included."""
    for interval in found:
        local = moment.astimezone(ZoneInfo(interval["location"]))
        fits = (
            local.strftime("%A").lower() in interval.get("weekdays", DAYS)
            and str(local.year) in interval.get("years", [str(local.year)])
            and str(local.month) in interval.get("months", [str(local.month)])
            and str(local.day) in interval.get("days_of_month", [str(local.day)])
            and any(
                span["start_time"] <= f"{local:%H:%M}" < span["end_time"]
                for span in interval.get("times", [{"start_time": "00:00", "end_time": "24:00"}])
            )
        )
        if fits:
            return True
    return False


@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 20 * 60),
    length=st.integers(60, 200),
    ready=st.integers(5, 60),
    minute=st.integers(0, 14 * 24 * 60),
)
def test_it_is_silent_exactly_while_the_servers_are_stopped_or_not_ready(days, start, length, ready, minute):
    period = Period(zone=ZONE, days=tuple(sorted(days)), start=start, stop=start + length)
    now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=minute)
    up = verdict(period, now).running and verdict(period, now - timedelta(minutes=ready)).running
    # A stretch of running across midnight does not exist: a period lies within its day.
    assert is_silent(intervals(period, ready), now) is not up


def test_a_holiday_and_a_stop_by_exception_are_silent_and_a_start_by_exception_changes_nothing():
    stop = Override(starts=datetime(2026, 6, 2, 22), ends=datetime(2026, 6, 4, 9), running=False, reason="Move")  # noqa: DTZ001
    run = Override(starts=datetime(2026, 6, 6, 9), ends=datetime(2026, 6, 6, 12), running=True, reason="Test")  # noqa: DTZ001
    period = Period(
        zone=ZONE,
        days=OFFICE.days,
        start=OFFICE.start,
        stop=OFFICE.stop,
        holidays=(date(2026, 6, 8),),
        overrides=(stop, run),
    )
    found = intervals(period, 20)
    noon = {day: is_silent(found, datetime(2026, 6, day, 12, tzinfo=ZoneInfo(ZONE))) for day in range(1, 10)}
    assert noon == {1: False, 2: False, 3: True, 4: False, 5: False, 6: True, 7: True, 8: True, 9: False}
    assert is_silent(found, datetime(2026, 6, 4, 8, 59, tzinfo=ZoneInfo(ZONE)))
    assert not is_silent(found, datetime(2026, 6, 4, 9, 0, tzinfo=ZoneInfo(ZONE)))


def test_the_definition_mutes_every_severity_and_never_what_has_none():
    topics = {severity: f"arn:aws:sns:eu-west-1:1:{severity}" for severity in ("critical", "high", "medium", "low")}
    text = rules.alert_manager(topic_arns=topics, region="eu-west-1", repeat_minutes=60, quiet=intervals(OFFICE, 20))
    config = json.loads(yaml.safe_load(text)["alertmanager_config"])
    (named,) = config["time_intervals"]
    assert [route["mute_time_intervals"] for route in config["route"]["routes"]] == [[named["name"]]] * 4
    assert "mute_time_intervals" not in config["route"]
    assert named["time_intervals"] == [
        {"location": ZONE, "weekdays": ["saturday", "sunday"]},
        {
            "location": ZONE,
            "weekdays": DAYS[:5],
            "times": [
                {"start_time": "00:00", "end_time": "07:20"},
                {"start_time": "20:00", "end_time": "24:00"},
            ],
        },
    ]
