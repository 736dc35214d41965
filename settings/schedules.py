"""When what is not always needed is stopped and started (``003_… Resource Scaling & Cost Management``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from functions.common import calendar

from . import kinds
from .backups import START_MINUTES, BackupSettings
from .escalation import DAYS, HOLIDAY, TIME_ZONE, Day
from .escalation import LOCAL_TIME as _LOCAL_TIME
from .faults import Fault, Path, listed
from .kinds import Kind, between, text
from .section import Section
from .times import daily_window, weekly_window

if TYPE_CHECKING:
    from .model import Settings

#: What can be stopped and started.
Resource = Literal["bastion", "database", "maintenance", "web"]

#: Minutes that a period runs at least, and that it rests between two days: less hardly saves anything, because
#: starting and stopping take a part of it, and RDS bills ten minutes for each start.
LEAST_RUN, LEAST_REST = 120, 240

#: Minutes around a start or stop in which no clock may change. Mute rules last a fixed time.
MARGIN_BEFORE_START, MARGIN = 180, 120

#: Days that an exception lasts at most; what lasts longer is another period.
LONGEST_OVERRIDE = 31

#: The regular week is judged over this year: both clock times are in it.
_FIRST = datetime(2026, 1, 5, tzinfo=UTC)
_YEAR = timedelta(weeks=53)

_CLOCKS = (date(2025, 1, 1), date(2038, 1, 1))

TIME_OF_DAY = text("time of day", "(?:[01][0-9]|2[0-3]):[0-5][0-9]", "A local time of the form HH:MM.", '"07:30"')

LOCAL_TIME = Kind(
    check=_LOCAL_TIME.check,
    rule="A local time of the period's zone of the form YYYY-MM-DDTHH:MM.",
    example='"2026-03-14T09:00"',
    schema=_LOCAL_TIME.schema,
)

PERIOD_NAME = text(
    "name of a period", "[a-z][a-z0-9-]{0,19}", "A name of small letters, digits and hyphens, 20 at most.", "office"
)

REASON = text(
    "reason",
    r"[A-Za-z0-9](?:[A-Za-z0-9 .,:/()_+-]{0,78}[A-Za-z0-9.)])?",
    "A reason of 80 characters at most: letters, digits, spaces and . , : / ( ) _ + -",
    "Load test",
)


class PeriodSettings(Section):
    """Hours in which something runs; outside of them it is stopped."""

    days: tuple[Day, ...] = Field(
        default=DAYS[:5],
        min_length=1,
        max_length=7,
        description="Days on which it runs.",
        examples=["[mon, tue, wed, thu, fri]"],
    )
    start: Annotated[str, TIME_OF_DAY] = Field(description="Local time at which it is started.")
    stop: Annotated[str, TIME_OF_DAY] = Field(
        description="Local time at which it is stopped, 2 to 20 hours after start."
    )
    time_zone: Annotated[str, TIME_ZONE] = Field(
        description="Zone of its times; they follow its clock through summer and winter."
    )


class ScheduleOverrideSettings(Section):
    """What holds for a while instead of the regular hours: a load test at night, a week in which nobody works."""

    periods: tuple[Annotated[str, PERIOD_NAME], ...] = Field(
        default=(), max_length=12, description="Periods it is for; all without any.", examples=["[office]"]
    )
    starts: Annotated[str, LOCAL_TIME] = Field(description="Local time at which it begins.")
    ends: Annotated[str, LOCAL_TIME] = Field(description="Local time at which the regular hours hold again.")
    state: Literal["running", "stopped"] = Field(description="running or stopped, whatever the hours say.")
    reason: Annotated[str, REASON] = Field(description="Why; logs and the simulator show it.")


class SchedulesSettings(Section):
    """What is stopped outside of its hours (``003_… Resource Scaling & Cost Management``); nothing by default."""

    periods: Mapping[Annotated[str, PERIOD_NAME], PeriodSettings] = Field(
        default={},
        max_length=12,
        description="Name -> hours; what follows the period has its name in the tag Schedule.",
        examples=['{office: {start: "07:30", stop: "19:00", time_zone: America/Detroit}}'],
    )
    holidays: tuple[Annotated[str, HOLIDAY], ...] = Field(
        default=(),
        max_length=40,
        description="Days on which nothing is started, 40 at most; delete those that are past.",
    )
    overrides: tuple[ScheduleOverrideSettings, ...] = Field(
        default=(), max_length=12, description="Exceptions, 12 at most; delete those that are past."
    )
    resources: Mapping[Resource, Annotated[str, PERIOD_NAME]] = Field(
        default={},
        description="bastion, database, maintenance or web -> its period; whatever is not named always runs.",
        examples=["{database: office, web: office}"],
    )
    ready_minutes: Annotated[int, between(5, 60, "Minutes")] = Field(
        default=20, description="Minutes after a start during which alarms stay mute, because not everything is up yet."
    )
    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=90, description="Days the log of starts and stops is kept."
    )
    reserved_concurrency: Annotated[int, between(1, 10, "Runs")] | None = Field(
        default=2, description="Concurrent runs of the function at most; empty where the account's quota has no room."
    )

    def followed(self) -> Mapping[str, calendar.Period]:
        """Name -> calendar of each period that something follows."""
        return {name: self._calendar(name) for name in sorted({*self.resources.values()} & self.periods.keys())}

    def of(self, resource: Resource) -> str | None:
        """The period that ``resource`` follows; None where it always runs."""
        return self.resources.get(resource)

    def _calendar(self, name: str) -> calendar.Period:
        period = self.periods[name]
        return calendar.Period(
            zone=period.time_zone,
            days=tuple(sorted({DAYS.index(day) for day in period.days})),
            start=_minute(period.start),
            stop=_minute(period.stop),
            holidays=tuple(sorted({date.fromisoformat(day) for day in self.holidays})),
            overrides=tuple(
                calendar.Override(
                    starts=datetime.fromisoformat(override.starts),
                    ends=datetime.fromisoformat(override.ends),
                    running=override.state == "running",
                    reason=override.reason,
                )
                for override in self.overrides
                if not override.periods or name in override.periods
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A window in which ``resource`` has to run. ``path``: the setting that says when the window is."""

    resource: Resource
    window: calendar.Window
    path: Path


