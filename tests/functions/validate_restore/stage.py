"""A restore test as the function meets it: S3, SQS and Secrets Manager are moto's; what moto lacks of AWS Backup
and of RDS is played here, with one clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from functions.validate_restore import handler
from functions.validate_restore.env import Evidence, ValidateRestoreEnv, Vault

REGION, RECOVERY, ACCOUNT = "us-east-1", "us-west-2", "123456789012"

#: When the function is called: a Thursday, five minutes after the restore.
NOW = datetime(2026, 7, 2, 10, 5, tzinfo=UTC)

PLAN = f"arn:aws:backup:{REGION}:{ACCOUNT}:restore-testing-plan:platform_prod_restore_test-4f0c"
INSTANCE = "awsbackup-restore-test-1a2b3c"
#: A copy that an operator restored on trial.
TRIAL = "platform-prod-drill-2026-07"
JOB = "9B1F6C1E-0000-4444-8888-0123456789AB"
PASSWORD = "correct-horse-battery"
BUCKET = "evidence"
KEY = f"restore-tests/2026/07/20260702T100000Z-{JOB}.json"


def error(code: str, operation: str = "Any") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def event(job: str = JOB) -> dict[str, Any]:
    return {
        "source": "aws.backup",
        "detail-type": "Restore Job State Change",
        "detail": {"restoreJobId": job, "status": "COMPLETED", "restoreTestingPlanArn": PLAN},
    }


@cache
def _session() -> Any:
    return boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


class Faulty:
    """A client some of whose calls fail first: ``faults["get_object"] = [error, …]``."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.faults: dict[str, list[Exception]] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)

        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            if self.faults.get(name):
                raise self.faults[name].pop(0)
            return real(**arguments)

        return call


class Backup:
    """AWS Backup as far as the function asks it. A validation that was set cannot be changed."""

    def __init__(self) -> None:
        self.job: dict[str, Any] = {
            "RestoreJobId": JOB,
            "CreatedResourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{INSTANCE}",
            "ResourceType": "RDS",
            "RecoveryPointArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1",
            "RecoveryPointCreationDate": NOW - timedelta(days=4),
            "CreationDate": NOW - timedelta(minutes=35),
            "CompletionDate": NOW - timedelta(minutes=5),
            "CreatedBy": {"RestoreTestingPlanArn": PLAN},
            "Status": "COMPLETED",
            "ValidationStatus": "VALIDATING",
        }
        self.told: list[tuple[str, str]] = []
        self.points: dict[str, list[Mapping[str, Any]]] = {}
        self.jobs: list[Mapping[str, Any]] = []

    def describe_restore_job(self, *, RestoreJobId: str) -> Mapping[str, Any]:  # noqa: N803
        if RestoreJobId != JOB:
            raise error("ResourceNotFoundException")
        return self.job

    def put_restore_validation_result(self, **told: str) -> None:
        assert told["RestoreJobId"] == JOB
        assert self.job["ValidationStatus"] == "VALIDATING"
        self.job["ValidationStatus"] = told["ValidationStatus"]
        self.told.append((told["ValidationStatus"], told["ValidationStatusMessage"]))

    def describe_backup_vault(self, *, BackupVaultName: str) -> Mapping[str, Any]:  # noqa: N803
        assert BackupVaultName == "platform-prod-backup"
        return {"CreationDate": NOW - timedelta(days=100)}

    def list_recovery_points_by_backup_vault(self, *, BackupVaultName: str, NextToken: str = "0") -> Any:  # noqa: N803
        assert BackupVaultName == "platform-prod-backup"
        return self._page(list(self.points.get("home", ())), int(NextToken), "RecoveryPoints")

    def get_restore_testing_plan(self, *, RestoreTestingPlanName: str) -> Mapping[str, Any]:  # noqa: N803
        assert RestoreTestingPlanName == "platform_prod_restore_test"
        return {"RestoreTestingPlan": {"CreationTime": NOW - timedelta(days=50)}}

    def list_restore_jobs(self, *, NextToken: str = "0", **asked: str) -> Mapping[str, Any]:  # noqa: N803
        assert asked == {"ByRestoreTestingPlanArn": PLAN, "ByStatus": "COMPLETED"}
        return self._page(list(self.jobs), int(NextToken), "RestoreJobs")

    @staticmethod
    def _page(items: list[Any], first: int, key: str) -> Mapping[str, Any]:
        following = {"NextToken": str(first + 1)} if first + 1 < len(items) else {}
        return {key: items[first : first + 1], **following}


