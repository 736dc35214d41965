"""Who is on call, whom a rung reaches, and what it says (``004_… Alert Escalation``, ``Communication Templates``).

Nothing here knows the time or AWS.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from functions.common import moments
from functions.common.alarm import Alarm, describe
from functions.common.records import Record
from functions.common.roster import Contact, Roster, Rotation

from .env import Rung

Notice = Literal["acknowledged", "resolved", "ringing"]

#: A text message of two parts at most: a third one often comes late or not at all.
_LONGEST_SMS = 300

#: A call that speaks longer than a minute is hung up.
_LONGEST_SPOKEN = 300


@dataclass(frozen=True, slots=True)
class OnCall:
    """Keys of contacts; never the same one twice."""

    primary: str
    backup: str


def on_call(now: datetime, rotation: Rotation) -> OnCall:
    """Who is on call at ``now``: an override's people while it lasts, else those of the shift (``002_… §3.1``)."""
    zone = ZoneInfo(rotation.zone)
    for override in rotation.overrides:
        if _instant(override.starts, zone) <= now < _instant(override.ends, zone):
            return OnCall(override.primary, override.backup)
    turn = _shift(now, rotation, zone)
    people = len(rotation.order)
    return OnCall(rotation.order[turn % people], rotation.order[(turn + 1) % people])


def _shift(now: datetime, rotation: Rotation, zone: ZoneInfo) -> int:
    """Which shift it is, counted from the first hand-over; negative before it.

    The clock on the wall only comes close: it repeats an hour when it is put back and leaves one out when it is put
    forward. So the neighbours are compared as instants.
    """
    length = timedelta(days=rotation.days)
    wall = now.astimezone(zone).replace(tzinfo=None)
    guess = (wall - rotation.first_hand_over) // length
    turns = (guess + 1, guess, guess - 1)
    return next(turn for turn in turns if _instant(rotation.first_hand_over + turn * length, zone) <= now)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """A local time as an instant: the first of two, and an hour later where the clock leaves it out."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def why_not(record: Record | None, escalation: str) -> str:
    """Why a rung is not to be sent any more; empty while it is.

    A record that is missing or another escalation's says nothing: twice is better than never.
    """
    if record is None or record.escalation != escalation or record.state == "open":
        return ""
    return f"The escalation is {record.state}."


def recipients(rung: Rung, people: OnCall, roster: Roster) -> dict[str, Contact | None]:
    """Key -> contact of those a rung reaches; None for the channel itself."""
    if rung.channel == "slack":
        return {"channel": None}
    keys = [people.backup if duty == "backup" else people.primary for duty in rung.to]
    return {key: roster.contacts[key] for key in keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message is made of. ``code`` is empty where a reply does not acknowledge; ``people`` are names."""

    system: str
    alarm: Alarm
    rung: Rung
    code: str
    slack_channel: str
    primary: str
    backup: str


def incident(facts: Facts) -> str:
    """The notification in full, for Slack and e-mail: status, impact, start, next update and what to do."""
    alarm, parts = facts.alarm, describe(facts.alarm.description)
    lines = [
        f"🚨 {alarm.severity.upper()} INCIDENT - {facts.system}: {alarm.name}",
        "Status: INVESTIGATING",
        f"Impact: {parts.impact or parts.summary or alarm.reason or 'not described'}",
        f"Start Time: {moments.shown(alarm.started)}",
        f"Next Update: {_next_update(facts.rung)}",
        f"Respond: {response(alarm)}",
        *([f"First Action: {parts.first_action}"] if parts.first_action else []),
        *([f"Run Book: {parts.run_book}"] if parts.run_book else []),
        f"On Call: {facts.primary}, then {facts.backup}",
        "",
        *([alarm.reason] if alarm.reason else []),
        f"Acknowledge: {' or '.join(_ways(facts))}",
        f"Updates: {facts.slack_channel}",
    ]
    return "\n".join(lines)


