"""What functions are told: the tables say what the functions read, and the rules hold everybody to it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime

import pytest

from functions.acknowledge import handler as acknowledge
from functions.acknowledge.env import AcknowledgeEnv
from functions.escalate import handler as escalate
from functions.escalate.env import EscalateEnv
from functions.notify import handler as notify
from functions.notify.env import NotifyEnv
from functions.schedule.env import ScheduleEnv
from functions.validate_restore.env import ValidateRestoreEnv
from policies.rulebook.bells import EVENT_RULE, EVENT_TARGET
from policies.rulebook.contracts import CALLS, ENVIRONMENT, ENVIRONMENTS, FLAG, RULES, TEXT, TOLD, WHOLE
from policies.rulebook.coverage import FUNCTION, MACHINE

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

CLASSES = {
    "acknowledge": AcknowledgeEnv,
    "escalate": EscalateEnv,
    "notify": NotifyEnv,
    "schedule": ScheduleEnv,
    "validate_restore": ValidateRestoreEnv,
}
PLAIN = {str: TEXT, int: WHOLE, bool: FLAG, datetime: TEXT, date: TEXT}


def shape(hint):
    """The shape of what ``functions.common.plain`` makes of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return (shape(next(one for one in arguments if one is not types.NoneType)),)
    if origin is tuple:
        return [shape(arguments[0])]
    if origin is typing.Literal:
        return TEXT
    if origin is not None:
        return {"*": shape(arguments[1])}
    if dataclasses.is_dataclass(hint):
        return {name: shape(one) for name, one in typing.get_type_hints(hint).items()}
    return PLAIN[hint]


def unbounded(given):
    """A shape without the demand for an item."""
    if isinstance(given, Mapping):
        return {key: unbounded(inner) for key, inner in given.items()}
    if isinstance(given, (list, tuple)):
        return type(given)(unbounded(inner) for inner in given if inner is not ...)
    return given


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["lambda-environment", "lambda-told"]


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_table_says_what_a_function_reads_of_its_environment(name):
    table = ENVIRONMENTS[f"functions.{name}.handler.handler"]
    hints = typing.get_type_hints(CLASSES[name])
    assert unbounded(table) == {key.upper(): shape(hint) for key, hint in hints.items()}


def test_every_function_with_an_environment_is_in_the_table():
    assert set(ENVIRONMENTS) == {f"functions.{name}.handler.handler" for name in CLASSES}


@pytest.mark.parametrize(
    ("module", "by_others"), [(escalate, {"Records"}), (notify, {"announcement"}), (acknowledge, {"Records"})]
)
def test_the_table_says_what_a_function_reads_of_its_events(module, by_others):
    read = set(re.findall(r"event\[[\"'](\w+)[\"']\]", inspect.getsource(module))) - by_others
    calls = CALLS.get(f"{module.__name__}.handler", ())
    assert {one.key for one in calls} | {key for one in calls for key in one.needs} == read


def test_each_step_of_the_escalation_is_in_the_table():
    assert {one.value for one in CALLS["functions.escalate.handler.handler"]} == set(escalate._STEPS)


# The environment

GIVEN = {
    "CONTACTS": '{"ana": {"email": "a@learning.example", "name": "Ana", "phone": "+44"}}',
    "DEAD_LETTERS": "https://sqs/dead",
    "RETENTION_DAYS": "400",
    "TABLE": "records",
}


def environment(handler="functions.acknowledge.handler.handler", **changes):
    variables = {name: text for name, text in {**GIVEN, **changes}.items() if text is not ABSENT}
    return faults(ENVIRONMENT, resource(FUNCTION, "it", {"handler": handler, "environment": {"variables": variables}}))


def test_a_whole_environment_passes():
    assert environment() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"TABLE": ABSENT}, "The function does not find its variable TABLE."),
        (
            {"TABLE": ABSENT, "CONTACTS": ABSENT},
            "The function does not find its variables CONTACTS and TABLE.",
        ),
        ({"CONTACTS": " "}, "The variable CONTACTS is empty."),
        ({"RETENTION_DAYS": "long"}, "The function's variable RETENTION_DAYS is no JSON."),
        ({"RETENTION_DAYS": '"400"'}, "The function's variable RETENTION_DAYS is no whole number."),
        ({"RETENTION_DAYS": "true"}, "The function's variable RETENTION_DAYS is no whole number."),
        ({"CONTACTS": "[]"}, "The function's variable CONTACTS is no object."),
        ({"CONTACTS": '{"ana": {"email": "a", "name": "A"}}'}, "The function's variable CONTACTS lacks phone at ana."),
        (
            {"CONTACTS": '{"ana": {"email": 5, "name": "A", "phone": "+44"}}'},
            "The function's variable CONTACTS is no text at ana at email.",
        ),
        ({"log_level": "x"}, "The variable log_level is not written in capitals, digits and underscores."),
        ({"OTHER": ""}, "The variable OTHER is empty."),
        ({"OTHER": "{"}, "The function's variable OTHER is no JSON."),
    ],
)
def test_what_is_wrong_with_an_environment_is_named(changes, sentence):
    assert environment(**changes) == [sentence]


