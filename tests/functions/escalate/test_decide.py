"""What events say, when rungs go out, and what is to be done about a ring or an end."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from functions.common.plain import to_plain
from functions.common.records import STATES, Record
from functions.common.roster import Office
from functions.escalate import decide
from functions.escalate.env import Moment
from tests.functions.stage import START, TOPICS, notification, state_change

#: A busy machine is no failure.
unhurried = with_settings(deadline=None)

OFFICE = Office(zone="America/Detroit", days=(0, 1, 2, 3, 4), opens=540, holidays=(date(2025, 1, 20),))
RUNGS = (Moment(name="slack", minutes=0), Moment(name="email", minutes=5), Moment(name="phone", minutes=15))


def local(text, zone="America/Detroit"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# Reading


def test_a_ring_is_read_with_its_severity_and_to_the_millisecond():
    body = notification("web-5xx", "high", datetime(2025, 1, 6, 15, 30, 1, 234000, tzinfo=UTC))
    signal = decide.read(body, TOPICS)
    assert (signal.alarm, signal.said, signal.severity) == ("web-5xx", "raised", "high")
    assert signal.at == datetime(2025, 1, 6, 15, 30, 1, 234000, tzinfo=UTC)
    assert signal.reason.startswith("Threshold Crossed")
    assert "First action" in signal.description


@pytest.mark.parametrize(("state", "said"), [("OK", "cleared"), ("INSUFFICIENT_DATA", "nothing"), ("ALARM", "nothing")])
def test_events_tell_of_ends_and_leave_rings_to_the_topics(state, said):
    assert decide.read(state_change("web-5xx", state, START), TOPICS).said == said


def test_an_alarm_without_description_is_read():
    signal = decide.read(notification("a", "low", START, AlarmDescription=None, NewStateReason=None), TOPICS)
    assert (signal.description, signal.reason) == ("", "")


@unhurried
@given(
    body=st.one_of(
        st.text(max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["TopicArn", "Message", "detail", "detail-type", "state", "alarmName"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=10,
        ).map(json.dumps),
    )
)
@example(body=json.dumps({"detail-type": "CloudWatch Alarm State Change", "detail": {"state": {"value": 1}}}))
@example(body=json.dumps({"TopicArn": next(iter(TOPICS)), "Message": "[]"}))
@example(body=json.dumps({"TopicArn": ["x"]}))
def test_whatever_arrives_is_understood_or_malformed_and_never_a_crash(body):
    said = ""
    try:
        decide.read(body, TOPICS)
    except decide.MalformedError as error:
        said = str(error)
    assert said == "" or said.endswith(".")


# Business days


@pytest.mark.parametrize(
    ("after", "opening"),
    [
        ("2025-01-07T03:00", "2025-01-07T09:00"),
        ("2025-01-07T09:00", "2025-01-08T09:00"),
        ("2025-01-07T10:30", "2025-01-08T09:00"),
        ("2025-01-10T17:00", "2025-01-13T09:00"),
        ("2025-01-11T12:00", "2025-01-13T09:00"),
        # The 20th is a holiday.
        ("2025-01-17T10:00", "2025-01-21T09:00"),
        ("2025-01-20T08:00", "2025-01-21T09:00"),
        # The clock goes forward on Sunday, 9 March, and back on Sunday, 2 November.
        ("2025-03-07T10:00", "2025-03-10T09:00"),
        ("2025-10-31T10:00", "2025-11-03T09:00"),
    ],
)
def test_the_next_business_day_begins_when_the_office_opens_next(after, opening):
    assert decide.next_opening(local(after), OFFICE) == local(opening)


offices = st.builds(
    Office,
    zone=st.sampled_from(["America/Detroit", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    opens=st.integers(0, 1439),
    holidays=st.lists(st.dates(date(2024, 12, 1), date(2026, 2, 1)), max_size=10).map(tuple),
)
moments = st.datetimes(datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-01-01")).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@unhurried
@given(office=offices, after=moments)
def test_an_opening_is_on_a_working_day_later_and_the_first_one(office, after):
    opening = decide.next_opening(after, office)
    zone = ZoneInfo(office.zone)
    day = opening.astimezone(zone).date()
    assert opening > after
    assert day.weekday() in office.days
    assert day not in office.holidays
    earlier = [
        after.astimezone(zone).date() + timedelta(days=n) for n in range((day - after.astimezone(zone).date()).days)
    ]
    for other in earlier:
        at = datetime(other.year, other.month, other.day, office.opens // 60, office.opens % 60, tzinfo=zone)
        assert other.weekday() not in office.days or other in office.holidays or at <= after


def test_an_office_that_never_opens_is_refused():
    shut = replace(OFFICE, days=())
    with pytest.raises(ValueError, match=r"The office does not open within a year after 2025-01-06 15:30 UTC\."):
        decide.next_opening(START, shut)


# Schedules

PATIENCE = timedelta(minutes=15)


@unhurried
@given(late=st.integers(0, 900))
def test_within_patience_the_rungs_keep_their_distance_to_the_alarm(late):
    times = decide.schedule(START, RUNGS, patience=PATIENCE, office=None, now=START + timedelta(seconds=late))
    assert not times.is_late
    assert times.at == {rung.name: START + timedelta(minutes=rung.minutes) for rung in RUNGS}


@unhurried
@given(late=st.integers(901, 10**6))
def test_beyond_patience_they_keep_it_to_now(late):
    now = START + timedelta(seconds=late)
    times = decide.schedule(START, RUNGS, patience=PATIENCE, office=None, now=now)
    assert times.is_late
    assert times.at == {rung.name: now + timedelta(minutes=rung.minutes) for rung in RUNGS}


@unhurried
@given(office=offices, started=moments)
def test_a_deferred_alarm_counts_from_the_opening(office, started):
    opening = decide.next_opening(started, office)
    times = decide.schedule(started, RUNGS, patience=PATIENCE, office=office, now=started)
    assert times.at["email"] == opening + timedelta(minutes=5)
    assert times.ends == opening + timedelta(minutes=15) + decide.MARGIN


# Names


@unhurried
@given(name=st.text(min_size=1, max_size=255), other=st.text(min_size=1, max_size=255), started=moments)
def test_a_ring_has_one_name_that_step_functions_takes_and_another_ring_has_another(name, other, started):
    made = decide.escalation_name(name, started)
    assert len(made) <= 80
    assert all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in made)
    assert made == decide.escalation_name(name, started)
    assert made != decide.escalation_name(name, started + timedelta(milliseconds=1))
    assume(other != name)
    assert made != decide.escalation_name(other, started)


def test_a_name_can_be_read():
    assert decide.escalation_name("learning-platform-prod web/5xx", START).startswith(
        "learning-platform-prod-web-5xx-20250106T153000-"
    )


# Judging

RECORD = Record(
    alarm="web-5xx",
    escalation="e",
    state="open",
    severity="critical",
    started=START,
    rang=START,
    open_until=START + timedelta(hours=26),
)
LATER = START + timedelta(minutes=3)


def judge(said, record, *, at=LATER, is_running=True, now=LATER):
    signal = decide.Signal(alarm="web-5xx", said=said, at=at, severity="critical")
    return decide.judge(signal, record, is_running=is_running, now=now).move


def test_a_first_ring_starts_an_escalation():
    assert judge("raised", None) == "start"


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_a_ring_during_an_escalation_is_noted(state):
    assert judge("raised", replace(RECORD, state=state)) == "note"


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_a_ring_replaces_an_escalation_whose_execution_is_gone_or_whose_time_is_up(state):
    record = replace(RECORD, state=state)
    assert judge("raised", record, is_running=False) == "replace"
    assert judge("raised", record, now=RECORD.open_until) == "replace"


@pytest.mark.parametrize("state", ["acknowledged", "cleared", "unanswered", "broken"])
def test_a_ring_after_an_escalation_starts_another_and_the_same_ring_does_not(state):
    record = replace(RECORD, state=state, closed=LATER)
    assert judge("raised", record) == "start"
    assert judge("raised", record, at=START) == "ignore"


def test_a_ring_from_before_the_end_that_is_known_starts_nothing():
    record = replace(RECORD, state="cleared", settled=LATER, closed=LATER)
    assert judge("raised", record, at=LATER - timedelta(seconds=1)) == "ignore"
    assert judge("raised", record, at=LATER + timedelta(seconds=1)) == "start"


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_an_end_clears_unless_the_alarm_has_rung_since(state):
    assert judge("cleared", replace(RECORD, state=state)) == "clear"
    assert judge("cleared", replace(RECORD, state=state, rang=LATER + timedelta(seconds=1))) == "ignore"


def test_an_end_that_is_known_wakes_the_machine_until_it_has_closed():
    assert judge("cleared", replace(RECORD, state="cleared")) == "wake"
    assert judge("cleared", replace(RECORD, state="cleared", closed=LATER)) == "ignore"


@pytest.mark.parametrize("record", [None, replace(RECORD, state="unanswered"), replace(RECORD, state="broken")])
def test_an_end_of_nothing_is_ignored(record):
    assert judge("cleared", record) == "ignore"


@unhurried
@given(
    said=st.sampled_from(["raised", "cleared", "nothing"]),
    state=st.sampled_from(STATES),
    closed=st.booleans(),
    is_running=st.booleans(),
    rang=st.integers(-60, 60),
    now=st.integers(0, 30 * 60),
)
def test_nothing_is_started_beside_an_escalation_that_lives(said, state, closed, is_running, rang, now):
    record = replace(RECORD, state=state, closed=LATER if closed else None, rang=LATER + timedelta(minutes=rang))
    moment = START + timedelta(minutes=now)
    move = judge(said, record, is_running=is_running, now=moment)
    if record.is_alive(moment) and is_running:
        assert move in {"raised": {"note"}, "cleared": {"clear", "ignore"}, "nothing": {"ignore"}}[said]
    if said != "raised":
        assert move not in ("start", "replace", "note")


def test_the_machine_s_input_has_a_moment_for_every_rung(stage):
    signal = decide.Signal(alarm="web-5xx", said="raised", at=START, severity="low")
    made = to_plain(decide.machine_input(signal, stage.escalate_env, START))
    assert set(made["at"]) == {rung.name for rung in stage.chain.rungs}
    assert made["at"]["slack"] == made["alarm"]["deferred_until"] == "2025-01-07T14:00:00.000Z"
    assert made["life_seconds"] == (22 * 60 + 30 + 45 + 10) * 60
    assert made["open_until"] == "2025-01-08T14:55:00.000Z"
    assert made["alarm"]["respond_minutes"] is None


def test_a_signal_without_severity_starts_nothing(stage):
    signal = decide.Signal(alarm="web-5xx", said="raised", at=START)
    with pytest.raises(ValueError, match=r"web-5xx has no severity\."):
        decide.machine_input(signal, stage.escalate_env, START)
