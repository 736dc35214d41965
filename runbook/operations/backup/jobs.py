"""The jobs of AWS Backup and what they made, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ..aws import spoken
from .estate import Estate

#: How a job can stand before it has ended.
UNDER_WAY = frozenset({"ABORTING", "CREATED", "PENDING", "RUNNING"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``made``: ARN of the recovery point or resource that came of it; ``source``: the recovery point it began with.

    ``on_demand``: somebody asked for it, rather than a plan. ``message``: what AWS says of it, most often empty.
    """

    kind: Literal["backup", "copy", "restore"]
    id: str
    resource: str
    state: str
    created: datetime
    ended: datetime | None
    message: str
    made: str = ""
    source: str = ""
    on_demand: bool = False
    percent: str = ""

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def well(self) -> bool:
        return self.state == "COMPLETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A recovery point. ``days``: how long it is kept, None for ever."""

    arn: str
    state: str
    made: datetime
    days: int | None
    key: str
    encrypted: bool

    @property
    def whole(self) -> bool:
        """Whether it can be restored; a continuous one is AVAILABLE and ends nowhere, so it has no place in a chain."""
        return self.state == "COMPLETED"


def backups(backup: Any, estate: Estate, since: datetime | None = None) -> list[Job]:
    """The database's backup jobs into the vault, the newest first; AWS knows those of the last 30 days."""
    after = {"ByCreatedAfter": since} if since else {}
    with spoken("backup:ListBackupJobs"):
        found = _all(
            backup,
            "list_backup_jobs",
            "BackupJobs",
            ByResourceArn=estate.database_arn,
            ByBackupVaultName=estate.vault,
            **after,
        )
    return _newest_first(
        _job(
            "backup",
            job,
            made=job.get("RecoveryPointArn", ""),
            on_demand="BackupPlanId" not in job.get("CreatedBy", {}),
        )
        for job in found
    )


def copies(backup: Any, estate: Estate, *, source: str | None = None, since: datetime | None = None) -> list[Job]:
    """The jobs that copy the database's recovery points, or ``source`` alone, to the recovery vault."""
    which = {"BySourceRecoveryPointArn": source} if source else {"ByResourceArn": estate.database_arn}
    after = {"ByCreatedAfter": since} if since else {}
    with spoken("backup:ListCopyJobs"):
        found = _all(
            backup, "list_copy_jobs", "CopyJobs", ByDestinationVaultArn=estate.recovery_vault_arn, **which, **after
        )
    return _newest_first(
        _job(
            "copy",
            job,
            made=job.get("DestinationRecoveryPointArn", ""),
            source=job.get("SourceRecoveryPointArn", ""),
        )
        for job in found
    )


def restores(backup: Any, estate: Estate, since: datetime) -> list[Job]:
    """The jobs that restored the database; one whose validation failed counts as failed."""
    with spoken("backup:ListRestoreJobs"):
        found = _all(backup, "list_restore_jobs", "RestoreJobs", ByResourceType="RDS", ByCreatedAfter=since)
    return _newest_first(
        _job("restore", job, made=job.get("CreatedResourceArn", ""), source=job.get("RecoveryPointArn", ""))
        for job in found
        if job.get("SourceResourceArn") == estate.database_arn
    )


def points(backup: Any, estate: Estate, vault: str) -> list[Point]:
    """The database's recovery points in ``vault``, the newest first."""
    with spoken("backup:ListRecoveryPointsByBackupVault"):
        found = _all(
            backup,
            "list_recovery_points_by_backup_vault",
            "RecoveryPoints",
            BackupVaultName=vault,
            ByResourceArn=estate.database_arn,
        )
    made = (
        Point(
            arn=point["RecoveryPointArn"],
            state=point["Status"],
            made=point["CreationDate"],
            days=point.get("Lifecycle", {}).get("DeleteAfterDays"),
            key=point.get("EncryptionKeyArn", ""),
            encrypted=point.get("IsEncrypted", False),
        )
        for point in found
    )
    return sorted(made, key=lambda point: point.made, reverse=True)


def _job(kind: Literal["backup", "copy", "restore"], job: Mapping[str, Any], **more: Any) -> Job:
    state, message = job.get("State") or job["Status"], job.get("StatusMessage", "")
    if state == "COMPLETED" and job.get("ValidationStatus") in ("FAILED", "TIMED_OUT"):
        state, message = "FAILED", f"the validation says: {job.get('ValidationStatusMessage') or 'no reason'}"
    return Job(
        kind=kind,
        id=job[f"{kind.capitalize()}JobId"],
        resource=job.get("ResourceArn") or job.get("SourceResourceArn", ""),
        state=state,
        created=job["CreationDate"],
        ended=job.get("CompletionDate"),
        message=message,
        percent=job.get("PercentDone", ""),
        **more,
    )


def _newest_first(jobs: Any) -> list[Job]:
    return sorted(jobs, key=lambda job: job.created, reverse=True)


def _all(client: Any, method: str, key: str, **arguments: Any) -> list[Mapping[str, Any]]:
    return [item for page in client.get_paginator(method).paginate(**arguments) for item in page.get(key, ())]
