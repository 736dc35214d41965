"""What a restore test tells: what was restored, whether it counts, and the record of it. Nothing here knows AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from functions.common.moments import parse
from functions.common.plain import to_plain

from .env import Evidence, ValidateRestoreEnv

#: How AWS Backup names what restore tests restore; no other database is touched.
RESTORED_PREFIX = "awsbackup-restore-test-"

#: States that cannot be changed any more.
FINAL = ("FAILED", "SUCCESSFUL", "TIMED_OUT")

#: Rows that are counted at most: enough to know that they are there.
MOST_ROWS = 100_000

#: Characters of a message that AWS Backup shows.
_LONGEST_MESSAGE = 1000

_NEEDED = ("RestoreJobId", "CreatedResourceArn", "RecoveryPointCreationDate", "CreationDate", "CompletionDate")

_RESTORED = re.compile(rf"arn:[a-z-]+:rds:[a-z0-9-]+:[0-9]{{12}}:db:({RESTORED_PREFIX}[A-Za-z0-9-]+)")


class MalformedError(ValueError):
    """An event or a job that nobody understands; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A restore job. ``validation``: what AWS Backup has been told of it, empty while nothing has been."""

    job_id: str
    plan_arn: str
    resource_type: str
    instance: str
    recovery_point: str
    recovery_point_created: datetime
    started: datetime
    completed: datetime
    validation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the database answered. ``newest``: the moment of its newest record, None where there is none.

    ``rows``: of the evidence table, counted up to ``MOST_ROWS``; where no table is named, how many tables there are.
    ``fault``: why nothing could be measured; empty where it could.
    """

    rows: int = 0
    newest: datetime | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``recovery_minutes``: how long the restore took; ``lost_minutes``: how old the newest record was by the backup.

    ``faults``: whole sentences, none where the test is passed.
    """

    recovery_minutes: float
    lost_minutes: float | None
    faults: tuple[str, ...]

    @property
    def status(self) -> Literal["FAILED", "SUCCESSFUL"]:
        """As AWS Backup calls it."""
        return "FAILED" if self.faults else "SUCCESSFUL"


def job_id(event: Mapping[str, Any]) -> str:
    """The restore job that an event tells of. Raises MalformedError for any other event."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(detail, Mapping) or event.get("detail-type") != "Restore Job State Change":
        raise MalformedError("The event is no change of a restore job.")
    found = detail.get("restoreJobId")
    if not isinstance(found, str) or not found:
        raise MalformedError("The event names no restore job.")
    return found


def job(described: Mapping[str, Any]) -> Job:
    """The job as ``DescribeRestoreJob`` describes it.

    Raises MalformedError where something is missing, or where it restored what no restore test restores.
    """
    missing = [
        name
        for name in (
            "RestoreJobId",
            "CreatedResourceArn",
            "RecoveryPointCreationDate",
            "CreationDate",
            "CompletionDate",
        )
        if not described.get(name)
    ]
    if missing:
        raise MalformedError(f"The restore job has no {' and no '.join(missing)}.")
    restored = _RESTORED.fullmatch(described["CreatedResourceArn"])
    if restored is None:
        raise MalformedError(f"{described['CreatedResourceArn']} is no database of a restore test.")
    return Job(
        job_id=described["RestoreJobId"],
        plan_arn=str(described.get("CreatedBy", {}).get("RestoreTestingPlanArn", "")),
        resource_type=str(described.get("ResourceType", "")),
        instance=restored[1],
        recovery_point=str(described.get("RecoveryPointArn", "")),
        recovery_point_created=described["RecoveryPointCreationDate"].astimezone(UTC),
        started=described["CreationDate"].astimezone(UTC),
        completed=described["CompletionDate"].astimezone(UTC),
        validation=str(described.get("ValidationStatus", "")),
    )


def asked(request: Any, trials: tuple[str, ...], now: datetime) -> Job:
    """A restore that an operator made on trial: ``instance``, ``recoveryPoint``, ``created`` and ``started``.

    Raises MalformedError where something is missing, or where the database is none that is restored on trial.
    """
    if not isinstance(request, Mapping):
        raise MalformedError("The request describes no restore.")
    instance, point = request.get("instance"), request.get("recoveryPoint")
    if not isinstance(instance, str) or not instance.startswith(trials):
        raise MalformedError(f"{instance} is no database that is restored on trial.")
    try:
        created, started = (parse(str(request.get(name))) for name in ("created", "started"))
    except ValueError:
        raise MalformedError("The request does not say when the backup was made and the restore begun.") from None
    return Job(
        job_id="",
        plan_arn="",
        resource_type="RDS",
        instance=instance,
        recovery_point=str(point or ""),
        recovery_point_created=created,
        started=started,
        completed=now,
        validation="",
    )


