"""What a stack may say: one frozen, typed model. Each value is checked as AWS would, before anything is built.

Rules that compare settings with one another are in ``rules``; how a file becomes settings is in ``load``.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from . import kinds
from .audit import AuditSettings
from .backups import BackupSettings
from .changes import ChangeSettings
from .costs import CostSettings
from .escalation import EscalationSettings
from .kinds import between, percent
from .maintenance import MaintenanceSettings
from .patching import PatchingSettings
from .prometheus import PrometheusSettings
from .records import RecordsSettings
from .regions import Partition
from .rules import broken_rules
from .schedules import SchedulesSettings
from .section import Section
from .thresholds import CPU_PERCENT, MEMORY_PERCENT, ThresholdSettings

Environment = Literal["dev", "staging", "prod"]

LogRetention = Annotated[int, kinds.LOG_RETENTION]


class Ownership(Section):
    """Who answers for the stack and who pays; both become tags (``002_… §9``)."""

    owner: Annotated[str, kinds.TAG_VALUE] = Field(description="Team that answers for the stack; the tag Owner.")
    cost_center: Annotated[str, kinds.TAG_VALUE] = Field(
        description="Who pays; the tag CostCenter (004_… §3).", examples=["LP-1003"]
    )


class AccountSettings(Section):
    """The AWS account a stack belongs to (``002_… §7.1``); ``aws:allowedAccountIds`` guards real runs with it."""

    id: Annotated[str, kinds.ACCOUNT_ID] = Field(description="Account id, 12 digits in quotes (002_… §7.1).")
    partition: Partition = Field(default="aws", description="Partition of the account and of both regions.")


class NetworkSettings(Section):
    """The VPC and its zones (``002_… §7.3``)."""

    cidr: Annotated[IPv4Network, kinds.VPC_CIDR] = Field(
        description="Range of the VPC, /16 to /20, apart from those of all other stacks (002_… §7.3)."
    )
    recovery_cidr: Annotated[IPv4Network, kinds.VPC_CIDR] = Field(
        description="Range kept for the VPC in the recovery region, /16 to /20, apart from all others (002_… §6)."
    )
    zones: tuple[Annotated[str, kinds.ZONE], ...] = Field(
        min_length=2,
        max_length=4,
        description="Availability zones, 2 to 4; load balancer and database each need two (002_… §1).",
        examples=["[us-east-1a, us-east-1b]"],
    )
    nat: Literal["none", "one", "per-zone"] = Field(
        default="one", description="NAT gateways: none, one for all zones, or one in each; prod has one in each zone."
    )
    flow_log_retention_days: LogRetention = Field(
        default=365, description="Days the flow log is kept; 365 or more in prod (002_… §9, 004_… VPC Flow Logs)."
    )


class AccessSettings(Section):
    """How people reach the private network (``000_… §1``)."""

    mode: Literal["ssh", "both", "ssm"] = Field(
        default="ssm",
        description="ssh: key and address list; ssm: Session Manager alone; both: while moving from one to the other "
        "(000_… §1).",
    )
    admin_cidrs: tuple[Annotated[IPv4Network, kinds.ADMIN_CIDR], ...] = Field(
        max_length=8,
        description="Ranges that administrators come from, /24 or narrower, 8 at most: a network ACL holds 20 lines.",
        examples=["[203.0.113.0/28]"],
    )
    key_name: Annotated[str, kinds.KEY_NAME] | None = Field(
        default=None, description="EC2 key pair of the bastion; needed for ssh and both, absent for ssm (002_… §2)."
    )
    instance_class: Annotated[str, kinds.EC2_CLASS] = Field(
        default="t3.micro", description="EC2 instance class of the bastion."
    )
    session_log_retention_days: LogRetention = Field(
        default=365, description="Days the session log is kept; 365 or more in prod (002_… §9)."
    )


class DatabaseSettings(Section):
    """RDS for PostgreSQL (``000_… §3``)."""

    name: Annotated[str, kinds.DATABASE_NAME] = Field(default="platform", description="Name of the first database.")
    username: Annotated[str, kinds.USERNAME] = Field(
        default="platform_admin", description="Master user; its password is made, kept and rotated by AWS."
    )
    port: Annotated[int, between(1150, 65535, "A TCP port", "what RDS takes")] = Field(
        default=5432, description="TCP port of the database."
    )
    engine_version: Annotated[str, kinds.ENGINE_VERSION] = Field(
        default="17", description="PostgreSQL version: a major one follows its newest minor version (001_… §3)."
    )
    instance_class: Annotated[str, kinds.RDS_CLASS] = Field(
        default="db.t4g.small",
        description="RDS instance class; max_connections follows from its memory (004_… Scale RDS Instance).",
    )
    storage_gib: Annotated[int, between(20, 65536, "GiB", "what gp3 takes")] = Field(
        default=20, description="Storage at creation, GiB of gp3."
    )
    max_storage_gib: Annotated[int, between(20, 65536, "GiB", "what gp3 takes")] = Field(
        default=100,
        description="How far storage grows by itself, GiB; 1.2 x storage_gib or more (004_… Key Metrics: <20% free).",
    )
    multi_az: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="A standby in another zone; true in prod (002_… §6)."
    )
    backup_retention_days: Annotated[int, between(7, 35, "Days", "RDS keeps 35 at most, and a week is the least")] = (
        Field(default=28, description="Days automated backups are kept: 28 are the run book's 4 weeks (000_… §4).")
    )
    backup_window: Annotated[str, kinds.BACKUP_WINDOW] = Field(
        description="Daily backup window, UTC, HH:MM-HH:MM, 30 minutes or more (002_… §3.2)."
    )
    maintenance_window: Annotated[str, kinds.MAINTENANCE_WINDOW] = Field(
        description="Weekly maintenance window, UTC, ddd:HH:MM-ddd:HH:MM, apart from the backup window (002_… §7.4)."
    )
    insights: Literal["standard", "advanced"] = Field(
        default="standard",
        description="Database Insights mode: standard keeps 7 days of data, advanced 465 (000_… §2).",
    )
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60] = Field(
        default=60, description="Seconds between two readings of enhanced monitoring (000_… §2)."
    )
    slow_query_ms: Annotated[int, between(1, 2_147_483_647, "Milliseconds")] = Field(
        default=1000, description="Statements that take this long are logged, milliseconds (004_… Routine Maintenance)."
    )
    password_rotation_days: Annotated[int, between(1, 31, "Days", "credentials rotate monthly (004_… Monthly)")] = (
        Field(default=30, description="Days between two rotations of the master password (004_… Monthly Checklist).")
    )
    log_retention_days: LogRetention = Field(
        default=365, description="Days the exported logs are kept; 365 or more in prod (002_… §9)."
    )


class DomainSettings(Section):
    """Where users find the platform. The hosted zone exists already."""

    zone_id: Annotated[str, kinds.ZONE_ID] = Field(description="Id of the Route 53 hosted zone.")
    zone_name: Annotated[str, kinds.ZONE_NAME] = Field(description="Domain of the hosted zone.")
    host: Annotated[str, kinds.HOST] = Field(description="Full name of the site: the hosted zone's or one below it.")


class WebSettings(Section):
    """The application's servers and their load balancer (``000_… §5``)."""

    domain: DomainSettings = Field(description="Hosted zone and host name.")
    instance_class: Annotated[str, kinds.EC2_CLASS] = Field(
        default="t3.small", description="EC2 instance class of the application servers."
    )
    image_id: Annotated[str, kinds.IMAGE_ID] | None = Field(
        default=None,
        description="Image to pin, so that a failed refresh rolls back by itself; else the newest Amazon Linux 2023.",
        examples=["ami-0a1b2c3d4e5f60718"],
    )
    min_instances: Annotated[int, between(1, 2, "Instances", "the run book's bounds (000_… §5)")] = Field(
        default=1, description="Least number of servers (000_… §5: minimum of 1)."
    )
    max_instances: Annotated[int, between(1, 2, "Instances", "the run book's bounds (000_… §5)")] = Field(
        default=2, description="Greatest number of servers (000_… §5: up to 2)."
    )
    cpu_target_percent: Annotated[
        float, percent(int(CPU_PERCENT), f"at {CPU_PERCENT:g} the alarm rings (004_… Key Metrics)")
    ] = Field(default=70.0, description="Mean CPU that scaling holds, percent (004_… Update ECS Auto-Scaling).")
    memory_target_percent: Annotated[
        float, percent(int(MEMORY_PERCENT), f"at {MEMORY_PERCENT:g} the alarm rings (004_… Key Metrics)")
    ] = Field(default=75.0, description="Mean memory that scaling holds, percent (000_… §5).")
    cooldown_seconds: Annotated[int, between(60, 3600, "Seconds")] = Field(
        default=300, description="Seconds a new server is given before it counts (004_… Update ECS Auto-Scaling)."
    )
    app_port: Annotated[int, between(1024, 65535, "A TCP port", "the application runs without root")] = Field(
        default=8080, description="TCP port the application listens on."
    )
    health_path: Annotated[str, kinds.HEALTH_PATH] = Field(
        default="/health", description="Path that answers 200 when a server is well (004_… Morning Health Check)."
    )
    requests_per_5_minutes: Annotated[
        int, between(10, 30_000, "Requests", "100 a second is more than a person asks for")
    ] = Field(default=2000, description="Requests of one address in 5 minutes, above which WAF blocks it (002_… §7.3).")
    agent_schedule: Annotated[str, kinds.ASSOCIATION_SCHEDULE] = Field(
        default="rate(1 day)",
        description="When Systems Manager checks that the CloudWatch agent is installed and runs, UTC (000_… §2).",
    )
    log_retention_days: LogRetention = Field(
        default=365, description="Days the application's and the firewall's logs are kept; 365 or more in prod."
    )


