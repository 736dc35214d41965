"""Validates restores: measures a database that a restore test brought back, and tells AWS Backup and the alarms.

The record in the evidence bucket is written once for each job, before anybody is told. Whoever delivers the event again
finds it there, and nothing is measured or changed twice. What may pass (a database that is not ready, a busy service)
is raised: Lambda tries again, and then puts the event into the dead-letter queue, which an alarm watches.

An operator who restores a copy on trial calls it too (``{"restore": …}``) and gets the verdict as the answer.

Every hour it also measures how old the newest backups and the last passed test are: a backup that never begins tells
nobody of itself.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from functions.common.backoff import code, may_pass, persist
from functions.common.clients import client
from functions.common.letters import bury
from functions.common.variables import read

from . import database, decide
from .env import ValidateRestoreEnv, Vault

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks at a database that is not ready.
PAUSE = 15

#: Seconds that are left for asking the database and for telling what it said.
RESERVE = 240

#: Seconds before the second and later attempts to reach a database that has just got its password.
_WAITS = (5.0, 10.0, 20.0)

_MISSING = ("AccessDenied", "NoSuchKey", "404")


class NotReadyError(RuntimeError):
    """The restored database is not ready within the time of this run; the next one goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the function acts on. ``backup``: region -> client; ``remaining``: seconds left of this run."""

    backup: Callable[[str], Any]
    region: str
    rds: Any
    secrets: Any
    s3: Any
    sqs: Any
    ask: database.Ask
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    remaining: Callable[[], float]


@cache
def _backup(region: str) -> Any:
    """AWS Backup of a region, made at first use."""
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session()
    config = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1, "mode": "standard"})
    return session.client("backup", region_name=region, config=config)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The entry point: a change of a restore job, or the hourly measurement."""
    world = World(
        backup=_backup,
        region=os.environ["AWS_REGION"],
        rds=client("rds"),
        secrets=client("secretsmanager"),
        s3=client("s3"),
        sqs=client("sqs"),
        ask=database.ask,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        remaining=lambda: float(context.get_remaining_time_in_millis()) / 1000,
    )
    return act(event, read(ValidateRestoreEnv, os.environ), world)


def act(event: Mapping[str, Any], env: ValidateRestoreEnv, world: World) -> dict[str, Any]:
    """The same with everything given: ``outcome``, and why where nothing was done.

    What is malformed goes into the dead-letter queue with the reason: no further attempt can help it.
    """
    if isinstance(event, Mapping) and event.get("measure") == "ages":
        return _measure_ages(env, world)
    if isinstance(event, Mapping) and "restore" in event:
        return _judge_trial(event["restore"], env, world)
    try:
        name = decide.job_id(event)
        described = _persist(lambda: world.backup(world.region).describe_restore_job(RestoreJobId=name), world)
        if described.get("CreatedBy", {}).get("RestoreTestingPlanArn") != env.plan_arn:
            return _skipped("The job is not of this stack's restore testing plan.")
        job = decide.job(described)
    except decide.MalformedError as error:
        reason, body = str(error), json.dumps(event, default=str)
        _LOG.warning("An event is buried: %s", reason)
        _persist(
            lambda: bury(world.sqs, env.dead_letters, body, reason=reason, source="validate-restore"),
            world,
        )
        return {"outcome": "buried", "reason": reason}
    if job.validation in decide.FINAL:
        return _skipped(f"AWS Backup has been told before: {job.validation}.")
    return _validate(job, env, world)


def _judge_trial(request: Any, env: ValidateRestoreEnv, world: World) -> dict[str, Any]:
    """Asks a database that an operator restored. Whoever asks hears the answer, and nobody else is told."""
    try:
        job = decide.asked(request, env.trials, world.now())
    except decide.MalformedError as error:
        return {"outcome": "refused", "reason": str(error)}
    verdict = decide.judge(job, _measure(job, env, world), env)
    return {"outcome": verdict.status, "faults": list(verdict.faults)}


