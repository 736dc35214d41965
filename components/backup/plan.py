"""What backups decide: when and how long, which failures ring, which ages are too old."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from settings.backups import BackupSettings, Day, RestoreTestSettings, copied_days, kept_days
from settings.severity import Severity

from .._told import EVENT_PATHS, advice, as_alarm

#: The backup class that the plan selects; its tag is on whatever is to be backed up.
BACKUP_CLASS = "weekly"

#: Minutes after which a job that is not done is given up.
COMPLETION_MINUTES = 8 * 60

#: Seconds that the function may run: the longest that Lambda allows, because a database takes minutes to be ready.
FUNCTION_SECONDS = 900

#: What the function logs as numbers: metric -> dimension -> where its value stands in the log's record.
METRICS: Mapping[str, Mapping[str, str]] = {
    "RecoveryPointAgeHours": {"Vault": "$.vault"},
    "RestoreTestAgeHours": {},
    "RestoreTestFailed": {},
}

#: Hours of grace before something that should have happened counts as missing.
_GRACE = 24

#: What those who are woken read on.
RUN_BOOK = "004_… Backup and Recovery Testing"

#: AWS's own policies for the roles: what is stored in databases and volumes, and what in buckets.
BACKUP_POLICIES = {
    "disks": "service-role/AWSBackupServiceRolePolicyForBackup",
    "buckets": "AWSBackupServiceRolePolicyForS3Backup",
}
RESTORE_POLICIES = {
    "disks": "service-role/AWSBackupServiceRolePolicyForRestores",
    "buckets": "AWSBackupServiceRolePolicyForS3Restore",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRule:
    """A rule of the plan. ``schedule``: UTC; ``copy_days``: that its copies are kept, None for no copies."""

    name: str
    schedule: str
    keep_days: int
    cold_after_days: int | None = None
    copy_days: int | None = None
    is_continuous: bool = False


def rules(settings: BackupSettings) -> tuple[PlannedRule, ...]:
    """The rules of the plan: the weekly one, and those that the settings ask for."""
    schedules = {"weekly": cron(settings.weekly.time, weekday=settings.weekly.day)}
    if settings.daily:
        schedules["daily"] = cron(settings.daily.time)
    if settings.monthly:
        schedules["monthly"] = cron(settings.monthly.time, day_of_month=settings.monthly.day_of_month)
    if settings.continuous_days:
        schedules["continuous"] = cron(settings.daily.time if settings.daily else settings.weekly.time)
    kept, copied = kept_days(settings), copied_days(settings)
    return tuple(
        PlannedRule(
            name=name,
            schedule=schedule,
            keep_days=kept[name],
            cold_after_days=settings.monthly.cold_after_days if settings.monthly and name == "monthly" else None,
            copy_days=copied.get(name),
            is_continuous=name == "continuous",
        )
        for name, schedule in schedules.items()
    )


def cron(time: str, *, weekday: Day | None = None, day_of_month: int | None = None) -> str:
    """A schedule, UTC: each day at ``time`` (``HH:MM``), or on one day of the week or of the month.

    Raises ValueError for both days at once, which no schedule can name.
    """
    if weekday and day_of_month:
        raise ValueError(f"A schedule names {weekday} or day {day_of_month}, not both.")
    hour, minute = (int(part) for part in time.split(":"))
    if weekday:
        return f"cron({minute} {hour} ? * {weekday.upper()} *)"
    return f"cron({minute} {hour} {day_of_month or '*'} * ? *)"


def restore_test_schedule(test: RestoreTestSettings) -> str:
    """When the restore test begins, UTC: each week where the settings name a weekday, else each month."""
    if test.weekday:
        return cron(test.time, weekday=test.weekday)
    return cron(test.time, day_of_month=test.day_of_month)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bell:
    """Failed jobs that people are told of. ``ends``: states of a job; ``own``: the field that tells this stack's jobs.

    ``job``: the field with the job's id; restore jobs have a ``status`` where the others have a ``state``.
    """

    key: str
    event: str
    own: str
    ends: tuple[str, ...]
    job: str
    state: Literal["state", "status"] = "state"
    title: str
    impact: str
    first: str
    severity: Severity = "high"

    def pattern(self, mine: str) -> str:
        """The event pattern, as JSON with sorted keys; ``mine``: what stands in the field ``own`` of our jobs."""
        detail = {self.own: [mine], self.state: list(self.ends)}
        return json.dumps({"source": ["aws.backup"], "detail-type": [self.event], "detail": detail}, sort_keys=True)

    @property
    def paths(self) -> dict[str, str]:
        """Place-holder -> where its value stands in the event. Messages of AWS are left out: they hold quotes."""
        return {
            **EVENT_PATHS,
            "job": f"$.detail.{self.job}",
            "resource": "$.detail.resourceType",
            "state": f"$.detail.{self.state}",
        }

    def message(self, name: str) -> str:
        """The input template of the target of the rule ``name``."""
        told = advice(self.severity, self.title, self.impact, run_book=RUN_BOOK, first=self.first)
        return as_alarm(name, told, "Job <job> of <resource> is <state>.")


#: The failures that ring. Other stacks of the account have vaults and roles of their own.
BELLS = (
    Bell(
        key="backup-failed",
        event="Backup Job State Change",
        own="backupVaultArn",
        ends=("ABORTED", "EXPIRED", "FAILED", "PARTIAL"),
        job="backupJobId",
        title="A backup failed",
        impact="The newest backup is older than it should be.",
        first="Read the job's status message in AWS Backup, then start the backup by hand.",
    ),
    Bell(
        key="backup-copy-failed",
        event="Copy Job State Change",
        own="sourceBackupVaultArn",
        ends=("FAILED", "PARTIAL"),
        job="copyJobId",
        title="A backup was not copied to the recovery region",
        impact="The loss of the region would lose more than it should.",
        first="Read the job's status message in AWS Backup, then start the copy by hand.",
    ),
    Bell(
        key="restore-failed",
        event="Restore Job State Change",
        own="iamRoleArn",
        ends=("ABORTED", "FAILED"),
        job="restoreJobId",
        state="status",
        title="A restore failed",
        impact="A backup may not bring back what it holds.",
        first="Read the job's status message in AWS Backup, then restore another backup.",
    ),
)


def completed_pattern(plan_arn: str) -> str:
    """What EventBridge hands to the function: databases that this plan's tests have restored."""
    pattern = {
        "source": ["aws.backup"],
        "detail-type": ["Restore Job State Change"],
        "detail": {"resourceType": ["RDS"], "restoreTestingPlanArn": [plan_arn], "status": ["COMPLETED"]},
    }
    return json.dumps(pattern, sort_keys=True)


