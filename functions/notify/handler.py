"""Notify: sends one rung of an escalation, or tells the channel how it went on, or what is no alarm's.

A rung that was sent is noted in the record and not sent again, however often it is asked for; one that may have been
sent goes out again, because a page too many is better than none. Whatever fails is raised: the state machine tries
again, then notes the failure and goes on to the next rung.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from functions.common.alarm import Alarm
from functions.common.backoff import code, may_pass, persist
from functions.common.clients import client, table
from functions.common.plain import of_plain
from functions.common.records import Record, Records
from functions.common.roster import Contact
from functions.common.variables import read

from . import decide, slack
from .env import NotifyEnv, Rung

_LOG = logging.getLogger(__name__)

#: Seconds after which a text or a call is not delivered any more: it would tell of what is long past.
_TIME_TO_LIVE = 900

#: Seconds before the second and the third attempt: all of them fit into the function's time.
_WAITS = (0.5, 1.0)

_VOICE = "JOANNA"


class ChannelError(RuntimeError):
    """A rung did not reach everybody; the message says whom not, and why in one word each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the function acts on."""

    records: Records
    secrets: Any
    ses: Any
    voice: Any
    opener: slack.Opener
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The entry point: a rung, a notice, or an announcement."""
    env = read(NotifyEnv, os.environ)
    world = World(
        records=Records(table(env.table), timedelta(days=env.retention_days)),
        secrets=client("secretsmanager"),
        ses=client("sesv2"),
        voice=client("pinpoint-sms-voice-v2"),
        opener=slack.opener(),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
    return act(event, env, world)


def act(event: Mapping[str, Any], env: NotifyEnv, world: World) -> dict[str, Any]:
    """The same with everything given: ``sent``, the keys of those reached now, and ``skipped``, why nobody was.

    Raises ChannelError where somebody was not reached, after all were tried.
    """
    if "announcement" in event:
        _persist(lambda: _post(event["announcement"], env, world), world)
        return {"sent": ["channel"], "skipped": ""}
    alarm = of_plain(Alarm, event["alarm"])
    record = _read(alarm.name, world.records)
    if "notice" in event:
        return _tell(event, alarm, record, env, world)
    skipped = decide.why_not(record, event["escalation"])
    if skipped:
        return {"sent": [], "skipped": skipped}
    own = record if record is not None and record.escalation == event["escalation"] else None
    return _send(of_plain(Rung, event["rung"]), alarm, own, env, world)


def _read(alarm: str, records: Records) -> Record | None:
    """The record, or None where it cannot be read: people are called all the same."""
    try:
        return records.current(alarm)
    except Exception:  # noqa: BLE001 - no fault of the record keeps a page back
        _LOG.exception("The record of %s cannot be read.", alarm)
        return None


def _tell(
    event: Mapping[str, Any], alarm: Alarm, record: Record | None, env: NotifyEnv, world: World
) -> dict[str, Any]:
    if record is None or record.escalation != event["escalation"]:
        return {"sent": [], "skipped": "The escalation has no record."}
    if not record.sent:
        return {"sent": [], "skipped": "Nobody was told of it before."}
    text = decide.notice(event["notice"], env.system, alarm, record, world.now())
    _persist(lambda: _post(text, env, world), world)
    return {"sent": ["channel"], "skipped": ""}


def _send(rung: Rung, alarm: Alarm, record: Record | None, env: NotifyEnv, world: World) -> dict[str, Any]:
    now = world.now()
    people = decide.on_call(now, env.roster.rotation)
    facts = decide.Facts(
        system=env.system,
        alarm=alarm,
        rung=rung,
        code=record.code if record is not None and env.takes_replies else "",
        slack_channel=env.slack_channel,
        primary=env.roster.contacts[people.primary].name,
        backup=env.roster.contacts[people.backup].name,
    )
    before = record.sent if record is not None else {}
    sent, failed = [], []
    for key, contact in decide.recipients(rung, people, env.roster).items():
        if f"{rung.name}/{key}" in before:
            continue
        try:
            _persist(partial(_deliver, facts, contact, env, world), world)
        except Exception as error:  # noqa: BLE001 - the others are called first; then it is raised
            _LOG.exception("%s did not reach %s.", rung.name, key)
            failed.append(f"{key} ({code(error) or type(error).__name__})")
        else:
            sent.append(key)
            _note(record, f"{rung.name}/{key}", now, world)
    if failed:
        raise ChannelError(f"{rung.name} did not reach {', '.join(failed)}.")
    return {"sent": sent, "skipped": "" if sent else "It was sent before."}


def _deliver(facts: decide.Facts, contact: Contact | None, env: NotifyEnv, world: World) -> None:
    if contact is None:
        _post(decide.incident(facts), env, world)
    elif facts.rung.channel == "email":
        world.ses.send_email(
            FromEmailAddress=env.sender,
            Destination={"ToAddresses": [contact.email]},
            Content={
                "Simple": {
                    "Subject": {"Data": decide.subject(facts), "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": decide.incident(facts), "Charset": "UTF-8"}},
                }
            },
        )
    elif facts.rung.channel == "sms":
        world.voice.send_text_message(
            DestinationPhoneNumber=contact.phone,
            OriginationIdentity=env.sms_identity,
            MessageBody=decide.text_message(facts),
            MessageType="TRANSACTIONAL",
            TimeToLive=_TIME_TO_LIVE,
        )
    else:
        world.voice.send_voice_message(
            DestinationPhoneNumber=contact.phone,
            OriginationIdentity=env.voice_identity,
            MessageBody=decide.spoken(facts),
            MessageBodyTextType="TEXT",
            VoiceId=_VOICE,
            TimeToLive=_TIME_TO_LIVE,
        )


def _post(text: str, env: NotifyEnv, world: World) -> None:
    slack.post(slack.webhook(world.secrets, env.slack_secret), decide.for_slack(text), world.opener)


def _persist(call: Callable[[], None], world: World) -> None:
    persist(
        call,
        again=lambda error: error.may_pass if isinstance(error, slack.SlackError) else may_pass(error),
        waits=_WAITS,
        sleep=world.sleep,
    )


def _note(record: Record | None, key: str, now: datetime, world: World) -> None:
    """Notes what went out. Where that fails the page is out all the same, so nothing is raised."""
    if record is None:
        return
    try:
        world.records.note_sent(record, key, now)
        world.records.step(record.alarm, record.escalation, f"sent {key}", now)
    except Exception:  # noqa: BLE001 - no fault of the record sends a page twice
        _LOG.exception("%s cannot be noted.", key)
