"""The database restored on trial: into isolation, looked at, measured, recorded and deleted again (``004_… Monthly``).

The copy's tags tell the run that made it, from what and when, so a run that was killed finds its copy, and what nobody
finished is found as an orphan. The production instance is read and never named in a call that changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from ..aws import error_code
from ..journal import Journal
from ..procedure import Done, Facts, Failed, Look, Stage, Todo, Waiting
from . import checks, validator
from .evidence import Store
from .job import PURPOSE, TAGS, Job, described, is_dead, is_ours, remembered
from .moments import minutes_between, stamp

RUNBOOK = "004_5ca73e3508d74ec8.txt Backup and Recovery Testing"

#: After these hours a copy is overdue; one that was asked to be kept has a week.
_HOURS, _KEPT_HOURS = 24, 7 * 24

_PASSING = frozenset({"RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException"})

_THREE_HOURS = 3 * 3600.0


@dataclass(slots=True, kw_only=True)
class Restoration:
    """A job being done. ``clients``: rds and, where there is a validator, lambda; ``troubles`` is shared with the run's
    witness: what went wrong so far.
    """

    job: Job
    clients: Mapping[str, Any]
    store: Store
    troubles: list[str] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    began: datetime = field(init=False)
    _validated: dict[str, Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.began = self.now()

    def stages(self, *further: Stage) -> tuple[Stage, ...]:
        """The whole procedure; ``further`` stages come before the findings are written."""
        clean_up = () if self.job.keep else (self._delete(), self._prove())
        return (self._choose(), self._restore(), self._validate(), *further, self._find(), *clean_up, self._record())

    # The stages, in order.

    def _choose(self) -> Stage:
        point = self.job.point
        what = f"the {_KINDS[point.kind]} of {stamp(point.taken)}" if point else "what its copy was begun from"
        return Stage(
            name="recovery point",
            changes=f"Takes {what}.",
            look=self._found_before(self._look_at_point),
            action=(
                "backup:ListRecoveryPointsByBackupVault",
                "rds:DescribeDBInstanceAutomatedBackups",
                "rds:DescribeDBSnapshots",
            ),
        )

    def _look_at_point(self, _facts: Facts) -> Look:
        point = self.job.point
        if is_ours(copy := self._copy(), self.job.run):
            return Done(remembered(copy))
        if point is None:
            return Failed(f"{self.job.why}. `runbook backup verify` says what is wrong with the backups.")
        return Done(
            {
                "engineVersion": point.engine_version,
                "pointKind": point.kind,
                "recoveryPoint": point.source,
                "recoveryTime": stamp(point.taken),
            }
        )

    def _restore(self) -> Stage:
        job = self.job
        call = job.point.call if job.point else "check"
        return Stage(
            name="restore",
            changes=f"Restores it as {job.identifier}, isolated in {job.subnet_group}, and waits until that is there.",
            look=self._found_before(self._look_at_copy),
            call=call,
            action=("rds:DescribeDBInstances", "rds:AddTagsToResource", f"rds:{_action(call)}"),
            arguments=self._restore_arguments,
            act=lambda facts: self._once(call, self._restore_arguments(facts), "DBInstanceAlreadyExists"),
            # Beyond the target it goes on, so that a miss is measured and not merely declared.
            patience=max(_THREE_HOURS, 2 * 60 * job.rto_minutes),
            pause=30,
        )

    def _look_at_copy(self, _facts: Facts) -> Look:
        copy = self._copy()
        if copy is None:
            return Todo() if self.job.point else Failed(f"{self.job.why}.")
        if not is_ours(copy, self.job.run):
            return Failed(f"there is an instance {self.job.identifier} that this run did not make. Look whose it is.")
        status = copy["DBInstanceStatus"]
        if is_dead(status):
            return Failed(f"RDS gave the copy up: it is {status}. The instance's events in RDS say why.")
        if status != "available":
            return Waiting(f"the copy is {status}")
        return Done({**remembered(copy), "instance": self.job.identifier, "ready": stamp(self.now())})

    def _restore_arguments(self, facts: Facts) -> dict[str, Any]:
        job = self.job
        if job.point is None:
            return {}
        started = self.now()
        expires = started + timedelta(hours=_KEPT_HOURS if job.keep else _HOURS)
        known = Facts({**facts, "started": stamp(started), "startedBy": job.who})
        tags = job.site.labels.tags(
            service="backup",
            runbook=RUNBOOK,
            Expires=stamp(expires),
            Purpose=PURPOSE,
            Run=job.run.name,
            **{tag: known[fact] for fact, tag in TAGS.items()},
        )
        return {
            **job.point.arguments(job.identifier),
            "AutoMinorVersionUpgrade": False,
            "BackupRetentionPeriod": 0,
            "DBInstanceClass": job.instance_class,
            **({"DBParameterGroupName": job.parameter_group} if job.parameter_group else {}),
            "DBSubnetGroupName": job.subnet_group,
            "DeletionProtection": False,
            "EnableIAMDatabaseAuthentication": True,
            "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            "VpcSecurityGroupIds": [job.security_group_id],
        }

    def _validate(self) -> Stage:
        return Stage(
            name="checks",
            changes="Checks the copy, and has its rows asked for." if self.job.validator else "Checks the copy.",
            look=self._found_before(lambda _facts: Todo() if self._validated is None else Done(self._validated)),
            call="lambda.invoke" if self.job.validator else "check",
            action=("rds:DescribeDBInstances", *(("lambda:InvokeFunction",) if self.job.validator else ())),
            arguments=self._invocation,
            act=self._check,
        )

    def _invocation(self, facts: Facts) -> dict[str, Any]:
        if self.job.validator is None:
            return {}
        event = {
            "restore": {
                "created": facts["recoveryTime"],
                "instance": self.job.identifier,
                "recoveryPoint": facts["recoveryPoint"],
                "started": facts["started"],
            }
        }
        return {"FunctionName": self.job.validator, "Payload": json.dumps(event, sort_keys=True)}

    def _check(self, facts: Facts) -> None:
        job = self.job
        wanted = checks.Wanted(
            engine_version=facts["engineVersion"],
            subnet_group=job.subnet_group,
            security_group_id=job.security_group_id,
            parameter_group=job.parameter_group,
        )
        standing = checks.of_instance(self._copy() or {}, wanted)
        rows = checks.of_rows(validator.ask(self.clients["lambda"], self._invocation(facts)) if job.validator else None)
        ended = facts["ready"] if rows.passed is None else stamp(self.now())
        rpo = minutes_between(facts["recoveryTime"], facts["started"])
        rto = None if rows.passed is False else minutes_between(facts["started"], ended)
        results = (
            *standing,
            rows,
            checks.of_target("RPO", rpo, job.rpo_minutes),
            checks.of_target("RTO", rto, job.rto_minutes),
        )
        # RDS makes the copy's secret when the validator asks for it, and deletes both together.
        secret = (self._copy() or {}).get("MasterUserSecret", {}).get("SecretArn")
        self._validated = {
            "checks": [check.document() for check in results],
            "resumed": facts["started"] < stamp(self.began),
            "rpoMinutes": rpo,
            "rtoMinutes": rto,
            **({"secret": secret} if secret else {}),
        }

    def _find(self) -> Stage:
        key = self.job.run.findings
        return Stage(
            name="findings",
            changes="Writes down what was found out, before the copy that shows it goes.",
            look=self._object(key, lambda document: document["facts"]),
            call="s3.put_object",
            action=("s3:GetObject", "s3:PutObject"),
            arguments=lambda _facts: {"Bucket": self.store.bucket, "Key": key},
            act=lambda facts: self.store.write(key, {"facts": dict(facts), "troubles": self.troubles}),
            always=True,
        )

    def _delete(self) -> Stage:
        arguments = {
            "DBInstanceIdentifier": self.job.identifier,
            "DeleteAutomatedBackups": True,
            "SkipFinalSnapshot": True,
        }
        return Stage(
            name="delete",
            changes="Deletes the copy without a last snapshot, with its automated backups and its secret.",
            look=_patient(self._look_at_deletion),
            call="rds.delete_db_instance",
            action=("rds:DescribeDBInstances", "rds:DeleteDBInstance"),
            arguments=lambda _facts: arguments,
            act=lambda _facts: self._once(
                "rds.delete_db_instance", arguments, "DBInstanceNotFound", "InvalidDBInstanceState"
            ),
            always=True,
            pause=30,
        )

    def _look_at_deletion(self, _facts: Facts) -> Look:
        copy = self._copy()
        if not is_ours(copy, self.job.run):
            return Done()
        status = copy["DBInstanceStatus"]
        if status in ("available", "stopped") or is_dead(status):
            return Todo()
        # RDS deletes nothing that it is still building.
        return Waiting(f"the copy is {status}")

    def _prove(self) -> Stage:
        return Stage(
            name="clean-up",
            changes="Proves that nothing of the copy is left: no instance, no automated backup, no secret.",
            look=_patient(self._look_for_remains),
            action=(
                "rds:DescribeDBInstances",
                "rds:DescribeDBInstanceAutomatedBackups",
                "secretsmanager:DescribeSecret",
            ),
            always=True,
            pause=30,
        )

    def _look_for_remains(self, facts: Facts) -> Look:
        if is_ours(self._copy(), self.job.run):
            return Failed(f"{self.job.identifier} is still there, and costs money until the next run deletes it.")
        pages = self.clients["rds"].get_paginator("describe_db_instance_automated_backups").paginate()
        kept = [backup["DBInstanceIdentifier"] for page in pages for backup in page["DBInstanceAutomatedBackups"]]
        if self.job.identifier in kept:
            return Waiting("its automated backups are still there")
        if self._is_kept(facts.get("secret")):
            return Waiting("its secret is still there")
        return Done({"cleanUp": "proven"})

    def _is_kept(self, secret: str | None) -> bool:
        if secret is None:
            return False
        try:
            return "DeletedDate" not in self.clients["secretsmanager"].describe_secret(SecretId=secret)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return False

    def _record(self) -> Stage:
        key = self.job.run.record
        return Stage(
            name="record",
            changes="Writes the record, which nobody overwrites.",
            look=self._object(key, lambda document: {"record": key, "verdict": document["verdict"]}),
            call="s3.put_object",
            action=("s3:GetObject", "s3:PutObject"),
            arguments=lambda _facts: {"Bucket": self.store.bucket, "Key": key},
            act=lambda facts: self.store.write(key, self.document(facts)),
            always=True,
        )

    def document(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The record of the run: who, when, from what, how long it took, what was checked, and what follows."""
        found = self.findings() or {"troubles": []}
        troubles = list(dict.fromkeys([*found["troubles"], *self.troubles]))
        results = [checks.Check(**check) for check in facts.get("checks", ())]
        if not self.job.keep:
            proven = facts.get("cleanUp") == "proven"
            results.append(checks.Check("clean-up", proven, "proven" if proven else "not proven", "nothing is left"))
        ended = stamp(self.now())
        started = facts.get("started")
        return {
            "account": self.job.site.account_id,
            "checks": [check.document() for check in results],
            "durationMinutes": minutes_between(started, ended) if started else None,
            "ended": ended,
            "environment": self.job.site.environment,
            "instance": self.job.identifier,
            "kept": self.job.keep,
            "project": self.job.site.project,
            "recoveryPoint": {
                "kind": facts.get("pointKind"),
                "source": facts.get("recoveryPoint"),
                "taken": facts.get("recoveryTime"),
            },
            "region": self.job.region,
            "resumed": facts.get("resumed", False),
            "rpo": {"measuredMinutes": facts.get("rpoMinutes"), "targetMinutes": self.job.rpo_minutes},
            "rto": {"measuredMinutes": facts.get("rtoMinutes"), "targetMinutes": self.job.rto_minutes},
            "run": self.job.run.name,
            "started": started,
            "startedBy": facts.get("startedBy"),
            "troubles": troubles,
            "verdict": checks.verdict(results, troubles),
            "who": self.job.who,
            **{key: facts[key] for key in ("files",) if key in facts},
        }

    # What they have in common.

    def findings(self) -> Mapping[str, Any] | None:
        """What an earlier run of the name wrote down, None before that."""
        return self.store.read(self.job.run.findings)

    def _copy(self) -> Any:
        return described(self.clients["rds"], self.job.identifier)

    def _found_before(self, look: Callable[[Facts], Look]) -> Callable[[Facts], Look]:
        """Once there are findings, nothing that leads to them is done again."""

        def looked(facts: Facts) -> Look:
            found = self.findings()
            return look(facts) if found is None else Done(found["facts"])

        return _patient(looked)

    def _object(self, key: str, facts: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Callable[[Facts], Look]:
        def looked(_facts: Facts) -> Look:
            document = self.store.read(key)
            return Todo() if document is None else Done(facts(document))

        return looked

    def _once(self, call: str, arguments: Mapping[str, Any], *settled: str) -> None:
        """Makes the call; an answer in ``settled`` says that it took effect before, which the next look tells."""
        client, _, method = call.partition(".")
        try:
            getattr(self.clients[client], method)(**arguments)
        except ClientError as error:
            if error_code(error) not in settled:
                raise


class Witness(Journal):
    """A journal that also notes in ``troubles`` what went wrong, for the record of the run."""

    def __init__(self, journal: Journal, troubles: list[str]) -> None:
        self.path = journal.path
        self._journal, self._troubles = journal, troubles

    def write(self, event: str, **facts: Any) -> None:
        """Passes the line on."""
        if event == "failed":
            self._troubles.append(str(facts["error"]))
        self._journal.write(event, **facts)


_KINDS = {"vault": "recovery point of the vault", "snapshot": "snapshot", "log": "transaction logs up to the moment"}


def _action(call: str) -> str:
    """``rds.restore_db_instance_from_db_snapshot`` is IAM's ``RestoreDBInstanceFromDBSnapshot``."""
    return "RestoreDBInstanceToPointInTime" if "point_in_time" in call else "RestoreDBInstanceFromDBSnapshot"


def _patient(look: Callable[[Facts], Look]) -> Callable[[Facts], Look]:
    """A look that waits where AWS is busy or away: an hour's restore does not fail with one answer."""

    def looked(facts: Facts) -> Look:
        try:
            return look(facts)
        except ClientError as error:
            if error_code(error) not in _PASSING:
                raise
            return Waiting(f"AWS is too busy to say ({error_code(error)})")
        except (UnreachableError, HTTPClientError):
            return Waiting("AWS cannot be reached")

    return looked
