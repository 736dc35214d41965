"""What the web tier is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from .. import iam
from .._keys import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class WebTierArgs:
    """``zone_id``: the hosted zone that ``host`` belongs to; its certificate is proved there.

    ``image_id``: an AMI to pin, or None for the newest Amazon Linux 2023 at each launch (see ``plan.rolls_back``).
    ``cooldown_seconds``: how long a new instance warms up before its metrics count, which is what keeps one scaling
    decision from following on another. ``agent_schedule``: when the agent's installation is checked (SSM rate or cron).
    ``clients``: label -> a security group besides the load balancer's that may call the instances on ``app_port``;
    both sides are opened. ``instance_statements``: what the instances' role is allowed beyond its own work.
    ``protect``: the load balancer and its logs cannot be deleted.
    """

    home: Home
    vpc_id: pulumi.Input[str]
    public_subnet_ids: Sequence[pulumi.Input[str]]
    app_subnet_ids: Sequence[pulumi.Input[str]]
    zone_id: str
    host: str
    instance_class: str
    image_id: str | None = None
    min_instances: int
    max_instances: int
    cpu_target_percent: float
    memory_target_percent: float
    cooldown_seconds: int
    app_port: int
    health_path: str
    requests_per_5_minutes: int
    log_retention_days: int
    agent_schedule: str
    logs_key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    instance_statements: Sequence[iam.Statement] = ()
    schedule: str | None = None
    patch_group: str | None = None
    protect: bool
