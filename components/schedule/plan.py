"""What the schedule decides: when EventBridge calls, when alarms are mute, and what the configuration holds.

All of it is made from ``functions.common.calendar``, which the function asks too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from functions.common.calendar import Override, Period, Stretch, instant, stretches
from functions.common.plain import to_plain
from functions.schedule.env import SWEEP_MINUTES, Configuration

#: Seconds that a run may take, the most that Lambda gives; the function stops in time by itself.
SECONDS = 900

#: Characters that a parameter of the standard tier holds.
PARAMETER_LIMIT = 4096

#: Alarms that a mute rule names at most.
MOST_ALARMS = 100

#: A mute rule lasts 15 days at most; longer windows take several, which overlap by a day.
_LONGEST_MUTE, _MUTE_STEP = timedelta(days=14), timedelta(days=13)

#: How far the clock is put forward or back at most, and how long before its end a window is muted a second time.
_SHIFT, _LEAD = 60, 180

_NAMES = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A schedule of EventBridge. ``flexible``: minutes that it may come later; 0 for none."""

    name: str
    expression: str
    zone: str
    event: Mapping[str, str]
    flexible: int
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A mute rule: from each time of ``expression`` for ``length``; counts from ``starts`` on, until ``expires``."""

    key: str
    expression: str
    zone: str
    length: timedelta
    starts: datetime | None = None
    expires: datetime | None = None

    @property
    def duration(self) -> str:
        """In ISO 8601, as CloudWatch takes it: ``P2DT12H``."""
        minutes = round(self.length / timedelta(minutes=1))
        days, rest = divmod(minutes, _DAY)
        hours, rest = divmod(rest, 60)
        clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (rest, "M")) if count)
        return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def calls(periods: Mapping[str, Period]) -> tuple[Call, ...]:
    """A start and a stop for each period, and one sweep for all that they leave undone.

    EventBridge follows the zone's clock by itself. Holidays and exceptions are the function's: it asks the calendar.
    """
    made = [
        Call(
            name=f"{name}-{do}",
            expression=f"cron({minute % 60} {minute // 60} ? * {_weekdays(period.days)} *)",
            zone=period.zone,
            event={"do": do, "period": name},
            flexible=0,
            says=says,
        )
        for name, period in sorted(periods.items())
        for do, minute, says in (
            ("start", period.start, f"Starts what follows {name}"),
            ("stop", period.stop, f"Stops what follows {name}"),
        )
    ]
    # Not at the full quarter, at which most periods begin and end.
    sweep = Call(
        name="sweep",
        expression=f"cron(5/{SWEEP_MINUTES} * * * ? *)",
        zone="UTC",
        event={"do": "sweep"},
        flexible=5,
        says="Looks whether everything is as the calendar says",
    )
    return (*made, sweep)


def configuration(periods: Mapping[str, Period]) -> str:
    """What the function reads, as JSON with sorted keys. Raises ValueError where a parameter does not hold it."""
    plain = to_plain(Configuration(periods=dict(sorted(periods.items()))))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    if len(text) > PARAMETER_LIMIT:
        raise ValueError(
            f"The schedules take {len(text)} characters; a parameter holds {PARAMETER_LIMIT}. "
            "Delete holidays and overrides that are past."
        )
    return text


def alarms_of(
    subjects: Mapping[str, Collection[str]],
    alarms: Iterable[tuple[str, str]],
    composites: Iterable[tuple[str, Sequence[str]]],
) -> dict[str, tuple[str, ...]]:
    """Resource -> keys of the alarms that ring while it is stopped.

    ``subjects``: resource -> what its alarms watch; ``alarms``: key and what it watches; ``composites``: key and the
    alarms it listens to.
    """
    watched, heard = list(alarms), list(composites)
    found = {}
    for resource, names in subjects.items():
        own = {key for key, subject in watched if subject in names}
        found[resource] = (*sorted(own), *sorted(key for key, members in heard if own & {*members}))
    return found


def mutes(period: Period, ready: timedelta) -> tuple[Mute, ...]:
    """Rules that mute alarms from each stop until ``ready`` after the next start, and at no other time.

    The regular week is muted by rules that repeat. A rule lasts a fixed time while the clock is put forward or back, so
    each window has two: one from the stop until an hour before the end, and one over its last three hours, in which the
    settings let no clock change. Windows that an exception changes have rules of their own, once, in UTC; where it
    lets something run in a regular window, the rules that repeat pause, from one time of running to another.
    """
    regular = _repeating(period, ready)
    if not period.holidays and not period.overrides:
        return regular
    first, last = _reach(period)
    base = _windows(period.regular, ready, first, last)
    actual = _windows(period, ready, first, last)
    broken = [window for window in base if not _covered(window, actual)]
    whole = [window for window in base if _covered(window, actual)]
    once = [window for window in actual if not _covered(window, whole)]
    pauses = [_pause(window, base) for window in broken]
    return (
        *(part for rule in regular for part in _between(rule, pauses)),
        *(mute for window in once for mute in _once(*window)),
    )


def _weekdays(days: Sequence[int]) -> str:
    return ",".join(_NAMES[day % 7] for day in sorted({day % 7 for day in days}))


def _repeating(period: Period, ready: timedelta) -> tuple[Mute, ...]:
    ends = period.start + round(ready / timedelta(minutes=1))
    by_length: dict[int, list[int]] = {}
    for day in period.days:
        rest = min((other - day - 1) % 7 + 1 for other in period.days)
        by_length.setdefault(rest * _DAY + ends - period.stop, []).append(day)
    evenings = [
        Mute(
            key=f"for-{length // 60}h{length % 60:02}",
            expression=f"cron({period.stop % 60} {period.stop // 60} * * {_weekdays(days)})",
            zone=period.zone,
            length=timedelta(minutes=length - _SHIFT),
        )
        for length, days in sorted(by_length.items())
    ]
    before, minute = divmod(ends - _LEAD, _DAY)
    mornings = Mute(
        key="until-start",
        expression=f"cron({minute % 60} {minute // 60} * * {_weekdays([day + before for day in period.days])})",
        zone=period.zone,
        length=timedelta(minutes=_LEAD),
    )
    return (*evenings, mornings)


_Span = tuple[datetime, datetime]


def _reach(period: Period) -> _Span:
    """From well before the first exception to well after the last: whole windows lie around them."""
    days = [instant(day, 0, period.zone) for day in period.holidays]
    overrides = [edge for one in period.overrides for edge in _edges(one, period.zone)]
    margin = timedelta(days=16)
    return min([*days, *overrides]) - margin, max([*days, *overrides]) + margin


def _edges(override: Override, zone: str) -> _Span:
    return (
        instant(override.starts.date(), override.starts.hour * 60 + override.starts.minute, zone),
        instant(override.ends.date(), override.ends.hour * 60 + override.ends.minute, zone),
    )


def _windows(period: Period, ready: timedelta, first: datetime, last: datetime) -> list[_Span]:
    """When alarms have to be mute: while it is stopped, and until it is ready; without those that the edges cut."""
    found: list[_Span] = []
    parts: Sequence[Stretch] = stretches(period, first, last)
    for position, part in enumerate(parts):
        if part.running or not 0 < position < len(parts) - 1:
            continue
        if found and found[-1][1] >= part.begin:
            found[-1] = (found[-1][0], part.end + ready)
        else:
            found.append((part.begin, part.end + ready))
    return found


def _covered(window: _Span, others: Sequence[_Span]) -> bool:
    return any(begin <= window[0] and window[1] <= end for begin, end in others)


def _pause(window: _Span, base: Sequence[_Span]) -> _Span:
    """Around a regular window: from the middle of the running time before it to the middle of that after it.

    In the middle, so that nothing is muted at either end, and a clock that is read differently changes nothing.
    """
    position = base.index(window)
    before = base[position - 1][1] if position else window[0] - timedelta(hours=1)
    after = base[position + 1][0] if position + 1 < len(base) else window[1] + timedelta(hours=1)
    return _minute(before + (window[0] - before) / 2), _minute(window[1] + (after - window[1]) / 2)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _between(rule: Mute, pauses: Sequence[_Span]) -> Iterator[Mute]:
    """The rule before the first pause, between each two, and after the last."""
    starts: datetime | None = None
    for begin, end in [*pauses, (None, None)]:
        if begin is None or starts is None or starts < begin:
            key = rule.key if starts is None else f"{rule.key}-from-{starts:%Y%m%d}"
            yield Mute(
                key=key, expression=rule.expression, zone=rule.zone, length=rule.length, starts=starts, expires=begin
            )
        starts = end


def _once(begin: datetime, end: datetime) -> Iterator[Mute]:
    at = begin
    while True:
        utc = at.astimezone(UTC)
        length = end - at
        yield Mute(
            key=f"once-{utc:%Y%m%dT%H%M}",
            expression=f"at({utc:%Y-%m-%dT%H:%M})",
            zone="UTC",
            length=min(length, _LONGEST_MUTE),
        )
        if length <= _LONGEST_MUTE:
            return
        at += _MUTE_STEP


def files(root: Path) -> tuple[str, ...]:
    """The sources in the function's package, below ``root`` and in alphabetical order: its own and the shared ones."""
    folders = (root / "functions" / "schedule", root / "functions" / "common")
    found = [root / "functions" / "__init__.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    return tuple(sorted(path.relative_to(root).as_posix() for path in found))
