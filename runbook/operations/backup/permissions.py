"""The IAM policies of the three sub-commands: what each needs and no more, known before anything is deployed."""

from __future__ import annotations

from typing import Any

from ..bootstrap import Target
from ..site import Site
from .estate import COMPONENTS, HOSTS, REPOSITORY, STATE

Statement = dict[str, Any]


def of_status(site: Site) -> list[Statement]:
    """Reads only."""
    return [
        _inventory(site),
        _allow("ReadJobs", ["backup:ListBackupJobs", "backup:ListCopyJobs", "backup:ListRestoreJobs"], ["*"]),
        _allow(
            "ReadDatabase",
            ["rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots"],
            [
                site.arn("rds", "db:*"),
                site.arn("rds", "snapshot:*"),
                site.arn("rds", "auto-backup:*", region=site.settings.recovery_region),
            ],
        ),
        _allow("ReadServers", ["ec2:DescribeInstances"], ["*"]),
        *_read_bucket(site),
    ]


def of_verify(site: Site) -> list[Statement]:
    """Reads only."""
    regions = (site.region, site.settings.recovery_region)
    vaults = [site.arn("backup", f"backup-vault:{_vault(site)}", region=region) for region in regions]
    return [
        _inventory(site),
        _allow("ReadJobs", ["backup:ListCopyJobs"], ["*"]),
        _allow("ReadVaults", ["backup:DescribeBackupVault", "backup:ListRecoveryPointsByBackupVault"], vaults),
        _allow("ReadDatabase", ["rds:DescribeDBInstances"], [site.arn("rds", "db:*")]),
        *_read_bucket(site, "s3:GetBucketObjectLockConfiguration", "s3:GetObjectRetention"),
        _key(site, "kms:Decrypt"),
    ]


def of_run(site: Site) -> list[Statement]:
    """Makes backups; deletes and restores nothing."""
    servers = {"Environment": site.environment, "Project": site.project, "Service": "web"}
    return [
        _inventory(site),
        _allow("ReadJobs", ["backup:ListBackupJobs", "backup:ListCopyJobs"], ["*"]),
        _allow("ReadServers", ["ec2:DescribeInstances"], ["*"]),
        _allow("ReadPlan", ["backup:GetBackupPlan"], [site.arn("backup", "backup-plan:*")]),
        _allow("BackUp", ["backup:StartBackupJob"], [site.arn("backup", f"backup-vault:{_vault(site)}")]),
        _allow(
            "CopyAndTag",
            ["backup:StartCopyJob", "backup:TagResource", "rds:ListTagsForResource"],
            [site.arn("rds", "snapshot:awsbackup:*")],
        ),
        _allow("PassRole", ["iam:PassRole"], [f"arn:{site.partition}:iam::{site.account_id}:role/*"])
        | {"Condition": {"StringEquals": {"iam:PassedToService": "backup.amazonaws.com"}}},
        _allow(
            "ReadCommands",
            ["ssm:DescribeInstanceInformation", "ssm:ListCommandInvocations", "ssm:ListCommands"],
            ["*"],
        ),
        _allow("CommandServers", ["ssm:SendCommand"], [site.arn("ec2", "instance/*")])
        | {"Condition": {"StringEquals": {f"ssm:resourceTag/{tag}": value for tag, value in servers.items()}}},
        _allow("UseDocument", ["ssm:SendCommand"], [site.arn("ssm", "document/*")]),
        *_read_bucket(site),
        _ours(site, _allow("WriteBackups", ["s3:PutObject"], _below(site, REPOSITORY, STATE))),
        _key(site, "kms:Decrypt", "kms:GenerateDataKey"),
    ]


def _vault(site: Site) -> str:
    """The vault has the same name in both regions."""
    return site.labels.physical("backup", limit=50)


def _inventory(site: Site) -> Statement:
    parameters = [site.arn("ssm", f"parameter{site.parameter(component)}") for component in COMPONENTS]
    return _allow("ReadInventory", ["ssm:GetParameter"], parameters)


def _read_bucket(site: Site, *more: str) -> list[Statement]:
    """The backup bucket, whose name is made when it is deployed; and the state's, whose name is known."""
    state = Target.of(site.project, site.settings).bucket_arn
    of_bucket = [action for action in more if "Bucket" in action]
    of_object = [action for action in more if "Bucket" not in action]
    return [
        _ours(site, _allow("ListBackups", sorted(["s3:ListBucket", *of_bucket]), [_bucket(site), state])),
        _ours(
            site,
            _allow(
                "ReadBackups",
                sorted(["s3:GetObject", *of_object]),
                [*_below(site, HOSTS, REPOSITORY, STATE), f"{state}/*"],
            ),
        ),
    ]


def _below(site: Site, *prefixes: str) -> list[str]:
    return [f"{_bucket(site)}/{prefix}*" for prefix in prefixes]


def _bucket(site: Site) -> str:
    return f"arn:{site.partition}:s3:::*"


def _ours(site: Site, statement: Statement) -> Statement:
    return statement | {"Condition": {"StringEquals": {"aws:ResourceAccount": site.account_id}}}


def _key(site: Site, *actions: str) -> Statement:
    """Keys of the account, as far as S3 uses them for whoever asks it."""
    suffix = "amazonaws.com.cn" if site.partition == "aws-cn" else "amazonaws.com"
    return _allow("UseKeys", list(actions), [site.arn("kms", "key/*")]) | {
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{site.region}.{suffix}"}}
    }


def _allow(sid: str, actions: list[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
