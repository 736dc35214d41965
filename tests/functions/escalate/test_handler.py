"""The steps on the record, and the entry point."""

import boto3
import pytest

from functions.common import clients
from functions.escalate import handler
from tests.functions.stage import REGION, START, denied, notification

ALARM = {
    "name": "web-5xx",
    "severity": "critical",
    "started": "2025-01-06T15:30:00.000Z",
    "reason": "because",
    "description": "",
    "respond_minutes": 15,
    "deferred_until": None,
}


def step(stage, name, escalation="e1", **more):
    event = {"step": name, "alarm": ALARM, "escalation": escalation, **more}
    return handler.act(event, stage.escalate_env, stage.escalate_world)


def opened(stage, escalation="e1"):
    return step(stage, "open", escalation, open_until="2025-01-07T16:00:00.000Z")


def test_opening_makes_the_record_and_doing_it_again_changes_nothing(stage):
    assert opened(stage) == {"state": "open"}
    first = stage.records.current("web-5xx")
    assert opened(stage) == {"state": "open"}
    assert stage.records.current("web-5xx") == first
    assert (first.code, first.severity, first.started) == ("482713", "critical", START)


def test_opening_beside_a_living_record_is_a_duplicate_and_notes_the_later_ring(stage):
    opened(stage)
    later = {**ALARM, "started": "2025-01-06T15:33:00.000Z"}
    event = {"step": "open", "alarm": later, "escalation": "e2", "open_until": "2025-01-07T16:00:00.000Z"}
    assert handler.act(event, stage.escalate_env, stage.escalate_world) == {"state": "duplicate"}
    record = stage.records.current("web-5xx")
    assert (record.escalation, record.rang.minute) == ("e1", 33)


def test_a_record_that_changes_between_reading_and_writing_is_read_again(stage):
    opened(stage)
    step(stage, "close", outcome="ended")
    world = stage.escalate_world
    real, calls = world.records.begin, []

    def somebody_was_faster(record, seen):
        calls.append(record.escalation)
        if len(calls) == 1:
            real(handler.Record(**{name: getattr(record, name) for name in FIELDS} | {"escalation": "faster"}), seen)
        return real(record, seen)

    world.records.begin = somebody_was_faster
    assert opened(stage, "e2") == {"state": "duplicate"}
    assert stage.records.current("web-5xx").escalation == "faster"


FIELDS = [name for name in handler.Record.__slots__ if not name.startswith("_")]


def test_a_record_that_never_stands_still_is_an_error_and_no_endless_loop(stage):
    world = stage.escalate_world
    world.records.begin = lambda *_: False
    with pytest.raises(handler.OvertakenError, match="has changed 3 times"):
        opened(stage)


def test_without_a_record_nobody_can_answer_and_the_machine_is_told(stage):
    with pytest.raises(handler.NoRecordError, match=r"e1 has no record\."):
        step(stage, "hold", state="open", token="t")


def test_a_successor_s_record_is_nobody_else_s(stage):
    opened(stage, "e2")
    assert step(stage, "look", "e1") == {"state": "unknown"}
    step(stage, "close", "e1", outcome="broken")
    record = stage.records.current("web-5xx")
    assert (record.escalation, record.state, record.closed) == ("e2", "open", None)


def test_closing_forgets_code_and_token(stage):
    opened(stage)
    step(stage, "hold", state="open", token="t")
    assert stage.records.current("web-5xx").token == "t"
    step(stage, "close", outcome="unanswered")
    record = stage.records.current("web-5xx")
    assert (record.code, record.token, record.state) == ("", "", "unanswered")
    assert stage.records.by_code("482713") is None


def test_a_step_says_what_when_and_why_and_expires_after_its_retention(stage):
    opened(stage)
    (entry,) = stage.records.steps("web-5xx", "e1")
    assert (entry["what"], entry["detail"], entry["at"]) == ("opened", "because", "2025-01-06T15:30:00.000Z")
    assert int(entry["expires"]) == int(START.timestamp()) + 400 * 86400


def test_a_failure_is_noted_with_its_cause_cut_short(stage):
    opened(stage)
    step(stage, "failed", rung="sms", error="x" * 5000)
    details = {entry["what"]: entry["detail"] for entry in stage.records.steps("web-5xx", "e1")}
    assert details == {"opened": "because", "failed sms": "x" * 500}


def test_a_message_whose_record_cannot_be_read_is_given_back_alone(stage):
    stage.faults.fails("dynamodb.get_item", denied())
    event = {
        "Records": [
            {"messageId": "bad", "body": "no json"},
            {"messageId": "good", "body": notification("web-5xx", "critical", START)},
        ]
    }
    assert handler.act(event, stage.escalate_env, stage.escalate_world) == {
        "batchItemFailures": [{"itemIdentifier": "good"}]
    }


def test_the_entry_point_works_with_the_variables_of_the_component(stage, monkeypatch):
    states = boto3.client("stepfunctions", region_name=REGION)
    machine = states.create_state_machine(
        name="escalation", definition='{"States": {}}', roleArn="arn:aws:iam::123456789012:role/machine"
    )
    variables = {**stage.escalate_env.variables(), "MACHINE_ARN": machine["stateMachineArn"]}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    clients.table.cache_clear()
    message = {"messageId": "1", "body": notification("web-5xx", "critical", START)}
    assert handler.handler({"Records": [message]}, None) == {"batchItemFailures": []}
    assert handler.handler({"Records": [message]}, None) == {"batchItemFailures": []}
    (execution,) = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    assert execution["name"].startswith("web-5xx-20250106T153000-")
