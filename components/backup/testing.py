"""Restore tests: the plan, where it restores to, and the function that measures what came back."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from functions.validate_restore.env import Evidence, ValidateRestoreEnv, Vault
from settings.backups import RestoreTestSettings

from .. import iam
from .._base import Component
from .._keys import log_group
from . import grants, package, plan
from .vaults import Vaults

if TYPE_CHECKING:
    from .component import BackupArgs

_ROOT = Path(__file__).parents[2]

#: What AWS Backup takes as the name of a plan and of a selection: letters, digits and underscores.
_LONGEST_NAME = 50

#: Where certificates of RDS may lie in the evidence bucket, should the runtime not hold them.
TRUST_KEY = "trust/rds-bundle.pem"

_HTTPS = 443


class Isolation:
    """Subnets and a security group for restored databases, which nobody enters who is not let in."""

    def __init__(self, owner: Component, args: BackupArgs) -> None:
        name = f"{owner.name}-restored"
        self.subnets = aws.rds.SubnetGroup(
            name,
            name=owner.labels.physical("restored", limit=255),
            description="Restored databases",
            subnet_ids=args.data_subnet_ids,
            tags=owner.tags(name, Tier="data"),
            opts=owner.child(),
        )
        self.group = aws.ec2.SecurityGroup(
            name,
            description="Restored databases",
            vpc_id=args.vpc_id,
            tags=owner.tags(name, Tier="data"),
            opts=owner.child(),
        )


class RestoreTest:
    """The restore testing plan and its function. Resources are children of ``owner``."""

    def __init__(
        self,
        owner: Component,
        args: BackupArgs,
        test: RestoreTestSettings,
        *,
        vaults: Vaults,
        isolation: Isolation,
        role: aws.iam.Role,
        dead_letters: aws.sqs.Queue,
        namespace: str,
    ) -> None:
        self._owner, self._args, self._test = owner, args, test
        self._vaults, self._isolation, self._namespace = vaults, isolation, namespace
        self._dead_letters = dead_letters
        #: How `runbook restore` and `runbook drill` begin the names of what they restore.
        self._trials = tuple(owner.labels.physical(kind, "") for kind in ("restore", "drill"))
        self._function_name = owner.labels.physical("validate-restore", limit=64)
        self.plan = self._create_plan()
        self._select(role)
        self._group = self._create_group()
        self.function = self._create_function()
        self.rules = (self._listen(), self._look_every_hour())

    # What is restored, and where to

    def _create_plan(self) -> aws.backup.RestoreTestingPlan:
        name = f"{self._owner.name}-test"
        algorithm = {"latest": "LATEST_WITHIN_WINDOW", "random": "RANDOM_WITHIN_WINDOW"}[self._test.pick]
        return aws.backup.RestoreTestingPlan(
            name,
            name=self._owner.labels.physical("restore-test", limit=_LONGEST_NAME).replace("-", "_"),
            schedule_expression=plan.restore_test_schedule(self._test),
            schedule_expression_timezone="Etc/UTC",
            start_window_hours=self._test.start_hours,
            recovery_point_selection={
                "algorithm": algorithm,
                "include_vaults": [self._vaults.home.arn],
                "recovery_point_types": ["SNAPSHOT"],
                "selection_window_days": self._test.pick_days,
            },
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )

    def _select(self, role: aws.iam.Role) -> None:
        """Every database of the plan's class: one more is tested by itself. What counts is the tags of its backup."""
        overrides: dict[str, pulumi.Input[str]] = {
            "dbInstanceClass": self._test.instance_class,
            "dbSubnetGroupName": self._isolation.subnets.name,
            "multiAz": "false",
            "publiclyAccessible": "false",
            "vpcSecurityGroupIds": self._isolation.group.id.apply(lambda group: json.dumps([group])),
        }
        aws.backup.RestoreTestingSelection(
            f"{self._owner.name}-test",
            name="databases",
            restore_testing_plan_name=self.plan.name,
            protected_resource_type="RDS",
            protected_resource_conditions={
                "string_equals": [
                    {"key": f"aws:ResourceTag/{key}", "value": value}
                    for key, value in selected_tags(self._owner).items()
                ]
            },
            iam_role_arn=role.arn,
            restore_metadata_overrides=overrides,
            validation_window_hours=self._test.validation_hours,
            opts=self._owner.child(),
        )

    # The function

    def _create_group(self) -> aws.ec2.SecurityGroup:
        """The function's way: to restored databases, and to the services of AWS."""
        name, port = f"{self._owner.name}-validator", self._args.database_port
        group = aws.ec2.SecurityGroup(
            name,
            description="The function that validates restores",
            vpc_id=self._args.vpc_id,
            tags=self._owner.tags(name, Tier="app"),
            opts=self._owner.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self._isolation.group.id,
            referenced_security_group_id=group.id,
            description="PostgreSQL from the function that validates restores",
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group.id,
            referenced_security_group_id=self._isolation.group.id,
            description="PostgreSQL to restored databases",
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-services",
            security_group_id=group.id,
            cidr_ipv4="0.0.0.0/0",
            description="HTTPS to the services of AWS",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            tags=self._owner.tags(f"{name}-services"),
            opts=self._owner.child(),
        )
        return group

    def _create_function(self) -> aws.lambda_.Function:
        name = f"{self._owner.name}-validator"
        group = log_group(
            self._owner,
            name,
            self._owner.labels.path("backup", "validate-restore"),
            retention_days=self._args.settings.log_retention_days,
            key_arn=self._args.logs_key_arn,
        )
        self._count(group)
        role, policy = self._create_role(name, group)
        return aws.lambda_.Function(
            name,
            name=self._function_name,
            description="Measures databases that restore tests bring back",
            role=role.arn,
            runtime="python3.13",
            architectures=["arm64"],
            handler="functions.validate_restore.handler.handler",
            code=pulumi.AssetArchive(
                {name: pulumi.FileAsset(path) for name, path in package.files(_ROOT).items()},
            ),
            timeout=plan.FUNCTION_SECONDS,
            memory_size=256,
            reserved_concurrent_executions=self._args.settings.reserved_concurrency,
            environment={"variables": self._variables()},
            kms_key_arn=self._vaults.key.arn,
            vpc_config={"subnet_ids": self._args.app_subnet_ids, "security_group_ids": [self._group.id]},
            dead_letter_config={"target_arn": self._dead_letters.arn},
            tracing_config={"mode": "Active"},
            logging_config={"log_format": "JSON", "application_log_level": "INFO", "log_group": group.name},
            tags=self._owner.tags(name),
            # Lambda looks at once whether the role may reach the network and the dead letters.
            opts=self._owner.child(depends_on=[policy]),
        )

    def _count(self, group: aws.cloudwatch.LogGroup) -> None:
        """Makes metrics of the numbers that the function logs: it needs no right of its own for that."""
        for metric, dimensions in plan.METRICS.items():
            name = f"{self._owner.name}-{metric}"
            aws.cloudwatch.LogMetricFilter(
                name,
                name=self._owner.labels.physical(metric, limit=512),
                log_group_name=group.name,
                pattern=plan.metric_pattern(metric),
                metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                    name=metric,
                    namespace=self._namespace,
                    value="$.value",
                    dimensions=dict(dimensions) or None,
                ),
                opts=self._owner.child(),
            )

    def _create_role(self, name: str, group: aws.cloudwatch.LogGroup) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        args, vaults = self._args, self._vaults
        role = aws.iam.Role(
            name,
            description="The function that validates restores",
            # Lambda sends no account along when it takes a role on, so the trust can name none.
            assume_role_policy=iam.trust("lambda.amazonaws.com"),
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        places = grants.Places(
            function_arn=args.home.arn("lambda", f"function:{self._function_name}"),
            log_group=group.arn,
            dead_letters=self._dead_letters.arn,
            key=vaults.key.arn,
            vaults=[vaults.home.arn, *([vaults.recovery.arn] if vaults.recovery else [])],
            testing_plan=self.plan.arn,
            bucket=args.evidence_bucket_arn,
            bucket_key=args.evidence_key_arn,
            trust_key=TRUST_KEY,
            trials=self._trials,
        )
        policy = aws.iam.RolePolicy(
            name, role=role.name, policy=iam.document(*grants.function(places, args.home)), opts=self._owner.child()
        )
        return role, policy

    def _variables(self) -> pulumi.Output[dict[str, str]]:
        args, labels, vaults = self._args, self._owner.labels, self._vaults
        evidence, settings = self._test.evidence, args.settings
        names = [("home", args.home.region), *([("recovery", args.recovery_region)] if vaults.recovery else [])]
        make = partial(
            ValidateRestoreEnv,
            system=f"{labels.project} {labels.environment}",
            trust_key=TRUST_KEY,
            trials=self._trials,
            vaults=tuple(Vault(label=label, name=vaults.name, region=region) for label, region in names),
            evidence=Evidence(schema=evidence.schema_name, table=evidence.table, column=evidence.column)
            if evidence
            else None,
            rpo_minutes=settings.rpo_minutes,
            rto_minutes=settings.rto_minutes,
        )
        return pulumi.Output.all(
            plan_arn=self.plan.arn,
            plan_name=self.plan.name,
            key_arn=vaults.key.arn,
            bucket=args.evidence_bucket,
            dead_letters=self._dead_letters.url,
        ).apply(lambda made: make(**made).variables())

    # What calls it

    def _listen(self) -> aws.cloudwatch.EventRule:
        pattern = self.plan.arn.apply(plan.completed_pattern)
        return self._call("restored", "Databases that restore tests bring back", event_pattern=pattern)

    def _look_every_hour(self) -> aws.cloudwatch.EventRule:
        """What never happens makes no event, so somebody has to look."""
        return self._call(
            "ages",
            "How old the newest backups and the last passed restore test are",
            schedule="rate(1 hour)",
            message=json.dumps({"measure": "ages"}),
        )

    def _call(
        self,
        purpose: str,
        description: str,
        *,
        event_pattern: pulumi.Input[str] | None = None,
        schedule: str | None = None,
        message: str | None = None,
    ) -> aws.cloudwatch.EventRule:
        name = f"{self._owner.name}-{purpose}"
        rule = aws.cloudwatch.EventRule(
            name,
            name=self._owner.labels.physical("backup", purpose, limit=64),
            description=description,
            event_pattern=event_pattern,
            schedule_expression=schedule,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=self.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self._owner.child(),
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            target_id="validate-restore",
            arn=self.function.arn,
            input=message,
            dead_letter_config={"arn": self._dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
            # Events that come before the function takes them would be lost.
            opts=self._owner.child(depends_on=[permission]),
        )
        return rule


def selected_tags(owner: Component) -> dict[str, str]:
    """The tags by which resources and their backups are known to be this stack's and of the plan's class."""
    labels = owner.labels
    return {"Backup": plan.BACKUP_CLASS, "Environment": labels.environment, "Project": labels.project}
