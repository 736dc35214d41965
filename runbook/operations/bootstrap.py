"""The state bucket and its key: what an S3 back end for Pulumi needs before the first deployment.

``observe`` reads what is there, ``plan`` compares it with what should be and lists the calls that are missing,
``plan.apply`` makes them. A second run finds nothing to do; a run after an interruption does what is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from settings.naming import Labels

from ..errors import UserError
from .aws import error_code, spoken
from .plan import Step
from .site import caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from settings.model import Settings

OPERATION = "bootstrap"

#: Stands for the key's ARN in the steps after the one that makes it.
KEY_ARN = "<the new key's ARN>"

#: How long an overwritten state can still be fetched, in days.
KEPT_DAYS = 90

#: An old TLS version is as good as none.
_LEAST_TLS = "1.2"

_BLOCKED = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}


class Clients(TypedDict):
    """The boto3 clients, all of the target's region."""

    kms: KMSClient
    s3: S3Client
    sts: STSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What should be there. ``account_id`` is that of the stack's settings; ``alias`` begins with ``alias/``."""

    project: str
    environment: str
    account_id: str
    partition: str
    region: str
    bucket: str
    alias: str
    tags: Mapping[str, str]

    @classmethod
    def of(cls, project: str, settings: Settings) -> Target:
        """What a stack of ``project`` needs, by its settings."""
        labels = Labels(
            project=project,
            environment=settings.environment,
            owner=settings.ownership.owner,
            cost_center=settings.ownership.cost_center,
        )
        return cls(
            project=project,
            environment=settings.environment,
            account_id=settings.account.id,
            partition=settings.account.partition,
            region=settings.region,
            # All buckets of the world share their names; the account's number makes this one its own.
            bucket=labels.physical("state", settings.account.id, limit=63).lower().replace("_", "-"),
            alias=f"alias/{labels.physical('state', limit=250)}",
            # AWS Backup takes the state along, once the stack has its plan.
            tags=labels.tags(
                service="state", runbook="003_720b7a256857bf84.txt Backups", backup="weekly", Purpose="state"
            ),
        )

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def kms_arn(self, resource: str) -> str:
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """A key that is there: under the alias, or made for it by a run that ended before it had one."""

    arn: str
    has_alias: bool
    rotates: bool
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketState:
    """How the bucket is set up; what was never set is False, None or empty. ``key``: as the encryption names it."""

    public_access_blocked: bool = False
    owner_enforced: bool = False
    versioned: bool = False
    key: str | None = None
    bucket_key: bool = False
    statements: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the account has; ``who`` is the ARN of the caller."""

    who: str
    key: KeyState | None
    bucket: BucketState | None


def observe(clients: Clients, target: Target) -> Observed:
    """Reads the account, changing nothing.

    Raises UserError where the account is another than the target's, where the bucket's name or region is not ours
    to use, or where the key under the alias cannot encrypt.
    """
    who = caller(clients["sts"], environment=target.environment, account_id=target.account_id)
    return Observed(who=who, key=_key(clients["kms"], target), bucket=_bucket(clients["s3"], target))


def plan(target: Target, observed: Observed) -> tuple[Step, ...]:
    """The calls that turn what is there into what should be, in an order in which none precedes what it needs."""
    return (*_plan_key(target, observed.key), *_plan_bucket(target, observed))


def _plan_key(target: Target, key: KeyState | None) -> Iterator[Step]:
    name = target.alias.removeprefix("alias/")
    if key is None:
        yield Step(
            call="kms.create_key",
            action="kms:CreateKey",
            arguments={
                "Description": f"Encrypts the Pulumi state and secrets of {target.project} {target.environment}",
                "KeyUsage": "ENCRYPT_DECRYPT",
                "KeySpec": "SYMMETRIC_DEFAULT",
                "Policy": _text(_key_policy(target)),
                "Tags": [{"TagKey": tag, "TagValue": value} for tag, value in sorted(target.tags.items())],
            },
            changes="Makes the key that encrypts the state and its secrets; the account's IAM policies govern it.",
            yields={KEY_ARN: "KeyMetadata.Arn"},
        )
    arn = key.arn if key else KEY_ARN
    if key is not None and (missing := _missing(target.tags, key.tags)):
        yield Step(
            call="kms.tag_resource",
            action="kms:TagResource",
            arguments={"KeyId": arn, "Tags": [{"TagKey": t, "TagValue": v} for t, v in missing.items()]},
            changes=f"Sets the key's tags {', '.join(missing)}.",
        )
    if key is None or not key.has_alias:
        yield Step(
            call="kms.create_alias",
            action="kms:CreateAlias",
            arguments={"AliasName": target.alias, "TargetKeyId": arn},
            changes=f"Gives the key the name {name}.",
        )
    if key is None or not key.rotates:
        yield Step(
            call="kms.enable_key_rotation",
            action="kms:EnableKeyRotation",
            arguments={"KeyId": arn},
            changes="Lets AWS renew the key's material every year.",
        )


def _plan_bucket(target: Target, observed: Observed) -> Iterator[Step]:
    here = {"Bucket": target.bucket, "ExpectedBucketOwner": target.account_id}
    arn = observed.key.arn if observed.key else KEY_ARN
    bucket = observed.bucket or BucketState()
    if observed.bucket is None:
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": target.region}}
        yield Step(
            call="s3.create_bucket",
            action="s3:CreateBucket",
            # The API takes every region as a constraint but the one it started in.
            arguments={"Bucket": target.bucket} | ({} if target.region == "us-east-1" else elsewhere),
            changes=f"Makes the bucket {target.bucket} in {target.region}.",
        )
    if not bucket.public_access_blocked:
        yield Step(
            call="s3.put_public_access_block",
            action="s3:PutBucketPublicAccessBlock",
            arguments={**here, "PublicAccessBlockConfiguration": _BLOCKED},
            changes="Blocks public access, whatever a policy or an ACL says.",
        )
    if not bucket.owner_enforced:
        yield Step(
            call="s3.put_bucket_ownership_controls",
            action="s3:PutBucketOwnershipControls",
            arguments={**here, "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            changes="Turns ACLs off: the account owns every object.",
        )
    if not bucket.versioned:
        yield Step(
            call="s3.put_bucket_versioning",
            action="s3:PutBucketVersioning",
            arguments={**here, "VersioningConfiguration": {"Status": "Enabled"}},
            changes="Keeps every version, so that a damaged state can be put back.",
        )
    if bucket.key != arn or not bucket.bucket_key:
        yield Step(
            call="s3.put_bucket_encryption",
            action="s3:PutEncryptionConfiguration",
            arguments={**here, "ServerSideEncryptionConfiguration": {"Rules": [_encryption(arn)]}},
            changes="Encrypts every new object with the key.",
        )
    if (statements := _merged(_statements(target, arn), bucket.statements, "Sid")) != list(bucket.statements):
        yield Step(
            call="s3.put_bucket_policy",
            action="s3:PutBucketPolicy",
            arguments={**here, "Policy": _text({"Version": "2012-10-17", "Statement": statements})},
            changes=f"Refuses plain HTTP, TLS before {_LEAST_TLS} and any other encryption; keeps other statements.",
        )
    if (rules := _merged([_lifecycle()], bucket.rules, "ID")) != list(bucket.rules):
        yield Step(
            call="s3.put_bucket_lifecycle_configuration",
            action="s3:PutLifecycleConfiguration",
            arguments={**here, "LifecycleConfiguration": {"Rules": rules}},
            changes=f"Deletes overwritten versions after {KEPT_DAYS} days; keeps other rules.",
        )
    if missing := _missing(target.tags, bucket.tags):
        tags = {**bucket.tags, **missing}
        yield Step(
            call="s3.put_bucket_tagging",
            action="s3:PutBucketTagging",
            arguments={**here, "Tagging": {"TagSet": [{"Key": t, "Value": v} for t, v in sorted(tags.items())]}},
            changes=f"Sets the bucket's tags {', '.join(missing)}.",
        )


def permissions(target: Target) -> dict[str, Any]:
    """The IAM policy that ``observe`` and every possible plan need. Only keys with this purpose can be changed."""
    ours = {"aws:ResourceTag/Purpose": target.tags["Purpose"]}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "MakeKey",
                "Effect": "Allow",
                "Action": ["kms:CreateKey", "kms:TagResource"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestTag/Purpose": target.tags["Purpose"]}},
            },
            {
                "Sid": "ReadKeys",
                "Effect": "Allow",
                "Action": ["kms:DescribeKey", "kms:GetKeyRotationStatus", "kms:ListKeys", "kms:ListResourceTags"],
                "Resource": "*",
            },
            {
                "Sid": "SetUpKey",
                "Effect": "Allow",
                "Action": ["kms:CreateAlias", "kms:EnableKeyRotation", "kms:TagResource"],
                "Resource": target.kms_arn("key/*"),
                "Condition": {"StringEquals": ours},
            },
            {
                "Sid": "NameKey",
                "Effect": "Allow",
                "Action": ["kms:CreateAlias"],
                "Resource": target.kms_arn(target.alias),
            },
            {
                "Sid": "Bucket",
                "Effect": "Allow",
                "Action": [
                    "s3:CreateBucket",
                    "s3:GetBucketOwnershipControls",
                    "s3:GetBucketPolicy",
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketTagging",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetLifecycleConfiguration",
                    "s3:ListBucket",
                    "s3:PutBucketOwnershipControls",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketPublicAccessBlock",
                    "s3:PutBucketTagging",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
                "Resource": target.bucket_arn,
            },
        ],
    }


def title(target: Target) -> str:
    """What the plan is about."""
    return f"State of {target.environment}: bucket and key in account {target.account_id}, {target.region}"


def next_commands(target: Target) -> tuple[str, ...]:
    """What a person types once the bucket and the key are there."""
    return (
        f"pulumi login 's3://{target.bucket}?region={target.region}'",
        f"pulumi stack init {target.environment} --secrets-provider 'awskms://{target.alias}?region={target.region}'",
        f"make up STACK={target.environment}",
    )


def _key_policy(target: Target) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AccountAdministers",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{target.partition}:iam::{target.account_id}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def _statements(target: Target, key_arn: str) -> list[dict[str, Any]]:
    everything = [target.bucket_arn, f"{target.bucket_arn}/*"]
    header = "s3:x-amz-server-side-encryption"

    def deny(sid: str, action: str, resource: Any, condition: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": resource,
            "Condition": condition,
        }

    return [
        deny("DenyPlainHttp", "s3:*", everything, {"Bool": {"aws:SecureTransport": "false"}}),
        deny("DenyOldTls", "s3:*", everything, {"NumericLessThan": {"s3:TlsVersion": _LEAST_TLS}}),
        # A request that names no encryption gets the bucket's own; one that does must name the same.
        deny(
            "DenyOtherEncryption",
            "s3:PutObject",
            f"{target.bucket_arn}/*",
            {"Null": {header: "false"}, "StringNotEquals": {header: "aws:kms"}},
        ),
        deny(
            "DenyOtherKey",
            "s3:PutObject",
            f"{target.bucket_arn}/*",
            {
                "Null": {f"{header}-aws-kms-key-id": "false"},
                "StringNotEquals": {f"{header}-aws-kms-key-id": key_arn},
            },
        ),
    ]


def _encryption(key_arn: str) -> dict[str, Any]:
    return {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn},
        "BucketKeyEnabled": True,
    }


def _lifecycle() -> dict[str, Any]:
    return {
        "ID": "expire-old-states",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def _merged(
    wanted: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]], key: str
) -> list[Mapping[str, Any]]:
    """``present`` with ``wanted`` in place of its namesakes; what is new comes last."""
    by_name = {item[key]: item for item in wanted}
    merged = [by_name.pop(item[key], item) if key in item else item for item in present]
    return [*merged, *by_name.values()]


def _missing(wanted: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    return {tag: value for tag, value in sorted(wanted.items()) if present.get(tag) != value}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)


def _key(kms: KMSClient, target: Target) -> KeyState | None:
    from botocore.exceptions import ClientError

    with spoken("kms:DescribeKey"):
        try:
            metadata = kms.describe_key(KeyId=target.alias)["KeyMetadata"]
        except ClientError as error:
            if error_code(error) != "NotFoundException":
                raise
            return _orphan(kms, target)
    if metadata["KeyState"] != "Enabled" or metadata.get("KeySpec") != "SYMMETRIC_DEFAULT":
        raise UserError(
            f"The key under {target.alias} cannot encrypt a state: its state is {metadata['KeyState']}, its kind is "
            f"{metadata.get('KeySpec')}; an enabled key of kind SYMMETRIC_DEFAULT is needed.",
            f"Enable it, or cancel its deletion (key {metadata['KeyId']}), then run the command again.",
        )
    return _state_of(kms, metadata["Arn"], has_alias=True, tags=_key_tags(kms, metadata["Arn"]))


def _orphan(kms: KMSClient, target: Target) -> KeyState | None:
    """The key of a run that ended between making it and naming it; its tags tell."""
    from botocore.exceptions import ClientError

    with spoken("kms:ListKeys"):
        arns = [key["KeyArn"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
    for arn in arns:
        with spoken("kms:ListResourceTags"):
            try:
                tags = _key_tags(kms, arn)
            except ClientError as error:
                # Keys of AWS and of other teams may keep their tags to themselves.
                if error_code(error) != "AccessDeniedException":
                    raise
                continue
        if not _missing(target.tags, tags):
            with spoken("kms:DescribeKey"):
                usable = kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"
            if usable:
                return _state_of(kms, arn, has_alias=False, tags=tags)
    return None


def _state_of(kms: KMSClient, arn: str, *, has_alias: bool, tags: Mapping[str, str]) -> KeyState:
    with spoken("kms:GetKeyRotationStatus"):
        rotates = kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
    return KeyState(arn=arn, has_alias=has_alias, rotates=rotates, tags=tags)


def _key_tags(kms: KMSClient, arn: str) -> dict[str, str]:
    pages = kms.get_paginator("list_resource_tags").paginate(KeyId=arn)
    return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}


def _bucket(s3: S3Client, target: Target) -> BucketState | None:
    from botocore.exceptions import ClientError

    owned = {"Bucket": target.bucket, "ExpectedBucketOwner": target.account_id}
    with spoken("s3:ListBucket"):
        try:
            region = s3.head_bucket(**owned).get("BucketRegion", target.region)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return None
            if error_code(error) != "403":
                raise
            raise UserError(
                f"The bucket {target.bucket} exists, but it is another account's, or s3:ListBucket on it is missing.",
                "Bucket names are shared by everybody. If it is not yours, change the project's name in Pulumi.yaml.",
            ) from error
    if region != target.region:
        raise UserError(
            f"The bucket {target.bucket} is in {region}, but {target.environment} is in {target.region}.",
            "A bucket cannot be moved. Empty and delete it, or correct the region in the settings.",
        )

    def read(action: str, call: Callable[..., Any], absent: str) -> Any:
        with spoken(action):
            try:
                return call(**owned)
            except ClientError as error:
                if error_code(error) != absent:
                    raise
                return {}

    block = read("s3:GetBucketPublicAccessBlock", s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration")
    controls = read("s3:GetBucketOwnershipControls", s3.get_bucket_ownership_controls, "OwnershipControlsNotFoundError")
    encryption = read(
        "s3:GetEncryptionConfiguration", s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"
    )
    policy = read("s3:GetBucketPolicy", s3.get_bucket_policy, "NoSuchBucketPolicy")
    lifecycle = read(
        "s3:GetLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"
    )
    tags = read("s3:GetBucketTagging", s3.get_bucket_tagging, "NoSuchTagSet")
    versioning = read("s3:GetBucketVersioning", s3.get_bucket_versioning, "")
    rule = encryption.get("ServerSideEncryptionConfiguration", {"Rules": [{}]})["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    statements = json.loads(policy.get("Policy", '{"Statement": []}'))["Statement"]
    return BucketState(
        public_access_blocked=block.get("PublicAccessBlockConfiguration") == _BLOCKED,
        owner_enforced=controls.get("OwnershipControls") == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        versioned=versioning.get("Status") == "Enabled",
        key=default.get("KMSMasterKeyID") if default.get("SSEAlgorithm") == "aws:kms" else None,
        bucket_key=rule.get("BucketKeyEnabled", False),
        # A policy with a single statement may hold it without a list.
        statements=tuple(statements if isinstance(statements, list) else [statements]),
        rules=tuple(lifecycle.get("Rules", ())),
        tags={tag["Key"]: tag["Value"] for tag in tags.get("TagSet", ())},
    )
