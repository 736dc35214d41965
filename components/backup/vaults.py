"""Where backups lie: a vault in each region with a key of its own, locked, and deleted from by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

from .. import iam
from .._base import Component
from .._keys import Home, customer_key
from . import grants

if TYPE_CHECKING:
    from .component import BackupArgs

#: What AWS Backup takes as the name of a vault.
_LONGEST_NAME = 50


class Vaults:
    """The home region's vault, and the recovery region's where something is copied there.

    ``recovery_key`` is there as well where the database's logs are replicated. Resources are children of ``owner``.
    """

    home: aws.backup.Vault
    recovery: aws.backup.Vault | None
    key: aws.kms.Key
    recovery_key: aws.kms.Key | None

    def __init__(self, owner: Component, args: BackupArgs) -> None:
        self._owner, self._args = owner, args
        self.name = owner.labels.physical("backup", limit=_LONGEST_NAME)
        copies, replicas = args.settings.copy_to_recovery, args.settings.replicate_days
        self.key = customer_key(owner, owner.name, "Encrypts backups", args.home, protect=args.protect)
        self.recovery_key = self._create_recovery_key() if copies or replicas else None
        self.home = self._create_vault(owner.name, self.key)
        self.recovery = (
            self._create_vault(f"{owner.name}-recovery", self.recovery_key, args.recovery_region)
            if copies and self.recovery_key
            else None
        )

    def _create_recovery_key(self) -> aws.kms.Key:
        """A key where the copies are: one of the home region would be lost with it."""
        name, region = f"{self._owner.name}-recovery", self._args.recovery_region
        key = aws.kms.Key(
            name,
            description="Encrypts copies of backups",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=iam.document(_administrators(self._args.home)),
            region=region,
            tags=self._owner.tags(name),
            opts=self._owner.child(protect=self._args.protect),
        )
        aws.kms.Alias(
            name,
            name=f"alias/{self._owner.labels.physical(name, limit=250)}",
            target_key_id=key.key_id,
            region=region,
            opts=self._owner.child(),
        )
        return key

    def _create_vault(self, name: str, key: aws.kms.Key, region: str | None = None) -> aws.backup.Vault:
        vault = aws.backup.Vault(
            name,
            name=self.name,
            kms_key_arn=key.arn,
            force_destroy=False,
            region=region,
            tags=self._owner.tags(name),
            opts=self._owner.child(protect=self._args.protect),
        )
        aws.backup.VaultPolicy(
            name,
            backup_vault_name=vault.name,
            policy=grants.vault(self._args.settings.break_glass, self._args.deployers),
            region=region,
            opts=self._owner.child(),
        )
        self._lock(name, vault, region)
        return vault

    def _lock(self, name: str, vault: aws.backup.Vault, region: str | None) -> None:
        lock = self._args.settings.lock
        if lock.mode == "none":
            return
        aws.backup.VaultLockConfiguration(
            name,
            backup_vault_name=vault.name,
            # Whether it is given decides on the mode.
            changeable_for_days=lock.changeable_days if lock.mode == "compliance" else None,
            min_retention_days=lock.min_retention_days,
            max_retention_days=lock.max_retention_days,
            region=region,
            opts=self._owner.child(protect=self._args.protect),
        )


def _administrators(home: Home) -> iam.Statement:
    return {
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{home.partition}:iam::{home.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
