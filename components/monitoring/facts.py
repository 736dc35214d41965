"""What a stack has that can be watched: the numbers and references that the matrix needs of each resource."""

from __future__ import annotations

from dataclasses import dataclass

from settings.severity import Severity

from .spec import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An Auto Scaling group of servers with the CloudWatch agent. ``ref`` resolves to its name.

    ``least`` and ``most``: its bounds.
    """

    ref: Reference = "group"
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """An application load balancer and its target group; both references resolve to CloudWatch's dimensions."""

    ref: Reference = "balancer"
    target_group: Reference = "target-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An RDS instance. ``ref`` resolves to its identifier.

    ``processors``: virtual processors of its class; ``burstable``: its class earns CPU credits.
    """

    ref: Reference = "database"
    max_connections: int
    storage_gib: int
    memory_gib: float
    processors: int
    burstable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A Lambda function. ``ref`` resolves to its name. ``watched``: metrics that its owner has alarms on already."""

    ref: Reference
    timeout_seconds: int
    watched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """An SQS queue. ``ref`` resolves to its name. ``dead_letters``: what lies in it could not be dealt with."""

    ref: Reference
    dead_letters: bool = False
    watched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """An ECS service. ``ref`` resolves to its name, ``cluster`` to its cluster's. ``least``: tasks it needs."""

    ref: Reference
    cluster: Reference
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is. Each tuple holds references to resources of which nothing more need be known.

    ``hosts``: single EC2 instances, by instance id. ``gateways``: NAT gateways, by id. ``certificates``: of ACM, by
    ARN. ``firewalls``: web ACLs, by their metric's name. ``topics``: of SNS, by name. ``machines``: state machines, by
    ARN. ``tables``: of DynamoDB, by name. ``schedules``: groups of EventBridge Scheduler, by name. ``rules``: of
    EventBridge, by name. ``vaults``: of AWS Backup, by name. ``distributions``: of CloudFront, by id; their metrics are
    in us-east-1 alone.

    ``rejects``: namespace in which the flow log's filter counts ``RejectedConnections``; None without one.
    ``errors``: namespace in which ``ApplicationErrors`` are counted; None without one.
    """

    region: str
    group: Group | None = None
    balancer: Balancer | None = None
    database: Database | None = None
    hosts: tuple[Reference, ...] = ()
    gateways: tuple[Reference, ...] = ()
    certificates: tuple[Reference, ...] = ()
    firewalls: tuple[Reference, ...] = ()
    topics: tuple[Reference, ...] = ()
    rejects: str | None = None
    errors: str | None = None
    functions: tuple[Function, ...] = ()
    queues: tuple[Queue, ...] = ()
    machines: tuple[Reference, ...] = ()
    tables: tuple[Reference, ...] = ()
    schedules: tuple[Reference, ...] = ()
    rules: tuple[Reference, ...] = ()
    vaults: tuple[Reference, ...] = ()
    distributions: tuple[Reference, ...] = ()
    containers: tuple[Container, ...] = ()


def alert_topic(severity: Severity) -> Reference:
    """The reference of the topic that alarms of ``severity`` publish to."""
    return f"alerts-{severity}"


#: Virtual processors of the RDS classes by their size; sizes from ``2xlarge`` on have four for each ``xlarge``.
_PROCESSORS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}


def processors(instance_class: str) -> int:
    """Virtual processors of an RDS class (``db.m7g.large``: 2), which DBLoad is measured against.

    Source: "DB instance class types", Amazon RDS User Guide; the same for each family that a stack may name.
    """
    size = instance_class.rpartition(".")[2]
    return _PROCESSORS[size] if size in _PROCESSORS else 4 * int(size.removesuffix("xlarge"))


def burstable(instance_class: str) -> bool:
    """Whether a class earns CPU credits: the t families do."""
    return instance_class.removeprefix("db.").startswith("t")
