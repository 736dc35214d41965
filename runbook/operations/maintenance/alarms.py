"""The alarms that ring because of the page, and the rule that mutes them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..aws import error_code, spoken
from .entry import SETTLING, Entry

#: Alarms that a mute rule names at most. One that names none would mute the whole account.
MOST_ALARMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A mute rule as it is. ``status``: SCHEDULED, ACTIVE or EXPIRED; ``begins``: None where it is not of this make."""

    status: str
    begins: datetime | None
    ends: datetime | None
    alarms: frozenset[str]

    def fits(self, until: datetime, alarms: Sequence[str]) -> bool:
        """Whether it mutes these alarms, now or in a moment, until ``until`` has settled."""
        return self.status != "EXPIRED" and self.ends == until + SETTLING and self.alarms == {*alarms}


def chosen(entry: Entry, alarms: Sequence[Mapping[str, Any]], composites: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the alarms to mute: those that watch what the page stands in for, and composites that listen to them.

    ``alarms``, ``composites``: as CloudWatch describes them.
    """
    names = {
        alarm["AlarmName"]
        for alarm in alarms
        if entry.watched & (found := {*_dimensions(alarm)}) and not entry.spared & found
    }
    listening = {one["AlarmName"] for one in composites if any(f'"{name}"' in one["AlarmRule"] for name in names)}
    return sorted(names | listening)


def _dimensions(alarm: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metrics = [alarm, *(one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one)]
    for metric in metrics:
        yield from ((one["Name"], one["Value"]) for one in metric.get("Dimensions", ()))


def names(cloudwatch: Any, entry: Entry) -> list[str]:
    """Names of the alarms to mute, as they are now."""
    asked = {"AlarmNamePrefix": entry.alarm_prefix} if entry.alarm_prefix else {}
    return chosen(entry, *_described(cloudwatch, **asked))


def ringing(cloudwatch: Any, alarms: Sequence[str]) -> list[str]:
    """Those of ``alarms`` that ring now."""
    if not alarms:
        return []
    found = _described(cloudwatch, AlarmNames=sorted(alarms), StateValue="ALARM")
    return sorted(one["AlarmName"] for kind in found for one in kind)


def _described(cloudwatch: Any, **asked: Any) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    metric, composite = [], []
    with spoken("cloudwatch:DescribeAlarms"):
        pages = cloudwatch.get_paginator("describe_alarms")
        for page in pages.paginate(AlarmTypes=["CompositeAlarm", "MetricAlarm"], **asked):
            metric += page.get("MetricAlarms", [])
            composite += page.get("CompositeAlarms", [])
    return metric, composite


def read(cloudwatch: Any, rule: str) -> Mute | None:
    """The rule, or None where there is none."""
    from botocore.exceptions import ClientError

    with spoken("cloudwatch:GetAlarmMuteRule"):
        try:
            found = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=rule)
        except ClientError as error:
            if error_code(error) not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            return None
    return Mute(
        status=found["Status"],
        begins=_begins(found["Rule"]["Schedule"]["Expression"]),
        ends=found.get("ExpireDate"),
        alarms=frozenset(found.get("MuteTargets", {}).get("AlarmNames", ())),
    )


def arguments(
    entry: Entry, alarms: Sequence[str], until: datetime, before: Mute | None, now: datetime
) -> dict[str, Any]:
    """Of the call that mutes ``alarms`` until ``until`` has settled. ``before``: the rule as it is.

    A rule that mutes already keeps its beginning, so that it does not pause; another one begins with the next minute,
    because a beginning that is past may be none.
    """
    kept = before.begins if before is not None and before.status == "ACTIVE" else None
    begins = kept or now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    ends = until + SETTLING
    return {
        "Name": entry.mute_rule,
        "Description": f"The maintenance page is on until {until:%Y-%m-%d %H:%M} UTC",
        "MuteTargets": {"AlarmNames": list(alarms)},
        "Rule": {
            "Schedule": {
                "Expression": f"at({begins:%Y-%m-%dT%H:%M})",
                "Duration": _duration(ends - begins),
                "Timezone": "UTC",
            }
        },
        "ExpireDate": ends,
    }


def _duration(length: timedelta) -> str:
    """In ISO 8601, whole minutes: ``PT2H15M``."""
    hours, minutes = divmod(round(length / timedelta(minutes=1)), 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes or not hours else "")


def _begins(expression: str) -> datetime | None:
    try:
        return datetime.strptime(expression, "at(%Y-%m-%dT%H:%M)").replace(tzinfo=UTC)
    except ValueError:
        return None
