"""The database component: declares what ``plan`` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .. import iam
from .._base import Component
from .._keys import Home, customer_key, log_group
from . import plan


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseArgs:
    """``clients``: label -> the security group that may connect; the component opens both sides.

    ``memory_gib``: of ``instance_class``; ``max_connections``: replaces the number that follows from it.
    ``backup_window`` (``03:00-04:00``) and ``maintenance_window`` (``sun:05:00-sun:06:00``) are UTC.
    ``schedule``: the period that it follows, None where it always runs. ``backed_up_continuously``: AWS Backup decides
    when it is backed up and for how long. ``apply_immediately``: changes do not wait for the maintenance window.
    ``protect``: nothing is deleted by accident, here and at AWS.
    """

    home: Home
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    clients: Mapping[str, pulumi.Input[str]]
    logs_key_arn: pulumi.Input[str]
    alerts_topic_arn: pulumi.Input[str]
    db_name: str
    username: str
    port: int
    engine_version: str
    instance_class: str
    memory_gib: float
    max_connections: int | None = None
    storage_gib: int
    max_storage_gib: int
    multi_az: bool
    backup_retention_days: int
    backup_window: str
    maintenance_window: str
    insights: plan.Insights
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60]
    slow_query_ms: int
    password_rotation_days: int
    log_retention_days: int
    apply_immediately: bool
    schedule: str | None = None
    backed_up_continuously: bool = False
    protect: bool


class Database(Component):
    """RDS for PostgreSQL in the data tier, reachable from its clients' security groups only (``000_… §3``).

    RDS keeps the master password in Secrets Manager and rotates it. Deleting the instance leaves a final snapshot and
    the automated backups, which the component's key encrypts: they can be read while that key is there, which is 30
    days after the stack is destroyed.
    """

    TYPE = "learning-platform:database:Database"
    SERVICE = "database"
    RUNBOOK = "000_b5883a9168e66709.txt 3"

    address: pulumi.Output[str]
    port: pulumi.Output[int]
    #: ``address:port``
    endpoint: pulumi.Output[str]
    arn: pulumi.Output[str]
    identifier: pulumi.Output[str]
    #: What Performance Insights and IAM know the instance by.
    resource_id: pulumi.Output[str]
    secret_arn: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    max_connections: int
    #: log -> name of its group
    log_groups: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: DatabaseArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._identifier = labels.physical("db", limit=63)
        self.max_connections = plan.max_connections(args.memory_gib, args.max_connections)
        self._key = customer_key(self, name, "Encrypts the database", args.home, protect=args.protect)
        self._group = self._create_group(args)
        self._logs = self._create_log_groups(args)
        self._instance = self._create_instance(args)
        self._rotate_password(args)
        self._subscribe_to_events(args)
        self.address, self.port, self.endpoint = self._instance.address, self._instance.port, self._instance.endpoint
        self.identifier = self._instance.identifier
        self.arn = self._instance.arn
        self.resource_id = self._instance.resource_id
        self.secret_arn = self._secret_arn
        self.security_group_id = self._group.id
        self.log_groups = {log: group.name for log, group in self._logs.items()}
        self.register_outputs(self._outputs())

    def _outputs(self) -> dict[str, pulumi.Input[object]]:
        return {
            "address": self.address,
            "port": self.port,
            "endpoint": self.endpoint,
            "identifier": self.identifier,
            "resourceId": self.resource_id,
            "secretArn": self.secret_arn,
            "securityGroupId": self.security_group_id,
            "maxConnections": self.max_connections,
            "logGroups": self.log_groups,
        }

    def _create_group(self, args: DatabaseArgs) -> aws.ec2.SecurityGroup:
        """A group that lets its clients in and nothing out, and a way out of each client's group towards it."""
        group = aws.ec2.SecurityGroup(
            self.name,
            description="The database",
            vpc_id=args.vpc_id,
            tags=self.tags(self.name, Tier="data"),
            opts=self.child(),
        )
        for label, client in args.clients.items():
            name = f"{self.name}-from-{label}"
            aws.vpc.SecurityGroupIngressRule(
                name,
                security_group_id=group.id,
                referenced_security_group_id=client,
                description=f"PostgreSQL from {label}",
                ip_protocol="tcp",
                from_port=args.port,
                to_port=args.port,
                tags=self.tags(name),
                opts=self.child(),
            )
            aws.vpc.SecurityGroupEgressRule(
                name,
                security_group_id=client,
                referenced_security_group_id=group.id,
                description="PostgreSQL to the database",
                ip_protocol="tcp",
                from_port=args.port,
                to_port=args.port,
                tags=self.tags(name),
                opts=self.child(),
            )
        return group

    def _create_log_groups(self, args: DatabaseArgs) -> dict[str, aws.cloudwatch.LogGroup]:
        return {
            log: log_group(
                self,
                f"{self.name}-{log}",
                path,
                retention_days=args.log_retention_days,
                key_arn=args.logs_key_arn,
            )
            for log, path in plan.log_paths(self._identifier).items()
        }

    def _create_instance(self, args: DatabaseArgs) -> aws.rds.Instance:
        role, may_monitor = self._create_monitoring_role(args)
        inputs = aws.rds.InstanceArgs(
            identifier=self._identifier,
            instance_class=args.instance_class,
            engine="postgres",
            engine_version=args.engine_version,
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            auto_minor_version_upgrade=True,
            parameter_group_name=self._create_parameter_group(args).name,
            db_name=args.db_name,
            apply_immediately=args.apply_immediately,
            tags=self.tags(self.name, backup="weekly", **({"Schedule": args.schedule} if args.schedule else {})),
            copy_tags_to_snapshot=True,
        )
        self._place(inputs, args)
        self._store(inputs, args)
        self._authenticate(inputs, args)
        self._keep(inputs, args)
        self._observe(inputs, args, role)
        return aws.rds.Instance(
            self.name,
            inputs,
            # RDS would make the log groups itself, neither encrypted nor ever emptied, and refuses to monitor with a
            # role that may not.
            opts=self.child(
                protect=args.protect,
                depends_on=[*self._logs.values(), may_monitor],
                # AWS Backup sets both, where it keeps continuous backups.
                ignore_changes=["backupRetentionPeriod", "backupWindow"] if args.backed_up_continuously else None,
            ),
        )

    def _place(self, inputs: aws.rds.InstanceArgs, args: DatabaseArgs) -> None:
        subnets = aws.rds.SubnetGroup(
            self.name,
            description="The data tier",
            subnet_ids=args.subnet_ids,
            tags=self.tags(self.name),
            opts=self.child(),
        )
        inputs.db_subnet_group_name = subnets.name
        inputs.vpc_security_group_ids = [self._group.id]
        inputs.port = args.port
        inputs.network_type = "IPV4"
        inputs.publicly_accessible = False
        inputs.multi_az = args.multi_az

    def _store(self, inputs: aws.rds.InstanceArgs, args: DatabaseArgs) -> None:
        inputs.storage_type = "gp3"
        inputs.allocated_storage = args.storage_gib
        inputs.max_allocated_storage = args.max_storage_gib
        inputs.storage_encrypted = True
        inputs.kms_key_id = self._key.arn

    def _authenticate(self, inputs: aws.rds.InstanceArgs, args: DatabaseArgs) -> None:
        inputs.username = args.username
        inputs.manage_master_user_password = True
        inputs.master_user_secret_kms_key_id = self._key.arn
        inputs.iam_database_authentication_enabled = True
        inputs.ca_cert_identifier = "rds-ca-rsa2048-g1"

    def _keep(self, inputs: aws.rds.InstanceArgs, args: DatabaseArgs) -> None:
        inputs.backup_retention_period = args.backup_retention_days
        inputs.backup_window = args.backup_window
        inputs.maintenance_window = args.maintenance_window
        inputs.delete_automated_backups = False
        inputs.deletion_protection = args.protect
        inputs.skip_final_snapshot = False
        # Two snapshots cannot have one name: each life of the stack has a key, and so a name, of its own.
        life = self._key.key_id.apply(lambda key_id: key_id[:8])
        inputs.final_snapshot_identifier = pulumi.Output.concat(self._identifier, "-final-", life)

    def _observe(self, inputs: aws.rds.InstanceArgs, args: DatabaseArgs, role: aws.iam.Role) -> None:
        inputs.enabled_cloudwatch_logs_exports = list(self._logs)
        inputs.monitoring_interval = args.monitoring_interval_seconds
        inputs.monitoring_role_arn = role.arn
        inputs.database_insights_mode = args.insights
        inputs.performance_insights_enabled = True
        inputs.performance_insights_kms_key_id = self._key.arn
        inputs.performance_insights_retention_period = plan.insights_retention_days(args.insights)

    def _create_parameter_group(self, args: DatabaseArgs) -> aws.rds.ParameterGroup:
        wanted = plan.parameters(connections=self.max_connections, slow_query_ms=args.slow_query_ms)
        return aws.rds.ParameterGroup(
            self.name,
            description="The platform's database",
            family=plan.family(args.engine_version),
            parameters=[{"name": one.name, "value": one.value, "apply_method": one.applies} for one in wanted],
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_monitoring_role(self, args: DatabaseArgs) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
        name = f"{self.name}-monitoring"
        role = aws.iam.Role(
            name,
            description="Writes the database's operating system metrics",
            assume_role_policy=iam.trust(
                "monitoring.rds.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("rds", f"db:{self._identifier}"),
            ),
            tags=self.tags(name),
            opts=self.child(),
        )
        attachment = aws.iam.RolePolicyAttachment(
            name,
            role=role.name,
            policy_arn=f"arn:{args.home.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            opts=self.child(),
        )
        return role, attachment

    @property
    def _secret_arn(self) -> pulumi.Output[str]:
        return self._instance.master_user_secrets.apply(_only_arn)

    def _rotate_password(self, args: DatabaseArgs) -> None:
        """A schedule in place of RDS's own seven days. RDS rotates by itself, so there is no function to name."""
        aws.secretsmanager.SecretRotation(
            self.name,
            secret_id=self._secret_arn,
            rotate_immediately=False,
            rotation_rules={"automatically_after_days": args.password_rotation_days},
            opts=self.child(),
        )

    def _subscribe_to_events(self, args: DatabaseArgs) -> None:
        aws.rds.EventSubscription(
            self.name,
            sns_topic=args.alerts_topic_arn,
            source_type="db-instance",
            source_ids=[self._instance.identifier],
            event_categories=list(plan.EVENT_CATEGORIES),
            tags=self.tags(self.name),
            opts=self.child(),
        )


def _only_arn(secrets: Sequence[aws.rds.outputs.InstanceMasterUserSecret]) -> str:
    """RDS keeps one secret for an instance's master password."""
    arns = [secret.secret_arn for secret in secrets if secret.secret_arn]
    if len(arns) != 1:
        raise ValueError(f"RDS reports {len(arns)} managed secrets for the master password; one is expected.")
    return arns[0]
