"""The numbers at which alarms ring: those of the run books, and AWS's recommendations where the run books are silent.

Each number stands here once. The run book's own are the loosest that a stack may have: an alarm rings there or earlier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from .faults import Fault, Path, RefusedError
from .kinds import Kind, between, what_it_is
from .section import Section

#: ``004_… Key Metrics to Monitor`` and ``004_… Morning Health Check``, in the units of the fields below.
CPU_PERCENT = 80.0
MEMORY_PERCENT = 85.0
CONNECTIONS_PERCENT = 80.0
RESPONSE_SECONDS = 2.0
ERROR_PERCENT = 5.0
DISK_FREE_PERCENT = 20.0
SUSTAINED_MINUTES = 5
ERRORS_PER_HOUR = 10

_RUN_BOOK = "004_… Key Metrics to Monitor"


def amount(least: float, most: float, what: str, why: str = "") -> Kind:
    """A number from ``least`` to ``most``, with or without decimals; ``what`` names it with its unit."""
    bounds = f"{least:g} to {most:g}"

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            found = "no number" if isinstance(value, float) else f"{what_it_is(value)}, not a number"
            raise RefusedError(f"is {found}", f"Write {bounds}.")
        if not least <= value <= most:
            raise RefusedError("is too small" if value < least else "is too large", f"Write {bounds}.")
        return float(value)

    return Kind(
        check=check,
        rule=f"{what}, from {bounds}{': ' + why if why else ''}.",
        example=f"{most:g}",
        schema={"type": "number", "minimum": least, "maximum": most},
    )


class DatabaseThresholds(Section):
    """The database, beyond the run book's table. Source: AWS's recommended alarms for RDS, unless another is named."""

    latency_ms: Annotated[float, amount(1, 1000, "Milliseconds")] = Field(
        default=20.0, description="Mean time of a read or a write to the disk, milliseconds (AWS: 20)."
    )
    queue_depth: Annotated[float, amount(1, 1000, "Requests")] = Field(
        default=64.0, description="Reads and writes that wait for the disk (000_… §2)."
    )
    load_per_processor: Annotated[float, amount(0.1, 10, "Sessions")] = Field(
        default=1.0, description="Sessions at work per virtual processor, DBLoad (AWS: 1; 000_… §7)."
    )
    free_memory_percent: Annotated[float, amount(1, 50, "Percent")] = Field(
        default=10.0, description="Memory that is free, percent of the class's (000_… §2)."
    )
    credits: Annotated[float, amount(1, 4608, "Credits")] = Field(
        default=20.0, description="CPU credits left of a burstable class; one runs a processor for a minute."
    )
    balance_percent: Annotated[float, amount(1, 90, "Percent")] = Field(
        default=10.0, description="Disk credits left of a class that bursts, percent (AWS: 10)."
    )
    transaction_ids: Annotated[int, between(100_000_000, 1_500_000_000, "Transactions", "PostgreSQL stops at 2^31")] = (
        Field(default=1_000_000_000, description="Age of the oldest transaction that is not frozen (AWS: 1e9).")
    )
    exhausted_percent: Annotated[float, amount(1, 10, "Percent")] = Field(
        default=3.0, description="Free storage below which the database is about to stop, percent (004_… Severity)."
    )


class EdgeThresholds(Section):
    """What users meet: load balancer, firewall, certificate; and the network behind them."""

    outage_percent: Annotated[float, amount(10, 100, "Percent")] = Field(
        default=50.0, description="Share of requests that the load balancer fails itself: an outage (004_… Severity)."
    )
    certificate_days: Annotated[int, between(7, 60, "Days")] = Field(
        default=30, description="Days to expiry at which the renewal is late; ACM begins it 45 days before or earlier."
    )
    certificate_lifetime_days: Annotated[int, between(40, 398, "Days")] = Field(
        default=198, description="Lifetime of ACM's certificates; it falls below 100 and 47 days (004_… Certificate)."
    )
    blocked_requests: Annotated[int, between(1, 10_000_000, "Requests")] = Field(
        default=1000, description="Requests that the firewall blocks in 5 minutes (002_… §7.3)."
    )
    band_deviations: Annotated[float, amount(1, 10, "Standard deviations")] = Field(
        default=3.0, description="How far network traffic may leave its usual band (001_… §1: network traffic)."
    )
    dropped_percent: Annotated[float, amount(0.001, 1, "Percent")] = Field(
        default=0.01, description="Packets that a NAT gateway drops, percent (AWS: 0.01)."
    )


class RuntimeThresholds(Section):
    """Functions, queues and what runs by schedule."""

    duration_percent: Annotated[float, amount(10, 95, "Percent")] = Field(
        default=80.0, description="Longest run of a function, percent of its timeout."
    )
    queue_seconds: Annotated[int, between(60, 86_400, "Seconds")] = Field(
        default=300, description="Age of the oldest message that waits in a queue."
    )


class ThresholdSettings(Section):
    """When alarms ring. The first ones are the run book's table (``004_… Key Metrics to Monitor``)."""

    cpu_percent: Annotated[float, amount(20, CPU_PERCENT, "Percent", _RUN_BOOK)] = Field(
        default=CPU_PERCENT, description="CPU, percent (004_… Key Metrics: >80% for 5 minutes)."
    )
    memory_percent: Annotated[float, amount(20, MEMORY_PERCENT, "Percent", _RUN_BOOK)] = Field(
        default=MEMORY_PERCENT, description="Memory, percent (004_… Key Metrics: >85% for 5 minutes)."
    )
    connections_percent: Annotated[float, amount(10, CONNECTIONS_PERCENT, "Percent", _RUN_BOOK)] = Field(
        default=CONNECTIONS_PERCENT, description="Database connections, percent of max (004_… Key Metrics: >80%)."
    )
    response_seconds: Annotated[float, amount(0.05, RESPONSE_SECONDS, "Seconds", _RUN_BOOK)] = Field(
        default=RESPONSE_SECONDS, description="Mean response time, seconds (004_… Key Metrics: >2 seconds)."
    )
    error_percent: Annotated[float, amount(0.1, ERROR_PERCENT, "Percent", _RUN_BOOK)] = Field(
        default=ERROR_PERCENT, description="Requests that fail, percent (004_… Key Metrics: >5% over 5 minutes)."
    )
    disk_free_percent: Annotated[float, amount(DISK_FREE_PERCENT, 80, "Percent", _RUN_BOOK)] = Field(
        default=DISK_FREE_PERCENT, description="Free disk space, percent (004_… Key Metrics: <20% free)."
    )
    sustained_minutes: Annotated[int, between(1, SUSTAINED_MINUTES, "Minutes", _RUN_BOOK)] = Field(
        default=SUSTAINED_MINUTES, description="Minutes that CPU, memory and errors last (004_… Key Metrics: 5)."
    )
    errors_per_hour: Annotated[int, between(1, ERRORS_PER_HOUR, "Errors", "004_… Morning Health Check")] = Field(
        default=ERRORS_PER_HOUR, description="Errors in the log in an hour (004_… Morning Health Check: <10)."
    )
    database: DatabaseThresholds = Field(default=DatabaseThresholds(), description="The database.")
    edge: EdgeThresholds = Field(default=EdgeThresholds(), description="Load balancer, firewall, certificate, network.")
    runtime: RuntimeThresholds = Field(default=RuntimeThresholds(), description="Functions, queues and schedules.")