def queries(evidence: Evidence | None) -> tuple[str, ...]:
    """What the database is asked: one number each, a count first, then the newest moment in seconds since 1970.

    A moment without time zone counts as UTC.
    """
    if evidence is None:
        return (
            "SELECT count(*) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('information_schema', 'pg_catalog')",
        )
    table, column = f"{_quoted(evidence.schema)}.{_quoted(evidence.table)}", _quoted(evidence.column)
    return (
        f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {MOST_ROWS}) AS counted",  # noqa: S608 - quoted
        f"SELECT extract(epoch FROM max({column}))::float8 FROM {table}",  # noqa: S608 - quoted
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def measured(answers: tuple[Any, ...]) -> Measured:
    """What the answers to ``queries`` say."""
    newest = answers[1] if len(answers) > 1 else None
    return Measured(
        rows=int(answers[0]), newest=None if newest is None else datetime.fromtimestamp(float(newest), tz=UTC)
    )


def judge(job: Job, found: Measured, env: ValidateRestoreEnv) -> Verdict:
    """Whether the test is passed: the database answers, has rows, and keeps both objectives (``002_… §6``)."""
    recovery = _minutes(job.completed - job.started)
    # The newest record cannot be younger than its backup; where clocks disagree nothing was lost.
    lost = None if found.newest is None else max(0.0, _minutes(job.recovery_point_created - found.newest))
    faults = []
    if found.fault:
        faults.append(found.fault)
    elif not found.rows:
        faults.append(f"The restored database has no {'rows' if env.evidence else 'tables'}.")
    elif env.evidence is not None and lost is None:
        faults.append(f"No record of {env.evidence.table} has a moment in {env.evidence.column}.")
    if lost is not None and lost > env.rpo_minutes:
        faults.append(
            f"The newest record is {lost:.0f} minutes older than its backup; the recovery point objective is "
            f"{env.rpo_minutes}."
        )
    if recovery > env.rto_minutes:
        faults.append(f"The restore took {recovery:.0f} minutes; the recovery time objective is {env.rto_minutes}.")
    return Verdict(recovery_minutes=recovery, lost_minutes=lost, faults=tuple(faults))


def _minutes(span: timedelta) -> float:
    return round(span.total_seconds() / 60, 2)


def message(verdict: Verdict) -> str:
    """What AWS Backup shows beside the job."""
    lost = "not measured" if verdict.lost_minutes is None else f"{verdict.lost_minutes:.0f} min"
    text = f"Restored in {verdict.recovery_minutes:.0f} min, newest record {lost} before the backup."
    return " ".join([text, *verdict.faults])[:_LONGEST_MESSAGE]


def evidence_key(job: Job) -> str:
    """Where the record lies: the same for the same job, however often its event comes."""
    return f"restore-tests/{job.completed:%Y/%m}/{job.completed:%Y%m%dT%H%M%SZ}-{job.job_id}.json"


def record(job: Job, found: Measured, verdict: Verdict, env: ValidateRestoreEnv, now: datetime) -> dict[str, Any]:
    """The evidence: what was restored and measured, against which objectives, and the verdict. No secret is in it."""
    plain: dict[str, Any] = to_plain(
        {
            "system": env.system,
            "job": job.job_id,
            "plan": env.plan_name,
            "restoredInstance": job.instance,
            "recoveryPoint": job.recovery_point,
            "recoveryPointCreated": job.recovery_point_created,
            "restoreStarted": job.started,
            "restoreCompleted": job.completed,
            "measuredAt": now,
            "table": f"{env.evidence.schema}.{env.evidence.table}" if env.evidence else None,
            "rows": found.rows,
            "newestRecord": found.newest,
            "objectives": {"rpoMinutes": env.rpo_minutes, "rtoMinutes": env.rto_minutes},
            "measured": {"rpoMinutes": verdict.lost_minutes, "rtoMinutes": verdict.recovery_minutes},
            "status": verdict.status,
            "faults": verdict.faults,
        }
    )
    return plain


def verdict_of(kept: Mapping[str, Any]) -> Verdict:
    """The verdict of a record that was kept before. Raises KeyError or TypeError for anything else."""
    return Verdict(
        recovery_minutes=float(kept["measured"]["rtoMinutes"]),
        lost_minutes=None if kept["measured"]["rpoMinutes"] is None else float(kept["measured"]["rpoMinutes"]),
        faults=tuple(map(str, kept["faults"])),
    )


def age_hours(newest: datetime | None, made: datetime, now: datetime) -> float:
    """Hours since ``newest``; while there is none, since what should have it was ``made``."""
    return round((now - (newest or made)).total_seconds() / 3600, 2)
