"""Moments as tags, records and people write them: UTC, to the second, ``2026-11-05T10:00:00Z``."""

from __future__ import annotations

from datetime import UTC, datetime

from ...errors import UserError


def stamp(moment: datetime) -> str:
    """``moment`` in UTC; what is below a second is dropped."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """What ``stamp`` wrote, or a time that a person gives. Raises UserError where the time or its zone is missing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UserError(f"{text!r} is no time with a zone.", "Write it as 2026-11-05T10:00:00Z.")
    return found.astimezone(UTC)


def minutes_between(earlier: str, later: str) -> float:
    """Minutes from one stamp to another, to a tenth, rounded up: a target is never met by rounding."""
    seconds = int((moment(later) - moment(earlier)).total_seconds())
    return -(-seconds // 6) / 10
