"""Moments: how AWS writes them, how the state machine reads them, how people do. All are aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def parse(text: str) -> datetime:
    """``2024-12-16T14:30:00.123+0000`` and its like as a moment. Raises ValueError for one without a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone.")
    return moment.astimezone(UTC)


def text(moment: datetime) -> str:
    """``2024-12-16T14:30:00.123Z``, to the millisecond as CloudWatch writes it and as a Wait state reads it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(moment: datetime) -> str:
    """``2024-12-16 14:30 UTC``, as in the templates (``004_… Communication Templates``)."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def length(span: timedelta) -> str:
    """``45 minutes``, ``2 hours``, ``1 hour 5 minutes``, ``3 days``: no finer than anybody needs."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    words = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(words) or "0 minutes"
