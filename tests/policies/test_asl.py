"""What Step Functions would refuse or trip over."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.asl import mistakes, reached

from .bags import ABSENT, altered

MACHINE = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "f", "Payload": {"alarm.$": "$.alarm"}},
            "ResultSelector": {"state.$": "$.Payload.state"},
            "ResultPath": "$.opened",
            "TimeoutSeconds": 10,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2.0}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Both"}],
            "Next": "Open?",
        },
        "Open?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.opened.state", "StringEquals": "open", "Next": "Both"}],
            "Default": "Done",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Rest",
                    "States": {
                        "Rest": {"Type": "Wait", "TimestampPath": "$.at.email", "Next": "Note"},
                        "Note": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::lambda:invoke",
                            "Parameters": {"FunctionName": "f", "Payload": {"alarm.$": "$.alarm"}},
                            "End": True,
                        },
                    },
                }
            ],
            "ResultPath": None,
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}
BRANCH = ("States", "Both", "Branches", 0)


def found(*path, to=ABSENT):
    return list(mistakes(json.dumps(altered(MACHINE, *path, to=to) if path else MACHINE)))


def test_a_sound_machine_has_no_mistakes():
    assert found() == []


@pytest.mark.parametrize("text", [None, "", "no json", "[]"])
def test_what_is_no_definition_is_told(text):
    assert list(mistakes(text)) == ["The definition is no JSON object."]


@pytest.mark.parametrize(
    ("path", "to", "sentences"),
    [
        (("StartAt",), ABSENT, ["The machine starts at no state of its own: StartAt is unset."]),
        (("States",), {}, ["The machine has no states."]),
        (
            ("States", "Done"),
            ABSENT,
            [
                "State Open? goes on to Done, which is not there.",
                "State Both goes on to Done, which is not there.",
            ],
        ),
        (("States", "Done", "Type"), ABSENT, ["State Done is of no type of the language: Type is unset."]),
        (("States", "Both", "Next"), ABSENT, ["State Both names neither Next nor End."]),
        (("States", "Both", "End"), True, ["State Both names both Next and End."]),
        (("States", "Both", "Branches"), [], ["State Both has no branches."]),
        ((*BRANCH, "StartAt"), ABSENT, ["A branch of state Both starts at no state of its own: StartAt is unset."]),
        (
            (*BRANCH, "States", "Rest", "TimestampPath"),
            ABSENT,
            ["State Rest waits for none or several of Seconds, SecondsPath, Timestamp and TimestampPath."],
        ),
        (("States", "Open?", "Choices"), [], ["State Open? chooses among nothing."]),
        (("States", "Open?", "Choices", 0, "Next"), ABSENT, ["State Open? has a choice that leads nowhere."]),
        (
            ("States", "Open?", "Choices", 0, "StringEquals"),
            ABSENT,
            ["State Open? has a choice that compares nothing."],
        ),
        (("States", "Ask", "Resource"), ABSENT, ["State Ask names no Resource that it calls."]),
        (("States", "Ask", "Parameters", "FunctionName"), ABSENT, ["State Ask names no function that it calls."]),
        (("States", "Ask", "TimeoutSeconds"), 0, ["State Ask has a TimeoutSeconds that is no positive number."]),
        (("States", "Ask", "Retry", 0, "IntervalSeconds"), 0, ["State Ask retries with a IntervalSeconds below 1."]),
        (("States", "Ask", "Retry", 0, "BackoffRate"), 0.5, ["State Ask retries with a BackoffRate below 1."]),
        (("States", "Ask", "Retry", 0, "ErrorEquals"), [], ["State Ask retries no error by name."]),
        (("States", "Ask", "Catch", 0, "ErrorEquals"), ABSENT, ["State Ask catches no error by name."]),
        (("States", "Ask", "Catch", 0, "Next"), ABSENT, ["State Ask catches an error and leads nowhere."]),
        (
            ("States", "Ask", "Catch", 0, "ErrorEquals"),
            ["States.ALL", "Other"],
            ["State Ask catches States.ALL not alone and last."],
        ),
        (("States", "Odd"), {"Type": "Fail"}, ["Nothing leads to state Odd."]),
        (
            ("States", "Done"),
            {"Type": "Wait", "Seconds": 1, "Next": "Done"},
            [
                "State Ask never comes to an end.",
                "State Both never comes to an end.",
                "State Done never comes to an end.",
                "State Open? never comes to an end.",
            ],
        ),
    ],
)
def test_each_mistake_is_named(path, to, sentences):
    assert [one for one in found(*path, to=to) if "reads" not in one] == sentences


@pytest.mark.parametrize(
    ("path", "to", "sentences"),
    [
        (
            ("States", "Ask", "ResultSelector"),
            ABSENT,
            ["State Open? reads $.opened.state, which is not there by then."],
        ),
        (
            ("States", "Ask", "ResultPath"),
            ABSENT,
            [
                "State Note reads $.alarm, which is not there by then.",
                "State Open? reads $.opened.state, which is not there by then.",
                "State Rest reads $.at.email, which is not there by then.",
            ],
        ),
        (
            ("States", "Ask", "Catch", 0, "ResultPath"),
            ABSENT,
            [
                "State Note reads $.alarm, which is not there by then.",
                "State Rest reads $.at.email, which is not there by then.",
            ],
        ),
        (
            (*BRANCH, "States", "Note", "Parameters", "Payload", "error.$"),
            "$.failure.Cause",
            ["State Note reads $.failure.Cause, which is not there by then."],
        ),
    ],
)
def test_data_that_is_not_there_by_then_is_named(path, to, sentences):
    assert sorted(found(*path, to=to)) == sentences


def test_data_of_a_machine_in_jsonata_is_not_followed():
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "f", "Payload": "{% $states.input.x %}"},
                "Next": "Which",
            },
            "Which": {"Type": "Choice", "Choices": [{"Condition": "{% $x %}", "Next": "End"}], "Default": "End"},
            "End": {"Type": "Succeed"},
        },
    }
    assert list(mistakes(json.dumps(machine))) == []


@given(st.integers(min_value=1, max_value=12), st.data())
def test_a_chain_is_sound_and_breaks_wherever_it_is_cut(length, data):
    names = [f"s{number}" for number in range(length)]
    states = {
        name: {"Type": "Pass", **({"Next": after} if after else {"End": True})}
        for name, after in zip(names, [*names[1:], None], strict=True)
    }
    assert list(mistakes(json.dumps({"StartAt": "s0", "States": states}))) == []
    assert reached({"States": states}, "s0") == set(names)
    cut = data.draw(st.sampled_from(names))
    states[cut] = {"Type": "Pass"}
    told = list(mistakes(json.dumps({"StartAt": "s0", "States": states})))
    assert f"State {cut} names neither Next nor End." in told


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    ["StartAt", "States", "Type", "Next", "Branches", "Choices", "Catch", "ResultPath", "a"]
                ),
                one,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_stands_in_a_definition_is_told_and_never_an_error(value):
    assert all(isinstance(one, str) for one in mistakes(json.dumps(value)))
