"""What an event says, what is to be done about it, and when the rungs go out. Nothing here knows the time or AWS."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from functions.common import moments
from functions.common.alarm import Alarm, Severity
from functions.common.records import Record
from functions.common.roster import Office

from .env import EscalateEnv, Moment

#: How long after its last rung an escalation may still be busy.
MARGIN = timedelta(minutes=10)

#: An office that is closed for longer than this is no office.
_LONGEST_CLOSURE = 366

_LONGEST_TEXT = 1000

#: Slack shows some 4,000 characters of a message.
_LONGEST_ANNOUNCEMENT = 3000

#: What our own commands write where RDS writes ``db-instance``.
OWN_EVENT = "runbook"


class MalformedError(ValueError):
    """An event that nobody understands; the message says why."""


class NoObjectError(MalformedError):
    """It is no JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """``said``: the alarm rings, it has cleared, or nothing that matters here. ``severity``: that of the topic."""

    alarm: str
    said: Literal["raised", "cleared", "nothing"]
    at: datetime
    severity: Severity | None = None
    reason: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told on a severity's topic and is no alarm's: the channel reads it, and nobody is called."""

    text: str


def read(body: str, topics: Mapping[str, Severity]) -> Signal | Announcement | None:
    """The signal in a message of the inbox: an alarm's notification by SNS, or its change of state by EventBridge.

    AWS Budgets, the detection of cost anomalies and our own commands tell on the same topics what is an announcement.
    None for the events of RDS, whose e-mail is enough. Raises MalformedError for anything else.
    """
    event = _object(body, "The message")
    if "TopicArn" in event:
        return _notification(event, topics)
    if event.get("detail-type") == "CloudWatch Alarm State Change":
        return _state_change(event)
    raise MalformedError("The message comes neither from SNS nor from CloudWatch's alarms.")


def _notification(event: Mapping[str, Any], topics: Mapping[str, Severity]) -> Signal | Announcement | None:
    severity = topics.get(str(event["TopicArn"]))
    if severity is None:
        raise MalformedError(f"The topic {event['TopicArn']} has no severity.")
    try:
        message = _object(_text(event, "Message"), "The notification")
    except NoObjectError:
        return _announcement(event, str(event["Message"]))
    if "AlarmName" not in message:
        if "Event Source" in message and message["Event Source"] != OWN_EVENT:
            return None
        return _announcement(event, str(message.get("Event Message") or json.dumps(message, indent=1)))
    return Signal(
        alarm=_text(message, "AlarmName"),
        said=_said(_text(message, "NewStateValue")),
        at=_moment(message, "StateChangeTime"),
        severity=severity,
        reason=str(message.get("NewStateReason") or "")[:_LONGEST_TEXT],
        description=str(message.get("AlarmDescription") or "")[:_LONGEST_TEXT],
    )


def _announcement(event: Mapping[str, Any], text: str) -> Announcement:
    subject = str(event.get("Subject") or "").strip()
    lines = [line for line in (subject, text.strip()) if line]
    return Announcement("\n".join(lines)[:_LONGEST_ANNOUNCEMENT])


def _state_change(event: Mapping[str, Any]) -> Signal:
    detail = event.get("detail")
    state = detail.get("state") if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(state, dict):
        raise MalformedError("The state change has no state.")
    said = _said(_text(state, "value"))
    # Whether an alarm rings people is for its actions to say, which a mute rule can silence: the topics tell.
    return Signal(
        alarm=_text(detail, "alarmName"),
        said="nothing" if said == "raised" else said,
        at=_moment(state, "timestamp"),
    )


def _said(state: str) -> Literal["raised", "cleared", "nothing"]:
    if state == "ALARM":
        return "raised"
    if state == "OK":
        return "cleared"
    if state == "INSUFFICIENT_DATA":
        return "nothing"
    raise MalformedError(f"An alarm has no state {state[:40]!r}.")


def _object(text: Any, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        raise NoObjectError(f"{what} is no JSON.") from None
    if not isinstance(value, dict):
        raise NoObjectError(f"{what} is no JSON object.")
    return value


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value.strip():
        raise MalformedError(f"{key} is missing.")
    return value


def _moment(holder: Mapping[str, Any], key: str) -> datetime:
    text = _text(holder, key)
    try:
        return moments.parse(text)
    except ValueError:
        raise MalformedError(f"{key} is no moment.") from None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: start an escalation (in place of a broken one: ``replace``), note that the alarm rang again, clear
    the escalation, wake a machine that was told already, or nothing; and why."""

    move: Literal["start", "replace", "note", "clear", "wake", "ignore"]
    reason: str


