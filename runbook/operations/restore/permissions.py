"""The IAM policies of restores and drills: what each needs and no more, known before anything is deployed.

Nothing that runs under these can make a database that is not tagged as a trial copy, or delete one that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..site import Site
from .job import PURPOSE

Statement = dict[str, Any]


def of_database(site: Site) -> list[Statement]:
    """A trial restore, in either region."""
    copies = [name for kind in ("drill", "restore") for name in _rds(site, "db", site.labels.physical(kind, "*"))]
    sources = [arn for kind in ("auto-backup", "og", "pg", "snapshot", "subgrp") for arn in _rds(site, kind, "*")]
    made, there = {"aws:RequestTag/Purpose": PURPOSE}, {"aws:ResourceTag/Purpose": PURPOSE}
    through = {"kms:ViaService": [_host(site, "rds", region) for region in _regions(site)]}
    keys = [site.arn("kms", "key/*", region=region) for region in _regions(site)]
    return [
        _inventory(site),
        _allow(
            "LookAtDatabases",
            ["rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots"],
            ["*"],
        ),
        _allow(
            "LookIntoVaults",
            ["backup:ListRecoveryPointsByBackupVault"],
            [site.arn("backup", "backup-vault:*", region=region) for region in _regions(site)],
        ),
        _allow(
            "MakeCopy",
            ["rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime"],
            [*copies, *_rds(site, "db", site.labels.physical("db")), *sources],
            {"StringEquals": made},
        ),
        _allow("TagCopy", ["rds:AddTagsToResource"], copies, {"StringEquals": made}),
        _allow("DeleteCopy", ["rds:DeleteDBInstance"], copies, {"StringEquals": there}),
        _allow("LookAtKeys", ["kms:DescribeKey"], keys, {"StringEquals": through}),
        _allow(
            "LendKeys",
            ["kms:CreateGrant"],
            keys,
            {"Bool": {"kms:GrantIsForAWSResource": "true"}, "StringEquals": through},
        ),
        _allow(
            "LookForSecret",
            ["secretsmanager:DescribeSecret"],
            [site.arn("secretsmanager", "secret:rds!db-*", region=region) for region in _regions(site)],
        ),
        _allow("Validate", ["lambda:InvokeFunction"], [site.arn("lambda", f"function:{site.labels.physical('*')}")]),
        *_evidence(site),
    ]


def of_drill(site: Site) -> list[Statement]:
    """A trial restore, and the newest backup of a host read."""
    return [*of_database(site), *_read_backups(site)]


def of_files(site: Site) -> list[Statement]:
    """A host's files put back; only hosts of the stack can be told to."""
    ours = {"Environment": site.environment, "Project": site.project}
    return [
        _inventory(site),
        *_read_backups(site),
        _allow("ListBackups", ["s3:ListBucket"], [f"arn:{site.partition}:s3:::*"], _owned(site)),
        _key(site, "UseBackupKey", "kms:Decrypt"),
        _allow(
            "LookAtHosts",
            [
                "ec2:DescribeInstances",
                "ssm:DescribeInstanceInformation",
                "ssm:GetCalendarState",
                "ssm:GetCommandInvocation",
                "ssm:ListCommands",
            ],
            ["*"],
        ),
        _allow(
            "CommandHosts",
            ["ssm:SendCommand"],
            [site.arn("ec2", "instance/*")],
            {"StringEquals": {f"ssm:resourceTag/{tag}": value for tag, value in ours.items()}},
        ),
        _allow("UseDocument", ["ssm:SendCommand"], [site.arn("ssm", "document/*")]),
    ]


def _read_backups(site: Site) -> list[Statement]:
    return [_allow("ReadBackups", ["s3:GetObject"], [f"arn:{site.partition}:s3:::*/hosts/*"], _owned(site))]


def _evidence(site: Site) -> list[Statement]:
    """The evidence bucket, whose name is made when it is deployed."""
    below = ("drills/*", "progress/*", "restores/*")
    return [
        # Without it S3 calls an object forbidden that is not there.
        _allow("ListEvidence", ["s3:ListBucket"], [f"arn:{site.partition}:s3:::*"], _owned(site)),
        _allow(
            "KeepEvidence",
            ["s3:GetObject", "s3:PutObject"],
            [f"arn:{site.partition}:s3:::*/{prefix}" for prefix in below],
            _owned(site),
        ),
        _key(site, "UseEvidenceKey", "kms:Decrypt", "kms:GenerateDataKey"),
    ]


def _owned(site: Site) -> dict[str, Any]:
    return {"StringEquals": {"aws:ResourceAccount": site.account_id}}


def _key(site: Site, sid: str, *actions: str) -> Statement:
    """Keys of the account, as far as S3 uses them for whoever asks it."""
    through = {"StringEquals": {"kms:ViaService": _host(site, "s3", site.region)}}
    return _allow(sid, list(actions), [site.arn("kms", "key/*")], through)


def _inventory(site: Site) -> Statement:
    parameters = [site.arn("ssm", f"parameter{site.parameter(name)}") for name in ("archive", "backup", "database")]
    return _allow("ReadInventory", ["ssm:GetParameter"], parameters)


def _regions(site: Site) -> tuple[str, str]:
    return site.region, site.settings.recovery_region


def _rds(site: Site, kind: str, name: str) -> list[str]:
    return [site.arn("rds", f"{kind}:{name}", region=region) for region in _regions(site)]


def _host(site: Site, service: str, region: str) -> str:
    return f"{service}.{region}.{'amazonaws.com.cn' if site.partition == 'aws-cn' else 'amazonaws.com'}"


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": dict(condition)} if condition else {})
