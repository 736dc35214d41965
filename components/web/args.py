"""What the web tier is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .._keys import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class WebTierArgs:
    """``zone_id``: the hosted zone that ``host`` belongs to; its certificate is proved there.

    ``image_id``: an AMI to pin, or None for the newest Amazon Linux 2023 at each launch (see ``plan.rolls_back``).
    ``cooldown_seconds``: how long a new instance warms up before its metrics count, which is what keeps one scaling
    decision from following on another. ``agent_schedule``: when the agent's installation is checked (SSM rate or cron).
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
    protect: bool