def _validate(job: decide.Job, env: ValidateRestoreEnv, world: World) -> dict[str, Any]:
    key = decide.evidence_key(job)
    kept = _read(env.bucket, key, world)
    if not kept:
        found = _measure(job, env, world)
        body = decide.record(job, found, decide.judge(job, found, env), env, world.now())
        kept = _keep(json.dumps(body, sort_keys=True), key, env, world)
    verdict = decide.verdict_of(json.loads(kept))
    _LOG.info("%s: %s. %s", job.job_id, verdict.status, decide.message(verdict))
    # An alarm calls people for it.
    _count("RestoreTestFailed", float(bool(verdict.faults)))
    # Last, because it cannot be changed and ends the work: what comes before is done by then.
    _persist(lambda: _tell(job, verdict, world), world)
    return {"outcome": verdict.status, "evidence": key, "faults": list(verdict.faults)}


def _tell(job: decide.Job, verdict: decide.Verdict, world: World) -> None:
    world.backup(world.region).put_restore_validation_result(
        RestoreJobId=job.job_id, ValidationStatus=verdict.status, ValidationStatusMessage=decide.message(verdict)
    )


# The evidence


def _read(bucket: str, key: str, world: World) -> str:
    """What lies there; empty for nothing, which S3 calls forbidden to those who may not list the bucket."""
    try:
        found = _persist(lambda: world.s3.get_object(Bucket=bucket, Key=key), world)
    except Exception as error:
        if code(error) in _MISSING:
            return ""
        raise
    return str(found["Body"].read().decode())


def _keep(body: str, key: str, env: ValidateRestoreEnv, world: World) -> str:
    """The record that is kept: ``body``, or that of another run which was faster."""
    try:
        _persist(
            lambda: world.s3.put_object(
                Bucket=env.bucket,
                Key=key,
                Body=body.encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
            ),
            world,
        )
    except Exception as error:
        if code(error) not in ("ConditionalRequestConflict", "PreconditionFailed"):
            raise
        return _read(env.bucket, key, world)
    return body


# The database


def _measure(job: decide.Job, env: ValidateRestoreEnv, world: World) -> decide.Measured:
    instance = _ready(job.instance, env, world)
    if instance is None:
        return decide.Measured(fault="The restored database was gone before it could be measured.")
    access = _access(instance, env, world)
    try:
        answers = persist(
            lambda: world.ask(access, decide.queries(env.evidence)),
            sleep=world.sleep,
            again=lambda error: isinstance(error, database.UnreachableError) and world.remaining() > RESERVE,
            waits=_WAITS,
        )
    except database.RefusedError as error:
        return decide.Measured(fault=str(error))
    return decide.measured(answers)


def _ready(name: str, env: ValidateRestoreEnv, world: World) -> Mapping[str, Any] | None:
    """The database once it takes a password that RDS made for it alone; None where it is gone.

    The password of production, which the backup holds too, is known to nobody here. Raises NotReadyError.
    """
    while True:
        instance = _instance(name, world)
        if instance is None:
            return None
        secret, is_available = instance.get("MasterUserSecret"), instance.get("DBInstanceStatus") == "available"
        if is_available and not secret:
            _persist(lambda: _give_password(name, env, world), world)
        elif is_available and secret and secret.get("SecretStatus") == "active" and not _is_pending(instance):
            return instance
        if world.remaining() < RESERVE + PAUSE:
            raise NotReadyError(f"{name} is {instance.get('DBInstanceStatus')}.")
        world.sleep(PAUSE)


def _instance(name: str, world: World) -> Mapping[str, Any] | None:
    try:
        found = _persist(lambda: world.rds.describe_db_instances(DBInstanceIdentifier=name), world)
    except Exception as error:
        if code(error) in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            return None
        raise
    instance: Mapping[str, Any] = found["DBInstances"][0]
    return None if instance.get("DBInstanceStatus") == "deleting" else instance


