"""When something runs that is stopped and started every week: minutes after Monday 00:00 of a zone's clock."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .cron import ScheduleError
from .windows import DAY, WEEK, Window

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

#: EventBridge and Backup write six fields, the last of them the year; CloudWatch's mute rules five.
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+)( \*)?\)")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")

#: Days of a winter and of a summer, in which zones differ as much as they ever do.
_SEASONS = (datetime(2027, 1, 15), datetime(2027, 7, 15))  # noqa: DTZ001 - local time of any zone


@dataclass(frozen=True, slots=True)
class Hours:
    """The stretches of a week in which something runs, and those in which it does not, by the clock of ``zone``."""

    zone: str
    running: tuple[Window, ...]
    stopped: tuple[Window, ...]


def hours(zone: str, starts: Collection[int], stops: Collection[int]) -> Hours:
    """What weekly starts and stops make of a week. Raises ScheduleError where they contradict each other."""
    if set(starts) & set(stops):
        raise ScheduleError("it stops and starts at the same time")
    return Hours(zone, _stretches(starts, stops), _stretches(stops, starts))


def _stretches(begins: Collection[int], ends: Collection[int]) -> tuple[Window, ...]:
    """From each begin to the next end. A begin that follows a begin changes nothing."""
    if not begins or not ends:
        return ()
    events = sorted([*((at, True) for at in begins), *((at, False) for at in ends)])
    first = [at for (_, before), (at, now) in zip([events[-1], *events], events, strict=False) if now and not before]
    return tuple(Window(at, min((end - at) % WEEK for end in ends)) for at in first)


def times(expression: str) -> frozenset[int]:
    """The times of a week at which a schedule may begin; one for days of the month may do so on any weekday.

    Raises ScheduleError for anything that is not told in plain hours of weekdays.
    """
    match = _CRON.fullmatch(expression.strip())
    if match is None:
        raise ScheduleError("it is no cron(…) of every year")
    minute, hour, day_of_month, _, day_of_week, year = match.groups()
    clock = {60 * h + m for h in _plain(hour, 23) for m in _plain(minute, 59)}
    any_day = day_of_month not in ("?", "*") or day_of_week in ("?", "*")
    days = range(7) if any_day else [day for part in day_of_week.split(",") for day in _days(part, year is not None)]
    return frozenset(day * DAY + at for day in days for at in clock)


def _plain(text: str, most: int) -> list[int]:
    if not re.fullmatch(r"\d+(,\d+)*", text) or max(found := [int(part) for part in text.split(",")]) > most:
        raise ScheduleError(f"{text} is no list of hours or minutes")
    return found


def _days(part: str, numbered: bool) -> list[int]:
    """``MON``, ``MON-FRI``, ``SUN#1``, ``FRIL``, and where ``numbered`` 1 for Sunday to 7 for Saturday."""
    ends = [_day(end, numbered) for end in part.partition("#")[0].split("-")]
    if len(ends) > 2:
        raise ScheduleError(f"{part} is no weekday")
    return [(ends[0] + step) % 7 for step in range((ends[-1] - ends[0]) % 7 + 1)]


def _day(text: str, numbered: bool) -> int:
    name = text.upper() if text.upper() in _DAYS else text.upper().removesuffix("L")
    if name in _DAYS:
        return _DAYS.index(name)
    if numbered and re.fullmatch("[1-7]", name):
        return (int(name) + 5) % 7
    raise ScheduleError(f"{text} is no weekday's name")


def minutes(duration: str) -> int:
    """Minutes of an ISO 8601 duration in days, hours and minutes. Raises ScheduleError."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise ScheduleError(f"{duration} is no duration such as PT4H")
    days, more, rest = (int(part or 0) for part in match.groups())
    return (days * 24 + more) * 60 + rest


def shifted(window: Window, source: str, target: str) -> tuple[Window, ...]:
    """A window of ``source``'s clock on that of ``target``, in winter and in summer. Raises ScheduleError."""
    return tuple(
        Window((window.start + _offset(target, day) - _offset(source, day)) % WEEK, window.length) for day in _SEASONS
    )


def _offset(zone: str, day: datetime) -> int:
    try:
        offset = ZoneInfo(zone).utcoffset(day)
    except (ZoneInfoNotFoundError, ValueError):
        raise ScheduleError(f"{zone} is no time zone") from None
    return round((offset or timedelta()) / timedelta(minutes=1))


def holds(outer: Window, inner: Window) -> bool:
    """Whether all of ``inner`` lies in ``outer``."""
    return (inner.start - outer.start) % WEEK + inner.length <= outer.length


def clock(at: int) -> str:
    """``Mon 20:00``."""
    day, minute = divmod(at % WEEK, DAY)
    return f"{_DAYS[day].capitalize()} {minute // 60:02}:{minute % 60:02}"


def gap(window: Window, covers: Collection[Window]) -> int | None:
    """The first minute of ``window`` that none of ``covers`` holds; None where they hold all of it."""
    at = 0
    while at < window.length:
        reached = [
            at + cover.length - since
            for cover in covers
            if (since := (window.start + at - cover.start) % WEEK) < cover.length
        ]
        if not reached:
            return (window.start + at) % WEEK
        at = max(reached)
    return None
