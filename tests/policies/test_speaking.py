"""Events that call people speak as alarms do."""

import json

import pytest

from policies.rulebook.bells import EVENT_TARGET, TOPIC
from policies.rulebook.speaking import EVENTS_SPEAK
from tests.policies.bags import ABSENT, UNKNOWN, altered, not_evaluated, resource, stack_faults

ALARM = {"AlarmName": "it", "NewStateValue": "ALARM", "StateChangeTime": "<time>", "NewStateReason": "It is <state>."}


def topic(severity="high"):
    return resource(TOPIC, "told", {"arn": "arn:aws:sns:eu-west-1:1:told", "tags": {"Severity": severity}})


def target(to, **changes):
    bag = {"rule": "r", "arn": to.props["arn"], "inputTransformer": {"inputTemplate": json.dumps(ALARM)}}
    return resource(EVENT_TARGET, "bell", altered(bag, **changes), uses={"arn": to})


def faults(severity="high", **changes):
    to = topic(severity)
    return stack_faults(EVENTS_SPEAK, to, target(to, **changes))


def template(text):
    return {"inputTransformer": {"inputTemplate": text}}


def without(key, **instead):
    return template(json.dumps({name: value for name, value in ALARM.items() if name != key} | instead))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        template('{"AlarmName": <name>, "NewStateValue": "ALARM", "StateChangeTime": <time>}'),
        {"inputTransformer": ABSENT, "input": json.dumps(ALARM)},
    ],
    ids=["a template", "places outside of quotes", "a fixed text"],
)
def test_the_keys_of_an_alarm_are_enough(changes):
    assert faults(**changes) == []


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        (template('"HIGH: It failed: <status>"'), "it is no JSON object"),
        (template("It failed"), "it is no JSON object"),
        (without("AlarmName"), "it has no AlarmName"),
        (without("AlarmName", AlarmName=" "), "it has no AlarmName"),
        (without("StateChangeTime"), "it has no StateChangeTime"),
        (without("NewStateValue", NewStateValue="OK"), "its NewStateValue is OK, and not ALARM"),
        ({"inputTransformer": ABSENT}, "the event is handed on as it came, and has no AlarmName"),
    ],
)
def test_any_other_text_calls_nobody(changes, lack):
    assert faults(**changes) == [(f"Topic told gets a text that calls nobody: {lack}.", "bell")]


def test_what_nobody_is_called_for_may_be_news():
    assert faults("low", **template("Good news")) == []


def test_what_is_not_known_yet_is_not_evaluated():
    to = topic()
    said, _ = not_evaluated(EVENTS_SPEAK, to, target(to, inputTransformer={"inputTemplate": UNKNOWN}))
    assert said == []