def subject(facts: Facts) -> str:
    """The e-mail's subject, on one line."""
    alarm = facts.alarm
    text = f"[{alarm.severity.upper()}] {facts.system}: {alarm.name} since {moments.shown(alarm.started)}"
    return " ".join(text.split())


def text_message(facts: Facts) -> str:
    """The same in two text messages at most, in letters that every phone shows."""
    alarm, parts = facts.alarm, describe(facts.alarm.description)
    head = f"{alarm.severity.upper()} {facts.system}: {alarm.name} since {alarm.started.astimezone(UTC):%H:%M} UTC."
    first = f" First: {parts.first_action}" if parts.first_action else ""
    tail = f" Acknowledge: {' or '.join(_ways(facts))}"
    room = _LONGEST_SMS - len(tail)
    return _plain(_cut(_plain(head + first), room)) + _plain(tail)


def spoken(facts: Facts) -> str:
    """The same for a call: said twice, because whoever is woken by it misses the first half."""
    alarm, parts = facts.alarm, describe(facts.alarm.description)
    first = f" First action: {parts.first_action}." if parts.first_action else ""
    digits = ", ".join(facts.code)
    way = f"send the text A C K {digits} to this number" if facts.code else "use the acknowledge command"
    body = _cut(
        f"{alarm.severity} alarm in {facts.system}: {_words(alarm.name)}. It rings since"
        f" {alarm.started.astimezone(UTC):%H:%M} U T C, and nobody has acknowledged it.{first}",
        _LONGEST_SPOKEN,
    )
    return _plain(f"{body} To acknowledge, {way}. Again: {body} To acknowledge, {way}.")


def notice(kind: Notice, system: str, alarm: Alarm, record: Record, now: datetime) -> str:
    """What the channel is told when an escalation goes on or ends."""
    title = f"{system}: {alarm.name}"
    taken = f"{record.by}, by {record.how}" if record.by else "nobody"
    if kind == "acknowledged":
        at = record.settled or now
        return "\n".join(
            [
                f"👀 ACKNOWLEDGED - {title}",
                "Status: INVESTIGATING",
                f"Acknowledged By: {taken}, {moments.shown(at)}",
                f"Time To Acknowledge: {moments.length(at - alarm.started)}",
            ]
        )
    if kind == "ringing":
        return "\n".join(
            [
                f"⏰ STILL IN ALARM - {title}",
                "Status: INVESTIGATING",
                f"Acknowledged By: {taken}",
                f"Duration: {moments.length(now - alarm.started)}",
                "Nobody is called again until the alarm clears and comes back.",
            ]
        )
    ended = record.settled or now
    review = alarm.severity in ("critical", "high")
    return "\n".join(
        [
            f"✅ RESOLVED - {title}",
            "Status: RESOLVED",
            f"Resolution Time: {moments.shown(ended)}",
            f"Duration: {moments.length(ended - alarm.started)}",
            f"Acknowledged By: {taken}",
            *(["Next Steps: find the root cause, schedule the post-incident review"] if review else []),
        ]
    )


def response(alarm: Alarm) -> str:
    """The response time in words (``004_… Severity Levels``)."""
    if alarm.respond_minutes is None:
        return "next business day"
    return f"within {moments.length(timedelta(minutes=alarm.respond_minutes))}"


def for_slack(text: str) -> str:
    """``text`` with the three signs escaped that Slack reads as markup, so that no alarm's text makes a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _next_update(rung: Rung) -> str:
    return moments.length(timedelta(minutes=rung.next_minutes)) if rung.next_minutes else "when the alarm clears"


def _ways(facts: Facts) -> list[str]:
    command = f"runbook acknowledge {facts.alarm.name}"
    # The code proves that a page arrived; a channel that many read would prove nothing.
    return [f"reply ACK {facts.code}", command] if facts.code and facts.rung.channel != "slack" else [command]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3].rstrip()}..."


def _plain(text: str) -> str:
    """``text`` in ASCII and on one line."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().replace("\n", " ")


def _words(name: str) -> str:
    """A name that a voice reads word by word."""
    return " ".join(name.replace("-", " ").replace("_", " ").split())