def _is_pending(instance: Mapping[str, Any]) -> bool:
    return "MasterUserPassword" in instance.get("PendingModifiedValues", {})


def _give_password(name: str, env: ValidateRestoreEnv, world: World) -> None:
    try:
        world.rds.modify_db_instance(
            DBInstanceIdentifier=name,
            ManageMasterUserPassword=True,
            MasterUserSecretKmsKeyId=env.key_arn,
            ApplyImmediately=True,
        )
    except Exception as error:
        # Another run was faster, or an answer was lost on its way.
        if not code(error).startswith("InvalidDBInstanceState"):
            raise


def _access(instance: Mapping[str, Any], env: ValidateRestoreEnv, world: World) -> database.Access:
    secret = instance["MasterUserSecret"]["SecretArn"]
    text = _persist(lambda: world.secrets.get_secret_value(SecretId=secret), world)["SecretString"]
    credentials = json.loads(text)
    return database.Access(
        address=instance["Endpoint"]["Address"],
        port=instance["Endpoint"]["Port"],
        database=instance.get("DBName") or "postgres",
        user=credentials["username"],
        password=credentials["password"],
        trust=_read(env.bucket, env.trust_key, world),
    )


# What never happened


def _measure_ages(env: ValidateRestoreEnv, world: World) -> dict[str, Any]:
    now = world.now()
    ages = {vault.label: decide.age_hours(*_newest_backup(vault, world), now) for vault in env.vaults}
    tested = decide.age_hours(*_last_test(env, world), now)
    for label, age in ages.items():
        _count("RecoveryPointAgeHours", age, vault=label)
    _count("RestoreTestAgeHours", tested)
    return {"outcome": "measured", "vaults": ages, "restoreTest": tested}


def _newest_backup(vault: Vault, world: World) -> tuple[datetime | None, datetime]:
    """When the newest complete backup was made, and the vault."""
    backup = world.backup(vault.region)
    made = _persist(lambda: backup.describe_backup_vault(BackupVaultName=vault.name), world)["CreationDate"]
    points = _pages(backup.list_recovery_points_by_backup_vault, "RecoveryPoints", world, BackupVaultName=vault.name)
    return max((point["CreationDate"] for point in points if point.get("Status") == "COMPLETED"), default=None), made


def _last_test(env: ValidateRestoreEnv, world: World) -> tuple[datetime | None, datetime]:
    """When the last passed test was done, and the plan made."""
    backup = world.backup(world.region)
    plan = _persist(lambda: backup.get_restore_testing_plan(RestoreTestingPlanName=env.plan_name), world)
    jobs = _pages(
        backup.list_restore_jobs, "RestoreJobs", world, ByRestoreTestingPlanArn=env.plan_arn, ByStatus="COMPLETED"
    )
    passed = (job["CompletionDate"] for job in jobs if job.get("ValidationStatus") == "SUCCESSFUL")
    return max(passed, default=None), plan["RestoreTestingPlan"]["CreationTime"]


def _pages(call: Callable[..., Mapping[str, Any]], key: str, world: World, **arguments: str) -> Iterator[Any]:
    token: dict[str, str] = {}
    while True:
        page = _persist(lambda: call(**arguments, **token), world)  # noqa: B023 - called at once
        yield from page.get(key, ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


# The rest


def _count(metric: str, value: float, **dimensions: str) -> None:
    """Logs a number, from which a filter of the log group makes a metric."""
    _LOG.info("%s: %s", metric, value, extra={"metric": metric, "value": value, **dimensions})


def _skipped(reason: str) -> dict[str, Any]:
    _LOG.info("Nothing is done: %s", reason)
    return {"outcome": "skipped", "reason": reason}


def _persist(call: Callable[[], T], world: World) -> T:
    return persist(call, sleep=world.sleep, again=may_pass)