def metric_pattern(metric: str) -> str:
    """The filter pattern of a metric's records in the function's log."""
    return f'{{ $.metric = "{metric}" }}'


@dataclass(frozen=True, kw_only=True, slots=True)
class AgeAlarm:
    """An alarm on something that has not happened for too long; ``hours``: how long that is."""

    purpose: str
    metric: str
    hours: int
    title: str
    impact: str
    first: str
    dimensions: Mapping[str, str] = field(default_factory=dict)


def age_alarms(settings: BackupSettings) -> tuple[AgeAlarm, ...]:
    """What is missed when a job never begins: no event tells of that."""
    between = (24 if settings.daily else 7 * 24) + _GRACE
    vaults = ("home", *(("recovery",) if settings.copy_to_recovery else ()))
    missing = tuple(
        AgeAlarm(
            purpose=f"backup-age-{vault}",
            metric="RecoveryPointAgeHours",
            hours=between,
            title=f"The newest backup in the {vault} vault is too old",
            impact="A loss now would lose more than it should.",
            first="Look for the last backup and copy jobs in AWS Backup, then start one by hand.",
            dimensions={"Vault": vault},
        )
        for vault in vaults
    )
    if settings.restore_test is None:
        return missing
    rhythm = 7 if settings.restore_test.weekday else 31
    return (
        *missing,
        AgeAlarm(
            purpose="restore-test-age",
            metric="RestoreTestAgeHours",
            hours=rhythm * 24 + settings.restore_test.start_hours + settings.restore_test.validation_hours + _GRACE,
            title="No restore test has been passed for too long",
            impact="Nobody knows whether the backups bring the database back.",
            first="Read the last jobs of the restore testing plan in AWS Backup, then restore by hand.",
        ),
    )
