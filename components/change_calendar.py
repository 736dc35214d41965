"""When nothing may be changed, where Systems Manager and every operation can ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import pulumi
import pulumi_aws as aws

from settings.changes import ChangeSettings
from settings.naming import Labels
from settings.times import DAYS, weekly_window

from ._base import Component

#: A Monday; weekly events are counted from its week on.
_FIRST_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

#: RFC 5545 wants to know when an entry was written; a fixed moment, so that a second run changes nothing.
_WRITTEN = "20240101T000000Z"


@dataclass(frozen=True, slots=True)
class Closed:
    """A time in which the calendar is closed, UTC; ``weekly``: and the same time of each week that follows."""

    starts: datetime
    ends: datetime
    reason: str
    weekly: bool = False


def closed_times(changes: ChangeSettings) -> tuple[Closed, ...]:
    """All times in which nothing may be changed, in UTC. A local time that occurs twice is the earlier one."""
    zone = ZoneInfo(changes.time_zone)

    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)

    once = [Closed(moment(freeze.starts), moment(freeze.ends), freeze.reason) for freeze in changes.freezes]
    weekly = []
    for freeze in changes.weekly:
        minute, length = weekly_window(freeze.window)
        starts = _FIRST_MONDAY + timedelta(minutes=minute)
        weekly.append(Closed(starts, starts + timedelta(minutes=length), freeze.reason, weekly=True))
    return (*once, *weekly)


def icalendar(title: str, times: Sequence[Closed]) -> str:
    """The calendar as RFC 5545 has it and Change Calendar reads it: open, but for its events."""
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//AWS//Change Calendar 1.0//EN",
        "VERSION:2.0",
        "X-CALENDAR-TYPE:DEFAULT_OPEN",
        f"X-WR-CALDESC:{title}",
        *(line for time in times for line in _event(time)),
        *(() if times else _empty()),
        "END:VCALENDAR",
    ]
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _event(time: Closed) -> Iterator[str]:
    begins = f"{time.starts:%Y%m%dT%H%M%SZ}"
    yield "BEGIN:VEVENT"
    yield f"DTSTAMP:{_WRITTEN}"
    yield f"DTSTART:{begins}"
    yield f"DTEND:{time.ends:%Y%m%dT%H%M%SZ}"
    if time.weekly:
        yield f"RRULE:FREQ=WEEKLY;BYDAY={DAYS[time.starts.weekday()][:2].upper()}"
    yield f"UID:{sha256(f'{begins} {time.ends} {time.reason}'.encode()).hexdigest()[:32]}"
    yield f"SUMMARY:{time.reason}"
    yield "END:VEVENT"


def _empty() -> Iterator[str]:
    """A calendar without an entry is refused; this is the one that the console puts into a new one."""
    yield from (
        "BEGIN:VTODO",
        f"DTSTAMP:{_WRITTEN}",
        "UID:no-freezes",
        "SUMMARY:Add events to this calendar.",
        "END:VTODO",
    )


def _folded(line: str) -> Iterator[str]:
    """RFC 5545: a line has 75 bytes at most; what follows begins with a space."""
    part, size = "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 75:
            yield part
            part, size = " ", 1
        part += letter
        size += width
    yield part


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeCalendarArgs:
    """``changes``: when nothing may be changed."""

    changes: ChangeSettings


class ChangeCalendar(Component):
    """The environment's calendar: operations, patching and the maintenance page ask it first."""

    TYPE = "learning-platform:changes:ChangeCalendar"
    SERVICE = "changes"
    RUNBOOK = "003_720b7a256857bf84.txt Scheduled Maintenance"

    calendar_name: pulumi.Output[str]
    calendar_arn: pulumi.Output[str]

    def __init__(
        self, name: str, args: ChangeCalendarArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._calendar = self._create_calendar(args)
        self.calendar_name = self._calendar.name
        self.calendar_arn = self._calendar.arn
        self.register_outputs({"calendarName": self.calendar_name})

    def _create_calendar(self, args: ChangeCalendarArgs) -> aws.ssm.Document:
        title = f"When {self.labels.project} {self.labels.environment} is not changed"
        return aws.ssm.Document(
            self.name,
            name=self.labels.physical("changes", limit=128),
            document_type="ChangeCalendar",
            document_format="TEXT",
            content=icalendar(title, closed_times(args.changes)),
            tags=self.tags(self.name),
            opts=self.child(),
        )
