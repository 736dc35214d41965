"""Whether Step Functions takes a machine, and whether its calls are patient."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.coverage import FUNCTION, MACHINE
from policies.rulebook.state_machines import PATIENT, RULES, SOUND

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:it"
ALL = ["States.ALL"]
DEFINITION = {
    "StartAt": "Call",
    "TimeoutSeconds": 3600,
    "States": {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": ARN, "Payload": {}},
            "TimeoutSeconds": 13,
            "Retry": [{"ErrorEquals": ALL, "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2.0}],
            "Catch": [{"ErrorEquals": ALL, "Next": "Note"}],
            "Next": "Wait",
        },
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": ARN, "Payload": {"token.$": "$$.Task.Token"}},
            "TimeoutSeconds": 86400,
            "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
            "Catch": [{"ErrorEquals": ALL, "Next": "Note"}],
            "Next": "Done",
        },
        "Note": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": ARN, "Payload": {}},
            "TimeoutSeconds": 13,
            "Catch": [{"ErrorEquals": ALL, "Next": "Done"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}
CALL = ("States", "Call")


def machine(*path, to=ABSENT):
    definition = altered(DEFINITION, *path, to=to) if path else DEFINITION
    return resource(MACHINE, "machine", {"definition": json.dumps(definition)})


def function(**props):
    return resource(FUNCTION, "it", {"arn": ARN, "timeout": 10, **props})


def patient(*path, to=ABSENT, **props):
    return [said for said, _ in stack_faults(PATIENT, machine(*path, to=to), function(**props))]


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-machine-sound", "mon-machine-patient"]


def test_a_sound_and_patient_machine_passes():
    assert faults(SOUND, machine()) == []
    assert patient() == []


def test_a_mistake_is_told_by_the_rule():
    assert faults(SOUND, machine("StartAt")) == ["The machine starts at no state of its own: StartAt is unset."]
    assert faults(SOUND, resource(MACHINE, "machine", {})) == ["The definition is no JSON object."]


HANGS = "holds up the machine for {} seconds where its calls hang; 5 times the 10 seconds of function it are enough"


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (("TimeoutSeconds",), ABSENT, "An execution that hangs goes on for a year: the machine has no TimeoutSeconds."),
        (
            (*CALL, "TimeoutSeconds"),
            ABSENT,
            "State Call waits for an answer as long as the machine lives: it has no TimeoutSeconds.",
        ),
        (
            (*CALL, "TimeoutSeconds"),
            6,
            "State Call gives up after 6 seconds, while function it may take 10.",
        ),
        ((*CALL, "TimeoutSeconds"), 130, f"State Call {HANGS.format(393)}."),
        ((*CALL, "Retry", 0, "MaxAttempts"), 20, f"State Call {HANGS.format(1048848)}."),
        ((*CALL, "Retry", 0, "IntervalSeconds"), 10, f"State Call {HANGS.format(69)}."),
        (
            (*CALL, "Retry"),
            ABSENT,
            "State Call gives up too soon: it makes 1 of 3 attempts where Lambda fails.",
        ),
        (
            (*CALL, "Retry", 0, "MaxAttempts"),
            1,
            "State Call gives up too soon: it makes 2 of 3 attempts where Lambda fails.",
        ),
        (
            (*CALL, "Retry", 0, "ErrorEquals"),
            ["Other"],
            "State Call gives up too soon: it makes 1 of 3 attempts where Lambda fails.",
        ),
        (
            ("States", "Note", "Catch"),
            [],
            "State Note ends the machine where its call fails: it does not catch States.ALL.",
        ),
        (
            ("States", "Wait", "Parameters", "Payload"),
            {},
            "State Wait waits for a token that it hands to nobody.",
        ),
        (
            ("States", "Wait", "TimeoutSeconds"),
            5,
            "State Wait gives up after 5 seconds, while function it may take 10.",
        ),
    ],
)
def test_a_call_that_is_not_patient_is_named(path, to, sentence):
    assert patient(*path, to=to) == [sentence]


def test_a_function_without_a_timeout_has_that_of_lambda():
    assert patient(timeout=None) == [
        "State Call holds up the machine for 42 seconds where its calls hang; 5 times the 3 seconds of function it "
        "are enough."
    ]


def test_a_function_of_elsewhere_is_judged_without_its_timeout():
    assert stack_faults(PATIENT, machine()) == []


def test_an_unknown_definition_or_timeout_is_no_pass():
    unknown = resource(MACHINE, "machine", {"definition": UNKNOWN})
    with pytest.raises(UnknownValueError):
        faults(SOUND, unknown)
    assert not_evaluated(PATIENT, unknown)[0] == []
    assert not_evaluated(PATIENT, machine(), function(timeout=UNKNOWN))[0] == []
