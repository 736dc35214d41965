"""Who acknowledges what, and whether that still matters. Nothing here knows the time or AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from functions.common import moments
from functions.common.records import Record
from functions.common.roster import Contact

_REPLY = re.compile(r"\W*ack(?:nowledged?)?\W*([0-9]{6})\W*", re.IGNORECASE)

_LONGEST_NAME = 100


class MalformedError(ValueError):
    """A request that nobody understands; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An acknowledgement of the escalation of ``alarm``, or of the one that gave out ``code``."""

    by: str
    how: str
    alarm: str = ""
    code: str = ""


def read_call(event: Mapping[str, Any]) -> Request:
    """A direct call: ``{"alarm": …, "by": …}`` or ``{"code": …, "by": …}``. Raises MalformedError for anything else."""
    texts = {key: str(event.get(key) or "").strip() for key in ("alarm", "by", "code")}
    if not texts["by"]:
        raise MalformedError("An acknowledgement names who takes over: give by.")
    if bool(texts["alarm"]) == bool(texts["code"]):
        raise MalformedError("An acknowledgement names either alarm or code.")
    return Request(by=texts["by"][:_LONGEST_NAME], how="command", alarm=texts["alarm"], code=texts["code"])


def read_reply(message: str, contacts: Mapping[str, Contact]) -> Request | None:
    """A text message as End User Messaging hands it over; None where it is from a stranger or acknowledges nothing.

    A sender's number can be forged and a code guessed; together they are as good as a page needs.
    Raises MalformedError for what is no such message.
    """
    try:
        reply = json.loads(message)
        sender, text = reply["originationNumber"], reply["messageBody"]
    except (KeyError, TypeError, ValueError):
        raise MalformedError("The reply is no text message of End User Messaging.") from None
    names = [contact.name for contact in contacts.values() if contact.phone == sender]
    match = _REPLY.fullmatch(str(text))
    if not names or match is None:
        return None
    return Request(by=names[0], how="text message", code=match[1])


@dataclass(frozen=True, slots=True)
class Verdict:
    """``acknowledge``: take it; ``repeat``: it was taken before; ``refuse``: there is nothing to take."""

    move: Literal["acknowledge", "repeat", "refuse"]
    reason: str


def judge(record: Record | None, now: datetime) -> Verdict:
    """What an acknowledgement means in the light of the current record."""
    if record is None:
        return Verdict("refuse", "No escalation is open.")
    if record.state == "acknowledged":
        at = moments.shown(record.settled) if record.settled else "some time ago"
        return Verdict("repeat", f"{record.by} acknowledged {record.alarm} at {at}.")
    if not record.is_alive(now):
        return Verdict("refuse", f"The escalation of {record.alarm} has ended: {record.state}.")
    return Verdict("acknowledge", f"{record.alarm} is acknowledged.")
