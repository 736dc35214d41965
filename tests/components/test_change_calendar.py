"""The change calendar says in UTC what the settings say in local time, in the format that Change Calendar reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.change_calendar import ChangeCalendar, ChangeCalendarArgs, Closed, closed_times, icalendar
from runbook.preview.capture import capture
from settings.changes import ChangeSettings
from settings.naming import Labels

SETTINGS = ChangeSettings.model_validate(
    {
        "time_zone": "America/Detroit",
        "freezes": [
            # Winter time begins on 1 November 2026: 26 hours of UTC are 25 by the clock on the wall.
            {"starts": "2026-10-31T08:00", "ends": "2026-11-01T08:00", "reason": "Exam: part 1"},
        ],
        "weekly": [{"window": "sun:23:00-mon:01:00", "reason": "Weekly class"}],
    }
)


def lines(text):
    """The content lines, unfolded as RFC 5545 has it."""
    assert text.endswith("\r\n")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def test_a_local_time_becomes_utc_on_either_side_of_the_change_of_clocks():
    once, weekly = closed_times(SETTINGS)
    assert once == Closed(
        datetime(2026, 10, 31, 12, 0, tzinfo=UTC), datetime(2026, 11, 1, 13, 0, tzinfo=UTC), "Exam: part 1"
    )
    assert (weekly.starts.weekday(), weekly.ends - weekly.starts) == (6, timedelta(hours=2))


def test_the_calendar_is_open_but_for_its_events():
    text = lines(icalendar("When x is not changed", closed_times(SETTINGS)))
    assert [line for line in text if not line.startswith("UID:")] == [
        "BEGIN:VCALENDAR",
        "PRODID:-//AWS//Change Calendar 1.0//EN",
        "VERSION:2.0",
        "X-CALENDAR-TYPE:DEFAULT_OPEN",
        "X-WR-CALDESC:When x is not changed",
        "BEGIN:VEVENT",
        "DTSTAMP:20240101T000000Z",
        "DTSTART:20261031T120000Z",
        "DTEND:20261101T130000Z",
        "SUMMARY:Exam: part 1",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "DTSTAMP:20240101T000000Z",
        "DTSTART:20240107T230000Z",
        "DTEND:20240108T010000Z",
        "RRULE:FREQ=WEEKLY;BYDAY=SU",
        "SUMMARY:Weekly class",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_calendar_without_freezes_holds_the_entry_that_a_new_one_has():
    assert lines(icalendar("t", ()))[5:-1] == [
        "BEGIN:VTODO",
        "DTSTAMP:20240101T000000Z",
        "UID:no-freezes",
        "SUMMARY:Add events to this calendar.",
        "END:VTODO",
    ]


@given(reasons=st.lists(st.text("abc Äß€𝄞", min_size=1, max_size=120), max_size=4))
def test_no_line_is_longer_than_the_standard_allows_and_none_is_lost(reasons):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [Closed(start + timedelta(days=n), start + timedelta(days=n, hours=1), r) for n, r in enumerate(reasons)]
    text = icalendar("t", times)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert [line[len("SUMMARY:") :] for line in lines(text) if line.startswith("SUMMARY:")][: len(reasons)] == reasons
    uids = [line for line in lines(text) if line.startswith("UID:")]
    assert len(set(uids)) == len(uids)


@pytest.fixture(scope="module")
def graph():
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")
    config = {"aws:region": "eu-west-1", "aws:allowedAccountIds": json.dumps(["210987654321"])}
    program = lambda: ChangeCalendar("changes", ChangeCalendarArgs(changes=SETTINGS), labels=labels) and None  # noqa: E731
    return capture(program, stack="prod", config=config)


def test_operations_find_the_calendar_by_its_name(graph):
    document = graph.one("aws:ssm/document:Document")
    assert {key: document.inputs[key] for key in ("name", "documentType", "documentFormat", "content")} == {
        "name": "learning-platform-prod-changes",
        "documentType": "ChangeCalendar",
        "documentFormat": "TEXT",
        "content": icalendar("When learning-platform prod is not changed", closed_times(SETTINGS)),
    }