def judge(signal: Signal, record: Record | None, *, is_running: bool, now: datetime) -> Verdict:
    """What ``signal`` means in the light of the alarm's current ``record``.

    ``is_running``: whether the record's execution still runs; only asked for a record that is alive. Messages may come
    twice and in any order: what is older than what the record knows changes nothing.
    """
    if signal.said == "raised":
        return _judge_ring(signal, record, is_running=is_running, now=now)
    if signal.said == "nothing":
        return Verdict("ignore", "It tells neither of a ring nor of an end.")
    if record is None or record.closed is not None or record.state in ("unanswered", "broken"):
        return Verdict("ignore", "No escalation is open.")
    if record.state == "cleared":
        return Verdict("wake", "The escalation is cleared already.")
    if signal.at < record.rang:
        return Verdict("ignore", "The alarm has rung again since.")
    return Verdict("clear", "The alarm has cleared.")


def _judge_ring(signal: Signal, record: Record | None, *, is_running: bool, now: datetime) -> Verdict:
    if record is None:
        return Verdict("start", "No escalation is open.")
    if record.is_alive(now):
        if is_running:
            return Verdict("note", f"{record.escalation} is open.")
        return Verdict("replace", f"{record.escalation} has ended without closing its record.")
    if record.state in ("open", "acknowledged") and record.closed is None:
        return Verdict("replace", f"{record.escalation} is past its time.")
    if signal.at <= record.rang:
        return Verdict("ignore", f"{record.escalation} was opened for this.")
    if record.state == "cleared" and record.settled is not None and signal.at <= record.settled:
        return Verdict("ignore", "The alarm has cleared since.")
    return Verdict("start", "The last escalation has ended.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``at``: rung -> when it goes out; ``is_late``: the rungs count from now, because their times have passed."""

    begins: datetime
    at: Mapping[str, datetime]
    ends: datetime
    is_late: bool


def schedule(
    started: datetime, rungs: Sequence[Moment], *, patience: timedelta, office: Office | None, now: datetime
) -> Schedule:
    """When each rung goes out: so many minutes after ``started``, or after the next opening of ``office``.

    An alarm heard of later than ``patience`` counts from ``now``: else all rungs would go out at once.
    """
    begins = started if office is None else next_opening(started, office)
    is_late = now > begins + patience
    begins = now if is_late else begins
    at = {rung.name: begins + timedelta(minutes=rung.minutes) for rung in rungs}
    return Schedule(begins=begins, at=at, ends=max(at.values()) + MARGIN, is_late=is_late)


def next_opening(after: datetime, office: Office) -> datetime:
    """When the office opens next, strictly after ``after``: that is when the next business day begins.

    Raises ValueError when it does not open within a year.
    """
    zone = ZoneInfo(office.zone)
    opens = time(office.opens // 60, office.opens % 60)
    first = after.astimezone(zone).date()
    for days in range(_LONGEST_CLOSURE):
        day = first + timedelta(days=days)
        opening = datetime.combine(day, opens, zone).astimezone(UTC)
        if opening > after and day.weekday() in office.days and day not in office.holidays:
            return opening
    raise ValueError(f"The office does not open within a year after {moments.shown(after)}.")


def escalation_name(alarm: str, started: datetime) -> str:
    """The name of an escalation and of its execution: the same for the same ring, so that it starts once.

    80 characters at most, of those that Step Functions takes.
    """
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", alarm)[:50].strip("-")
    digest = hashlib.sha256(f"{alarm}@{moments.text(started)}".encode()).hexdigest()[:10]
    return f"{readable or 'alarm'}-{started:%Y%m%dT%H%M%S}-{digest}"


def machine_input(signal: Signal, env: EscalateEnv, now: datetime) -> dict[str, Any]:
    """What the state machine starts with: the alarm, the moments of its rungs, and how long it may take.

    Raises ValueError for a signal without severity.
    """
    if signal.severity is None:
        raise ValueError(f"{signal.alarm} has no severity.")
    waits = signal.severity in env.office_severities
    times = schedule(
        signal.at,
        env.rungs,
        patience=timedelta(minutes=env.patience_minutes),
        office=env.office if waits else None,
        now=now,
    )
    alarm = Alarm(
        name=signal.alarm,
        severity=signal.severity,
        started=signal.at,
        reason=signal.reason,
        description=signal.description,
        respond_minutes=env.respond_minutes[signal.severity],
        deferred_until=times.begins if waits else None,
    )
    return {
        "alarm": alarm,
        "at": times.at,
        "escalation": escalation_name(signal.alarm, signal.at),
        "life_seconds": max(1, int((times.ends - now).total_seconds())),
        "open_until": times.ends + timedelta(hours=env.acknowledged_hours),
    }
