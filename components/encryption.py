"""Encryption that holds for a whole region: the key of the logs, and disks that are never plain."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from ._base import Component
from ._keys import Home, customer_key, logs_may_use


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionArgs:
    """``recovery_region``: where the account's disks must be encrypted as well, before anything is restored there."""

    home: Home
    recovery_region: str
    protect: bool


class Encryption(Component):
    """The key of all log groups, and encryption by default for every EBS volume in both regions."""

    TYPE = "learning-platform:encryption:Encryption"
    SERVICE = "encryption"
    RUNBOOK = "003_720b7a256857bf84.txt Backups"

    logs_key_arn: pulumi.Output[str]

    def __init__(
        self, name: str, args: EncryptionArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        logs_key = customer_key(
            self, f"{name}-logs", "Encrypts the log groups", args.home, logs_may_use(args.home), protect=args.protect
        )
        for region in (args.home.region, args.recovery_region):
            aws.ebs.EncryptionByDefault(f"{name}-{region}", enabled=True, region=region, opts=self.child())
        self.logs_key_arn = logs_key.arn
        self.register_outputs({"logsKeyArn": self.logs_key_arn})
