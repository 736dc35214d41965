"""What each part of the backups may do, and what nobody may do to a vault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .. import iam
from .._keys import Home

#: How AWS Backup names what restore tests restore.
_RESTORED = "awsbackup-restore-test-*"


def vault(break_glass: Sequence[str], deployers: Sequence[str]) -> pulumi.Output[str]:
    """A vault's policy: only who may break the glass deletes a backup before its time, or keeps it for less.

    AWS Backup itself still deletes what has reached its age. Where somebody deploys, they and who may break the glass
    alone change the policy; else nobody is named, because a policy that keeps everybody out could never be changed.
    The resource is a wildcard: backups of RDS are snapshots, whose ARNs do not begin with the vault's.
    """
    keep = _deny(
        "KeepBackups", ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"], except_for=break_glass
    )
    guard = _deny(
        "KeepPolicy",
        ["backup:DeleteBackupVault", "backup:DeleteBackupVaultAccessPolicy", "backup:PutBackupVaultAccessPolicy"],
        except_for=[*break_glass, *deployers],
    )
    return iam.document(keep, *([guard] if deployers else []))


def _deny(sid: str, actions: list[str], *, except_for: Sequence[str]) -> iam.Statement:
    condition = {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": sorted(except_for)}}} if except_for else {}
    return {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*", **condition}


def live_database(database_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """What a restore must never do, whatever AWS Backup's own policy allows: touch the living database."""
    return iam.document(
        {
            "Sid": "LeaveTheLivingAlone",
            "Effect": "Deny",
            "Action": ["rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:RebootDBInstance", "rds:StopDBInstance"],
            "Resource": [database_arn],
        }
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """ARNs of what the function works on. ``function_arn`` is known before the function is made."""

    function_arn: str
    log_group: pulumi.Input[str]
    dead_letters: pulumi.Input[str]
    key: pulumi.Input[str]
    vaults: Sequence[pulumi.Input[str]]
    testing_plan: pulumi.Input[str]
    bucket: pulumi.Input[str]
    bucket_key: pulumi.Input[str]
    trust_key: str
    trials: Sequence[str]


def function(places: Places, home: Home) -> list[iam.Statement]:
    """All that the function may: its log, its network, and one part each of what it does."""
    return [
        iam.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [pulumi.Output.concat(places.log_group, ":*")]),
        # Traces belong to no resource.
        iam.allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"], sid="Trace"),
        iam.allow(["sqs:SendMessage"], [places.dead_letters], sid="BuryLetters"),
        *_network(places.function_arn),
        *_restored(places, home),
        *_backups(places),
        *_evidence(places, home),
    ]


def _network(function_arn: str) -> list[iam.Statement]:
    """Lambda puts the function into the VPC with its role; the code itself has no use for that."""
    attach = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    by_code = {
        "Sid": "LambdaAlone",
        "Effect": "Deny",
        "Action": attach,
        "Resource": "*",
        "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
    }
    return [iam.allow(attach, ["*"], sid="AttachToNetwork"), by_code]


def _restored(places: Places, home: Home) -> list[iam.Statement]:
    """Give the restored database a password of its own, and read that: of no other database."""
    restored = [home.arn("rds", f"db:{name}") for name in (_RESTORED, *(f"{trial}*" for trial in places.trials))]
    secrets = home.arn("secretsmanager", "secret:rds!db-*")
    return [
        iam.allow(["rds:DescribeDBInstances", "rds:ModifyDBInstance"], restored, sid="PrepareRestored"),
        # RDS makes the secret in the name of whoever asks for it.
        iam.allow(["secretsmanager:CreateSecret", "secretsmanager:TagResource"], [secrets], sid="MakePassword"),
        iam.allow(
            ["secretsmanager:GetSecretValue"],
            [secrets],
            sid="ReadPassword",
            condition={"StringLike": {"aws:ResourceTag/aws:rds:primaryDBInstanceArn": restored}},
        ),
        iam.allow(
            ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
            [places.key],
            sid="EncryptPassword",
        ),
        iam.allow(
            ["kms:CreateGrant"],
            [places.key],
            sid="LendKey",
            condition={"Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    ]


def _backups(places: Places) -> list[iam.Statement]:
    return [
        iam.allow(
            ["backup:DescribeBackupVault", "backup:ListRecoveryPointsByBackupVault"], places.vaults, sid="SeeVaults"
        ),
        iam.allow(["backup:GetRestoreTestingPlan"], [places.testing_plan], sid="SeePlan"),
        # Restore jobs are no resources.
        iam.allow(
            ["backup:DescribeRestoreJob", "backup:ListRestoreJobs", "backup:PutRestoreValidationResult"],
            ["*"],
            sid="TellResult",
        ),
    ]


def _evidence(places: Places, home: Home) -> list[iam.Statement]:
    tests = pulumi.Output.concat(places.bucket, "/restore-tests/*")
    return [
        iam.allow(["s3:GetObject", "s3:PutObject"], [tests], sid="KeepEvidence"),
        iam.allow(["s3:GetObject"], [pulumi.Output.concat(places.bucket, "/", places.trust_key)], sid="ReadTrust"),
        iam.allow(
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [places.bucket_key],
            sid="EncryptEvidence",
            condition={"StringEquals": {"kms:ViaService": f"s3.{home.region}.amazonaws.com"}},
        ),
    ]
