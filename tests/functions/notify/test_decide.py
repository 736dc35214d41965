"""Who is on call, and what messages say."""

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.common.alarm import Alarm
from functions.common.records import Record
from functions.common.roster import Contact, Override, Roster, Rotation
from functions.notify import decide
from functions.notify.env import Rung

ZONES = ["America/Detroit", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata", "UTC"]
#: A busy machine is no failure.
unhurried = settings(deadline=None)

wall = datetime.fromisoformat

WEEKLY = Rotation(
    zone="America/Detroit",
    first_hand_over=wall("2025-01-06T09:00"),
    days=7,
    order=("ana", "ben", "cleo"),
    overrides=(),
)


def at(text, zone="America/Detroit"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def pair(moment, rotation=WEEKLY):
    people = decide.on_call(moment, rotation)
    return people.primary, people.backup


@pytest.mark.parametrize(
    ("moment", "people"),
    [
        ("2025-01-06T09:00", ("ana", "ben")),
        ("2025-01-13T08:59", ("ana", "ben")),
        ("2025-01-13T09:00", ("ben", "cleo")),
        ("2025-01-20T09:00", ("cleo", "ana")),
        ("2025-01-27T09:00", ("ana", "ben")),
        ("2025-01-06T08:59", ("cleo", "ana")),
        ("2024-12-30T09:00", ("cleo", "ana")),
        # Clocks go forward on 9 March and back on 2 November: the hand-over stays at nine.
        ("2025-03-10T08:59", ("cleo", "ana")),
        ("2025-03-10T09:00", ("ana", "ben")),
        ("2025-11-03T08:59", ("ana", "ben")),
        ("2025-11-03T09:00", ("ben", "cleo")),
    ],
)
def test_shifts_change_at_the_hand_over_by_the_clock_on_the_wall(moment, people):
    assert pair(at(moment)) == people


def test_where_the_clock_shows_the_hand_over_twice_it_happens_once():
    rotation = replace(WEEKLY, first_hand_over=wall("2025-10-26T01:30"))
    before = datetime(2025, 11, 2, 5, 29, tzinfo=UTC)
    people = [pair(before + timedelta(minutes=minutes), rotation)[0] for minutes in (0, 1, 31, 60, 61, 91)]
    assert people == ["ana", "ben", "ben", "ben", "ben", "ben"]


def test_where_the_clock_leaves_the_hand_over_out_it_happens_as_it_goes_forward():
    rotation = replace(WEEKLY, first_hand_over=wall("2025-03-02T02:30"))
    seconds_before_three = datetime(2025, 3, 9, 6, 59, 59, tzinfo=UTC)
    assert pair(seconds_before_three, rotation)[0] == "ana"
    assert pair(datetime(2025, 3, 9, 7, 30, tzinfo=UTC), rotation)[0] == "ben"


moments = st.datetimes(wall("2024-01-01T00:00"), wall("2027-01-01T00:00")).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
rotations = st.builds(
    Rotation,
    zone=st.sampled_from(ZONES),
    first_hand_over=st.builds(
        datetime.combine,
        st.dates(date(2024, 1, 1), date(2027, 1, 1)),
        st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45])),
    ),
    days=st.integers(1, 28),
    order=st.lists(st.sampled_from("abcdef"), min_size=2, max_size=6, unique=True).map(tuple),
    overrides=st.just(()),
)

AUTUMN = replace(WEEKLY, first_hand_over=wall("2024-11-03T01:30"))


