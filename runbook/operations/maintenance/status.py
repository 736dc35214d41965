"""How the maintenance stands, and what of it does not fit together. It reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..aws import spoken
from ..restore.moments import moment
from . import alarms, silences
from .alarms import Mute
from .changeover import ALERT_MANAGER, scheduled_end
from .entry import SETTLING, Entry
from .record import Record, Records
from .silences import Silence
from .switch import Standing, switch
from .until import shown
from .web import Answer, Fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``scheduled``: when the page goes off by itself; ``wanted``: the alarms that the page sets off.

    ``silence``: of Prometheus' alerts, None where there is none; ``has_prometheus``: whether there could be.
    ``calendar``: OPEN or CLOSED, and when that changes. ``outside``: what the site answers from here.
    """

    at: datetime
    zone: str
    standing: Standing
    record: Record | None
    scheduled: datetime | None
    mute: Mute | None
    silence: Silence | None
    has_prometheus: bool
    wanted: tuple[str, ...]
    calendar: str
    changes_at: datetime | None
    outside: Answer

    @property
    def is_on(self) -> bool:
        return self.standing.position == "page"

    @property
    def is_mute(self) -> bool:
        return self.mute is not None and self.mute.status == "ACTIVE"

    @property
    def is_silent(self) -> bool:
        return self.silence is not None and self.silence.begins <= self.at < self.silence.ends


def read(entry: Entry, clients: Mapping[str, Any], fetch: Fetch, now: datetime) -> Status:
    """Reads everything, changing nothing."""
    cloudwatch = clients["cloudwatch"]
    with spoken("ssm:GetCalendarState"):
        calendar = clients["ssm"].get_calendar_state(CalendarNames=[entry.calendar])
    standing = switch(entry, clients).look()
    found = silences.read(clients[ALERT_MANAGER]) if entry.alert_manager else ()
    return Status(
        at=now,
        zone=entry.time_zone,
        standing=standing,
        record=Records(clients["ssm"], entry.record).read(),
        scheduled=scheduled_end(clients["scheduler"], entry),
        mute=alarms.read(cloudwatch, entry.mute_rule),
        silence=max(found, key=lambda one: one.ends, default=None),
        has_prometheus=bool(entry.alert_manager),
        wanted=tuple(alarms.names(cloudwatch, entry)),
        calendar=calendar["State"],
        changes_at=moment(calendar["NextTransitionTime"]) if calendar.get("NextTransitionTime") else None,
        # Without a path of its own: while the site is on, any answer but the page's will do.
        outside=fetch(entry.url, None),
    )


def troubles(status: Status) -> tuple[str, ...]:
    """What is past its end or half-done, a sentence each; none where all fits together."""
    if status.standing.position == "neither":
        return (f"Requests are led neither to the site nor to the page: {status.standing.why}.",)
    return tuple(_of_page(status) if status.is_on else _of_site(status))


def _of_page(status: Status) -> Iterator[str]:
    record, scheduled, now, zone = status.record, status.scheduled, status.at, status.zone
    if record is None:
        yield "Nobody is on record for it: it was switched by hand."
    elif record.ends <= now:
        yield f"The page is past its end, {shown(record.ends, zone)}; why it stayed is told by the off document's runs."
    elif scheduled is None:
        yield "Nothing is scheduled that takes the page off."
    elif scheduled != record.ends:
        yield f"The page goes off at {shown(scheduled, zone)}, and not when it says, {shown(record.ends, zone)}."
    if record is not None and record.told != record.until:
        yield "It was interrupted before anybody was told; the same command goes on from there."
    if status.wanted and not status.is_mute:
        yield "The alarms that the page sets off are not muted."
    if status.wanted and status.has_prometheus and not status.is_silent:
        yield "The alerts of Prometheus that the page sets off are not silenced."
    if not status.outside.is_page:
        yield f"From here it is not to be seen: the site {status.outside}."


def _of_site(status: Status) -> Iterator[str]:
    if status.scheduled is not None:
        yield f"The end of a page that is not on is scheduled for {shown(status.scheduled, status.zone)}."
    if status.is_mute and not _is_settling(status):
        yield "The alarms of the site are muted, although the page is not on."
    if status.is_silent and not _is_settling(status):
        yield "The alerts of Prometheus are silenced, although the page is not on."
    if status.record is not None and not status.record.told:
        yield "It was begun and interrupted before anybody was told."
    if status.outside.is_page:
        yield "Visitors see the page although nothing was switched."


def _is_settling(status: Status) -> bool:
    """Whether the page went off by itself, a moment ago."""
    record = status.record
    return record is not None and bool(record.told) and record.ends <= status.at < record.ends + SETTLING
