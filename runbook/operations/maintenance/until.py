"""The end of maintenance, as a person types it and reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ...errors import UserError

#: How near and how far the end may be: a page needs minutes to be switched to, and a day of it is an outage.
LEAST, MOST = timedelta(minutes=5), timedelta(hours=24)

#: Characters of a reason, which stands in the record and in notices.
MOST_REASON = 200


def parse(text: str, zone: str, now: datetime) -> datetime:
    """The end in UTC. ``text``: ISO 8601 to the minute, local time of ``zone`` unless it has an offset of its own.

    A local time that occurs twice is the earlier one. Raises UserError for what is no time, does not exist, is past,
    nearer than 5 minutes or further than 24 hours.
    """
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--until {text!r} is no time.", f'Write for example --until "{_example(zone, now)}", local time of {zone}.'
        ) from None
    if given.second or given.microsecond:
        raise UserError(f"--until {text!r} has seconds; the end is a full minute.", "Leave them out.")
    place = ZoneInfo(zone)
    local = given if given.tzinfo else given.replace(tzinfo=place)
    end = local.astimezone(UTC)
    if given.tzinfo is None and end.astimezone(place).replace(tzinfo=None) != given:
        raise UserError(
            f"--until {text!r} does not exist in {zone}: the clock is put forward over it.",
            "Write a time before or after that hour, or one with its offset, such as 2026-11-22T06:00Z.",
        )
    told = f"{shown(end, zone)}; now it is {shown(now, zone)}"
    if end <= now:
        raise UserError(f"--until {text!r} is past: {told}.", "Write a later time.")
    if end - now < LEAST:
        raise UserError(f"--until {text!r} is too near: {told}.", "Write a time at least 5 minutes from now.")
    if end - now > MOST:
        raise UserError(
            f"--until {text!r} is too far away: {told}.",
            "A page stays on for 24 hours at most; the same command with a later time prolongs it.",
        )
    return end


def shown(moment: datetime, zone: str) -> str:
    """For a person: local time, and UTC where that is another."""
    local = f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"
    return local if zone == "UTC" else f"{local} ({moment.astimezone(UTC):%H:%M} UTC)"


def _example(zone: str, now: datetime) -> str:
    return f"{now.astimezone(ZoneInfo(zone)) + timedelta(hours=2):%Y-%m-%dT%H:00}"


def checked_reason(text: str) -> str:
    """Why the calendar is not heeded, as it goes on record. Raises UserError for what is no line of 200 characters."""
    if not text:
        return ""
    reason = text.strip()
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise UserError(
            f"--override {text!r} is no reason: it is one line of 1 to {MOST_REASON} characters.",
            'Write for example --override "Security fix, agreed with the lab".',
        )
    return reason