@unhurried
@given(rotation=rotations, now=moments)
@example(rotation=AUTUMN, now=datetime(2024, 11, 3, 5, 30, tzinfo=UTC))
@example(rotation=AUTUMN, now=datetime(2024, 11, 3, 6, 29, 59, tzinfo=UTC))
@example(rotation=replace(WEEKLY, first_hand_over=wall("2024-03-10T02:30")), now=datetime(2024, 3, 10, 7, tzinfo=UTC))
def test_the_rotation_is_that_of_a_calendar_with_every_hand_over_written_down(rotation, now):
    zone = ZoneInfo(rotation.zone)
    turns = range(-1200 // rotation.days - 2, 1200 // rotation.days + 2)
    hand_overs = [
        (rotation.first_hand_over + timedelta(days=turn * rotation.days)).replace(tzinfo=zone).astimezone(UTC)
        for turn in turns
    ]
    assert hand_overs == sorted(hand_overs)
    turn = turns[bisect_right(hand_overs, now) - 1]
    people = rotation.order
    assert pair(now, rotation) == (people[turn % len(people)], people[(turn + 1) % len(people)])


@unhurried
@given(rotation=rotations, now=moments)
def test_the_backup_is_always_somebody_else(rotation, now):
    primary, backup = pair(now, rotation)
    assert primary != backup
    assert {primary, backup} <= set(rotation.order)


def test_an_override_holds_from_its_start_until_its_end_and_no_longer():
    override = Override(starts=wall("2025-01-08T12:00"), ends=wall("2025-01-09T12:00"), primary="cleo", backup="ana")
    rotation = replace(WEEKLY, overrides=(override,))
    moments = ("2025-01-08T11:59", "2025-01-08T12:00", "2025-01-09T11:59", "2025-01-09T12:00")
    assert [pair(at(moment), rotation) for moment in moments] == [
        ("ana", "ben"),
        ("cleo", "ana"),
        ("cleo", "ana"),
        ("ana", "ben"),
    ]


ROSTER = Roster(
    contacts={key: Contact(name=key.title(), email=f"{key}@x.example", phone="+1") for key in ("ana", "ben", "cleo")},
    rotation=WEEKLY,
)


def rung(**changes):
    plain = {"name": "sms", "channel": "sms", "to": ("primary",), "minutes": 10, "next_minutes": 5}
    return Rung(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"channel": "slack", "to": ()}, ["channel"]),
        ({}, ["ana"]),
        ({"to": ("backup",)}, ["ben"]),
        ({"to": ("backup", "primary")}, ["ben", "ana"]),
    ],
)
def test_a_rung_reaches_those_on_duty_that_it_names(changes, keys):
    assert list(decide.recipients(rung(**changes), decide.OnCall("ana", "ben"), ROSTER)) == keys


START = datetime(2024, 12, 16, 14, 30, tzinfo=UTC)
ALARM = Alarm(
    name="web-5xx",
    severity="critical",
    started=START,
    reason="Threshold Crossed: 7.1 > 5",
    description="Too many errors.\nImpact: Users see errors\nRun book: 004_… Key Metrics to Monitor\n"
    "First action: Investigate application errors",
    respond_minutes=15,
    deferred_until=None,
)


def facts(alarm=ALARM, code="482713", **changes):
    return decide.Facts(
        system="learning-platform prod",
        alarm=alarm,
        rung=rung(**changes),
        code=code,
        slack_channel="#alerts",
        primary="Ana Diaz",
        backup="Ben Ito",
    )


def test_the_notification_has_the_lines_of_the_template_and_what_to_do():
    assert decide.incident(facts(channel="email")) == (
        "🚨 CRITICAL INCIDENT - learning-platform prod: web-5xx\n"
        "Status: INVESTIGATING\n"
        "Impact: Users see errors\n"
        "Start Time: 2024-12-16 14:30 UTC\n"
        "Next Update: 5 minutes\n"
        "Respond: within 15 minutes\n"
        "First Action: Investigate application errors\n"
        "Run Book: 004_… Key Metrics to Monitor\n"
        "On Call: Ana Diaz, then Ben Ito\n"
        "\n"
        "Threshold Crossed: 7.1 > 5\n"
        "Acknowledge: reply ACK 482713 or runbook acknowledge web-5xx\n"
        "Updates: #alerts"
    )


def test_an_alarm_that_says_nothing_still_makes_a_message():
    bare = replace(ALARM, description="", reason="", respond_minutes=None)
    assert decide.incident(facts(bare, code="", next_minutes=0)) == (
        "🚨 CRITICAL INCIDENT - learning-platform prod: web-5xx\n"
        "Status: INVESTIGATING\n"
        "Impact: not described\n"
        "Start Time: 2024-12-16 14:30 UTC\n"
        "Next Update: when the alarm clears\n"
        "Respond: next business day\n"
        "On Call: Ana Diaz, then Ben Ito\n"
        "\n"
        "Acknowledge: runbook acknowledge web-5xx\n"
        "Updates: #alerts"
    )


def test_the_code_is_not_told_where_many_read():
    assert "482713" not in decide.incident(facts(channel="slack"))


