"""The state machine as it is deployed; what it does is told in ``tests/functions/test_escalation.py``."""

import json

import pytest

from components.escalation import machine, plan
from tests.support.states import check, every_state

FUNCTIONS = machine.Functions(notify="arn:notify", escalate="arn:escalate")


def definition(repeats=2, partition="aws"):
    rungs = plan.ladder(email=5, sms=10, phone=15, repeat=15, repeats=repeats)
    return machine.definition(rungs, FUNCTIONS, partition=partition, acknowledged_hours=24)


@pytest.fixture(scope="module")
def states():
    return dict(every_state(json.loads(definition())))


@pytest.mark.parametrize("repeats", [0, 1, 24])
def test_every_state_is_reached_and_leads_to_an_end(repeats):
    check(json.loads(definition(repeats)))


def test_the_same_rungs_make_the_same_text():
    assert definition() == definition()
    assert len(definition(24).encode()) < 1_048_576, "Step Functions takes a megabyte"


def test_every_call_of_a_function_is_tried_again_and_caught(states):
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    assert {name for name, state in tasks.items() if state["Catch"][-1]["ErrorEquals"] != ["States.ALL"]} == set()
    once = {name for name, state in tasks.items() if "Retry" not in state}
    assert once == {f"Note that {name} failed" for name in ("slack", "email", "sms", "phone", "phone_2", "phone_3")}


def test_every_call_of_a_function_is_given_up_some_time(states):
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    limits = {name: state.get("TimeoutSeconds", state.get("TimeoutSecondsPath")) for name, state in tasks.items()}
    assert all(limits.values())
    assert limits["Send sms"] == plan.SEND_SECONDS + 3
    assert limits["Wait for an answer"] == "$.life_seconds"
    assert limits["Wait for the end"] == 24 * 3600


def test_a_rung_waits_for_its_own_moment_and_a_failure_for_the_next_one(states):
    assert states["Until sms"] == {"Type": "Wait", "TimestampPath": "$.at.sms", "Next": "Send sms"}
    assert states["Send sms"]["Next"] == "Until phone"
    assert states["Send sms"]["Catch"][0]["Next"] == "Note that sms failed"
    assert states["Note that sms failed"]["Next"] == "Until phone"


def test_a_rung_says_in_the_machine_itself_when_it_comes_and_through_what(states):
    rungs = [
        state["Parameters"]["Payload"]["rung"]
        for name, state in states.items()
        if name.startswith("Send ") and isinstance(state["Parameters"]["Payload"]["rung"], dict)
    ]
    assert {(rung["channel"], rung["minutes"]) for rung in rungs} == {
        ("slack", 0),
        ("email", 5),
        ("sms", 10),
        ("phone", 15),
        ("phone", 30),
        ("phone", 45),
    }


def test_two_states_wait_for_people_and_only_they_hand_out_a_token(states):
    waiting = {name for name, state in states.items() if state.get("Resource", "").endswith(".waitForTaskToken")}
    assert waiting == {"Wait for an answer", "Wait for the end"}
    assert waiting == {name for name, state in states.items() if "$$.Task.Token" in json.dumps(state.get("Parameters"))}


def test_the_partition_is_that_of_the_account():
    assert '"arn:aws-us-gov:states:::lambda:invoke"' in definition(partition="aws-us-gov")
