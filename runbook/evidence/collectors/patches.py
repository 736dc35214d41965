"""How machines stand with their patches, and which runs installed some (``001_… §3``, ``004_… Weekly Checklist``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...operations.aws import spoken
from ...operations.site import Site
from ..manifest import canonical, moment
from ..scope import Gap, Item, Scope, Statement, allow, forgotten

#: Of a machine's state. Among what is left out are the owner's own words.
_STATE = (
    "InstanceId",
    "PatchGroup",
    "BaselineId",
    "SnapshotId",
    "Operation",
    "OperationStartTime",
    "OperationEndTime",
    "LastNoRebootInstallOperationTime",
    "InstalledCount",
    "InstalledOtherCount",
    "InstalledPendingRebootCount",
    "InstalledRejectedCount",
    "MissingCount",
    "FailedCount",
    "CriticalNonCompliantCount",
    "SecurityNonCompliantCount",
    "OtherNonCompliantCount",
)

#: Of a run. Among what is left out are its parameters, outputs and messages.
_RUN = (
    "AutomationExecutionId",
    "AutomationExecutionStatus",
    "DocumentName",
    "DocumentVersion",
    "ExecutedBy",
    "ExecutionStartTime",
    "ExecutionEndTime",
)


@dataclass(frozen=True, slots=True)
class Patches:
    """Compliance as it is when it is collected, for Patch Manager knows no other, and the runs of the period."""

    kind: str = "patches"
    clients: tuple[str, ...] = ("ssm",)
    components: tuple[str, ...] = ("patching",)

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """Counts, ids and times."""
        groups, document = scope.entry("patching", "groups", "document")
        ssm = scope.clients["ssm"]
        names = sorted(groups.values())
        machines = [state for name in names for state in _states(ssm, name)]
        yield Item(
            path="states.json",
            body=canonical({"at": moment(scope.now), "groups": names, "machines": sorted(machines, key=canonical)}),
            source="ssm:DescribeInstancePatchStatesForPatchGroup",
        )
        yield from forgotten(scope, "runs", "Systems Manager")
        yield Item(
            path="runs.json",
            body=canonical({"document": document, "runs": _runs(scope, document)}),
            source=scope.site.arn("ssm", f"document/{document}"),
        )

    def permissions(self, _site: Site, /) -> Iterable[Statement]:
        """Neither takes a resource."""
        actions = ["ssm:DescribeAutomationExecutions", "ssm:DescribeInstancePatchStatesForPatchGroup"]
        yield allow("ReadPatches", actions, ["*"])


def _states(ssm: Any, group: str) -> Iterator[dict[str, Any]]:
    with spoken("ssm:DescribeInstancePatchStatesForPatchGroup"):
        pages = ssm.get_paginator("describe_instance_patch_states_for_patch_group").paginate(PatchGroup=group)
        for page in pages:
            yield from (_only(_STATE, one) for one in page["InstancePatchStates"])


def _runs(scope: Scope, document: str) -> list[dict[str, Any]]:
    with spoken("ssm:DescribeAutomationExecutions"):
        pages = (
            scope.clients["ssm"]
            .get_paginator("describe_automation_executions")
            .paginate(Filters=[{"Key": "DocumentNamePrefix", "Values": [document]}])
        )
        found = [one for page in pages for one in page["AutomationExecutionMetadataList"]]
    kept = [
        _only(_RUN, one)
        for one in found
        # The prefix may be that of others too.
        if one["DocumentName"] == document and one["ExecutionStartTime"] in scope.period
    ]
    return sorted(kept, key=canonical)


def _only(fields: tuple[str, ...], one: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields that it has, times as text."""
    kept = {field: one[field] for field in fields if field in one}
    return {field: moment(value) if isinstance(value, datetime) else value for field, value in kept.items()}
