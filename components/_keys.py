"""A customer key with rotation, a readable alias and a policy that names who may use it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import iam
from ._base import Component


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The partition, account and region a component lives in; policies name them. All are settings, never looked up."""

    partition: str
    account_id: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """``arn:partition:service:region:account:resource``."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"


def customer_key(
    owner: Component, name: str, description: str, home: Home, *users: iam.Statement, protect: bool
) -> aws.kms.Key:
    """A symmetric key, rotated every year and deleted after 30 days at the earliest.

    ``users``: what AWS services may do with the key. The account's IAM policies administer it.
    """
    administrators: iam.Statement = {
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{home.partition}:iam::{home.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    key = aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=iam.document(administrators, *users),
        tags=owner.tags(name),
        opts=owner.child(protect=protect),
    )
    aws.kms.Alias(
        name,
        name=f"alias/{owner.labels.physical(name, limit=250)}",
        target_key_id=key.key_id,
        opts=owner.child(),
    )
    return key


def logs_may_use(home: Home) -> iam.Statement:
    """Lets CloudWatch Logs use the key for this account's log groups of this region."""
    return iam.allow_service(
        f"logs.{home.region}.amazonaws.com",
        ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        ["*"],
        sid="LogsUse",
        condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": home.arn("logs", "log-group:*")}},
    )


def log_group(
    owner: Component, name: str, path: str, *, retention_days: int, key_arn: pulumi.Input[str]
) -> aws.cloudwatch.LogGroup:
    """An encrypted log group under a known ``path``, kept for ``retention_days``."""
    return aws.cloudwatch.LogGroup(
        name,
        name=path,
        retention_in_days=retention_days,
        kms_key_id=key_arn,
        tags=owner.tags(name),
        opts=owner.child(),
    )
