"""What EventBridge waits for, and what it says."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.bells import EVENT_RULE, EVENT_TARGET
from policies.rulebook.coverage import TOPIC
from policies.rulebook.event_rules import MESSAGE, PATTERN, RULES

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

FAILED = {
    "source": ["aws.ssm"],
    "detail-type": ["EC2 Automation Execution Status-change Notification"],
    "detail": {"Status": ["Cancelled", "Failed", "TimedOut"], "Definition": ["it"]},
}


def waits(*path, to=ABSENT, **props):
    pattern = json.dumps(altered(FAILED, *path, to=to) if path else FAILED)
    return faults(PATTERN, resource(EVENT_RULE, "it", {"eventPattern": pattern, **props}))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-event-pattern", "mon-event-message"]


def test_a_rule_that_waits_for_every_bad_end_passes():
    assert waits() == []
    assert waits("detail", "Status") == []
    assert waits("detail", "Status", to=["Success"]) == []


@pytest.mark.parametrize("expression", ["rate(1 hour)", "cron(0 4 * * ? *)"])
def test_a_rule_by_the_clock_passes(expression):
    assert faults(PATTERN, resource(EVENT_RULE, "it", {"scheduleExpression": expression})) == []


@pytest.mark.parametrize(
    ("props", "sentence"),
    [
        ({}, "The rule waits for nothing: it has neither an event pattern nor a schedule."),
        (
            {"scheduleExpression": "rate(365 days)"},
            "The rule rate(365 days) may let more than a day pass between two runs.",
        ),
        (
            {"scheduleExpression": "hourly"},
            "EventBridge refuses the schedule hourly: it is neither cron(…) nor rate(…).",
        ),
        ({"eventPattern": "no json"}, "EventBridge refuses the event pattern: it is no JSON."),
    ],
)
def test_a_rule_that_waits_for_nothing_is_named(props, sentence):
    assert faults(PATTERN, resource(EVENT_RULE, "it", props)) == [sentence]


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (
            ("detail", "Status"),
            [],
            "EventBridge refuses the event pattern: detail.Status lists no values, and an empty list is refused.",
        ),
        (
            ("detail", "Status"),
            [{"anything-but": []}],
            "EventBridge refuses the event pattern: detail.Status compares with nothing.",
        ),
        (("detail",), {}, "EventBridge refuses the event pattern: detail names no field."),
        (
            ("source",),
            "aws.ssm",
            "EventBridge refuses the event pattern: a field lists no values; they stand in brackets.",
        ),
        (
            ("detail", "Status"),
            ["Failed", "Cancelled"],
            "The rule waits for what ends badly and leaves out TimedOut.",
        ),
    ],
)
def test_a_pattern_that_is_refused_or_leaves_an_end_out_is_named(path, to, sentence):
    assert waits(*path, to=to) == [sentence]


def test_an_unknown_pattern_is_no_pass():
    with pytest.raises(UnknownValueError):
        waits(eventPattern=UNKNOWN)


# Messages

SAID = {
    "AWSAccountId": "<account>",
    "AlarmDescription": "It failed.",
    "AlarmName": "it",
    "NewStateReason": "Execution <execution> ended in <aws.events.rule-name>.",
    "NewStateValue": "ALARM",
    "Region": "<region>",
    "StateChangeTime": "<time>",
}
PATHS = {
    "account": "$.account",
    "execution": "$.detail.ExecutionId",
    "region": "$.region",
    "time": "$.time",
}
STACK = {
    "high": (TOPIC, {"tags": {"Severity": "high"}}),
    "it": (
        EVENT_TARGET,
        {
            "arn": Ref("high", "arn"),
            "inputTransformer": {"inputPaths": PATHS, "inputTemplate": json.dumps(SAID)},
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 24},
        },
    ),
}


def said(*changes, **options):
    return [sentence for sentence, _ in stack_faults(MESSAGE, *declared(STACK, *changes, **options))]


def template(*path, to=ABSENT):
    return ("it", ("inputTransformer", "inputTemplate"), json.dumps(altered(SAID, *path, to=to)))


TOO_LONG = (
    "What cannot be delivered is tried for {} hours before it is among the dead letters, where it rings; 1 is enough."
)
NOBODY = "Nobody is called: what goes to a topic of alarms is not told as an alarm."


def test_a_whole_message_passes():
    assert said() == []
    assert said(preview=True) == []


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (("it", ("inputTransformer",), ABSENT), [NOBODY]),
        (("it", ("inputTransformer", "inputTemplate"), '"HIGH: <account> <execution> <region> <time>"'), [NOBODY]),
        (
            ("it", ("inputTransformer", "inputPaths"), ABSENT),
            ["The target's text has place-holders that stand for nothing: account, execution, region and time."],
        ),
        (
            ("it", ("inputTransformer", "inputPaths", "time"), ABSENT),
            ["The target's text has place-holders that stand for nothing: time."],
        ),
        (
            ("it", ("inputTransformer", "inputPaths", "who"), "$.detail.who"),
            ["The target takes from the event what its text does not say: who."],
        ),
        (
            ("it", ("inputTransformer", "inputPaths", "time"), "time"),
            ["The target takes time by no path; one begins with $."],
        ),
        (
            ("it", ("inputTransformer", "inputTemplate"), '{"a": <account> <execution> <region> <time>}'),
            ["What the target says is no JSON once its place-holders are filled in."],
        ),
        (template("AlarmDescription"), ["What goes to a topic of alarms leaves out AlarmDescription."]),
        (template("NewStateValue", to="OK"), ["Nobody is called: the state is told as OK, not as ALARM."]),
        (
            ("it", ("retryPolicy",), ABSENT),
            [TOO_LONG.format(24)],
        ),
        (
            ("it", ("retryPolicy", "maximumEventAgeInSeconds"), 36000),
            [TOO_LONG.format(10)],
        ),
        (
            ("it", ("retryPolicy", "maximumEventAgeInSeconds"), 30),
            ["EventBridge refuses a retry of 30 seconds; 60 are the least."],
        ),
        (
            ("it", ("retryPolicy", "maximumRetryAttempts"), 240),
            ["EventBridge refuses 240 attempts; 185 are the most."],
        ),
        (
            ("it", ("retryPolicy", "maximumRetryAttempts"), 0),
            ["A delivery that fails is given up after 0 attempts; 3 are the least."],
        ),
    ],
)
def test_a_message_that_calls_nobody_or_comes_late_is_named(change, sentences):
    assert said(change) == sentences


def test_what_goes_to_another_topic_may_be_any_text():
    assert said(("high", ("tags",), {}), ("it", ("inputTransformer",), ABSENT)) == []


def test_an_unknown_template_is_no_pass():
    resources = declared(STACK, ("it", ("inputTransformer", "inputTemplate"), UNKNOWN))
    assert not_evaluated(MESSAGE, *resources)[0] == []
