"""The alerts of Prometheus that ring because of the page: named like CloudWatch's alarms, and silenced alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..aws import spoken
from ..restore.moments import moment, stamp
from .entry import SETTLING, Entry

#: Who makes the silences, as alert manager's list of them tells.
_AUTHOR = "runbook maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence that holds now, or will. ``alerts``: a pattern of names."""

    id: str
    begins: datetime
    ends: datetime
    alerts: str

    def fits(self, until: datetime, alarms: Sequence[str]) -> bool:
        """Whether it silences the twins of these alarms until ``until`` has settled."""
        return self.ends == until + SETTLING and self.alerts == _pattern(alarms)


def read(alert_manager: Any) -> tuple[Silence, ...]:
    """The silences of maintenance that are not past. A workspace serves one stack, so they are its own."""
    with spoken("aps:ListAlertManagerSilences"):
        found = alert_manager.list_silences()
    return tuple(
        Silence(
            id=one["id"],
            begins=moment(one["startsAt"]),
            ends=moment(one["endsAt"]),
            alerts=next((matcher["value"] for matcher in one["matchers"] if matcher["name"] == "alertname"), ""),
        )
        for one in found
        if one["createdBy"] == _AUTHOR and one["status"]["state"] != "expired"
    )


def arguments(
    entry: Entry, alarms: Sequence[str], until: datetime, before: Sequence[Silence], now: datetime
) -> dict[str, Any]:
    """Of the call that silences the twins of ``alarms`` until ``until`` has settled; one that is there is changed."""
    kept = before[0] if before else None
    return {
        **({"id": kept.id} if kept else {}),
        "matchers": [{"name": "alertname", "value": _pattern(alarms), "isRegex": True, "isEqual": True}],
        "startsAt": stamp(min(kept.begins, now) if kept else now),
        "endsAt": stamp(until + SETTLING),
        "createdBy": _AUTHOR,
        "comment": f"The maintenance page of {entry.site.environment} is on until {stamp(until)}",
    }


def _pattern(alarms: Sequence[str]) -> str:
    """Alert manager anchors it at both ends."""
    return "|".join(re.escape(name) for name in sorted(alarms))
