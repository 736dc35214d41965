"""A simulation as lines for people and as a document for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from ..words import count
from .simulate import Change, ClockChange, Collision, Forecast


def lines(stack: str, forecasts: Sequence[Forecast], first: str, days: int) -> Iterator[Text]:
    """What a person reads: resource by resource, in the order of time."""
    yield Text(f"Schedules of {stack}, {count(days, 'day')} from {first}, offline", "bold")
    if not forecasts:
        yield Text("Nothing follows a period: everything always runs.")
    for forecast in forecasts:
        yield Text()
        yield Text.assemble((forecast.resource, "bold"), f" follows {forecast.period} ({forecast.zone})")
        yield Text(f"  {'runs' if forecast.runs_at_first else 'is stopped'} at first")
        for _, line in sorted([*_told(forecast)], key=lambda entry: entry[0]):
            yield line
        yield Text(
            f"  {forecast.running:.1f} hours running, {forecast.stopped:.1f} stopped: {forecast.saved:.0%} saved"
        )
    found = sum(len(forecast.collisions) for forecast in forecasts)
    if forecasts:
        yield Text()
        yield Text(f"{count(found, 'collision')} with windows." if found else "No collision with windows.")


def document(stack: str, forecasts: Sequence[Forecast], first: str, days: int) -> str:
    """The same as JSON; all times are local with their offset."""
    body = {"stack": stack, "from": first, "days": days, "resources": [_plain(forecast) for forecast in forecasts]}
    return json.dumps(body, indent=2) + "\n"


def _told(forecast: Forecast) -> Iterator[tuple[datetime, Text]]:
    for change in forecast.changes:
        yield change.at, Text(f"  {moment(change.at)}  {_does(change):<5}  {change.reason}")
    for clock in forecast.clock_changes:
        yield clock.at, Text(f"  {moment(clock.at)}  clock  {_shift(clock)}", "yellow")
    for collision in forecast.collisions:
        yield collision.begin, Text(f"  {moment(collision.begin)}  ! {_clash(collision)}", "red")
    for day in forecast.left_out:
        yield (
            datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(forecast.zone)),
            Text(f"  {day:%a %Y-%m-%d}               holiday: not started"),
        )


def moment(at: datetime) -> str:
    """``Mon 2026-03-09 07:30 -04:00``: local time and its offset."""
    return f"{at:%a %Y-%m-%d %H:%M} {offset(at.utcoffset() or timedelta())}"


def offset(shift: timedelta) -> str:
    """``+05:30``."""
    minutes = round(shift / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _does(change: Change) -> str:
    return "start" if change.starts else "stop"


def _shift(clock: ClockChange) -> str:
    return f"the offset changes from {offset(clock.before)} to {offset(clock.at.utcoffset() or timedelta())}"


def _clash(collision: Collision) -> str:
    if collision.is_daily:
        return f"runs until {collision.end:%a %H:%M} without a {collision.window}"
    return f"is stopped during the {collision.window}, until {collision.end:%a %H:%M}"


def _plain(forecast: Forecast) -> dict[str, Any]:
    return {
        "resource": forecast.resource,
        "period": forecast.period,
        "timeZone": forecast.zone,
        "runsAtFirst": forecast.runs_at_first,
        "changes": [
            {"at": change.at.isoformat(), "action": _does(change), "reason": change.reason}
            for change in forecast.changes
        ],
        "clockChanges": [
            {
                "at": clock.at.isoformat(),
                "before": offset(clock.before),
                "after": offset(clock.at.utcoffset() or timedelta()),
            }
            for clock in forecast.clock_changes
        ],
        "holidays": [day.isoformat() for day in forecast.left_out],
        "collisions": [
            {
                "window": collision.window,
                "begin": collision.begin.isoformat(),
                "end": collision.end.isoformat(),
                "daily": collision.is_daily,
            }
            for collision in forecast.collisions
        ],
        "hoursRunning": round(forecast.running, 4),
        "hoursStopped": round(forecast.stopped, 4),
        "shareSaved": round(forecast.saved, 4),
    }
