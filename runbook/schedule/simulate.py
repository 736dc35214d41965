"""The next days of a stack's schedules: each start and stop, what collides with them, and what they save.

The same calendar decides here as in the function and in the mute rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.common import calendar
from functions.common.calendar import Period
from settings.schedules import Need, SchedulesSettings


@dataclass(frozen=True, slots=True)
class Change:
    """A start or a stop. ``at``: local time with its offset."""

    at: datetime
    starts: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ClockChange:
    """``at``: the first moment of the new offset, in local time; ``before``: the offset until then."""

    at: datetime
    before: timedelta


@dataclass(frozen=True, slots=True)
class Collision:
    """A window that stopped hours swallow. Of a daily window, the time of running in which there is none."""

    window: str
    is_daily: bool
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What becomes of one resource. ``running`` and ``stopped``: hours; ``left_out``: holidays on its days."""

    resource: str
    period: str
    zone: str
    runs_at_first: bool
    changes: tuple[Change, ...]
    clock_changes: tuple[ClockChange, ...]
    left_out: tuple[date, ...]
    collisions: tuple[Collision, ...]
    running: float
    stopped: float

    @property
    def saved(self) -> float:
        """The share of hours that it is stopped, 0 to 1."""
        return self.stopped / (self.running + self.stopped)


def simulate(settings: SchedulesSettings, needs: Sequence[Need], first: date, days: int) -> tuple[Forecast, ...]:
    """Each resource that follows a period, from local midnight of ``first`` on; in the order of their names."""
    periods = settings.followed()
    return tuple(
        _forecast(resource, name, periods[name], [need for need in needs if need.resource == resource], first, days)
        for resource, name in sorted(settings.resources.items())
    )


def _forecast(resource: str, name: str, period: Period, needs: Sequence[Need], first: date, days: int) -> Forecast:
    place, last = ZoneInfo(period.zone), first + timedelta(days=days)
    begin, end = (calendar.instant(day, 0, period.zone) for day in (first, last))
    parts = calendar.stretches(period, begin, end)
    hours = {state: sum(part.hours for part in parts if part.running is state) for state in (True, False)}
    return Forecast(
        resource=resource,
        period=name,
        zone=period.zone,
        runs_at_first=parts[0].running,
        changes=tuple(Change(part.begin.astimezone(place), part.running, part.reason) for part in parts[1:]),
        clock_changes=_clock_changes(period.zone, begin, end),
        left_out=tuple(day for day in period.holidays if first <= day < last and day.weekday() in period.days),
        collisions=tuple(
            Collision(need.window.name, need.window.is_daily, opens.astimezone(place), closes.astimezone(place))
            for need in needs
            for opens, closes in calendar.missed(period, need.window, begin, end)
        ),
        running=hours[True],
        stopped=hours[False],
    )


def _clock_changes(zone: str, begin: datetime, end: datetime) -> tuple[ClockChange, ...]:
    place, day = ZoneInfo(zone), timedelta(days=1)
    found = calendar.clock_changes(zone, begin.date() - day, end.date() + day)
    return tuple(
        ClockChange(at.astimezone(place), (at - timedelta(minutes=1)).astimezone(place).utcoffset() or timedelta())
        for at in found
        if begin <= at < end
    )
