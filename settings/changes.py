"""When nothing may be changed (``002_… §10``, ``003_… Scheduled Maintenance: Check the lab calendar``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from .escalation import LOCAL_TIME, TIME_ZONE
from .faults import Fault
from .kinds import MAINTENANCE_WINDOW, text
from .section import Section

REASON = text(
    "reason",
    r"[^\s\\;,](?:[^\r\n\\;,]{0,118}[^\s\\;,])?",
    "A reason of 120 characters at most, without backslash, semicolon and comma.",
    "Exam week",
)


class FreezeSettings(Section):
    """A time in which nothing is changed: exams, a class in the lab (``003_… Check the lab calendar``)."""

    starts: Annotated[str, LOCAL_TIME] = Field(description="Local time at which it begins.")
    ends: Annotated[str, LOCAL_TIME] = Field(description="Local time at which changes are possible again.")
    reason: Annotated[str, REASON] = Field(description="Why, as the calendar shows it.")


class WeeklyFreezeSettings(Section):
    """A time of each week in which nothing is changed."""

    window: Annotated[str, MAINTENANCE_WINDOW] = Field(description="Weekly, UTC, ddd:HH:MM-ddd:HH:MM.")
    reason: Annotated[str, REASON] = Field(description="Why, as the calendar shows it.")


class ChangeSettings(Section):
    """The calendar that operations ask before they change anything; open unless it says otherwise."""

    time_zone: Annotated[str, TIME_ZONE] = Field(default="UTC", description="Zone of all local times here.")
    freezes: tuple[FreezeSettings, ...] = Field(
        default=(), max_length=100, description="Times without changes, 100 at most (003_… Check the lab calendar)."
    )
    weekly: tuple[WeeklyFreezeSettings, ...] = Field(
        default=(), max_length=20, description="Weekly times without changes, 20 at most."
    )


def broken_rules(changes: ChangeSettings) -> Iterator[Fault]:
    """Faults between values that are each right by themselves; paths begin with ``changes``."""
    zone = ZoneInfo(changes.time_zone)
    for position, freeze in enumerate(changes.freezes):
        starts, ends = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (freeze.starts, freeze.ends))
        if starts.timestamp() >= ends.timestamp():
            yield Fault(
                path=("changes", "freezes", position, "ends"),
                wrong=f"is not after starts, {freeze.starts}",
                rule="A time without changes ends after it begins (003_… Check the lab calendar).",
                way_out="Write a later time.",
            )
