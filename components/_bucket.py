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
class BucketArgs:
    """``key_arn`` None means SSE-S3, which load balancer logs need: their delivery cannot use a customer key.

    ``expire_days``: after how many days an object goes; ``archive_days``: after how many it moves to Glacier Flexible
    Retrieval (None: never). ``purpose`` becomes the tag of that name.
    """

    purpose: Literal["logs", "evidence", "backup", "state", "pages"]
    key_arn: pulumi.Input[str] | None
    expire_days: int
    archive_days: int | None = None
    protect: bool


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
            tags=owner.tags(name, Purpose=args.purpose),
            opts=owner.child(protect=args.protect),
        )
        self._guard()
        self._expire()
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
        archive = self._args.archive_days
        aws.s3.BucketLifecycleConfiguration(
            self._name,
            # The lifecycle names noncurrent versions, so versioning has to be on before.
            bucket=self.versioning.bucket,
            rules=[
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "transitions": [{"days": archive, "storage_class": "GLACIER"}] if archive is not None else [],
                    "expiration": {"days": self._args.expire_days},
                    "noncurrent_version_expiration": {"noncurrent_days": 30},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                }
            ],
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