class Rds:
    """RDS as far as the function asks it: a new password takes ``minutes``, and holds ``pending_minutes`` later."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.minutes = 4.0
        self.pending_minutes = 0.0
        self.ready: datetime | None = None
        self.status = "available"
        self.is_gone = False
        self.modified: list[Mapping[str, Any]] = []

    def describe_db_instances(self, *, DBInstanceIdentifier: str) -> Mapping[str, Any]:  # noqa: N803
        assert DBInstanceIdentifier in (INSTANCE, TRIAL)
        if self.is_gone:
            raise error("DBInstanceNotFound")
        instance: dict[str, Any] = {
            "DBInstanceIdentifier": INSTANCE,
            "DBInstanceStatus": self.status,
            "DBName": "platform",
            "Endpoint": {"Address": f"{INSTANCE}.x.{REGION}.rds.amazonaws.com", "Port": 5433},
            "PendingModifiedValues": {},
        }
        if self.ready is not None:
            is_ready = self._stage.now >= self.ready
            instance["DBInstanceStatus"] = "available" if is_ready else "resetting-master-credentials"
            instance["MasterUserSecret"] = {
                "SecretArn": self._stage.secret,
                "SecretStatus": "active" if is_ready else "creating",
            }
            if self._stage.now < self.ready + timedelta(minutes=self.pending_minutes):
                instance["PendingModifiedValues"] = {"MasterUserPassword": "****"}
        return {"DBInstances": [instance]}

    def modify_db_instance(self, **asked: Any) -> None:
        if self.ready is not None:
            raise error("InvalidDBInstanceState")
        self.modified.append(asked)
        self.ready = self._stage.now + timedelta(minutes=self.minutes)


class Stage:
    """Everything in place; ``validate`` is a delivery of the event."""

    def __init__(self, *, evidence: bool = True) -> None:
        self.now = NOW
        self.seconds = 900.0
        self.asked: list[Any] = []
        self.answers: list[Any] = []
        self.s3 = Faulty(_session().client("s3"))
        self.s3.inner.create_bucket(Bucket=BUCKET)
        self.sqs: Any = Faulty(_session().client("sqs"))
        self.queue = self.sqs.inner.create_queue(QueueName="dead-letters")["QueueUrl"]
        secrets: Any = _session().client("secretsmanager")
        text = json.dumps({"username": "platform_admin", "password": PASSWORD})
        self.secret = secrets.create_secret(Name="rds!db-1", SecretString=text)["ARN"]
        self.secrets = Faulty(secrets)
        self.home, self.recovery = Backup(), Backup()
        self.backup = Faulty(self.home)
        self.rds_state = Rds(self)
        self.rds = Faulty(self.rds_state)
        self.env = ValidateRestoreEnv(
            system="platform prod",
            plan_arn=PLAN,
            plan_name="platform_prod_restore_test",
            key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
            bucket=BUCKET,
            trust_key="trust/rds-bundle.pem",
            dead_letters=self.queue,
            trials=("platform-prod-restore-", "platform-prod-drill-"),
            vaults=(
                Vault(label="home", name="platform-prod-backup", region=REGION),
                Vault(label="recovery", name="platform-prod-backup", region=RECOVERY),
            ),
            evidence=Evidence(schema="public", table="audit_log", column="created_at") if evidence else None,
            rpo_minutes=60,
            rto_minutes=45,
        )
        #: By default a record ten minutes older than the backup, and 42 rows.
        self.answer(42, NOW - timedelta(days=4, minutes=10))

    def answer(self, rows: int, newest: datetime | None = None) -> None:
        self.answers = [(rows, None if newest is None else newest.timestamp())]

    def ask(self, access: Any, statements: Any) -> tuple[Any, ...]:
        self.asked.append((access, statements))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds -= seconds

    @property
    def world(self) -> handler.World:
        return handler.World(
            backup=lambda region: {REGION: self.backup, RECOVERY: self.recovery}[region],
            region=REGION,
            rds=self.rds,
            secrets=self.secrets,
            s3=self.s3,
            sqs=self.sqs,
            ask=self.ask,
            now=lambda: self.now,
            sleep=self.sleep,
            remaining=lambda: self.seconds,
        )

    def validate(self, delivered: Any = None) -> dict[str, Any]:
        """One delivery, with the time of a whole run."""
        self.seconds = 900.0
        return handler.act(event() if delivered is None else delivered, self.env, self.world)

    # What there is to see

    @property
    def evidence(self) -> dict[str, Any]:
        """Key -> record, of all that lies in the bucket."""
        found = self.s3.inner.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return {
            item["Key"]: json.loads(self.s3.inner.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
            for item in found
            if item["Key"].startswith("restore-tests/")
        }

    @property
    def buried(self) -> list[tuple[str, str]]:
        """Body and reason of the dead letters."""
        found = self.sqs.inner.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["Reason"]["StringValue"])
            for message in found.get("Messages", ())
        ]


@contextmanager
def stage(**options: Any) -> Any:
    with mock_aws():
        yield Stage(**options)