def test_a_list_that_needs_an_item_is_named_where_it_is_empty():
    variables = {
        "CONFIGURATION": "c",
        "DEAD_LETTERS": "d",
        "ENVIRONMENT": "dev",
        "FUNCTION": "f",
        "NAMESPACE": "n",
        "PROJECT": "p",
        "REGIONS": "[]",
    }
    bag = {"handler": "functions.schedule.handler.handler", "environment": {"variables": variables}}
    assert faults(ENVIRONMENT, resource(FUNCTION, "it", bag)) == ["The function's variable REGIONS is empty."]


def test_a_function_of_others_needs_nothing_by_name():
    assert environment(handler="index.handler", TABLE=ABSENT) == []
    assert faults(ENVIRONMENT, resource(FUNCTION, "it", {})) == []


def test_an_unknown_variable_is_no_pass_and_hides_none_beside_it():
    bag = {"handler": "functions.acknowledge.handler.handler"}
    judged = resource(FUNCTION, "it", {**bag, "environment": {"variables": {**GIVEN, "TABLE": UNKNOWN, "A": ""}}})
    assert not_evaluated(ENVIRONMENT, judged)[0] == [("The variable A is empty.", "it")]
    with pytest.raises(UnknownValueError):
        faults(ENVIRONMENT, resource(FUNCTION, "it", {**bag, "environment": UNKNOWN}))


# Calls

LOOK = {"step": "look", "alarm.$": "$.alarm", "escalation.$": "$.escalation"}
RUNG = {"channel": "sms", "minutes": 5, "name": "sms", "next_minutes": 0, "to": ["primary"]}
SEND = {"rung": RUNG, "alarm.$": "$.alarm", "escalation.$": "$.escalation"}


def calls(payload, handler):
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:it"
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": arn, "Payload": payload},
        "End": True,
    }
    made = (
        resource(MACHINE, "machine", {"definition": json.dumps({"StartAt": "Go", "States": {"Go": state}})}),
        resource(FUNCTION, "it", {"arn": arn, "handler": f"functions.{handler}.handler.handler"}),
    )
    return [said for said, _ in stack_faults(TOLD, *made)]


def test_a_call_that_tells_everything_passes():
    assert calls(LOOK, "escalate") == []
    assert calls(SEND, "notify") == []
    assert calls({}, "unheard_of") == []


@pytest.mark.parametrize(
    ("payload", "handler", "sentences"),
    [
        ({}, "escalate", ["State Go tells function it nothing that it knows by step."]),
        ({**LOOK, "step": "jump"}, "escalate", ["State Go tells function it nothing that it knows by step."]),
        ({"notes": 1}, "notify", ["State Go tells function it nothing that it knows by rung and notice."]),
        (altered(LOOK, "alarm.$"), "escalate", ["State Go does not tell function it the alarm."]),
        ({**LOOK, "step": "close"}, "escalate", ["State Go does not tell function it the outcome."]),
        (altered(SEND, "rung", "to"), "notify", ["State Go tells function it a rung that lacks to."]),
        (
            altered(SEND, "rung", "minutes", to="five"),
            "notify",
            ["State Go tells function it a rung that is no whole number at minutes."],
        ),
    ],
)
def test_what_a_call_leaves_out_is_named(payload, handler, sentences):
    assert calls(payload, handler) == sentences


CLOCK = {
    "hourly": (EVENT_RULE, {"scheduleExpression": "rate(1 hour)"}),
    "aim": (EVENT_TARGET, {"rule": Ref("hourly", "name"), "arn": Ref("it", "arn"), "input": '{"measure": "ages"}'}),
    "it": (FUNCTION, {"handler": "functions.validate_restore.handler.handler"}),
}


def test_a_target_by_the_clock_tells_what_the_function_knows():
    assert stack_faults(TOLD, *declared(CLOCK)) == []
    for to in (ABSENT, "{}", "no json"):
        assert stack_faults(TOLD, *declared(CLOCK, ("aim", ("input",), to))) == [
            ("The target tells function it nothing that it knows by measure.", "aim")
        ]


def test_a_target_of_events_hands_them_on_as_they_are():
    waiting = ("hourly", ("scheduleExpression",), ABSENT)
    assert stack_faults(TOLD, *declared(CLOCK, waiting, ("aim", ("input",), ABSENT))) == []


def test_an_unknown_definition_or_input_is_no_pass():
    assert not_evaluated(TOLD, resource(MACHINE, "machine", {"definition": UNKNOWN}))[0] == []
    assert not_evaluated(TOLD, *declared(CLOCK, ("aim", ("input",), UNKNOWN)))[0] == []