def database_needs(backup_window: str, maintenance_window: str) -> tuple[Need, Need]:
    """The windows of RDS, which does neither to an instance that is stopped. Both are UTC, as settings have them."""
    start, minutes = daily_window(backup_window)
    weekly, length = weekly_window(maintenance_window)
    day, begin = divmod(weekly, 24 * 60)
    return (
        Need(
            resource="database",
            window=calendar.Window(
                name="database backup", zone="UTC", days=tuple(range(7)), start=start, minutes=minutes
            ),
            path=("database", "backup_window"),
        ),
        Need(
            resource="database",
            window=calendar.Window(name="database maintenance", zone="UTC", days=(day,), start=begin, minutes=length),
            path=("database", "maintenance_window"),
        ),
    )


def needs(settings: Settings) -> tuple[Need, ...]:
    """All windows of a stack in which something has to run."""
    database = settings.database
    return (
        *database_needs(database.backup_window, database.maintenance_window),
        *backup_needs(settings.backups),
        *patch_needs(settings.patching.install_window),
    )


def patch_needs(install_window: str) -> Iterator[Need]:
    """The window in which machines are patched, which a stopped one would miss."""
    weekly, length = weekly_window(install_window)
    day, begin = divmod(weekly, 24 * 60)
    resources: tuple[Resource, ...] = ("bastion", "maintenance", "web")
    for resource in resources:
        yield Need(
            resource=resource,
            window=calendar.Window(name="patches", zone="UTC", days=(day,), start=begin, minutes=length),
            path=("patching", "install_window"),
        )


