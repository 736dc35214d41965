"""What the maintenance component is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi

from settings.maintenance import MaintenanceSettings
from settings.severity import Severity

from .. import iam
from .._keys import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class Balancer:
    """The load balancer of the site: its HTTPS listener, the site's target group, and its security group.

    ``arn_suffix``: what CloudWatch knows it by.
    """

    arn_suffix: pulumi.Input[str]
    listener_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    security_group_id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceArgs:
    """``host``: the name of the platform, behind ``balancer``. ``subnet_id``: a public subnet.

    ``topic_key_arn`` encrypts the topics. ``backup_document``: the SSM document that backs a host's configuration up,
    run after each renewal; None where there is none. ``instance_statements``: what the machine's role is allowed beyond
    its own work. ``log_retention_days``: how long it is known who fetched a certificate.
    """

    home: Home
    settings: MaintenanceSettings
    host: str
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    admin_cidrs: tuple[IPv4Network, ...]
    balancer: Balancer
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    topic_key_arn: pulumi.Input[str]
    backup_document: pulumi.Input[str] | None = None
    instance_statements: Sequence[iam.Statement] = ()
    patch_group: str | None = None
    log_retention_days: int
    protect: bool
