"""When alert manager tells nothing: while the servers are stopped, and until they are ready again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from functions.common.calendar import Period

#: The interval's name in the definition.
STOPPED = "stopped"

_DAY_MINUTES = 24 * 60
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def intervals(period: Period, ready_minutes: int) -> Sequence[Mapping[str, Any]]:
    """Alert manager's time intervals, in the zone's local time: all that lies outside of the hours of ``period``.

    A start by an exception is not left out of them: the alarms of CloudWatch, which say the same, follow it.
    """
    opens = min(period.start + ready_minutes, _DAY_MINUTES)
    free = [_NAMES[day] for day in range(7) if day not in period.days]
    busy = [_NAMES[day] for day in sorted(set(period.days))]
    found: list[dict[str, Any]] = [{"weekdays": free}] if free else []
    if times := [_times(*span) for span in ((0, opens), (period.stop, _DAY_MINUTES)) if span[0] < span[1]]:
        found.append({"weekdays": busy, "times": times})
    found += [_on(day) for day in sorted(period.holidays)]
    for override in period.overrides:
        if not override.running:
            found += _pieces(override.starts, override.ends)
    return [{**interval, "location": period.zone} for interval in found]


def _pieces(starts: datetime, ends: datetime) -> Iterator[dict[str, Any]]:
    """A span of local time, day by day."""
    day = starts.date()
    while day <= ends.date():
        begin = _minute(starts) if day == starts.date() else 0
        end = _minute(ends) if day == ends.date() else _DAY_MINUTES
        if begin < end:
            yield {**_on(day), "times": [_times(begin, end)]}
        day += timedelta(days=1)


def _minute(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute


def _on(day: date) -> dict[str, Any]:
    return {"years": [str(day.year)], "months": [str(day.month)], "days_of_month": [str(day.day)]}


def _times(begin: int, end: int) -> dict[str, str]:
    return {"start_time": _clock(begin), "end_time": _clock(end)}


def _clock(minute: int) -> str:
    return "24:00" if minute == _DAY_MINUTES else f"{time(*divmod(minute, 60)):%H:%M}"
