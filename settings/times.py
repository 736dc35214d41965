"""Windows and schedules as AWS writes them: their syntax, and when two windows collide. All times are UTC."""

from __future__ import annotations

import re

from .faults import RefusedError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: What RDS asks of either window, in minutes.
LEAST_WINDOW = 30

_DAY = 24 * 60
_WEEK = 7 * _DAY

_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_DAILY = re.compile(f"{_TIME}-{_TIME}")
_WEEKLY = re.compile(f"({'|'.join(DAYS)}):{_TIME}-({'|'.join(DAYS)}):{_TIME}")

#: Patterns of the same for an editor, which has no flag for letter case.
DAILY_PATTERN = "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
WEEKLY_PATTERN = (
    "^([Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un):([01][0-9]|2[0-3]):[0-5][0-9]"
    "-([Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un):([01][0-9]|2[0-3]):[0-5][0-9]$"
)


def daily_window(text: str) -> tuple[int, int]:
    """``HH:MM-HH:MM`` -> minute of the day and length in minutes; it may run past midnight. Raises RefusedError."""
    match = _DAILY.fullmatch(text)
    if match is None:
        raise RefusedError("is not a window of the form HH:MM-HH:MM")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start = hour * 60 + minute
    length = (end_hour * 60 + end_minute - start) % _DAY
    if length < LEAST_WINDOW:
        raise RefusedError(f"is {length} minutes long")
    return start, length


def weekly_window(text: str) -> tuple[int, int]:
    """``ddd:HH:MM-ddd:HH:MM`` -> minute of the week from Monday 00:00 and length in minutes. Raises RefusedError.

    It may run past the end of the week. More than a day is refused: RDS would take it, but it is nearly always a slip
    of the day's name, and it leaves the database open to a restart for days.
    """
    match = _WEEKLY.fullmatch(text.lower())
    if match is None:
        raise RefusedError("is not a window of the form ddd:HH:MM-ddd:HH:MM")
    day, hour, minute, end_day, end_hour, end_minute = match.groups()
    start = _minute_of_week(day, hour, minute)
    length = (_minute_of_week(end_day, end_hour, end_minute) - start) % _WEEK
    if length < LEAST_WINDOW:
        raise RefusedError(f"is {length} minutes long")
    if length > _DAY:
        raise RefusedError(f"is {length // 60} hours long")
    return start, length


def _minute_of_week(day: str, hour: str, minute: str) -> int:
    return DAYS.index(day) * _DAY + int(hour) * 60 + int(minute)


def collide(daily: str, weekly: str) -> bool:
    """Whether the daily window touches the weekly one on any day; one may begin where the other ends."""
    minute, daily_length = daily_window(daily)
    weekly_start, weekly_length = weekly_window(weekly)
    return any(
        (start - weekly_start) % _WEEK < weekly_length or (weekly_start - start) % _WEEK < daily_length
        for start in (day * _DAY + minute for day in range(7))
    )


def free_weekly(daily: str, weekly: str) -> str | None:
    """A weekly window on the same day and of the same length, half an hour after the daily one.

    None where the daily window leaves no room for it.
    """
    minute, daily_length = daily_window(daily)
    weekly_start, length = weekly_window(weekly)
    if daily_length + length + 2 * LEAST_WINDOW > _DAY:
        return None
    start = weekly_start // _DAY * _DAY + (minute + daily_length + LEAST_WINDOW) % _DAY
    return f"{_text(start)}-{_text(start + length)}"


def _text(minute: int) -> str:
    day, rest = divmod(minute % _WEEK, _DAY)
    return f"{DAYS[day]}:{rest // 60:02}:{rest % 60:02}"


_HOURS_BETWEEN = ("1", "2", "4", "8", "12")
_MINUTES_IN = {"minute": 1, "hour": 60, "day": _DAY}
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

#: Least and greatest distance of two runs of an association, in minutes.
_RATE = (30, 31 * _DAY)


def association_schedule(text: str) -> None:
    """Raises RefusedError for a schedule that a State Manager association does not take.

    Associations know far less than maintenance windows: every 30 minutes, every 1, 2, 4, 8 or 12 hours, a time of every
    day, of a weekday or of the n-th weekday of a month; or a rate from 30 minutes to less than 31 days.
    """
    match = re.fullmatch(r"(cron|rate)\((.*)\)", text)
    if match is None:
        raise RefusedError("is neither cron(…) nor rate(…)")
    kind, inside = match.groups()
    if kind == "rate":
        _rate(inside)
    else:
        _cron(inside.split(" "))


def _rate(inside: str) -> None:
    match = re.fullmatch(r"([1-9][0-9]*) (minute|hour|day)(s?)", inside)
    if match is None:
        raise RefusedError(
            "is not a rate of the form rate(12 hours)", "Write a number, a space, and minutes, hours or days."
        )
    number, unit, plural = match.groups()
    if (number == "1") == bool(plural):
        right = f"{number} {unit}{'' if number == '1' else 's'}"
        raise RefusedError("mixes singular and plural", f"Write rate({right}).")
    minutes = int(number) * _MINUTES_IN[unit]
    least, most = _RATE
    if minutes < least:
        raise RefusedError("runs more often than every 30 minutes", "Write rate(30 minutes) or more.")
    if minutes >= most:
        raise RefusedError("runs less often than every 31 days", "Write rate(30 days) or less.")


def _cron(fields: list[str]) -> None:
    if len(fields) != 6:
        raise RefusedError(f"has {len(fields)} fields, not 6", "Write minute, hour, day, month, weekday and year.")
    minute, hour, day, month, weekday, year = fields
    if (month, year) != ("*", "*"):
        raise RefusedError("names a month or a year, which associations do not know", "Write * for both.")
    if [day, weekday].count("?") != 1:
        raise RefusedError("needs exactly one ? among day and weekday", "Write ? for the one that does not matter.")
    if day not in ("?", "*"):
        raise RefusedError("names a day of the month, which associations do not know", "Write ? and a weekday.")
    if weekday in ("*", "?"):
        if (minute, hour) == ("0/30", "*"):
            return
        if minute == "0" and hour.startswith("0/"):
            _hours(hour[2:])
            return
    _number("minute", minute, 59)
    _number("hour", hour, 23)
    if weekday not in ("*", "?") and not re.fullmatch(f"({'|'.join(_WEEKDAYS)})(#[1-5])?", weekday):
        raise RefusedError(f"has the weekday {weekday!r}", "Write * or one of SUN, MON, TUE, WED, THU, FRI, SAT.")


def _hours(between: str) -> None:
    if between not in _HOURS_BETWEEN:
        raise RefusedError(f"runs every {between} hours", "Write 0/1, 0/2, 0/4, 0/8 or 0/12, or use rate(… hours).")


def _number(name: str, text: str, most: int) -> None:
    if not re.fullmatch("[0-9]{1,2}", text) or int(text) > most:
        raise RefusedError(f"has the {name} {text!r}", f"Write 0 to {most}.")
