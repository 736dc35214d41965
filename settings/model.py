"""What a stack may say: one frozen, typed model, its cross-field rules and its JSON Schema."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal

from pydantic import BaseModel, ConfigDict

Environment = Literal["dev", "staging", "prod"]


class Section(BaseModel):
    """A part of the settings; unknown keys are refused and nothing can be changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ownership(Section):
    """Who answers for the stack and who pays; both become tags."""

    owner: str
    cost_center: str


class AccountSettings(Section):
    """The AWS account a stack belongs to. Repeated in ``aws:allowedAccountIds``, which guards real runs."""

    id: str
    partition: Literal["aws", "aws-us-gov", "aws-cn"] = "aws"


class NetworkSettings(Section):
    cidr: IPv4Network
    recovery_cidr: IPv4Network
    zones: tuple[str, ...]
    nat: Literal["none", "one", "per-zone"] = "one"
    flow_log_retention_days: int = 365


class AccessSettings(Section):
    mode: Literal["ssh", "both", "ssm"] = "ssm"
    admin_cidrs: tuple[IPv4Network, ...]
    key_name: str | None = None
    instance_class: str = "t3.micro"
    session_log_retention_days: int = 365


class DatabaseSettings(Section):
    name: str = "platform"
    username: str = "platform_admin"
    port: int = 5432
    engine_version: str = "17"
    instance_class: str = "db.t4g.small"
    storage_gib: int = 20
    max_storage_gib: int = 100
    multi_az: bool = False
    backup_retention_days: int = 28
    backup_window: str
    maintenance_window: str
    insights: Literal["standard", "advanced"] = "standard"
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60] = 60
    slow_query_ms: int = 1000
    password_rotation_days: int = 30
    log_retention_days: int = 365


class DomainSettings(Section):
    zone_id: str
    zone_name: str
    host: str


class WebSettings(Section):
    domain: DomainSettings
    instance_class: str = "t3.small"
    min_instances: int = 1
    max_instances: int = 2
    cpu_target_percent: float = 70.0
    memory_target_percent: float = 75.0
    cooldown_seconds: int = 300
    app_port: int = 8080
    health_path: str = "/health"
    requests_per_5_minutes: int = 2000
    log_retention_days: int = 365


class Settings(Section):
    """Everything a stack may say, in the order of its file."""

    environment: Environment
    region: str
    recovery_region: str
    ownership: Ownership
    account: AccountSettings
    network: NetworkSettings
    access: AccessSettings
    database: DatabaseSettings
    web: WebSettings
    alerts_email: str
    protect: bool = True
