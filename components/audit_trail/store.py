"""Where the trail is kept: an encrypted, locked bucket whose own use is logged, and an encrypted log group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from .._bucket import BucketArgs, GuardedBucket
from .._keys import Home, customer_key, log_group

if TYPE_CHECKING:
    from .component import AuditTrailArgs

_CLOUDTRAIL = "cloudtrail.amazonaws.com"


class Store:
    """Key, bucket and log group of a trail that is called ``trail_name``. Its resources are children of ``owner``."""

    def __init__(self, owner: Component, args: AuditTrailArgs, *, trail_name: str, log_group_name: str) -> None:
        self._owner, self._name = owner, owner.name
        home = args.home
        self._trail_arn = home.arn("cloudtrail", f"trail/{trail_name}")
        self.key = self._create_key(args, log_group_name)
        self.group = log_group(
            owner, self._name, log_group_name, retention_days=args.log_retention_days, key_arn=self.key.arn
        )
        self.bucket = self._create_bucket(args)
        self._log_access(args)
        self._lock(args)
        self.role, self.may_write = self._create_role(home)

    def _create_key(self, args: AuditTrailArgs, log_group_name: str) -> aws.kms.Key:
        """The trail's own key: who may read the trail is another question than who may read any other log."""
        home = args.home
        own = {"StringEquals": {"aws:SourceArn": self._trail_arn}}
        trails = f"arn:{home.partition}:cloudtrail:*:{home.account_id}:trail/*"
        users = (
            iam.allow_service(
                _CLOUDTRAIL,
                ["kms:GenerateDataKey*"],
                ["*"],
                sid="TrailEncrypts",
                condition={**own, "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}},
            ),
            # The bucket has a bucket key, which CloudTrail reads before it writes.
            iam.allow_service(
                _CLOUDTRAIL, ["kms:Decrypt", "kms:DescribeKey"], ["*"], sid="TrailKnowsKey", condition=own
            ),
            iam.allow_service(
                f"logs.{home.region}.amazonaws.com",
                ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                ["*"],
                sid="LogGroupUses",
                condition={
                    "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": home.arn("logs", f"log-group:{log_group_name}")}
                },
            ),
        )
        return customer_key(self._owner, self._name, "Encrypts the audit trail", home, *users, protect=args.protect)

    def _create_bucket(self, args: AuditTrailArgs) -> GuardedBucket:
        own = {"StringEquals": {"aws:SourceArn": self._trail_arn}}
        written = {"StringEquals": {**own["StringEquals"], "s3:x-amz-acl": "bucket-owner-full-control"}}
        return GuardedBucket(
            self._owner,
            self._name,
            BucketArgs(
                purpose="evidence",
                key_arn=self.key.arn,
                archive_days=args.archive_days,
                expire_days=args.expire_days,
                protect=args.protect,
            ),
            statements=[
                (iam.allow_service(_CLOUDTRAIL, ["s3:GetBucketAcl"], [], sid="TrailLooks", condition=own), ""),
                (
                    iam.allow_service(_CLOUDTRAIL, ["s3:PutObject"], [], sid="TrailWrites", condition=written),
                    f"/AWSLogs/{args.home.account_id}/*",
                ),
            ],
        )

    def _log_access(self, args: AuditTrailArgs) -> None:
        """Who read or tried to change the trail, in a bucket of its own: data events of it would record themselves."""
        home = args.home
        delivery = iam.allow_service(
            "logging.s3.amazonaws.com",
            ["s3:PutObject"],
            [],
            sid="TrailBucketLogs",
            condition={
                "ArnEquals": {"aws:SourceArn": self.bucket.bucket.arn},
                "StringEquals": {"aws:SourceAccount": home.account_id},
            },
        )
        name = f"{self._name}-access-logs"
        target = GuardedBucket(
            self._owner,
            name,
            # Server access logging cannot write with a customer key.
            BucketArgs(purpose="logs", key_arn=None, expire_days=args.log_retention_days, protect=args.protect),
            statements=[(delivery, "/trail/*")],
        )
        aws.s3.BucketLogging(
            self._name,
            bucket=self.bucket.bucket.id,
            target_bucket=target.policy.bucket,
            target_prefix="trail/",
            opts=self._owner.child(),
        )

    def _lock(self, args: AuditTrailArgs) -> None:
        aws.s3.BucketObjectLockConfiguration(
            self._name,
            # S3 locks objects in a bucket with versioning alone.
            bucket=self.bucket.versioning.bucket,
            object_lock_enabled="Enabled",
            rule={"default_retention": {"mode": args.lock_mode.upper(), "days": args.lock_days}},
            opts=self._owner.child(),
        )

    def _create_role(self, home: Home) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            self._name,
            description="Writes the audit trail to its log group",
            assume_role_policy=iam.trust(_CLOUDTRAIL, account_id=home.account_id, source_arn=self._trail_arn),
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )
        # CloudTrail begins the names of its streams with the account.
        streams = pulumi.Output.concat(self.group.arn, f":log-stream:{home.account_id}_CloudTrail_{home.region}*")
        policy = aws.iam.RolePolicy(
            self._name,
            role=role.name,
            policy=iam.document(iam.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [streams], sid="WriteTrail")),
            opts=self._owner.child(),
        )
        return role, policy
