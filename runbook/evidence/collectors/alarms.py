"""What the stack's alarms did: when each changed, and whether somebody was told (``000_… §7``, ``001_… §1``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from ...operations.aws import spoken
from ...operations.site import Site
from ..manifest import canonical
from ..scope import Gap, Item, Scope, Statement, allow, forgotten

#: Without these CloudWatch tells of metric alarms alone.
_TYPES = ["CompositeAlarm", "LogAlarm", "MetricAlarm"]


@dataclass(frozen=True, slots=True)
class Alarms:
    """The history of the alarms whose names begin as the stack's do, deleted ones too."""

    kind: str = "alarms"
    clients: tuple[str, ...] = ("cloudwatch",)
    components: tuple[str, ...] = ("monitoring",)

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """States, times and targets; neither the measured values nor the messages that were sent."""
        (prefix,) = scope.entry("monitoring", "alarmPrefix")
        yield from forgotten(scope, "history", "CloudWatch")
        with spoken("cloudwatch:DescribeAlarmHistory"):
            pages = (
                scope.clients["cloudwatch"]
                .get_paginator("describe_alarm_history")
                .paginate(
                    AlarmTypes=_TYPES,
                    StartDate=scope.period.start,
                    EndDate=scope.period.end,
                    ScanBy="TimestampAscending",
                )
            )
            found = [_entry(one) for page in pages for one in page["AlarmHistoryItems"] if _is_of(one, scope, prefix)]
        found.sort(key=lambda one: (one["at"], one["alarm"], canonical(one)))
        yield Item(
            path="history.json",
            body=canonical({"history": found, "prefix": prefix}),
            source="cloudwatch:DescribeAlarmHistory",
        )

    def permissions(self, _site: Site, /) -> Iterable[Statement]:
        """CloudWatch keeps composite alarms from whoever may not ask for all."""
        yield allow("ReadAlarmHistory", ["cloudwatch:DescribeAlarmHistory"], ["*"])


def _is_of(one: Mapping[str, Any], scope: Scope, prefix: str) -> bool:
    return one["AlarmName"].startswith(prefix) and one["Timestamp"] in scope.period


def _entry(one: Mapping[str, Any]) -> dict[str, Any]:
    data = _data(one)
    told: dict[str, Any] = {
        "from": _state(data, "oldState"),
        "to": _state(data, "newState"),
        "action": _text(data, "notificationResource"),
        "outcome": _text(data, "actionState"),
        "change": _text(data, "type") if one["HistoryItemType"] == "ConfigurationUpdate" else None,
    }
    return {
        "alarm": one["AlarmName"],
        "at": one["Timestamp"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "item": one["HistoryItemType"],
        "type": one.get("AlarmType"),
        **{key: value for key, value in told.items() if value is not None},
    }


def _data(one: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        data = json.loads(one.get("HistoryData") or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _state(data: Mapping[str, Any], key: str) -> str | None:
    state = data.get(key)
    return _text(state, "stateValue") if isinstance(state, dict) else None


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) else None
