"""A bucket with its guards: what every bucket of the platform has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from . import iam
from ._base import Component


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long objects below ``prefix`` (empty for all) are kept, in days, and after how many they move.

    ``glacier_days``: to Glacier Flexible Retrieval; ``deep_archive_days``: to Deep Archive; None for never. S3 moves no
    object of less than 128 KB, which would cost more there than it saves.
    """

    name: str
    prefix: str = ""
    days: int
    glacier_days: int | None = None
    deep_archive_days: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """Nobody deletes or overwrites a version for ``days``; governance can be bypassed by permission, compliance not."""

    mode: Literal["governance", "compliance"]
    days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketArgs:
    """``key_arn`` None means SSE-S3, which load balancer logs need: their delivery cannot use a customer key.

    ``expire_days``: after how many days an object goes; ``archive_days``: after how many it moves to Glacier Flexible
    Retrieval (None: never). ``retention`` says both in their place, for each prefix. ``noncurrent_days``: how long a
    deleted or overwritten object can be had back. ``purpose`` becomes the tag of that name, ``backup`` is the class
    that AWS Backup selects by.
    """

    purpose: Literal["logs", "evidence", "backup", "archive", "state", "pages"]
    key_arn: pulumi.Input[str] | None
    expire_days: int | None = None
    archive_days: int | None = None
    retention: Sequence[Retention] = ()
    noncurrent_days: int = 30
    lock: Lock | None = None
    backup: Literal["none", "daily", "weekly"] = "none"
    protect: bool

    @property
    def kept(self) -> tuple[Retention, ...]:
        """What the lifecycle does. Raises ValueError where nothing says when objects expire, or two things do."""
        if (self.expire_days is None) == (not self.retention):
            raise ValueError("A bucket's objects expire: give either expire_days or retention.")
        if self.expire_days is None:
            return tuple(self.retention)
        return (Retention(name="expire", days=self.expire_days, glacier_days=self.archive_days),)


class GuardedBucket:
    """A private, versioned, encrypted, TLS-only bucket without ACLs, whose objects expire.

    Not a component of its own: its resources are children of the component that needs it.
    """

    def __init__(
        self, owner: Component, name: str, args: BucketArgs, statements: Sequence[tuple[iam.Statement, str]] = ()
    ) -> None:
        """``statements``: further policy statements, each with the object prefix (``/…``) its resource gets."""
        self._owner, self._name, self._args = owner, name, args
        self.bucket = aws.s3.Bucket(
            name,
            tags=owner.tags(name, backup=args.backup, Purpose=args.purpose),
            opts=owner.child(protect=args.protect),
        )
        self._guard()
        self._expire()
        self._lock()
        self.policy = self._write_policy(statements)

    def _guard(self) -> None:
        aws.s3.BucketPublicAccessBlock(
            self._name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._owner.child(),
        )
        aws.s3.BucketOwnershipControls(
            self._name,
            bucket=self.bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self._owner.child(),
        )
        self.versioning = aws.s3.BucketVersioning(
            self._name,
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._owner.child(),
        )
        encryption: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = (
            {"sse_algorithm": "AES256"}
            if self._args.key_arn is None
            else {"sse_algorithm": "aws:kms", "kms_master_key_id": self._args.key_arn}
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            self._name,
            bucket=self.bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": encryption,
                    "bucket_key_enabled": self._args.key_arn is not None,
                }
            ],
            opts=self._owner.child(),
        )

    def _expire(self) -> None:
        aws.s3.BucketLifecycleConfiguration(
            self._name,
            # The lifecycle names noncurrent versions, so versioning has to be on before.
            bucket=self.versioning.bucket,
            rules=[self._lifecycle_rule(kept) for kept in self._args.kept],
            opts=self._owner.child(),
        )

    def _lifecycle_rule(self, kept: Retention) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
        moves = (("GLACIER", kept.glacier_days), ("DEEP_ARCHIVE", kept.deep_archive_days))
        return {
            "id": kept.name,
            "status": "Enabled",
            "filter": {"prefix": kept.prefix},
            "transitions": [{"days": days, "storage_class": where} for where, days in moves if days is not None],
            "expiration": {"days": kept.days},
            "noncurrent_version_expiration": {"noncurrent_days": self._args.noncurrent_days},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        }

    def _lock(self) -> None:
        lock = self._args.lock
        if lock is None:
            return
        aws.s3.BucketObjectLockConfiguration(
            self._name,
            # S3 locks objects in a bucket with versioning alone.
            bucket=self.versioning.bucket,
            object_lock_enabled="Enabled",
            rule={"default_retention": {"mode": lock.mode.upper(), "days": lock.days}},
            opts=self._owner.child(),
        )

    def _write_policy(self, statements: Sequence[tuple[iam.Statement, str]]) -> aws.s3.BucketPolicy:
        arn = self.bucket.arn
        scoped = [{**statement, "Resource": [pulumi.Output.concat(arn, prefix)]} for statement, prefix in statements]
        return aws.s3.BucketPolicy(
            self._name,
            bucket=self.bucket.id,
            policy=iam.document(iam.deny_insecure_transport(arn), *scoped),
            opts=self._owner.child(),
        )