class Settings(Section):
    """Everything a stack may say, in the order of its file."""

    environment: Environment = Field(description="dev, staging or prod; decides which rules hold.")
    region: Annotated[str, kinds.REGION] = Field(description="Primary region, from aws:region (002_… §7.1).")
    recovery_region: Annotated[str, kinds.REGION] = Field(
        description="Region to recover in (002_… §1, §6).", examples=["us-west-2"]
    )
    ownership: Ownership = Field(description="Who answers and who pays.")
    account: AccountSettings = Field(description="The AWS account.")
    network: NetworkSettings = Field(description="The VPC and its zones.")
    access: AccessSettings = Field(description="How people reach the private network.")
    database: DatabaseSettings = Field(description="RDS for PostgreSQL.")
    web: WebSettings = Field(description="The application's servers and their load balancer.")
    audit: AuditSettings = Field(
        default=AuditSettings(), description="The audit trail, its alarms and whom they leave out."
    )
    thresholds: ThresholdSettings = Field(
        default=ThresholdSettings(), description="Numbers at which alarms ring; those of the run books by default."
    )
    prometheus: PrometheusSettings = Field(
        default=PrometheusSettings(), description="Prometheus and Grafana beside CloudWatch; off by default."
    )
    escalation: EscalationSettings = Field(description="Who is called when an alarm rings, and how.")
    changes: ChangeSettings = Field(default=ChangeSettings(), description="When nothing may be changed.")
    costs: CostSettings = Field(default=CostSettings(), description="What the account may cost.")
    schedules: SchedulesSettings = Field(
        default=SchedulesSettings(), description="What is stopped outside of its hours; nothing by default."
    )
    maintenance: MaintenanceSettings = Field(
        default=MaintenanceSettings(), description="The machine with the maintenance page; off by default."
    )
    backups: BackupSettings = Field(
        default=BackupSettings(), description="Backups of the database, their copies, and how restoring is tested."
    )
    records: RecordsSettings = Field(
        default=RecordsSettings(), description="How long records are kept, and how servers save their configuration."
    )
    patching: PatchingSettings = Field(
        default=PatchingSettings(), description="When machines are patched, and up to which release."
    )
    alerts_email: Annotated[str, kinds.EMAIL] = Field(
        description="Address that alarms and database events go to (004_… Alert Escalation, level 2)."
    )
    protect: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Refuse to delete what holds data; true in prod (002_… §3.2)."
    )

    @model_validator(mode="after")
    def _obey_rules(self) -> Settings:
        faults = tuple(broken_rules(self))
        if faults:
            text = " ".join(
                f"{'.'.join(map(str, fault.path))} {fault.wrong}. {fault.rule} {fault.way_out}" for fault in faults
            )
            raise PydanticCustomError("rules", "{text}", {"text": text})
        return self
