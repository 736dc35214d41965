"""One more recovery point of the database (``000_… §4``), and its copy in the recovery region (``002_… §6``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ..aws import error_code, spoken
from ..procedure import Done, Facts, Failed, Look, Stage, Todo, Waiting
from . import jobs
from .estate import RUN, Estate
from .jobs import Job

#: AWS Backup starts no job of RDS while RDS makes its own backup, and in the hour before.
_PATIENCE_SECONDS = 4 * 3600
_PAUSE_SECONDS = 30

#: The rule of the plan whose backups these are beside.
_RULE = "weekly"


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days the plan keeps a recovery point, and a copy of it."""

    here: int
    there: int


def kept(backup: Any, estate: Estate) -> Kept:
    """As the plan's weekly rule says; where it says nothing, as the inventory does."""
    with spoken("backup:GetBackupPlan"):
        rules = backup.get_backup_plan(BackupPlanId=estate.plan_id)["BackupPlan"]["Rules"]
    rule: Mapping[str, Any] = next((rule for rule in rules if rule["RuleName"] == _RULE), {})
    here = _days(rule, estate.retention_days)
    copies = (
        one for one in rule.get("CopyActions", ()) if one["DestinationBackupVaultArn"] == estate.recovery_vault_arn
    )
    return Kept(here=here, there=_days(next(copies, {}), here))


def _days(kept: Mapping[str, Any], otherwise: int) -> int:
    days: int = kept.get("Lifecycle", {}).get("DeleteAfterDays", otherwise)
    return days


def stages(estate: Estate, clients: Mapping[str, Any], run: str) -> Iterator[Stage]:
    """The backup and, where there is a recovery vault, its copy. ``clients``: ``backup`` and ``rds``."""
    days = kept(clients["backup"], estate)
    backup = _Backup(estate, clients, run, days.here)
    yield Stage(
        name="database",
        changes=f"Backs up the database {estate.database} into the vault {estate.vault}, for {days.here} days.",
        look=backup.look,
        call="backup.start_backup_job",
        action=("backup:ListBackupJobs", "rds:ListTagsForResource", "iam:PassRole", "backup:StartBackupJob"),
        arguments=backup.arguments,
        act=backup.act,
        patience=_PATIENCE_SECONDS,
        pause=_PAUSE_SECONDS,
    )
    if not estate.recovery_vault:
        return
    copy = _Copy(estate, clients, run, days.there)
    yield Stage(
        name="copy",
        changes=f"Copies that recovery point to {estate.recovery_region}, for {days.there} days.",
        look=copy.look,
        call="backup.start_copy_job",
        action=("backup:ListCopyJobs", "iam:PassRole", "backup:StartCopyJob"),
        arguments=copy.arguments,
        act=copy.act,
        patience=_PATIENCE_SECONDS,
        pause=_PAUSE_SECONDS,
    )


class _Jobs:
    """Looks at the jobs of one kind.

    What was started here and failed ends the run; what failed in an earlier one is tried again, under a new token,
    because AWS answers an old one with the job that failed.
    """

    def __init__(self, estate: Estate, clients: Mapping[str, Any], run: str, days: int) -> None:
        self._estate = estate
        self._backup = clients["backup"]
        self._rds = clients.get("rds")
        self._run = run
        self._days = days
        self._started: set[str] = set()
        self._spent = 0

    def _judge(self, found: Sequence[Job], done: Look | None) -> Look:
        for job in found:
            if job.under_way:
                return Waiting(f"{job.kind} job {job.id} is {job.state}{_progress(job)}")
        if done is not None:
            return done
        for job in found:
            if job.id in self._started and not job.well:
                return Failed(f"AWS Backup ended the {job.kind} job {job.id} as {job.state}: {_reason(job)}")
        self._spent = sum(not job.well for job in found)
        return Todo()

    def _token(self, purpose: str) -> str:
        return self._estate.site.labels.physical(purpose, self._run, str(self._spent), limit=64)


class _Backup(_Jobs):
    def look(self, _facts: Facts) -> Look:
        found = jobs.backups(self._backup, self._estate)
        ours = next((job for job in found if job.on_demand and job.well and self._is_ours(job)), None)
        return self._judge(found, Done({"recoveryPoint": ours.made}) if ours else None)

    def _is_ours(self, job: Job) -> bool:
        """A recovery point of RDS is a snapshot, and its tags are the snapshot's."""
        with spoken("rds:ListTagsForResource"):
            try:
                tags = self._rds.list_tags_for_resource(ResourceName=job.made)["TagList"]  # type: ignore[union-attr]
            except ClientError as error:
                if error_code(error) not in ("DBSnapshotNotFound", "DBSnapshotNotFoundFault"):
                    raise
                return False
        return {"Key": RUN, "Value": self._run} in tags

    def arguments(self, _facts: Facts) -> Mapping[str, Any]:
        tags = self._estate.site.labels.tags(service="backup", runbook="000_b5883a9168e66709.txt 4")
        return {
            "BackupVaultName": self._estate.vault,
            "ResourceArn": self._estate.database_arn,
            "IamRoleArn": self._estate.role_arn,
            "IdempotencyToken": self._token("backup"),
            "Lifecycle": {"DeleteAfterDays": self._days},
            "RecoveryPointTags": {**tags, RUN: self._run},
        }

    def act(self, facts: Facts) -> None:
        self._started.add(self._backup.start_backup_job(**self.arguments(facts))["BackupJobId"])


class _Copy(_Jobs):
    def look(self, facts: Facts) -> Look:
        found = jobs.copies(self._backup, self._estate, source=facts["recoveryPoint"])
        done = next((job for job in found if job.well), None)
        return self._judge(found, Done({"recoveryCopy": done.made}) if done else None)

    def arguments(self, facts: Facts) -> Mapping[str, Any]:
        return {
            "RecoveryPointArn": facts["recoveryPoint"],
            "SourceBackupVaultName": self._estate.vault,
            "DestinationBackupVaultArn": self._estate.recovery_vault_arn,
            "IamRoleArn": self._estate.role_arn,
            "IdempotencyToken": self._token("copy"),
            "Lifecycle": {"DeleteAfterDays": self._days},
        }

    def act(self, facts: Facts) -> None:
        self._started.add(self._backup.start_copy_job(**self.arguments(facts))["CopyJobId"])


def _progress(job: Job) -> str:
    return f", {float(job.percent):.0f} % done" if job.percent else ""


def _reason(job: Job) -> str:
    return f"{job.message.rstrip('.') or 'AWS gives no reason'}."
