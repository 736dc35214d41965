"""What is backed up and where the backups lie, as the stack's inventory tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ..site import Site

#: Prefixes of the backup bucket.
HOSTS, REPOSITORY, STATE = "hosts/", "repository/", "state/"

#: The tag that tells which run made a recovery point.
RUN = "Run"

#: The components whose inventory says where things are.
COMPONENTS = ("archive", "backup", "database")

#: A server writes ``<moment>.tar.gz`` and then, with its SHA-256 and listing, ``<moment>.manifest``.
ARCHIVE, HOST_MANIFEST = ".tar.gz", ".manifest"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """A stack's backups. ``recovery_vault``: name of the vault in ``recovery_region``, or empty where there is none.

    ``retention_days``: how long a weekly recovery point is kept; ``rpo_minutes``: how much of the data may be lost.
    ``restore_testing``: restores are tested by a plan; ``vaults_locked`` and ``bucket_locked``: what the settings ask
    for. ``key_arn``: of the key of the backup bucket; ``hosts``: prefix in it of all servers, an instance's id follows;
    ``document``: the SSM document by which a server backs up its configuration.
    """

    site: Site
    vault: str
    recovery_vault: str
    recovery_region: str
    plan_id: str
    role_arn: str
    retention_days: int
    rpo_minutes: int
    restore_testing: bool
    vaults_locked: bool
    bucket_locked: bool
    bucket: str
    hosts: str
    key_arn: str
    document: str
    database: str

    @property
    def database_arn(self) -> str:
        return self.site.arn("rds", f"db:{self.database}")

    @property
    def recovery_vault_arn(self) -> str:
        return self.site.arn("backup", f"backup-vault:{self.recovery_vault}", region=self.recovery_region)

    @property
    def server_tags(self) -> Mapping[str, str]:
        """The tags that together name the servers of the web tier."""
        return {"Environment": self.site.environment, "Project": self.site.project, "Service": "web"}

    def owned(self, key: str = "") -> dict[str, str]:
        """The arguments that name the backup bucket, which must be this account's, or an object in it."""
        return _owned(self.site, self.bucket) | ({"Key": key} if key else {})


def _owned(site: Site, bucket: str) -> dict[str, str]:
    return {"Bucket": bucket, "ExpectedBucketOwner": site.account_id}


def estate(site: Site, inventory: Callable[[str], Mapping[str, Any]]) -> Estate:
    """Reads the inventory. Raises UserError where the stack has no backups, or was deployed before it noted them."""
    entries = {component: inventory(component) for component in COMPONENTS}

    def entry(component: str, name: str) -> Any:
        try:
            return entries[component][name]
        except KeyError:
            raise UserError(
                f"The inventory of {component} ({site.parameter(component)}) does not say {name}.",
                f"`make up STACK={site.environment}` writes it anew.",
            ) from None

    return Estate(
        site=site,
        vault=entry("backup", "vault"),
        # A stack without copies, or without tests, says nothing of them.
        recovery_vault=entries["backup"].get("recoveryVault", ""),
        recovery_region=entry("backup", "recoveryRegion"),
        plan_id=entry("backup", "planId"),
        role_arn=entry("backup", "roleArn"),
        retention_days=entry("backup", "retentionDays"),
        rpo_minutes=entry("backup", "rpoMinutes"),
        restore_testing="restoreTestingPlan" in entries["backup"],
        vaults_locked=site.settings.backups.lock.mode != "none",
        bucket_locked=site.settings.records.locks.backup.mode != "none",
        bucket=entry("archive", "backupBucket"),
        hosts=entry("archive", "prefix"),
        key_arn=entry("archive", "keyArn"),
        document=entry("archive", "backupDocument"),
        database=entry("database", "identifier"),
    )


def checked_name(name: str) -> str:
    """A run's name, which becomes part of keys and tokens. Raises UserError for one that cannot."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be the name of a run: it has 1 to 40 letters, digits and hyphens, and begins with a "
            "letter or digit.",
            "Leave --name out for the day's run, or write for example --name before-release.",
        )
    return name


def objects(s3: Any, site: Site, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """The objects below ``prefix``, as S3 lists them: ``Key``, ``Size``, ``LastModified``, ``ETag``."""
    for page in s3.get_paginator("list_objects_v2").paginate(**_owned(site, bucket), Prefix=prefix):
        yield from page.get("Contents", ())


def is_manifest(key: str) -> bool:
    """Whether ``key`` is what makes a server's archive a backup."""
    return key.endswith(HOST_MANIFEST)


def servers(ec2: Any, tags: Mapping[str, str]) -> Mapping[str, Any]:
    """Instance id -> the moment of its start, of the servers that run."""
    filters = [{"Name": f"tag:{tag}", "Values": [value]} for tag, value in sorted(tags.items())]
    filters.append({"Name": "instance-state-name", "Values": ["running"]})
    return {
        instance["InstanceId"]: instance["LaunchTime"]
        for page in ec2.get_paginator("describe_instances").paginate(Filters=filters)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    }
