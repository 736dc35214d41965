"""How an alarm speaks to whoever is woken, and how an event speaks as an alarm does.

The messages of the escalation are made from these lines (``functions.common.alarm.describe``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from settings.severity import Severity

#: Minutes until somebody answers; None for the next business day (``004_… Severity Levels``).
RESPONSE_MINUTES: Mapping[Severity, int | None] = MappingProxyType(
    {"critical": 15, "high": 60, "medium": 240, "low": None}
)

#: The place-holders of every event's message -> where their values stand in the event.
EVENT_PATHS: Mapping[str, str] = MappingProxyType({"account": "$.account", "region": "$.region", "time": "$.time"})


def answer(severity: Severity, minutes: Mapping[Severity, int | None] = RESPONSE_MINUTES) -> str:
    """The response time in words: ``within 15 minutes``, ``within 1 hour``, ``on the next business day``."""
    time = minutes[severity]
    if time is None:
        return "on the next business day"
    count, unit = (time // 60, "hour") if time % 60 == 0 else (time, "minute")
    return f"within {count} {unit}{'' if count == 1 else 's'}"


def advice(
    severity: Severity,
    told: str,
    impact: str,
    *,
    run_book: str,
    first: str,
    minutes: Mapping[Severity, int | None] = RESPONSE_MINUTES,
) -> str:
    """``told``, a fact without its full stop, then lines with severity, impact, run book and first action."""
    return "\n".join(
        (
            f"{told}.",
            f"Severity: {severity}, respond {answer(severity, minutes)}",
            f"Impact: {impact}",
            f"Run book: {run_book}",
            f"First action: {first}",
        )
    )


def as_alarm(name: str, description: str, reason: str) -> str:
    """An input template of EventBridge in the keys of a CloudWatch alarm that rings: the escalation reads those.

    ``name``: of the rule; ``reason``: what happened, with place-holders in angle brackets. A text that is no alarm's
    would reach the channel and call nobody.
    """
    body = {
        "AlarmName": name,
        "AlarmDescription": description,
        "AWSAccountId": "<account>",
        "NewStateValue": "ALARM",
        "NewStateReason": reason,
        "Region": "<region>",
        "StateChangeTime": "<time>",
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True)
