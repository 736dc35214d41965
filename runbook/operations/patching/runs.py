"""The runs that installed patches, as Systems Manager remembers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ..aws import spoken

#: ``frozen``: the calendar was closed, and nothing was installed.
Outcome = Literal["installed", "frozen", "failed", "under way"]

_UNDER_WAY = frozenset({"Pending", "InProgress", "Waiting", "Cancelling", "PendingApproval", "Approved", "Scheduled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. ``images``: what the servers ran at its end."""

    id: str
    outcome: Outcome
    started: datetime
    ended: datetime | None
    images: tuple[str, ...] = ()


def runs(ssm: Any, entry: Mapping[str, Any]) -> Iterator[Run]:
    """The runs, the newest first; Systems Manager forgets them after 30 days. ``entry``: the inventory's."""
    document = str(entry["document"])
    with spoken("ssm:DescribeAutomationExecutions"):
        pages = ssm.get_paginator("describe_automation_executions").paginate(
            Filters=[{"Key": "DocumentNamePrefix", "Values": [document]}]
        )
        found = [
            one
            for page in pages
            for one in page["AutomationExecutionMetadataList"]
            # The prefix is also that of the hooks.
            if one["DocumentName"] == document
        ]
    for one in sorted(found, key=lambda one: one["ExecutionStartTime"], reverse=True):
        yield _run(ssm, one, str(entry["lastStep"]))


def _run(ssm: Any, one: Mapping[str, Any], last_step: str) -> Run:
    status = one["AutomationExecutionStatus"]
    known = {"id": one["AutomationExecutionId"], "started": one["ExecutionStartTime"]}
    if status in _UNDER_WAY:
        return Run(**known, outcome="under way", ended=None)
    ended = one.get("ExecutionEndTime")
    if status != "Success":
        return Run(**known, outcome="failed", ended=ended)
    with spoken("ssm:GetAutomationExecution"):
        execution = ssm.get_automation_execution(AutomationExecutionId=known["id"])["AutomationExecution"]
    for step in execution.get("StepExecutions", ()):
        if step["StepName"] == last_step and step.get("StepStatus") == "Success":
            images = tuple(sorted(step.get("Outputs", {}).get("Images", ())))
            return Run(**known, outcome="installed", ended=ended, images=images)
    return Run(**known, outcome="frozen", ended=ended)
