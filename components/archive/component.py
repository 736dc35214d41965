"""Where backups, evidence and archived logs are kept, and how servers save their configuration there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.records import RecordsSettings
from settings.severity import Severity

from .. import iam
from .._base import Component
from .._bucket import BucketArgs, GuardedBucket
from .._keys import Home, customer_key
from . import plan

#: The three buckets: each is a key of ``RecordsSettings.locks``, a purpose and a part of resources' names.
Store = Literal["backup", "evidence", "archive"]
STORES: tuple[Store, ...] = ("backup", "evidence", "archive")

_REPORTS = "reports.backup.amazonaws.com"
_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveArgs:
    """``server_tags``: tags that together name the servers whose configuration is saved.

    ``backup_class``: whether AWS Backup copies backups and evidence too; its role then needs the permissions for S3.
    ``servers_sleep``: servers may be stopped on a schedule, so that their silence is no alarm. ``protect``: what is
    kept cannot be deleted.
    """

    home: Home
    records: RecordsSettings
    server_tags: Mapping[str, str]
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    backup_class: Literal["none", "daily", "weekly"] = "none"
    servers_sleep: bool = False
    protect: bool


class Archive(Component):
    """Three buckets with a key of their own, and the SSM documents that save and restore a server's configuration.

    ``backup`` holds configuration, code, state and the reports of AWS Backup; ``evidence`` what restore tests and
    audits leave; ``archive`` logs exported from CloudWatch. Their objects are versioned, locked, moved to Glacier
    and in the end deleted as the settings say. Object lock, once on, cannot be taken off a bucket, and under
    ``compliance`` nothing is deleted before its time, not even with the account's root user.

    Cost: the key 1 USD a month, storage cents per GB, two metrics and two alarms 0.80 USD a month.
    """

    TYPE = "learning-platform:archive:Archive"
    SERVICE = "archive"
    RUNBOOK = "001_62c8c82a6a764433.txt 2"

    key_arn: pulumi.Output[str]
    #: Bucket -> name; whoever names a bucket by it waits for the bucket's policy.
    bucket_names: Mapping[Store, pulumi.Output[str]]
    bucket_arns: Mapping[Store, pulumi.Output[str]]
    #: The prefix of the server's configuration in the backup bucket; an instance's id and a slash follow.
    prefix: str
    #: The prefix that AWS Backup may write reports under, without a slash, as a report plan takes it.
    reports_prefix: str
    backup_document: pulumi.Output[str]
    restore_document: pulumi.Output[str]
    #: The namespace of the servers' metrics, ``plan.AGE`` and ``plan.FAILURES``, which have no dimension.
    metric_namespace: str
    #: What a server's role must allow so that the server can save and restore its configuration.
    instance_statements: tuple[iam.Statement, ...]

    def __init__(
        self, name: str, args: ArchiveArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        home = args.home
        self.prefix = plan.hosts_prefix(partition=home.partition, region=home.region, account_id=home.account_id)
        self.reports_prefix = plan.PREFIXES["reports"].rstrip("/")
        self.metric_namespace = labels.physical(name)
        self._reporter = self._create_reporter(args)
        self._key = self._create_key(args)
        self._buckets = {store: self._create_bucket(store, args) for store in STORES}
        self._log_access(args)
        self.key_arn = self._key.arn
        self.bucket_names = {store: bucket.policy.bucket for store, bucket in self._buckets.items()}
        self.bucket_arns = {store: bucket.bucket.arn for store, bucket in self._buckets.items()}
        self._save_configuration(args)
        self.instance_statements = self._allow_saving(home)
        self._create_alarms(args)
        if args.records.glacier_vault:
            self._create_vault(args)
        self.register_outputs({"buckets": self.bucket_names, "keyArn": self.key_arn})

    def _create_reporter(self, args: ArchiveArgs) -> pulumi.Output[str]:
        """ARN of the role that AWS Backup writes reports with. A policy can name it only once it is there."""
        home = args.home
        if not args.records.reports_role:
            role = f"aws-service-role/{_REPORTS}/AWSServiceRoleForBackupReports"
            return pulumi.Output.from_input(f"arn:{home.partition}:iam::{home.account_id}:role/{role}")
        name = f"{self.name}-reports"
        return aws.iam.ServiceLinkedRole(
            name,
            aws_service_name=_REPORTS,
            tags=self.tags(name),
            opts=self.child(),
        ).arn

    def _create_key(self, args: ArchiveArgs) -> aws.kms.Key:
        home = args.home
        return customer_key(
            self,
            self.name,
            "Encrypts backups, evidence and archived logs",
            home,
            iam.allow_service(
                f"logs.{home.region}.amazonaws.com",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                ["*"],
                sid="LogsExport",
                condition={"StringEquals": {"aws:SourceAccount": home.account_id}},
            ),
            self._reporter_may(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], Resource=["*"]),
            protect=args.protect,
        )

    def _reporter_may(self, actions: Sequence[str], **rest: Any) -> iam.Statement:
        return {
            "Sid": "BackupReports",
            "Effect": "Allow",
            "Principal": {"AWS": self._reporter},
            "Action": list(actions),
            **rest,
        }

    def _create_bucket(self, store: Store, args: ArchiveArgs) -> GuardedBucket:
        records = args.records
        return GuardedBucket(
            self,
            f"{self.name}-{store}",
            BucketArgs(
                purpose=store,
                key_arn=self._key.arn,
                retention=plan.retention(records, store),
                noncurrent_days=records.noncurrent_days,
                lock=plan.lock(records, store),
                backup="none" if store == "archive" else args.backup_class,
                protect=args.protect,
            ),
            statements=[(self._refuse_other_keys(), "/*"), *self._writers(store, args.home)],
        )

    def _refuse_other_keys(self) -> iam.Statement:
        """Whoever may write cannot hide an object behind a key that this account does not control."""
        return {
            "Sid": "DenyOtherKeys",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": self._key.arn}},
        }

    def _writers(self, store: Store, home: Home) -> Sequence[tuple[iam.Statement, str]]:
        """What AWS services may do in a bucket, each with the objects it may do it to."""
        owned = {"s3:x-amz-acl": "bucket-owner-full-control"}
        if store == "backup":
            reports = self._reporter_may(["s3:PutObject"], Condition={"StringEquals": owned})
            return [(reports, f"/{plan.PREFIXES['reports']}*")]
        if store == "evidence":
            return []
        logs, account = f"logs.{home.region}.amazonaws.com", {"aws:SourceAccount": home.account_id}
        groups = {"ArnLike": {"aws:SourceArn": home.arn("logs", "log-group:*")}}
        look, write = {"StringEquals": account, **groups}, {"StringEquals": {**account, **owned}, **groups}
        return [
            (iam.allow_service(logs, ["s3:GetBucketAcl"], [], sid="LogsLook", condition=look), ""),
            (
                iam.allow_service(logs, ["s3:PutObject"], [], sid="LogsExport", condition=write),
                f"/{plan.PREFIXES['logs']}*",
            ),
        ]

    def _log_access(self, args: ArchiveArgs) -> None:
        """Who read or changed what in the three buckets, in a bucket of its own."""
        home, name = args.home, f"{self.name}-access-logs"
        delivery = iam.allow_service(
            "logging.s3.amazonaws.com",
            ["s3:PutObject"],
            [],
            sid="AccessLogs",
            condition={
                "ArnEquals": {"aws:SourceArn": [bucket.bucket.arn for bucket in self._buckets.values()]},
                "StringEquals": {"aws:SourceAccount": home.account_id},
            },
        )
        target = GuardedBucket(
            self,
            name,
            # Server access logging cannot write with a customer key.
            BucketArgs(purpose="logs", key_arn=None, expire_days=args.records.access_log_days, protect=args.protect),
            statements=[(delivery, "/*")],
        )
        for store, bucket in self._buckets.items():
            aws.s3.BucketLogging(
                f"{self.name}-{store}",
                bucket=bucket.bucket.id,
                target_bucket=target.policy.bucket,
                target_prefix=f"{store}/",
                opts=self.child(),
            )

    def _save_configuration(self, args: ArchiveArgs) -> None:
        """The documents, and the association that saves every week and installs what saves on change."""
        hosts = args.records.hosts
        backup = self._create_document(
            "backup", args, lambda place: plan.backup_document(place, watch_minutes=hosts.watch_minutes)
        )
        self.backup_document = backup.name
        self.restore_document = self._create_document("restore", args, plan.restore_document).name
        name = f"{self.name}-configuration"
        aws.ssm.Association(
            name,
            name=backup.name,
            association_name=self.labels.physical(name),
            targets=[{"key": f"tag:{key}", "values": [value]} for key, value in sorted(args.server_tags.items())],
            schedule_expression=hosts.schedule,
            compliance_severity="HIGH",
            # One server's failure says nothing about another's.
            max_concurrency="100%",
            max_errors="100%",
            tags=self.tags(name),
            opts=self.child(),
        )

    def _create_document(
        self, purpose: str, args: ArchiveArgs, content: Callable[[plan.Place], dict[str, Any]]
    ) -> aws.ssm.Document:
        def write(known: Sequence[str]) -> str:
            bucket, key_arn = known
            place = plan.Place(
                bucket=bucket,
                key_arn=key_arn,
                region=args.home.region,
                hosts=self.prefix,
                namespace=self.metric_namespace,
                paths=plan.paths(args.records),
            )
            return json.dumps(content(place), sort_keys=True)

        name = f"{self.name}-{purpose}"
        return aws.ssm.Document(
            name,
            document_type="Command",
            document_format="JSON",
            target_type="/AWS::EC2::Instance",
            content=pulumi.Output.all(self._buckets["backup"].bucket.bucket, self._key.arn).apply(write),
            tags=self.tags(name),
            opts=self.child(),
        )

    def _allow_saving(self, home: Home) -> tuple[iam.Statement, ...]:
        """A server writes below its own ARN alone. It reads what any server saved: a replacement restores it."""
        bucket = self.bucket_arns["backup"]
        own = f"/{plan.PREFIXES['configuration']}${{ec2:SourceInstanceARN}}/*"
        return (
            iam.allow(
                ["s3:AbortMultipartUpload", "s3:PutObject"],
                [pulumi.Output.concat(bucket, own)],
                sid="SaveConfiguration",
            ),
            iam.allow(["s3:GetObject"], [pulumi.Output.concat(bucket, f"/{self.prefix}*")], sid="RestoreConfiguration"),
            iam.allow(
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [self._key.arn],
                sid="EncryptConfiguration",
                condition={
                    "StringEquals": {"kms:ViaService": f"s3.{home.region}.amazonaws.com"},
                    "StringLike": {
                        "kms:EncryptionContext:aws:s3:arn": [
                            bucket,
                            pulumi.Output.concat(bucket, f"/{plan.PREFIXES['configuration']}*"),
                        ]
                    },
                },
            ),
            iam.allow(
                ["cloudwatch:PutMetricData"],
                ["*"],
                sid="TellBackups",
                condition={"StringEquals": {"cloudwatch:namespace": self.metric_namespace}},
            ),
        )

    def _create_alarms(self, args: ArchiveArgs) -> None:
        stale, minutes = args.records.hosts.stale_days, args.records.hosts.watch_minutes
        self._create_alarm(
            "stale",
            args,
            f"003_720b7a256857bf84.txt Backups: a server's configuration was not saved for {stale} days, or no server "
            "tells. First action: read the last run of the association in Systems Manager, State Manager.",
            metric_name=plan.AGE,
            statistic="Maximum",
            threshold=stale * _DAY_SECONDS,
            period=3600,
            evaluation_periods=3,
            treat_missing_data="ignore" if args.servers_sleep else "breaching",
        )
        self._create_alarm(
            "failed",
            args,
            "003_720b7a256857bf84.txt Backups: a server's configuration cannot be saved. First action: on the server, "
            "journalctl -u platform-configuration-backup.",
            metric_name=plan.FAILURES,
            statistic="Sum",
            threshold=0,
            # Three looks that fail in turn: one that fails alone is tried again by the next.
            period=60 * minutes,
            evaluation_periods=3,
            treat_missing_data="notBreaching",
        )

    def _create_alarm(self, purpose: str, args: ArchiveArgs, description: str, **watched: Any) -> None:
        name, topic = f"{self.name}-{purpose}", args.topic_arns["medium"]
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical("configuration", purpose, limit=255),
            alarm_description=description,
            namespace=self.metric_namespace,
            comparison_operator="GreaterThanThreshold",
            alarm_actions=[topic],
            ok_actions=[topic],
            tags=self.tags(name, Severity="medium"),
            opts=self.child(),
            **watched,
        )

    def _create_vault(self, args: ArchiveArgs) -> None:
        """The old Glacier service, for whoever has it still: locked for good, and closed to plain HTTP."""
        vault_name = self.labels.physical(self.name, limit=255)
        arn = args.home.arn("glacier", f"vaults/{vault_name}")
        plain: iam.Statement = {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "glacier:*",
            "Resource": [arn],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        early: iam.Statement = {
            "Sid": "DenyEarlyDeletion",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "glacier:DeleteArchive",
            "Resource": [arn],
            "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": str(args.records.locks.archive.days)}},
        }
        vault = aws.glacier.Vault(
            self.name,
            name=vault_name,
            access_policy=iam.document(plain),
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect),
        )
        aws.glacier.VaultLock(
            self.name,
            vault_name=vault.name,
            # A lock that is not completed is gone after a day; a complete one goes with the vault alone.
            complete_lock=True,
            ignore_deletion_error=True,
            policy=iam.document(early),
            opts=self.child(),
        )
