"""The interpreter of the tests: what it proves is worth what it does itself."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError

from tests.support.states import Clock, StepFunctions, check

START = datetime(2025, 1, 6, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
INVOKE = "arn:aws:states:::lambda:invoke"


class BoomError(Exception):
    """What a function raises."""


def task(then="Done", resource=INVOKE, payload=None, **more):
    return {
        "Type": "Task",
        "Resource": resource,
        "Parameters": {"FunctionName": "f", "Payload": payload or {}},
        "TimeoutSeconds": 60,
        "Next": then,
        **more,
    }


ENDS = {"Done": {"Type": "Succeed"}, "Caught": {"Type": "Succeed"}}


def run(states, function=lambda *_: {}, data=None, meanwhile=None):
    """The execution after ten hours; ``meanwhile``: minute -> what is done to the service then."""
    clock = Clock(START)
    ends = {name: state for name, state in ENDS.items() if f'"{name}"' in json.dumps(states)}
    machine = {"StartAt": next(iter(states)), "TimeoutSeconds": 86400, "States": {**states, **ends}}
    service = StepFunctions(ARN, json.dumps(machine), {"f": lambda event: function(event, clock)}, clock)
    service.start_execution(stateMachineArn=ARN, name="one", input=json.dumps(data or {}))
    for at, do in (meanwhile or {}).items():
        clock.at(START + timedelta(minutes=at), partial(do, service))
    clock.run(START + timedelta(hours=10))
    return service.executions["one"]


def when(execution, state):
    return [(moment - START).total_seconds() for moment in execution.entered(state)]


def test_a_task_s_result_is_selected_and_placed():
    states = {"Work": task(ResultSelector={"x.$": "$.Payload.y"}, ResultPath="$.made.here")}
    execution = run(states, lambda event, _: {"y": event}, data={"a": 1})
    assert execution.output == {"a": 1, "made": {"here": {"x": {}}}}


def test_parameters_take_values_from_the_input():
    states = {"Work": task(payload={"name.$": "$.a.b", "fixed": "c", "list": [{"x.$": "$.a"}]}, ResultPath="$")}
    execution = run(states, lambda event, _: event, data={"a": {"b": 2}})
    assert execution.output["Payload"] == {"name": 2, "fixed": "c", "list": [{"x": {"b": 2}}]}


def test_retries_come_after_growing_pauses_and_then_the_error_is_caught():
    def fail(_, __):
        raise BoomError

    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2.0}
    catch = {"ErrorEquals": ["BoomError"], "ResultPath": "$.error", "Next": "Caught"}
    execution = run({"Work": task(Retry=[retry], Catch=[catch])}, fail)
    assert when(execution, "Caught") == [2 + 4 + 8]
    assert execution.output["error"]["Error"] == "BoomError"


def test_a_function_that_takes_too_long_times_out_at_the_limit():
    catch = {"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": "Caught"}
    execution = run({"Work": task(Catch=[catch])}, lambda _, clock: clock.spend(100))
    assert when(execution, "Caught") == [60]


def test_task_failed_is_any_error_but_a_time_out():
    catch = [
        {"ErrorEquals": ["States.TaskFailed"], "ResultPath": None, "Next": "Caught"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Done"},
    ]
    slow = run({"Work": task("Done", Catch=catch)}, lambda _, clock: clock.spend(100))

    def fail(_, __):
        raise BoomError

    assert (when(slow, "Done"), when(slow, "Caught")) == ([60], [])
    assert when(run({"Work": task("Done", Catch=catch)}, fail), "Caught") == [0]


def test_a_token_is_waited_for_and_brings_the_result():
    tokens = []
    states = {
        "Wait": task(resource=f"{INVOKE}.waitForTaskToken", payload={"t.$": "$$.Task.Token"}, ResultPath="$")
        | {"TimeoutSeconds": 3600}
    }
    execution = run(
        states,
        lambda event, _: tokens.append(event["t"]),
        meanwhile={5: lambda service: service.send_task_success(taskToken=tokens[0], output='{"by": "me"}')},
    )
    assert (when(execution, "Done"), execution.output) == ([300], {"by": "me"})


def test_a_token_that_nobody_brings_back_times_out():
    states = {"Wait": task(resource=f"{INVOKE}.waitForTaskToken")}
    execution = run(states)
    assert (execution.status, execution.error.name) == ("FAILED", "States.Timeout")


def test_a_token_is_good_once_and_not_after_its_time():
    tokens = []

    def late(service):
        with pytest.raises(ClientError, match="TaskTimedOut"):
            service.send_task_success(taskToken=tokens[0], output="{}")
        with pytest.raises(ClientError, match="InvalidToken"):
            service.send_task_success(taskToken="made-up", output="{}")

    states = {"Wait": task(resource=f"{INVOKE}.waitForTaskToken", payload={"t.$": "$$.Task.Token"})}
    run(states, lambda event, _: tokens.append(event["t"]), meanwhile={5: late})
    assert len(tokens) == 1


def test_a_branch_that_fails_ends_the_others_at_once():
    states = {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Until",
                    "States": {"Until": {"Type": "Wait", "TimestampPath": "$.t", "Next": "Fail"}, "Fail": FAIL},
                },
                {
                    "StartAt": "Later",
                    "States": {"Later": {"Type": "Wait", "TimestampPath": "$.u", "Next": "Never"}, "Never": OK},
                },
            ],
            "Catch": [{"ErrorEquals": ["Stop"], "ResultPath": None, "Next": "Caught"}],
            "Next": "Done",
        }
    }
    execution = run(states, data={"t": "2025-01-06T00:01:00Z", "u": "2025-01-06T00:02:00Z"})
    assert (when(execution, "Caught"), when(execution, "Never")) == ([60], [])


FAIL = {"Type": "Fail", "Error": "Stop"}
OK = {"Type": "Succeed"}


def test_branches_that_end_well_are_waited_for():
    branch = {"Until": {"Type": "Wait", "TimestampPath": "$.t", "Next": "Good"}, "Good": OK}
    states = {
        "Both": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "Until", "States": branch}, {"StartAt": "Now", "States": {"Now": OK}}],
            "Next": "Done",
        }
    }
    assert when(run(states, data={"t": "2025-01-06T00:01:00Z"}), "Done") == [60]


def test_a_moment_that_is_past_is_not_waited_for():
    states = {"Until": {"Type": "Wait", "TimestampPath": "$.t", "Next": "Done"}}
    assert when(run(states, data={"t": "2024-01-06T00:00:00Z"}), "Done") == [0]


def test_the_same_name_starts_once_and_another_input_is_refused():
    clock = Clock(START)
    machine = {
        "StartAt": "W",
        "TimeoutSeconds": 9,
        "States": {"W": {"Type": "Wait", "TimestampPath": "$.t", "Next": "D"}, "D": OK},
    }
    service = StepFunctions(ARN, json.dumps(machine), {}, clock)
    start = {"stateMachineArn": ARN, "name": "one", "input": '{"t": "2025-01-07T00:00:00Z"}'}
    assert service.start_execution(**start) == service.start_execution(**start)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        service.start_execution(**{**start, "input": "{}"})
    clock.run(START + timedelta(seconds=10))
    assert service.executions["one"].status == "TIMED_OUT"
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        service.start_execution(**start)


@pytest.mark.parametrize(
    ("states", "complaint"),
    [
        ({"A": {"Type": "Succeed", "Oops": 1}}, "Oops"),
        ({"A": {"Type": "Pass", "Next": "A"}}, "Pass"),
        ({"A": {"Type": "Wait", "TimestampPath": "$.t", "Next": "B"}}, "there is no state 'B'"),
        ({"A": OK, "B": OK}, "unreachable"),
        ({"A": {"Type": "Wait", "TimestampPath": "$.t"}}, "goes nowhere"),
    ],
)
def test_a_machine_that_is_not_understood_is_refused(states, complaint):
    with pytest.raises((AssertionError, KeyError), match=complaint):
        check({"StartAt": "A", "States": states})
