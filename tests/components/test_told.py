"""What people are told, read as the escalation reads it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components._told import EVENT_PATHS, advice, answer, as_alarm
from functions.common.alarm import describe
from functions.escalate import decide as escalation

WORDS = st.text(st.characters(categories=["L", "N", "Zs"], include_characters="\"\\'{}"), min_size=1).filter(str.strip)


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("critical", "within 15 minutes"),
        ("high", "within 1 hour"),
        ("medium", "within 4 hours"),
        ("low", "on the next business day"),
    ],
)
def test_each_severity_has_the_run_books_response_time(severity, words):
    assert answer(severity) == words


def test_a_settings_own_time_is_told():
    assert answer("high", {"high": 45}) == "within 45 minutes"


@given(name=WORDS, told=WORDS, impact=WORDS, first=WORDS)
def test_an_event_reaches_the_escalation_whole_whatever_its_words(name, told, impact, first):
    text = advice("high", told, impact, run_book="004_…", first=first)
    template = as_alarm(name, text, "It is <state>.")
    for place, value in {"time": "2026-07-05T02:11:00Z", "state": "FAILED", "account": "1", "region": "r"}.items():
        template = template.replace(f"<{place}>", value)
    signal = escalation.read(json.dumps({"TopicArn": "t", "Message": template}), {"t": "high"})
    assert (signal.alarm, signal.said, signal.severity) == (name, "raised", "high")
    assert (signal.reason, signal.description) == ("It is FAILED.", text[:1000])
    if len(text) < 1000:
        parts = describe(signal.description)
        assert (parts.impact, parts.first_action) == (impact.strip(), first.strip())


def test_the_paths_are_those_of_the_place_holders():
    template = as_alarm("it", advice("low", "It is so", "None.", run_book="004_…", first="Look."), "So.")
    assert {name for name in EVENT_PATHS if f"<{name}>" in template} == set(EVENT_PATHS)