def test_the_subject_is_one_line():
    odd = replace(ALARM, name="web\r\nBcc: somebody")
    assert decide.subject(facts(odd)) == (
        "[CRITICAL] learning-platform prod: web Bcc: somebody since 2024-12-16 14:30 UTC"
    )


def test_a_text_message_says_what_rings_what_to_do_and_how_to_answer():
    assert decide.text_message(facts()) == (
        "CRITICAL learning-platform prod: web-5xx since 14:30 UTC. First: Investigate application errors"
        " Acknowledge: reply ACK 482713 or runbook acknowledge web-5xx"
    )


words = st.text(st.characters(codec="utf-8"), max_size=600)


@unhurried
@given(name=st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=60), action=words)
def test_a_text_message_keeps_its_way_out_whatever_the_alarm_says(name, action):
    text = decide.text_message(facts(replace(ALARM, name=name, description=f"First action: {action}")))
    assert text.isascii()
    assert "\n" not in text
    assert len(text) <= 300
    assert text.endswith(f"Acknowledge: reply ACK 482713 or runbook acknowledge {name}")


def test_a_call_says_it_twice_and_spells_the_code():
    said = decide.spoken(facts(channel="phone"))
    assert said.count("critical alarm in learning-platform prod: web 5xx. It rings since 14:30 U T C") == 2
    assert said.count("send the text A C K 4, 8, 2, 7, 1, 3 to this number") == 2
    assert "use the acknowledge command" in decide.spoken(facts(code=""))


@unhurried
@given(description=words)
def test_a_call_stays_within_what_is_listened_to_and_what_the_service_takes(description):
    said = decide.spoken(facts(replace(ALARM, description=f"First action: {description}")))
    assert said.isascii()
    assert 0 < len(said) <= 1000


RECORD = Record(
    alarm="web-5xx",
    escalation="e",
    state="acknowledged",
    severity="critical",
    started=START,
    rang=START,
    open_until=START + timedelta(days=1),
    by="Ana Diaz",
    how="text message",
    settled=START + timedelta(minutes=11),
)


def test_an_answer_is_told_with_the_name_and_the_time_it_took():
    assert decide.notice("acknowledged", "p prod", ALARM, RECORD, START) == (
        "👀 ACKNOWLEDGED - p prod: web-5xx\n"
        "Status: INVESTIGATING\n"
        "Acknowledged By: Ana Diaz, by text message, 2024-12-16 14:41 UTC\n"
        "Time To Acknowledge: 11 minutes"
    )


def test_the_end_is_told_with_the_lines_of_the_template():
    ended = replace(RECORD, state="cleared", settled=START + timedelta(minutes=45))
    assert decide.notice("resolved", "p prod", ALARM, ended, START) == (
        "✅ RESOLVED - p prod: web-5xx\n"
        "Status: RESOLVED\n"
        "Resolution Time: 2024-12-16 15:15 UTC\n"
        "Duration: 45 minutes\n"
        "Acknowledged By: Ana Diaz, by text message\n"
        "Next Steps: find the root cause, schedule the post-incident review"
    )
    unnoticed = replace(ended, by="", how="")
    minor = replace(ALARM, severity="low")
    assert decide.notice("resolved", "p prod", minor, unnoticed, START).splitlines()[-1] == "Acknowledged By: nobody"


def test_an_alarm_that_goes_on_is_called_to_mind_with_who_took_it():
    text = decide.notice("ringing", "p prod", ALARM, RECORD, START + timedelta(hours=25))
    assert text.splitlines()[:4] == [
        "⏰ STILL IN ALARM - p prod: web-5xx",
        "Status: INVESTIGATING",
        "Acknowledged By: Ana Diaz, by text message",
        "Duration: 1 day 1 hour",
    ]


@pytest.mark.parametrize(
    ("record", "escalation", "why"),
    [
        (None, "e", ""),
        (RECORD, "another", ""),
        (replace(RECORD, state="open"), "e", ""),
        (RECORD, "e", "The escalation is acknowledged."),
        (replace(RECORD, state="cleared"), "e", "The escalation is cleared."),
    ],
)
def test_a_rung_is_kept_back_only_by_a_record_that_says_so(record, escalation, why):
    assert decide.why_not(record, escalation) == why


def test_slack_gets_no_markup_out_of_an_alarm_s_text():
    assert decide.for_slack("<https://evil|click> & <!channel>") == (
        "&lt;https://evil|click&gt; &amp; &lt;!channel&gt;"
    )
