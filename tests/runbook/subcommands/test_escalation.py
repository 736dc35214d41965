"""``runbook acknowledge`` as a person types it at three in the morning."""

import io
import json

import pytest

from runbook.errors import UserError

from .sitting import note, policy, typed


class Function:
    def __init__(self, move, reason):
        self.said, self.events = {"move": move, "reason": reason}, []

    def invoke(self, Payload, **_asked):  # noqa: N803
        self.events.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.said).encode())}


@pytest.fixture
def answered(sitting):
    """The function gives that answer; returns it."""

    def answer(move, reason="Because."):
        function = Function(move, reason)
        sitting["lambda"] = [function]
        note(escalation={"acknowledgeFunction": "f"}, monitoring={"alarms": {"cpu": "staging-cpu"}})
        return function

    return answer


@pytest.mark.parametrize(("move", "code"), [("acknowledge", 0), ("repeat", 0), ("refuse", 1)])
def test_one_line_is_enough_and_the_exit_code_tells(answered, move, code):
    function = answered(move)
    assert typed("acknowledge", "cpu", "-e", "staging")[0] == code
    assert [event["alarm"] for event in function.events] == ["staging-cpu"]


def test_the_answer_is_printed(answered):
    answered("acknowledge", "staging-cpu is acknowledged.")
    assert typed("acknowledge", "staging-cpu", "-e", "staging")[1] == (
        "staging-cpu is acknowledged.\nThe escalation has stopped: nobody else is called.\n"
    )


def test_a_machine_gets_a_document(answered):
    answered("refuse")
    code, printed = typed("acknowledge", "cpi", "-e", "staging", "--json")
    found = json.loads(printed)
    assert (code, found["stopped"], found["near"]) == (1, False, ["cpu"])


def test_alarms_that_cannot_be_listed_keep_nobody_from_taking_over(sitting):
    function = Function("acknowledge", "Taken.")
    sitting["lambda"] = [function]
    note(escalation={"acknowledgeFunction": "f"})
    assert typed("acknowledge", "staging-cpu", "-e", "staging")[0] == 0
    assert function.events[0]["alarm"] == "staging-cpu"


def test_a_journal_that_cannot_be_written_does_not_undo_it(answered, tmp_path):
    answered("acknowledge")
    (tmp_path / "file").write_text("")
    assert typed("acknowledge", "cpu", "-e", "staging", "--journal", str(tmp_path / "file"))[0] == 0


def test_the_journal_has_who_took_what(answered, tmp_path):
    answered("acknowledge", "Taken.")
    typed("acknowledge", "cpu", "-e", "staging", "--journal", str(tmp_path))
    (line,) = [json.loads(line) for line in (tmp_path / "acknowledge.jsonl").read_text().splitlines()]
    assert (line["alarm"], line["reason"], line["environment"]) == ("staging-cpu", "Taken.", "staging")
    assert line["who"].startswith("arn:aws:")


@pytest.mark.usefixtures("answered")
def test_an_alarm_that_is_not_named_is_asked_for():
    with pytest.raises(UserError, match="The alarm is missing"):
        typed("acknowledge", "-e", "staging")


@pytest.mark.usefixtures("sitting")
def test_a_stack_without_an_escalation_is_told():
    with pytest.raises(UserError, match="staging has no inventory of escalation"):
        typed("acknowledge", "cpu", "-e", "staging")


@pytest.mark.usefixtures("sitting")
def test_the_policy_is_printed_without_an_alarm():
    assert set(policy("acknowledge", "-e", "staging")) == {"Acknowledge", "ReadInventory"}


def test_help_says_that_it_acts_at_once():
    assert "It acts at once" in typed("acknowledge", "--help")[1]
