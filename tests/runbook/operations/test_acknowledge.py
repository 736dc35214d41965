"""Somebody takes over an alarm: what the function is told, and what it answers."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.acknowledge import decide
from runbook.errors import UserError
from runbook.operations import acknowledge as operation
from runbook.operations import aws

from .backups import site
from .fakes.backup_jobs import attach, error

FUNCTION = "learning-platform-staging-escalation-acknowledge"
ALARMS = {
    "database-cpu": "learning-platform-staging-database-cpu",
    "database-storage": "learning-platform-staging-database-storage",
    "service-down": "learning-platform-staging-service-down",
}


class Function:
    """Lambda. ``answer``: what the function returns, or an exception; ``events``: what it was told."""

    def __init__(self, answer, failed=False):
        self.answer, self.failed, self.events = answer, failed, []

    def invoke(self, FunctionName, Payload):  # noqa: N803
        assert FunctionName == FUNCTION
        if isinstance(self.answer, Exception):
            raise self.answer
        self.events.append(json.loads(Payload))
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return {"Payload": io.BytesIO(body), **({"FunctionError": "Unhandled"} if self.failed else {})}


def acknowledge(function, alarm="database-cpu", alarms=ALARMS):
    client = attach(aws.clients("us-east-1", None, "lambda")["lambda"], function)
    return operation.acknowledge(client, FUNCTION, alarm, "ana", alarms)


def said(move, reason="Because."):
    return Function({"move": move, "reason": reason})


def test_the_function_is_told_the_full_name_and_who_takes_over():
    function = said("acknowledge")
    acknowledge(function, " database-cpu ")
    acknowledge(function, "learning-platform-staging-database-cpu")
    assert function.events == [{"alarm": "learning-platform-staging-database-cpu", "by": "ana"}] * 2


def test_the_function_understands_what_it_is_told():
    function = said("acknowledge")
    acknowledge(function)
    request = decide.read_call(function.events[0])
    assert (request.alarm, request.by) == ("learning-platform-staging-database-cpu", "ana")


def test_a_name_that_is_not_in_the_inventory_is_acknowledged_all_the_same():
    function = said("acknowledge")
    assert acknowledge(function, "made-by-hand", {}).stopped
    assert function.events == [{"alarm": "made-by-hand", "by": "ana"}]


@pytest.mark.parametrize("move", ["acknowledge", "repeat"])
def test_whoever_took_over_the_escalation_has_stopped(move):
    assert operation.sentences(acknowledge(said(move, "Ana has it.")), "staging") == (
        "Ana has it.",
        "The escalation has stopped: nobody else is called.",
    )


def test_where_nobody_was_waiting_that_is_said():
    answer = acknowledge(said("refuse", "No escalation is open."))
    assert not answer.stopped
    assert operation.sentences(answer, "staging") == (
        "Nobody was waiting for learning-platform-staging-database-cpu: No escalation is open.",
    )


def test_a_misspelt_alarm_comes_with_those_that_are_like_it():
    answer = acknowledge(said("refuse", "No escalation is open."), "databse-cpu")
    assert operation.sentences(answer, "staging") == (
        "staging has no alarm databse-cpu in its inventory, and no escalation is open.",
        "Did you mean database-cpu?",
    )


def test_an_alarm_like_no_other_is_sent_back_to_the_message():
    answer = acknowledge(said("refuse", "No escalation is open."), "zzz")
    assert operation.sentences(answer, "staging")[1] == "Its name stands in the message."


@given(st.sampled_from(sorted(ALARMS)), st.integers(0, 30), st.sampled_from("abc-x"))
def test_one_wrong_letter_still_finds_the_alarm(name, place, letter):
    place %= len(name)
    assert name in operation.near(name[:place] + letter + name[place + 1 :], [*ALARMS, *ALARMS.values()])


@given(st.text(max_size=30))
def test_near_names_are_three_at_most_and_real(text):
    found = operation.near(text, ALARMS.values())
    assert len(found) <= 3
    assert set(found) <= set(ALARMS.values())


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/ops/ana", "ana"),
        ("arn:aws:sts::123456789012:assumed-role/OnCall/ana@example.org", "ana@example.org"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_whoever_takes_over_is_called_by_their_name(arn, name):
    assert operation.who(arn) == name


class TestRefusals:
    def lines(self, function, alarm="database-cpu"):
        with pytest.raises(UserError) as raised:
            acknowledge(function, alarm)
        return raised.value.lines

    def test_a_function_that_fails_is_no_acknowledgement(self):
        failing = Function({"errorType": "MalformedError", "errorMessage": "Give by."}, failed=True)
        assert self.lines(failing) == (
            f"The function {FUNCTION} fails: Give by.",
            "The escalation goes on. Try again, or call the next person yourself.",
        )

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>"])
    def test_an_answer_that_is_none_is_no_acknowledgement(self, body):
        assert self.lines(Function(body))[0] == f"The function {FUNCTION} fails: it gives no reason"

    def test_an_unknown_move_is_no_acknowledgement(self):
        assert self.lines(said("maybe"))[0] == (
            f'The function {FUNCTION} answers what nobody understands: {{"move": "maybe", "reason": "Because."}}'
        )

    def test_a_stack_without_the_function_is_told(self):
        assert self.lines(Function(error("ResourceNotFoundException")))[1] == (
            "Nothing stops; call the next person yourself."
        )

    def test_who_may_not_is_told_what_to_ask_for(self):
        assert self.lines(Function(error("AccessDeniedException")))[0].startswith("AWS refuses lambda:InvokeFunction")

    def test_a_name_of_blanks_is_none(self):
        assert self.lines(said("acknowledge"), "  ")[0] == "The alarm's name is empty."


def test_the_policy_allows_the_function_and_its_parameters():
    assert [(one["Action"], one["Resource"]) for one in operation.permissions(site())] == [
        (
            ["ssm:GetParameter"],
            [
                "arn:aws:ssm:us-east-1:123456789012:parameter/learning-platform/staging/inventory/escalation",
                "arn:aws:ssm:us-east-1:123456789012:parameter/learning-platform/staging/inventory/monitoring",
            ],
        ),
        (["lambda:InvokeFunction"], [f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}"]),
    ]
