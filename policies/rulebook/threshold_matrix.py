"""The run book's table of thresholds, as a rule: an alarm for each line and resource, found by trying it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from . import alarms, links
from .alarms import ALARM, Values
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import number, show

GROUP = "aws:autoscaling/group:Group"
SERVICE = "aws:ecs/service:Service"
DATABASE = "aws:rds/instance:Instance"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")

_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A line of the run book's table. ``bad``: values at which somebody must be told; ``calm``: at which nobody may be.

    ``told``: the bad case in words, about one resource; ``within``: seconds after which it must have rung.
    ``bad`` is None where a resource does not say enough; an alarm on the metric is asked for all the same.
    """

    types: tuple[str, ...]
    namespace: str
    metric: str
    told: str
    bad: Callable[[Stack, Resource], Values | None]
    calm: Values
    within: int | None = None


def _at(**values: float) -> Callable[[Stack, Resource], Values]:
    return lambda _stack, _resource: values


def _many_connections(stack: Stack, database: Resource) -> Values | None:
    for group in links.targets(stack, database, "parameterGroupName", PARAMETERS):
        for index in range(len(group.items("parameters"))):
            if group.section("parameters", index, "name") == "max_connections":
                most = number(group.section("parameters", index, "value"))
                return {"DatabaseConnections": math.floor(0.8 * most) + 1} if most else None
    return None


def _little_space(_stack: Stack, database: Resource) -> Values | None:
    storage = number(database.props.get("allocatedStorage"))
    return {"FreeStorageSpace": 0.2 * storage * _GIB - 1} if storage else None


_MINUTES = 300

#: ``004_… Key Metrics to Monitor``, for what this platform is made of.
_ROWS: tuple[_Row, ...] = (
    *(
        _Row(
            types=(token,),
            namespace=namespace,
            metric=metric,
            told=f"its {what} is above {limit} % for 5 minutes",
            bad=_at(**{metric: limit + 1.0}),
            calm={metric: 10.0},
            within=_MINUTES,
        )
        for token, namespace, metric, what, limit in (
            (GROUP, "AWS/EC2", "CPUUtilization", "CPU", 80),
            (GROUP, "CWAgent", "mem_used_percent", "memory", 85),
            (SERVICE, "AWS/ECS", "CPUUtilization", "CPU", 80),
            (SERVICE, "AWS/ECS", "MemoryUtilization", "memory", 85),
            (DATABASE, "AWS/RDS", "CPUUtilization", "CPU", 80),
        )
    ),
    _Row(
        types=(GROUP,),
        namespace="CWAgent",
        metric="disk_used_percent",
        told="less than 20 % of its disk is free",
        bad=_at(disk_used_percent=81.0),
        calm={"disk_used_percent": 10.0},
    ),
    _Row(
        types=(DATABASE,),
        namespace="AWS/RDS",
        metric="FreeStorageSpace",
        told="less than 20 % of its disk is free",
        bad=_little_space,
        calm={"FreeStorageSpace": 65536.0 * _GIB},
    ),
    _Row(
        types=(DATABASE,),
        namespace="AWS/RDS",
        metric="DatabaseConnections",
        told="more than 80 % of its connections are taken",
        bad=_many_connections,
        calm={"DatabaseConnections": 1.0},
    ),
    _Row(
        types=BALANCERS,
        namespace="AWS/ApplicationELB",
        metric="TargetResponseTime",
        told="answers take more than 2 seconds on average",
        bad=_at(TargetResponseTime=2.01),
        calm={"TargetResponseTime": 0.05},
    ),
    _Row(
        types=BALANCERS,
        namespace="AWS/ApplicationELB",
        metric="HTTPCode_Target_5XX_Count",
        told="more than 5 % of requests fail within 5 minutes",
        bad=_at(HTTPCode_Target_5XX_Count=60.0, HTTPCode_ELB_5XX_Count=0.0, RequestCount=1000.0),
        calm={"HTTPCode_Target_5XX_Count": 0.0, "HTTPCode_ELB_5XX_Count": 0.0, "RequestCount": 1000.0},
        within=_MINUTES,
    ),
)


def _matrix(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        for row in _ROWS:
            if resource.type in row.types and _is_watched_by(row, resource):
                yield from (Fault(sentence, resource.urn) for sentence in _row_faults(stack, row, resource))

    return each(stack.of(GROUP, SERVICE, DATABASE, *BALANCERS), judge)


def _is_watched_by(row: _Row, resource: Resource) -> bool:
    return row.types != BALANCERS or resource.props.get("loadBalancerType") in (None, "application")


def _row_faults(stack: Stack, row: _Row, resource: Resource) -> Sequence[str]:
    found = [
        alarm
        for alarm in alarms.watching(stack, resource)
        if any((namespace, metric) == (row.namespace, row.metric) for namespace, metric, _ in alarms.metrics(alarm))
    ]
    reasons = [_shortcoming(alarm, row, row.bad(stack, resource)) for alarm in found]
    if not found:
        return (f"No alarm rings when {row.told}.",)
    return () if None in reasons else tuple(reason for reason in reasons if reason)


def _shortcoming(alarm: Resource, row: _Row, bad: Values | None) -> str | None:
    """Why an alarm is not the one that the table asks for."""
    statistics = [statistic for _, metric, statistic in alarms.metrics(alarm) if metric == row.metric]
    if "Minimum" in statistics:
        return f"Alarm {alarm.name} looks at the least value of each period, which hides when {row.told}."
    if bad is not None and alarms.rings(alarm, bad) is None:
        return f"Alarm {alarm.name} compares with no number that can be read here, so nobody knows when it rings."
    if bad is not None and not alarms.rings(alarm, bad):
        return f"Alarm {alarm.name} does not ring when {row.told}."
    if alarms.rings(alarm, row.calm):
        return f"Alarm {alarm.name} rings even when all is well."
    length = alarms.seconds(alarm)
    if row.within is not None and (length is None or length > row.within):
        return f"Alarm {alarm.name} waits {show(length)} seconds before it tells that {row.told}."
    return None


THRESHOLD_MATRIX = StackRule(
    id="mon-threshold-matrix",
    sentence="004_5ca73e3508d74ec8.txt Key Metrics to Monitor: CPU Utilization",
    title="Alarms ring at the run book's thresholds, or earlier.",
    why="Users would notice first.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.cloudwatch.MetricAlarm with the resource as a dimension and the table's threshold.",
    types=frozenset({ALARM, GROUP, SERVICE, DATABASE, PARAMETERS, *BALANCERS}),
    check=_matrix,
)

RULES: tuple[Rule, ...] = (THRESHOLD_MATRIX,)