def backup_needs(backups: BackupSettings) -> Iterator[Need]:
    """The times at which AWS Backup begins, which takes nothing of a database that is stopped."""
    weekly = backups.weekly
    begins: list[tuple[str, str, tuple[int, ...]]] = [("weekly", weekly.time, (DAYS.index(weekly.day),))]
    if backups.daily is not None:
        begins.append(("daily", backups.daily.time, tuple(range(7))))
    for name, time, days in begins:
        hour, minute = map(int, time.split(":"))
        window = calendar.Window(
            name=f"{name} backup", zone="UTC", days=days, start=hour * 60 + minute, minutes=START_MINUTES
        )
        yield Need(resource="database", window=window, path=("backups", name, "time"))


def broken_rules(
    settings: SchedulesSettings, *, needs: Sequence[Need] = (), path: Path = ("schedules",)
) -> Iterator[Fault]:
    """Faults between values that are each right by themselves.

    ``needs``: windows of whatever may follow a period; those of resources that always run are left alone.
    ``path``: where ``settings`` stands.
    """
    for name, period in settings.periods.items():
        yield from _hours_in_order(period, (*path, "periods", name))
    yield from _resources_follow_periods(settings, path)
    faulty = False
    for fault in _overrides(settings, path):
        faulty = True
        yield fault
    sound = {
        name: settings.periods[name] for name in settings.periods if not [*_hours_in_order(settings.periods[name], ())]
    }
    for name, period in sound.items():
        yield from _clocks_stand(period, (*path, "periods", name))
    if not faulty:
        yield from _windows_clear(settings, [need for need in needs if settings.of(need.resource) in sound])


def _minute(text_: str) -> int:
    hour, minute = map(int, text_.split(":"))
    return hour * 60 + minute


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _hours_in_order(period: PeriodSettings, path: Path) -> Iterator[Fault]:
    start, stop = _minute(period.start), _minute(period.stop)
    if stop - start < LEAST_RUN:
        yield Fault(
            path=(*path, "stop"),
            wrong=f"is less than 2 hours after start, {period.start}"
            if stop > start
            else f"is not after start, {period.start}",
            rule="A period begins and ends on the same day and lasts 2 hours at least.",
            way_out=f"Write {_clock(start + LEAST_RUN)} or later."
            if start + LEAST_RUN < 24 * 60
            else "Write an earlier start.",
        )
    elif stop - start > 24 * 60 - LEAST_REST:
        yield Fault(
            path=(*path, "stop"),
            wrong=f"leaves less than {LEAST_REST // 60} hours until the next start, {period.start}",
            rule="A shorter rest saves less than the stops and starts disturb.",
            way_out=f"Write {_clock(start + 24 * 60 - LEAST_REST)} or earlier.",
        )


def _resources_follow_periods(settings: SchedulesSettings, path: Path) -> Iterator[Fault]:
    for resource, name in settings.resources.items():
        if name not in settings.periods:
            yield _unknown_period((*path, "resources", resource), settings)


def _unknown_period(path: Path, settings: SchedulesSettings) -> Fault:
    known = sorted(settings.periods)
    return Fault(
        path=path,
        wrong="is no period",
        rule=f"The periods are {listed(known, 'and')}." if known else "There are no periods.",
        way_out="Write one of them, or add the period." if known else "Add the period.",
    )


