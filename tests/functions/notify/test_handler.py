"""One rung: sent once, tried again, and honest about whom it did not reach."""

import logging

import pytest

from functions.common import clients
from functions.common.plain import to_plain
from functions.notify import handler
from functions.notify.slack import SlackError
from tests.functions.stage import START, WEBHOOK, denied, throttled

ALARM = {
    "name": "web-5xx",
    "severity": "critical",
    "started": "2025-01-06T15:30:00.000Z",
    "reason": "",
    "description": "",
    "respond_minutes": 15,
    "deferred_until": None,
}


def rung(stage, name):
    return to_plain(next(rung for rung in stage.chain.rungs if rung.name == name))


def escalation(stage):
    (only,) = stage.states.executions
    return only


def ask(stage, name):
    event = {"rung": rung(stage, name), "alarm": ALARM, "escalation": escalation(stage)}
    return handler.act(event, stage.notify_env, stage.notify_world)


@pytest.fixture
def ringing(stage):
    """Slack is told; the other rungs are asked for by hand."""
    stage.ring()
    stage.run(1)
    return stage


def test_a_rung_that_is_asked_for_again_is_sent_once(ringing):
    assert ask(ringing, "sms") == {"sent": ["ana"], "skipped": ""}
    assert ask(ringing, "sms") == {"sent": [], "skipped": "It was sent before."}
    assert [sent.channel for sent in ringing.sent] == ["slack", "sms"]


def test_of_two_people_the_one_who_was_not_reached_is_tried_again_alone(ringing):
    calls = []
    world = ringing.notify_world
    real = world.voice.send_voice_message

    def first_call_is_busy(**call):
        calls.append(call["DestinationPhoneNumber"])
        if len(calls) == 1:
            raise denied()
        return real(**call)

    world.voice.send_voice_message = first_call_is_busy
    with pytest.raises(handler.ChannelError, match=r"^phone_2 did not reach ben \(AccessDeniedException\)\.$"):
        ask(ringing, "phone_2")
    assert ask(ringing, "phone_2") == {"sent": ["ben"], "skipped": ""}
    assert calls == ["+15125550143", "+15125550142", "+15125550143"]


def test_a_busy_service_is_asked_three_times_with_growing_pauses(ringing):
    pauses = []
    ringing.faults.fails("sms", throttled())
    world = handler.World(
        **{name: getattr(ringing.notify_world, name) for name in handler.World.__slots__ if name != "sleep"},
        sleep=pauses.append,
    )
    event = {"rung": rung(ringing, "sms"), "alarm": ALARM, "escalation": escalation(ringing)}
    with pytest.raises(handler.ChannelError, match=r"ThrottlingException"):
        handler.act(event, ringing.notify_env, world)
    assert pauses == [0.5, 1.0]


def test_a_refusal_is_not_repeated(ringing):
    calls = []
    ringing.faults.of["sms"] = lambda: (_ for _ in ()).throw((calls.append(1), denied())[1])
    with pytest.raises(handler.ChannelError):
        ask(ringing, "sms")
    assert calls == [1]


def test_the_text_and_the_call_lapse_after_a_quarter_of_an_hour(ringing):
    asked = {}
    voice = ringing.notify_world.voice
    voice.send_text_message = lambda **call: asked.setdefault("sms", call)
    voice.send_voice_message = lambda **call: asked.setdefault("phone", call)
    ask(ringing, "sms")
    ask(ringing, "phone")
    assert {channel: call["TimeToLive"] for channel, call in asked.items()} == {"sms": 900, "phone": 900}
    assert asked["sms"]["MessageType"] == "TRANSACTIONAL"
    assert (asked["phone"]["MessageBodyTextType"], asked["phone"]["VoiceId"]) == ("TEXT", "JOANNA")


def test_without_replies_no_message_offers_one(ringing):
    env = handler.NotifyEnv(
        **{name: getattr(ringing.notify_env, name) for name in handler.NotifyEnv.__slots__ if name != "takes_replies"},
        takes_replies=False,
    )
    event = {"rung": rung(ringing, "sms"), "alarm": ALARM, "escalation": escalation(ringing)}
    handler.act(event, env, ringing.notify_world)
    assert "ACK" not in ringing.sent[-1].text


def test_the_webhook_s_address_is_in_no_log(ringing, caplog):
    caplog.set_level(logging.INFO)
    ringing.faults.fails("slack", OSError(f"cannot open {WEBHOOK}"))
    spec = {**rung(ringing, "slack"), "name": "slack_again"}
    event = {"rung": spec, "alarm": ALARM, "escalation": escalation(ringing)}
    with pytest.raises(handler.ChannelError, match=r"SlackError"):
        handler.act(event, ringing.notify_env, ringing.notify_world)
    assert "opensesame" not in caplog.text
    assert "Slack cannot be reached: OSError." in caplog.text


def test_a_notice_without_a_record_is_not_made_up(stage):
    event = {"notice": "resolved", "alarm": ALARM, "escalation": "nothing"}
    assert handler.act(event, stage.notify_env, stage.notify_world) == {
        "sent": [],
        "skipped": "The escalation has no record.",
    }


def test_a_notice_that_slack_refuses_is_raised_so_that_the_machine_goes_on_knowingly(ringing):
    ringing.slack.statuses = [403]
    event = {"notice": "acknowledged", "alarm": ALARM, "escalation": escalation(ringing)}
    with pytest.raises(SlackError, match=r"Slack answers with 403\."):
        handler.act(event, ringing.notify_env, ringing.notify_world)


def test_the_entry_point_works_with_the_variables_of_the_component(ringing, monkeypatch):
    for name, value in ringing.notify_env.variables().items():
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    clients.table.cache_clear()
    event = {"notice": "resolved", "alarm": {**ALARM, "name": "another"}, "escalation": "nothing"}
    assert handler.handler(event, None) == {"sent": [], "skipped": "The escalation has no record."}


def test_the_stage_begins_on_a_monday(stage):
    assert (START.weekday(), stage.clock.now()) == (0, START)
