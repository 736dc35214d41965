"""The state of the maintenance for a person, and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from ...console import Page
from ...words import count
from .entry import Entry
from .status import Status, troubles
from .until import shown


def lines(entry: Entry, found: Status, page: Page) -> Iterator[Text]:
    """What is on, then what is wrong with it."""
    yield Text(f"Maintenance of {entry.url}, {shown(found.at, found.zone)}", "bold")
    for name, value in _facts(entry, found):
        yield from page.hang(Text(f"  {name:<11}"), Text(value))
    wrong = troubles(found)
    for trouble in wrong:
        yield from page.hang(Text(f"  {page.signs.bad}", "bold red"), Text(trouble, "bold red"))
    if not wrong:
        yield Text("  All of this fits together.", "green")
        return
    environment = entry.site.environment
    yield Text("Next:")
    yield Text(f"  runbook maintenance off -e {environment} --apply")
    if found.is_on:
        yield Text(f"  runbook maintenance on -e {environment} --until … --apply")


def _facts(entry: Entry, found: Status) -> Iterator[tuple[str, str]]:
    position = {"site": "off: requests go to the site", "page": "ON: requests go to the page", "neither": "half"}
    yield "page", f"{position[found.standing.position]} ({entry.mode})"
    if (record := found.record) is not None:
        yield "until", shown(record.ends, found.zone)
        yield "by", f"{record.by}, since {record.since}"
        if record.override:
            yield "override", record.override
    yield "goes off", f"by itself at {shown(found.scheduled, found.zone)}" if found.scheduled else "nothing scheduled"
    yield "alarms", _alarms(found)
    if found.has_prometheus:
        silence = found.silence if found.is_silent else None
        yield "Prometheus", f"silenced until {shown(silence.ends, found.zone)}" if silence else "rings"
    change = f" until {shown(found.changes_at, found.zone)}" if found.changes_at else ""
    yield "calendar", f"{found.calendar.lower()}{change}"
    yield "outside", f"the page{_end(found)}" if found.outside.is_page else f"the site {found.outside}"


def _alarms(found: Status) -> str:
    if found.mute is None or found.mute.status == "EXPIRED":
        return f"ring ({count(len(found.wanted), 'alarm')} would be muted)"
    ends = f" until {shown(found.mute.ends, found.zone)}" if found.mute.ends else ""
    return f"{count(len(found.mute.alarms), 'alarm')} {'muted' if found.is_mute else 'about to be muted'}{ends}"


def _end(found: Status) -> str:
    record = found.record
    return "" if record is None or found.outside.tells(record.until) else ", with another end"


def document(entry: Entry, found: Status) -> str:
    """The same for a machine; times are ISO 8601 in UTC."""
    record, mute, silence, wrong = found.record, found.mute, found.silence, troubles(found)
    data = {
        "at": found.at.isoformat(),
        "by": record.by if record else None,
        "calendar": {"changesAt": _iso(found.changes_at), "state": found.calendar},
        "environment": entry.site.environment,
        "mode": entry.mode,
        "mute": {"alarms": sorted(mute.alarms), "ends": _iso(mute.ends), "status": mute.status} if mute else None,
        "outside": {"isPage": found.outside.is_page, "status": found.outside.status, "why": found.outside.why},
        "override": record.override if record else None,
        "position": found.standing.position,
        "scheduledEnd": _iso(found.scheduled),
        "silence": {"begins": _iso(silence.begins), "ends": _iso(silence.ends)} if silence else None,
        "since": record.since if record else None,
        "troubles": list(wrong),
        "until": record.until if record else None,
        "well": not wrong,
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