def _overrides(settings: SchedulesSettings, path: Path) -> Iterator[Fault]:
    for position, override in enumerate(settings.overrides):
        at = (*path, "overrides", position)
        for place, name in enumerate(override.periods):
            if name not in settings.periods:
                yield _unknown_period((*at, "periods", place), settings)
        lasts = datetime.fromisoformat(override.ends) - datetime.fromisoformat(override.starts)
        if lasts <= timedelta(0):
            yield Fault(
                path=(*at, "ends"),
                wrong=f"is not after its start, {override.starts}",
                rule="An exception lasts a while.",
                way_out="Write a later time.",
            )
        elif lasts > timedelta(days=LONGEST_OVERRIDE):
            yield Fault(
                path=(*at, "ends"),
                wrong=f"is {lasts.days} days after its start, {override.starts}",
                rule=f"An exception lasts {LONGEST_OVERRIDE} days at most; what lasts longer is no exception.",
                way_out="Write an earlier time, or change the period.",
            )
        for other in settings.overrides[:position]:
            shared = not override.periods or not other.periods or {*override.periods} & {*other.periods}
            if shared and override.starts < other.ends and other.starts < override.ends:
                yield Fault(
                    path=(*at, "starts"),
                    wrong=f"lies in the exception from {other.starts} to {other.ends}",
                    rule="One exception holds at a time.",
                    way_out=f"Write {other.ends} or later, or shorten the other one.",
                )


def _clocks_stand(period: PeriodSettings, path: Path) -> Iterator[Fault]:
    """EventBridge leaves out a time that the clock skips, and a mute rule would end an hour early or late."""
    place = ZoneInfo(period.time_zone)
    changes = calendar.clock_changes(period.time_zone, *_CLOCKS)
    for key, before in (("start", MARGIN_BEFORE_START), ("stop", MARGIN)):
        minute = _minute(period.start if key == "start" else period.stop)
        for change in changes:
            local = change.astimezone(place).date()
            days = (
                day
                for day in (local - timedelta(days=1), local, local + timedelta(days=1))
                if DAYS[day.weekday()] in period.days
            )
            if any(
                at - timedelta(minutes=before) <= change <= at + timedelta(minutes=MARGIN)
                for at in (calendar.instant(day, minute, period.time_zone) for day in days)
            ):
                yield Fault(
                    path=(*path, key),
                    wrong=f"is too near to the change of the clock on {change.astimezone(place):%Y-%m-%d at %H:%M}",
                    rule=f"From {before // 60} hours before to {MARGIN // 60} hours after it the clock of "
                    f"{period.time_zone} must not change: a time may be left out, and alarms be muted too long.",
                    way_out="Write another time, or leave that day out.",
                )
                break


def _windows_clear(settings: SchedulesSettings, needs: Sequence[Need]) -> Iterator[Fault]:
    """Stopped hours do not swallow what has to be done while something runs (rule sched-windows-clear)."""
    followed = settings.followed()
    for need in needs:
        name = settings.resources[need.resource]
        period = followed[name].regular
        if next(calendar.missed(period, need.window, _FIRST, _FIRST + _YEAR), None) is None:
            continue
        yield Fault(
            path=need.path,
            wrong=f"falls into hours in which {need.resource} is stopped (schedules.periods.{name})",
            rule=f"Nothing is done to {need.resource} while it is stopped (000_… §4, 002_… §7.4).",
            way_out=_free(period, need.window),
        )


def _free(period: calendar.Period, window: calendar.Window) -> str:
    """Where the window would fit all year round, in its own zone."""
    place = ZoneInfo(window.zone)
    runs = [one for one in calendar.stretches(period, _FIRST, _FIRST + _YEAR) if one.running]
    begins = [one.begin.astimezone(place) for one in runs]
    latest = max(at.hour * 60 + at.minute for at in begins)
    longest = min(round(one.hours * 60) for one in runs)
    earliest = min(at.hour * 60 + at.minute for at in begins)
    room = longest - (latest - earliest)
    if room < window.minutes:
        return "Run longer, or leave the resource out of schedules.resources."
    days = listed([DAYS[day] for day in sorted({at.weekday() for at in begins})], "and")
    on = "" if window.is_daily else f" on {days}"
    return f"Put it between {_clock(latest)} and {_clock(latest + room)} {window.zone}{on}, or let it run longer."
