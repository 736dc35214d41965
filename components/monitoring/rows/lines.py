"""How a line of the matrix is written: what most lines share, and the words that recur."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec import AlarmSpec, Dimension, Metric, Missing, PromQL, Reference, Statistic

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3600, 86_400

KEY_METRICS = "004_… Key Metrics to Monitor"
MONITORING = "001_… §1 System Monitoring"
CLOUDWATCH = "000_… §2 CloudWatch"
SCALING = "000_… §5 Scaling"
CRITICAL_RESPONSE = "004_… Critical Incident Response"

#: The composite alarms that page for an outage.
SERVICE_DOWN, DATABASE_DOWN = "service-down", "database-down"

#: What a period without data means, and why.
Silence = tuple[Missing, str]

QUIET: Silence = ("notBreaching", "CloudWatch has a value only while something happens.")
SILENCE_RINGS: Silence = ("breaching", "No value means that nothing is there to send one.")
NO_TRAFFIC: Silence = ("notBreaching", "Without requests there is no value.")

CLOUDWATCH_ONLY = "Only CloudWatch has this metric; Grafana reads it there."
BAND_ONLY = "What is usual is learnt by CloudWatch; Prometheus compares with numbers."


def alarm(
    key: str,
    *metrics: Metric,
    silence: Silence,
    minutes: int | None = None,
    period: int = MINUTE,
    periods: int = 1,
    prometheus: PromQL | None = None,
    not_in_prometheus: str = CLOUDWATCH_ONLY,
    **fields: Any,
) -> AlarmSpec:
    """A line. ``minutes``: how long it lasts, in periods of a minute; else ``periods`` of ``period`` seconds."""
    if minutes is not None:
        period, periods = MINUTE, minutes
    return AlarmSpec(
        key=key,
        metrics=metrics,
        period=period,
        evaluation_periods=periods,
        datapoints=periods,
        missing=silence[0],
        because=silence[1],
        prometheus=prometheus,
        not_in_prometheus=None if prometheus else not_in_prometheus,
        **fields,
    )


def series(
    namespace: str,
    name: str,
    statistic: Statistic,
    of: Mapping[str, Reference] | None = None,
    *,
    key: str = "m1",
    texts: Mapping[str, str] | None = None,
) -> Metric:
    """A series. ``of``: dimension -> reference; ``texts``: dimension -> text; ``key``: its name in metric math."""
    return Metric(
        id=key,
        namespace=namespace,
        name=name,
        statistic=statistic,
        dimensions=(
            *(Dimension(dimension, reference) for dimension, reference in (of or {}).items()),
            *(Dimension(dimension, text, literal=True) for dimension, text in (texts or {}).items()),
        ),
    )
