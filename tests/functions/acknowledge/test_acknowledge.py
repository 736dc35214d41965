"""Who may acknowledge, and how it is said."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from functions.acknowledge import decide, handler
from functions.common import clients
from functions.common.roster import Contact

#: A busy machine is no failure.
unhurried = with_settings(deadline=None)

CONTACTS = {
    "ana": Contact(name="Ana Diaz", email="a@x.example", phone="+15125550142"),
    "ben": Contact(name="Ben Ito", email="b@x.example", phone="+15125550143"),
}


def reply(text, sender="+15125550143"):
    return decide.read_reply(json.dumps({"originationNumber": sender, "messageBody": text}), CONTACTS)


def test_a_call_names_who_takes_over_and_what():
    assert decide.read_call({"alarm": " web-5xx ", "by": "Ana"}) == decide.Request(
        by="Ana", how="command", alarm="web-5xx"
    )
    assert decide.read_call({"code": "482713", "by": "Ana"}).code == "482713"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "An acknowledgement names who takes over: give by."),
        ({"alarm": "a", "by": "  "}, "An acknowledgement names who takes over: give by."),
        ({"by": "Ana"}, "An acknowledgement names either alarm or code."),
        ({"by": "Ana", "alarm": "a", "code": "1"}, "An acknowledgement names either alarm or code."),
    ],
)
def test_a_call_that_says_less_is_answered_with_the_reason(stage, event, reason):
    with pytest.raises(decide.MalformedError) as caught:
        handler.act(event, stage.acknowledge_env, stage.acknowledge_world)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "text", ["ACK 482713", "ack482713", "Acknowledge: 482713!", "acknowledged 482713", "\nAck\n482713\n"]
)
def test_a_reply_is_read_however_it_is_typed(text):
    assert reply(text) == decide.Request(by="Ben Ito", how="text message", code="482713")


@pytest.mark.parametrize(
    "text", ["", "ACK", "482713", "ACK 48271", "ACK 4827130", "NACK 482713", "ACK 482713 please not", "STOP"]
)
def test_anything_else_acknowledges_nothing(text):
    assert reply(text) is None


def test_a_stranger_acknowledges_nothing():
    assert reply("ACK 482713", "+15125550199") is None


@unhurried
@given(text=st.text(max_size=200), sender=st.text(max_size=20))
def test_no_text_is_a_crash(text, sender):
    request = reply(text, sender)
    assert request is None or sender == CONTACTS["ana"].phone or sender == CONTACTS["ben"].phone


@pytest.mark.parametrize("message", ["", "no json", "[]", "{}", '"text"', '{"originationNumber": "+1"}', "null"])
def test_what_is_no_text_message_is_malformed(message):
    with pytest.raises(decide.MalformedError, match=r"^The reply is no text message of End User Messaging\.$"):
        decide.read_reply(message, CONTACTS)


def test_of_several_replies_each_counts_for_itself(stage):
    stage.ring()
    stage.run(10)
    messages = [
        "garbage",
        json.dumps({"originationNumber": "+15125550142", "messageBody": "hello"}),
        json.dumps({"originationNumber": "+15125550142", "messageBody": "ACK 482713"}),
    ]
    event = {"Records": [{"Sns": {"Message": message}} for message in messages]}
    assert handler.act(event, stage.acknowledge_env, stage.acknowledge_world) == {"replies": 1}
    assert [body for body, _ in stage.buried()] == ["garbage"]


def test_a_reply_that_cannot_be_worked_on_fails_so_that_lambda_tries_again_and_buries_it(stage):
    from tests.functions.stage import denied

    stage.ring()
    stage.run(10)
    stage.faults.fails("dynamodb", denied())
    with pytest.raises(Exception, match="AccessDenied"):
        stage.reply("ACK 482713")


def test_the_entry_point_works_with_the_variables_of_the_component(stage, monkeypatch):
    for name, value in stage.acknowledge_env.variables().items():
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    clients.table.cache_clear()
    assert handler.handler({"alarm": "web-5xx", "by": "Ana"}, None) == {
        "move": "refuse",
        "reason": "No escalation is open.",
    }
