"""When something has to run: weekly hours, holidays and exceptions, in the local time of a zone.

The one place that decides it. The function asks it what has to run now, the component makes schedules and mute rules
of it, the simulator prints it. Nothing here knows the present time or AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What holds from ``starts`` to ``ends`` instead; both are local times of the period's zone."""

    starts: datetime
    ends: datetime
    running: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Runs on ``days`` (0 is Monday) from ``start`` to ``stop`` (minutes after midnight, ``stop`` the later one).

    ``holidays``: local days on which it is not started. Overrides come before holidays and do not overlap.
    """

    zone: str
    days: tuple[int, ...]
    start: int
    stop: int
    holidays: tuple[date, ...] = ()
    overrides: tuple[Override, ...] = ()

    @property
    def regular(self) -> Period:
        """The same without exceptions."""
        return replace(self, holidays=(), overrides=())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it has to run, and why."""

    running: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which nothing changes; both ends in UTC, the second one not included."""

    begin: datetime
    end: datetime
    running: bool
    reason: str

    @property
    def hours(self) -> float:
        return (self.end - self.begin) / timedelta(hours=1)

    def holds(self, begin: datetime, end: datetime) -> bool:
        """Whether all of ``begin`` to ``end`` lies in it."""
        return self.begin <= begin and end <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window of something else, such as a backup: on ``days`` at ``start`` of ``zone``, ``minutes`` long."""

    name: str
    zone: str
    days: tuple[int, ...]
    start: int
    minutes: int

    @property
    def is_daily(self) -> bool:
        return len(set(self.days)) == 7


def instant(day: date, minute: int, zone: str) -> datetime:
    """``minute`` of a local day in UTC: the first of two, and an hour later where the clock leaves it out."""
    return _utc(datetime(day.year, day.month, day.day, *divmod(minute, 60)), zone)  # noqa: DTZ001 - local time


def verdict(period: Period, now: datetime) -> Verdict:
    """What has to be the case at ``now`` (aware)."""
    for override in period.overrides:
        if _utc(override.starts, period.zone) <= now < _utc(override.ends, period.zone):
            return Verdict(override.running, override.reason)
    day = now.astimezone(ZoneInfo(period.zone)).date()
    begin, end = _hours(period, day)
    if day.weekday() in period.days and begin <= now < end:
        return Verdict(False, f"{day} is a holiday") if day in period.holidays else Verdict(True, "within its hours")
    return Verdict(False, "outside of its hours")


def stretches(period: Period, begin: datetime, end: datetime) -> tuple[Stretch, ...]:
    """``begin`` to ``end`` (aware) without a gap; neighbours differ in whether it runs, and it tells the first why."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    bounds = sorted({begin, *(edge for edge in _edges(period, begin, end) if begin < edge < end)})
    found: list[Stretch] = []
    for at, until in zip(bounds, [*bounds[1:], end], strict=True):
        said = verdict(period, at)
        if found and found[-1].running == said.running:
            found[-1] = replace(found[-1], end=until)
        else:
            found.append(Stretch(at, until, said.running, said.reason))
    return tuple(found) if begin < end else ()


def occurrences(window: Window, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The times of ``window`` that lie wholly between ``begin`` and ``end``, in their order."""
    for day in _days(begin, end, window.zone):
        opens = instant(day, window.start, window.zone)
        closes = opens + timedelta(minutes=window.minutes)
        if day.weekday() in window.days and begin <= opens and closes <= end:
            yield opens, closes


def missed(period: Period, window: Window, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Where stopped hours swallow the window, between ``begin`` and ``end``.

    A weekly window has to find it running from its beginning to its end: yields the times at which it does not. Of a
    daily one each stretch of running has to hold one, because a day on which nothing ran leaves nothing to be backed
    up: yields the stretches that hold none; those that ``begin`` or ``end`` cuts are not judged.
    """
    running = [stretch for stretch in stretches(period, begin, end) if stretch.running]
    times = list(occurrences(window, begin, end))
    if window.is_daily:
        for stretch in running:
            if begin < stretch.begin and stretch.end < end and not any(stretch.holds(*time) for time in times):
                yield stretch.begin, stretch.end
        return
    for time in times:
        if not any(stretch.holds(*time) for stretch in running):
            yield time


@cache
def clock_changes(zone: str, first: date, last: date) -> tuple[datetime, ...]:
    """The moments in UTC at which the zone's clock is put forward or back, from ``first`` to ``last``."""
    place = ZoneInfo(zone)
    found = []
    at = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC)
    while at < end:
        after = at + _DAY
        if at.astimezone(place).utcoffset() != after.astimezone(place).utcoffset():
            low, high = 0, 24 * 60
            while high - low > 1:
                middle = (low + high) // 2
                same = (at + timedelta(minutes=middle)).astimezone(place).utcoffset() == at.astimezone(
                    place
                ).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(at + timedelta(minutes=high))
        at = after
    return tuple(found)


def _utc(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _hours(period: Period, day: date) -> tuple[datetime, datetime]:
    return instant(day, period.start, period.zone), instant(day, period.stop, period.zone)


def _days(begin: datetime, end: datetime, zone: str) -> Iterator[date]:
    place = ZoneInfo(zone)
    day, last = begin.astimezone(place).date() - _DAY, end.astimezone(place).date()
    while day <= last:
        yield day
        day += _DAY


def _edges(period: Period, begin: datetime, end: datetime) -> Iterable[datetime]:
    for day in _days(begin, end, period.zone):
        yield from _hours(period, day)
    for override in period.overrides:
        yield _utc(override.starts, period.zone)
        yield _utc(override.ends, period.zone)
