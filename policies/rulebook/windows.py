"""Daily and weekly windows of RDS as minutes on a circle of one week (UTC)."""

from __future__ import annotations

import re
from dataclasses import dataclass

DAY = 24 * 60
WEEK = 7 * DAY

#: The shortest window RDS accepts, in minutes.
SHORTEST = 30

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_DAILY = re.compile(rf"{_CLOCK}-{_CLOCK}")
_WEEKLY = re.compile(rf"({'|'.join(_DAYS)}):{_CLOCK}-({'|'.join(_DAYS)}):{_CLOCK}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Window:
    """``start``: minutes after Monday 00:00; ``length``: minutes, more than 0."""

    start: int
    length: int

    def meets(self, other: Window) -> bool:
        """Whether both hold the same minute somewhere in the week; windows that only touch do not meet."""
        return (other.start - self.start) % WEEK < self.length or (self.start - other.start) % WEEK < other.length


def daily(text: str) -> tuple[Window, ...] | None:
    """``hh:mm-hh:mm`` as seven windows, one a day; None where the text is no such window."""
    match = _DAILY.fullmatch(text.strip())
    if match is None:
        return None
    begin, end = _minutes(*match.groups()[:2]), _minutes(*match.groups()[2:])
    if begin == end:
        return None
    return tuple(Window(day * DAY + begin, (end - begin) % DAY) for day in range(7))


def weekly(text: str) -> Window | None:
    """``ddd:hh:mm-ddd:hh:mm``; None where the text is no such window."""
    match = _WEEKLY.fullmatch(text.strip())
    if match is None:
        return None
    first, *begins, second, end_hour, end_minute = match.groups()
    begin = _DAYS.index(first.lower()) * DAY + _minutes(*begins)
    end = _DAYS.index(second.lower()) * DAY + _minutes(end_hour, end_minute)
    return None if begin == end else Window(begin, (end - begin) % WEEK)


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)
