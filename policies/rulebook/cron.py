"""Schedules as AWS writes them, ``cron(…)`` and ``rate(…)``: the longest time between two runs.

Source: Amazon EventBridge User Guide, "Cron and rate expressions". AWS Backup and Systems Manager read the same.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

DAY = 24 * 60
WEEK = 7 * DAY

#: Weekdays and leap years repeat after 28 years.
_CYCLE = tuple(date(2001, 1, 1) + timedelta(days) for days in range(28 * 365 + 7))

_SCHEDULE = re.compile(r"(at|cron|rate)\(([^()]+)\)")
_RATE = re.compile(r"([1-9][0-9]{0,8}) (minute|hour|day)s?")
_UNITS = {"minute": 1, "hour": 60, "day": DAY}

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}

_SATURDAY, _SUNDAY = 7, 1

_IsDay = Callable[[date], bool]


class ScheduleError(ValueError):
    """AWS would refuse the schedule; the message says why."""


@lru_cache(maxsize=256)
def longest_gap(expression: str) -> float:
    """Minutes between two runs at the longest; infinite where the runs come to an end (``at(…)``, a list of years).

    The clock is the schedule's own: the hour that a zone's summer time adds is not counted.
    Raises ScheduleError where it is no schedule, or one that never runs.
    """
    match = _SCHEDULE.fullmatch(expression.strip())
    if match is None:
        raise ScheduleError("it is neither cron(…) nor rate(…)")
    kind, body = match.groups()
    if kind == "at":
        return math.inf
    return _rate(body) if kind == "rate" else _cron(body.split())


def _rate(body: str) -> int:
    match = _RATE.fullmatch(body.strip())
    if match is None:
        raise ScheduleError("a rate is a number of minutes, hours or days")
    return int(match[1]) * _UNITS[match[2]]


def _cron(fields: list[str]) -> float:
    if len(fields) != 6:
        raise ScheduleError(f"cron takes six fields; there are {len(fields)}")
    minute, hour, day_of_month, month, day_of_week, year = fields
    times = sorted(60 * h + m for h in _numbers(hour, "hours", 0, 23) for m in _numbers(minute, "minutes", 0, 59))
    months = _numbers(month, "month", 1, 12, _MONTHS)
    is_day = _days(day_of_month, day_of_week)
    days = [day.toordinal() for day in _CYCLE if day.month in months and is_day(day)]
    if not days:
        raise ScheduleError("it never runs: no month has such a day")
    if _numbers(year, "year", 1970, 2199) != frozenset(range(1970, 2200)):
        return math.inf
    within = [after - before for before, after in pairwise(times)]
    following = [*days[1:], days[0] + len(_CYCLE)]
    between = max(after - before for before, after in zip(days, following, strict=True))
    return max(*within, between * DAY + times[0] - times[-1], 0)


def _days(day_of_month: str, day_of_week: str) -> _IsDay:
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ScheduleError("either the day of the month or the day of the week is ?, and not both")
    read, text = (_monthly, day_of_month) if day_of_week == "?" else (_weekly, day_of_week)
    tests = [read(part) for part in text.split(",")]
    return lambda day: any(test(day) for test in tests)


def _monthly(part: str) -> _IsDay:
    if part == "L":
        return lambda day: day.day == _last(day)
    if part.endswith("W"):
        wanted = _one(part[:-1], "day of month", 1, 31)
        return lambda day: day.day == _nearest_weekday(day, wanted)
    numbers = _numbers(part, "day of month", 1, 31)
    return lambda day: day.day in numbers


def _weekly(part: str) -> _IsDay:
    if part == "L":
        return lambda day: _weekday(day) == _SATURDAY
    name, hash_, nth = part.partition("#")
    if hash_:
        weekday, week = _one(name, "day of week", 1, 7, _WEEKDAYS), _one(nth, "week", 1, 5)
        return lambda day: _weekday(day) == weekday and (day.day - 1) // 7 == week - 1
    if part.endswith("L"):
        last = _one(part[:-1], "day of week", 1, 7, _WEEKDAYS)
        return lambda day: _weekday(day) == last and day.day + 7 > _last(day)
    numbers = _numbers(part, "day of week", 1, 7, _WEEKDAYS)
    return lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    """1 is Sunday."""
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int:
    """The working day of ``day``'s month nearest to the day ``wanted``; 0 where the month has no such day."""
    last = _last(day)
    if wanted > last:
        return 0
    weekday = _weekday(day.replace(day=wanted))
    if weekday == _SATURDAY:
        return wanted - 1 if wanted > 1 else 3
    if weekday == _SUNDAY:
        return wanted + 1 if wanted < last else last - 2
    return wanted


def _numbers(text: str, field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    """The numbers that ``*``, ``2``, ``2-5``, ``2/5``, ``MON`` and lists of them stand for."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if first == "*" else _number(first, field, names)
        end = _number(last, field, names) if dash else high if slash or first == "*" else start
        by = _number(step, field, None) if slash else 1
        if not low <= start <= end <= high or by < 1:
            raise ScheduleError(f"{part} is no {field}: {low} to {high} is known")
        found.update(range(start, end + 1, by))
    return frozenset(found)


def _one(text: str, field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> int:
    number = _number(text, field, names)
    if not low <= number <= high:
        raise ScheduleError(f"{text} is no {field}: {low} to {high} is known")
    return number


def _number(text: str, field: str, names: Mapping[str, int] | None) -> int:
    if names and text.upper() in names:
        return names[text.upper()]
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ScheduleError(f"{text or 'nothing'} is no {field}")
    return int(text)