def broken_rules(
    thresholds: ThresholdSettings,
    *,
    cpu_target_percent: float,
    memory_target_percent: float,
    path: Path = ("thresholds",),
) -> Iterator[Fault]:
    """Faults between values that are each right by themselves. ``path``: where ``thresholds`` stands.

    ``cpu_target_percent``, ``memory_target_percent``: what scaling holds (``web``).
    """
    for what, target, alarm in (
        ("cpu", cpu_target_percent, thresholds.cpu_percent),
        ("memory", memory_target_percent, thresholds.memory_percent),
    ):
        if target >= alarm:
            yield Fault(
                path=("web", f"{what}_target_percent"),
                wrong=f"is not below the alarm at {alarm:g}, {'.'.join(map(str, path))}.{what}_percent",
                rule="Scaling acts before anybody is called (000_… §5, 004_… Key Metrics to Monitor).",
                way_out=f"Write less than {alarm:g}.",
            )
    edge = thresholds.edge
    if edge.certificate_days * 3 > edge.certificate_lifetime_days:
        yield Fault(
            path=(*path, "edge", "certificate_days"),
            wrong=f"is more than a third of the lifetime, {edge.certificate_lifetime_days} days",
            rule="A certificate is renewed when a third of its time is left; before that, nothing is late.",
            way_out=f"Write {edge.certificate_lifetime_days // 3} or less.",
        )
