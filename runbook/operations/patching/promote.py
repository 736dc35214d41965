"""Which patches prod may have: those that staging ran for some days without an alarm (``001_… §3``).

What is approved in prod stands in prod's settings alone. Promoting moves the lines on; a review and a deployment bring
them into force.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ..aws import spoken
from .machines import machines, troubles
from .runs import Run, runs
from .stack_file import Edit

#: The clients that ``verify`` needs, of the environment that goes first.
CLIENTS = ("cloudwatch", "ec2", "rds", "ssm")

#: The components whose inventory says where things are.
COMPONENTS = ("database", "monitoring", "patching")

#: RDS remembers events for 14 days; the margin is for clocks.
_RDS_MEMORY = timedelta(days=14) - timedelta(minutes=5)

#: What CloudWatch takes in one call.
_ALARMS_AT_ONCE = 100

#: How the history tells of an action that was not muted.
_RANG = ("Successfully executed action", "Failed to execute action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What an environment runs: ``until`` the newest release date, the image of servers, the database's version.

    None: not known, or nothing that could be promoted.
    """

    until: date
    image: str | None
    engine_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``level``: what may be promoted, None where something speaks against it; ``reasons``: what does.

    ``run``: the run that ``level`` comes from; ``notes``: what was left out, and why.
    """

    run: Run | None
    level: Level | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(
    clients: Mapping[str, Any],
    inventory: Mapping[str, Mapping[str, Any]],
    now: datetime,
    *,
    days: int,
    delay_days: int,
) -> Verdict:
    """What staging has run for ``days`` days without trouble. Reads only.

    ``inventory``: component -> its entry; ``delay_days``: after its release that a patch is approved in staging.
    """
    found = tuple(runs(clients["ssm"], inventory["patching"]))
    soaked = next((run for run in found if _is_soaked(run, now, days)), None)
    if soaked is None:
        reason = f"No run that installed patches ended well {days} days ago or more, in the 30 that are remembered."
        return Verdict(run=None, level=None, reasons=(reason,))
    reasons = (
        *_failed_since(found, soaked),
        *_machines(clients, inventory["patching"], now),
        *_alarms(clients["cloudwatch"], frozenset(inventory["monitoring"]["alarms"].values()), soaked.started, now),
    )
    if reasons:
        return Verdict(run=soaked, level=None, reasons=reasons)
    notes: list[str] = []
    level = Level(
        until=released_until(soaked.started, delay_days),
        image=_image(soaked, notes),
        engine_version=_engine(clients["rds"], inventory["database"]["identifier"], now, days, notes),
    )
    return Verdict(run=soaked, level=level, reasons=(), notes=tuple(notes))


def released_until(started: datetime, delay_days: int) -> date:
    """The last release date of which every patch was approved when a run began."""
    return started.date() - timedelta(days=delay_days + 1)


def _is_soaked(run: Run, now: datetime, days: int) -> bool:
    return run.outcome == "installed" and run.ended is not None and now - run.ended >= timedelta(days=days)


def _failed_since(found: Iterable[Run], soaked: Run) -> Iterator[str]:
    for run in found:
        if run.outcome == "failed" and run.started > soaked.started:
            yield f"Run {run.id} of {run.started:%Y-%m-%d} failed."


def _machines(clients: Mapping[str, Any], entry: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """What is missing since the run was released after it, and is not promoted."""
    found = machines(clients["ec2"], clients["ssm"], entry["groups"])
    if not any(machine.runs for machine in found):
        yield "No machine runs, so nothing can be said of them; ask again while the environment is up."
    for machine in found:
        for trouble in troubles(machine, now):
            yield f"{machine.id} ({machine.group}): {trouble}."


def _alarms(cloudwatch: Any, names: frozenset[str], since: datetime, now: datetime) -> Iterator[str]:
    """Alarms that called somebody since the run, and those that are in alarm. A muted one calls nobody."""
    for name, at in rings(_history(cloudwatch, since, now), names):
        yield f"The alarm {name} rang on {at:%Y-%m-%d %H:%M} UTC."
    listed = sorted(names)
    for start in range(0, len(listed), _ALARMS_AT_ONCE):
        with spoken("cloudwatch:DescribeAlarms"):
            answer = cloudwatch.describe_alarms(
                AlarmNames=listed[start : start + _ALARMS_AT_ONCE],
                AlarmTypes=["CompositeAlarm", "MetricAlarm"],
                StateValue="ALARM",
                MaxRecords=_ALARMS_AT_ONCE,
            )
        for one in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
            yield f"The alarm {one['AlarmName']} is in alarm."


def _history(cloudwatch: Any, since: datetime, now: datetime) -> list[Mapping[str, Any]]:
    with spoken("cloudwatch:DescribeAlarmHistory"):
        pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmTypes=["CompositeAlarm", "MetricAlarm"], StartDate=since, EndDate=now
        )
        return [one for page in pages for one in page["AlarmHistoryItems"]]


def rings(history: Iterable[Mapping[str, Any]], names: frozenset[str]) -> Iterator[tuple[str, datetime]]:
    """Alarm and moment of each time that one of ``names`` went into alarm and its actions were taken."""
    went: dict[str, datetime] = {}
    # Of one moment the change of state comes first.
    ordered = sorted(history, key=lambda one: (one["Timestamp"], one["HistoryItemType"] != "StateUpdate"))
    for one in ordered:
        name = one["AlarmName"]
        if name not in names:
            continue
        if one["HistoryItemType"] == "StateUpdate":
            went.pop(name, None)
            if _new_state(one) == "ALARM":
                went[name] = one["Timestamp"]
        elif one["HistoryItemType"] == "Action" and name in went and one["HistorySummary"].startswith(_RANG):
            yield name, went.pop(name)


def _new_state(one: Mapping[str, Any]) -> str | None:
    try:
        state = json.loads(one["HistoryData"])["newState"]["stateValue"]
    except (KeyError, TypeError, ValueError):
        # What cannot be read counts: a ring too many is looked at, one too few is not.
        return "ALARM" if one.get("HistorySummary", "").endswith("to ALARM") else None
    return str(state)


def _image(run: Run, notes: list[str]) -> str | None:
    if len(run.images) == 1:
        return run.images[0]
    notes.append(f"Servers ran {len(run.images)} images at the end of the run, so none is promoted.")
    return None


def _engine(rds: Any, identifier: str, now: datetime, days: int, notes: list[str]) -> str | None:
    """The database's version, unless it was maintained within ``days``."""
    with spoken("rds:DescribeDBInstances"):
        (instance,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    with spoken("rds:DescribeEvents"):
        pages = rds.get_paginator("describe_events").paginate(
            SourceIdentifier=identifier,
            SourceType="db-instance",
            EventCategories=["maintenance"],
            StartTime=now - min(timedelta(days=days), _RDS_MEMORY),
            EndTime=now,
        )
        events = [one for page in pages for one in page["Events"]]
    if events:
        notes.append(f"The database was maintained within {days} days, so its version is not promoted yet.")
        return None
    return str(instance["EngineVersion"])


def edits(
    level: Level, *, until: str | None, image: str | None, engine_version: str, architectures_match: bool
) -> tuple[Edit, ...]:
    """What moves prod on to ``level``; the other arguments are what prod's settings say. Nothing ever goes back.

    An image is moved on where one is pinned and both environments' servers have one architecture; a version of the
    database where a minor one is pinned, and within its major version.
    """
    found = []
    if until is None or level.until.isoformat() > until:
        found.append(Edit(section="patching", key="approve_until", value=level.until.isoformat()))
    if level.image is not None and image is not None and architectures_match and level.image != image:
        found.append(Edit(section="web", key="image_id", value=level.image))
    if level.engine_version is not None and _follows(level.engine_version, engine_version):
        found.append(Edit(section="database", key="engine_version", value=level.engine_version))
    return tuple(found)


def _follows(version: str, pinned: str) -> bool:
    if "." not in pinned or "." not in version:
        return False
    new, old = ([int(part) for part in text.split(".")] for text in (version, pinned))
    return new[0] == old[0] and new > old
