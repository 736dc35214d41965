"""Alarm coverage: what should be watched of each resource, and whether an alarm does.

``WATCHES`` is the table: AWS's recommended alarms for each resource type, and what the run books add. A line is covered
by an alarm that acts, looks at the line's metrics of that resource, and rings in the line's example. How early it rings
is the business of ``mon-threshold-matrix``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pulumi_policy.proxy import UnknownValueError

from . import alarms, links
from .alarms import ALARM, Values
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import listed, number, show

COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"

GROUP = "aws:autoscaling/group:Group"
BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")
TARGET_GROUPS = ("aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup")
SERVICE = "aws:ecs/service:Service"
DATABASE = "aws:rds/instance:Instance"
HOST = "aws:ec2/instance:Instance"
GATEWAY = "aws:ec2/natGateway:NatGateway"
CERTIFICATE = "aws:acm/certificate:Certificate"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
TOPIC = "aws:sns/topic:Topic"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
FUNCTION = "aws:lambda/function:Function"
QUEUE = "aws:sqs/queue:Queue"
MACHINE = "aws:sfn/stateMachine:StateMachine"
TABLE = "aws:dynamodb/table:Table"
SCHEDULES = "aws:scheduler/scheduleGroup:ScheduleGroup"
EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
VAULT = "aws:backup/vault:Vault"
LOG_DETECTOR = "aws:cloudwatch/logAnomalyDetector:LogAnomalyDetector"
WORKSPACE = "aws:amp/workspace:Workspace"
ALERT_MANAGER = "aws:amp/alertManagerDefinition:AlertManagerDefinition"
PROMETHEUS_RULES = "aws:amp/ruleGroupNamespace:RuleGroupNamespace"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"

_GIB = 1024**3

#: How resources say where their messages go when nobody can deal with them.
_DEAD_LETTERS = (
    ("redrivePolicy", QUEUE),
    ("redrivePolicy", "aws:sqs/redrivePolicy:RedrivePolicy"),
    ("redrivePolicy", "aws:sns/topicSubscription:TopicSubscription"),
    ("deadLetterConfig", EVENT_TARGET),
    ("deadLetterConfig", FUNCTION),
    ("target", "aws:scheduler/schedule:Schedule"),
)

State = Literal["present", "missing", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A line of the table. ``told``: when somebody is to be told, about one resource.

    ``bad``: an example in which the alarm must ring, or None where what is bad depends on what is usual; ``calm``: one
    in which it must not. Metrics that an example does not name are 0.
    ``silence``: the metric's absence must ring too. ``outage``: a composite alarm must listen, which pages at once.
    ``when``: which resources of the types it is for; None for all.
    """

    types: tuple[str, ...]
    namespace: str
    metrics: tuple[str, ...]
    told: str
    bad: Callable[[Resource], Values] | None
    calm: Callable[[Resource], Values] = lambda _resource: {}
    silence: bool = False
    outage: bool = False
    when: Callable[[Stack, Resource], bool] | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """What became of one line for one resource. ``alarms``: names of those that cover it.

    ``noisy``: of those that would, did they not ring when all is well.
    """

    resource: Resource
    watch: Watch
    state: State
    alarms: tuple[str, ...] = ()
    noisy: tuple[str, ...] = ()


def _at(**values: float) -> Callable[[Resource], Values]:
    return lambda _resource: values


def _level(metric: str, bad: float, calm: float) -> dict[str, Any]:
    """The examples of one metric by their values; names such as ``EBSIOBalance%`` are no keywords."""
    return {"bad": lambda _resource: {metric: bad}, "calm": lambda _resource: {metric: calm}}


def _is_application(_: Stack, balancer: Resource) -> bool:
    return balancer.section("loadBalancerType") in (None, "application")


def _speaks_http(_: Stack, group: Resource) -> bool:
    return group.section("protocol") in ("HTTP", "HTTPS")


def _earns_credits(_: Stack, database: Resource) -> bool:
    return str(database.section("instanceClass")).startswith("db.t")


def _has_insights(_: Stack, database: Resource) -> bool:
    return database.section("performanceInsightsEnabled") in (True, "true")


def _is_public(_: Stack, gateway: Resource) -> bool:
    return gateway.section("connectivityType") in (None, "public")


def _can_grow(_: Stack, group: Resource) -> bool:
    return bool(group.section("maxSize") != group.section("minSize"))


def _takes_dead_letters(stack: Stack, queue: Resource) -> bool:
    return any(
        holder.urn != queue.urn for prop, token in _DEAD_LETTERS for holder in stack.referring(queue, prop, token)
    )


def _is_worked_off(stack: Stack, queue: Resource) -> bool:
    return not _takes_dead_letters(stack, queue)


def _loses_events(stack: Stack, rule: Resource) -> bool:
    """Whether a target of a rule has no dead-letter queue: its failures are then seen by this metric alone."""
    targets = links.sources(stack, rule, "rule", EVENT_TARGET)
    return not targets or any(not target.section("deadLetterConfig", "arn") for target in targets)


def _tells(stack: Stack, workspace: Resource) -> bool:
    return bool(links.sources(stack, workspace, "workspaceId", ALERT_MANAGER))


def _has_rules(stack: Stack, workspace: Resource) -> bool:
    return bool(links.sources(stack, workspace, "workspaceId", PROMETHEUS_RULES))


def _enough(group: Resource) -> Values:
    least = number(group.section("minSize")) or 0
    return {"GroupDesiredCapacity": least, "GroupInServiceInstances": least}


def _short(group: Resource) -> Values:
    return {"GroupInServiceInstances": _enough(group)["GroupInServiceInstances"] - 1}


def _lagging(group: Resource) -> Values:
    return {**_enough(group), **_short(group)}


def _full(group: Resource) -> Values:
    return {"GroupDesiredCapacity": number(group.section("maxSize")) or 0}


def _not_full(group: Resource) -> Values:
    return {"GroupDesiredCapacity": (number(group.section("maxSize")) or 0) - 1}


def _free(part: float) -> Callable[[Resource], Values]:
    """This part of a database's storage is free."""
    return lambda database: {"FreeStorageSpace": part * (number(database.section("allocatedStorage")) or 0) * _GIB}


#: GiB of memory of the sizes of a class with 4 GiB for each processor; an ``nxlarge`` has n times an ``xlarge``.
_MEMORY: Mapping[str, float] = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}


def _memory(database: Resource) -> float:
    """GiB of a class; classes for memory (``db.r…``, ``db.x…``) have twice as much or more."""
    _, family, size = f"{database.section('instanceClass')}..".split(".")[:3]
    times = size.removesuffix("xlarge")
    gib = 16 * float(times) if times.isdigit() else _MEMORY.get(size, 1)
    return gib * (2 if family[:1] in ("r", "x") else 1)


def _spare(part: float) -> Callable[[Resource], Values]:
    """This part of a database's memory is free."""
    return lambda database: {"FreeableMemory": part * _memory(database) * _GIB}


def _waiting(per_processor: float) -> Callable[[Resource], Values]:
    """So many sessions for each processor."""
    return lambda database: {"DBLoad": per_processor * max(2.0, _memory(database) / 4)}


def _lasting(part: float) -> Callable[[Resource], Values]:
    """A function takes this part of its time."""
    return lambda function: {"Duration": part * (number(function.section("timeout")) or 3) * 1000}


def _group(namespace: str, *metrics: str, told: str, **more: Any) -> Watch:
    return Watch(types=(GROUP,), namespace=namespace, metrics=metrics, told=told, **more)


def _rds(metric: str, told: str, **more: Any) -> Watch:
    return Watch(types=(DATABASE,), namespace="AWS/RDS", metrics=(metric,), told=told, **more)


def _elb(*metrics: str, told: str, **more: Any) -> Watch:
    return Watch(
        types=BALANCERS,
        namespace="AWS/ApplicationELB",
        metrics=metrics,
        told=told,
        when=_is_application,
        **more,
    )


def _targets(metric: str, told: str, **more: Any) -> Watch:
    return Watch(
        types=TARGET_GROUPS,
        namespace="AWS/ApplicationELB",
        metrics=(metric,),
        told=told,
        when=_speaks_http,
        **more,
    )


def _counted(
    token: str, namespace: str, metric: str, told: str, when: Callable[[Stack, Resource], bool] | None = None
) -> Watch:
    """A metric that counts what must not happen at all."""
    return Watch(types=(token,), namespace=namespace, metrics=(metric,), told=told, bad=_at(**{metric: 1.0}), when=when)


_BUSY_CPU = _level("CPUUtilization", 95, 30)

#: Type -> what should be watched. Sources: "Recommended alarms", CloudWatch User Guide; ``004_… Key Metrics to
#: Monitor``; ``001_… §1`` (network traffic, uptime); ``000_… §5`` (scaling events).
WATCHES: tuple[Watch, ...] = (
    _group("AWS/EC2", "CPUUtilization", told="its CPU is busy", **_BUSY_CPU),
    _group("CWAgent", "mem_used_percent", told="its memory is used up", **_level("mem_used_percent", 95, 30)),
    _group(
        "CWAgent",
        "mem_used_percent",
        told="nothing reports its memory",
        **_level("mem_used_percent", 0, 1),
        silence=True,
    ),
    _group("CWAgent", "disk_used_percent", told="its disks are full", **_level("disk_used_percent", 95, 30)),
    _group("AWS/EC2", "NetworkIn", told="unusual traffic reaches it", bad=None),
    _group("AWS/EC2", "NetworkOut", told="unusual traffic leaves it", bad=None),
    _group("AWS/EC2", "StatusCheckFailed", told="a server of it fails", bad=_at(StatusCheckFailed=1.0)),
    _group(
        "AWS/AutoScaling", "GroupInServiceInstances", told="too few servers run", bad=_short, calm=_enough, silence=True
    ),
    _group(
        "AWS/AutoScaling",
        "GroupDesiredCapacity",
        "GroupInServiceInstances",
        told="it does not get the servers it wants",
        bad=_lagging,
        calm=_enough,
    ),
    _group(
        "AWS/AutoScaling",
        "GroupDesiredCapacity",
        told="it stays at its maximum",
        bad=_full,
        calm=_not_full,
        when=_can_grow,
    ),
    _elb("TargetResponseTime", told="answers are slow", **_level("TargetResponseTime", 10, 0.1)),
    _elb(
        "HTTPCode_Target_5XX_Count",
        "RequestCount",
        told="requests fail",
        bad=_at(HTTPCode_Target_5XX_Count=1e5, RequestCount=1e6),
        calm=_at(RequestCount=1e6),
    ),
    _elb(
        "HTTPCode_ELB_5XX_Count",
        "RequestCount",
        told="it fails most requests itself",
        bad=_at(HTTPCode_ELB_5XX_Count=1e6, RequestCount=1e6),
        calm=_at(RequestCount=1e6),
        outage=True,
    ),
    _elb("RejectedConnectionCount", told="it turns connections away", bad=_at(RejectedConnectionCount=1.0)),
    _targets("UnHealthyHostCount", "a target is not healthy", bad=_at(UnHealthyHostCount=1.0)),
    _targets("HealthyHostCount", "no target is healthy", **_level("HealthyHostCount", 0, 1), silence=True, outage=True),
    *(
        Watch(types=(SERVICE,), namespace=namespace, metrics=(metric,), told=told, **example, silence=silence)
        for namespace, metric, told, example, silence in (
            ("AWS/ECS", "CPUUtilization", "its CPU is busy", _BUSY_CPU, False),
            ("AWS/ECS", "MemoryUtilization", "its memory is used up", _level("MemoryUtilization", 95, 30), False),
            ("ECS/ContainerInsights", "RunningTaskCount", "no task runs", _level("RunningTaskCount", 0, 1000), True),
        )
    ),
    _rds("CPUUtilization", "its CPU is busy", **_BUSY_CPU),
    _rds("CPUUtilization", "it is silent", **_level("CPUUtilization", 0, 1), silence=True, outage=True),
    _rds("DatabaseConnections", "its connections are used up", **_level("DatabaseConnections", 1e12, 1)),
    _rds("FreeStorageSpace", "its storage is nearly full", bad=_free(0.1), calm=_free(0.5)),
    _rds(
        "FreeStorageSpace",
        "its storage is used up",
        bad=_free(0.02),
        calm=_free(0.25),
        outage=True,
    ),
    _rds("FreeableMemory", "its memory is used up", bad=_spare(0.06), calm=_spare(0.5)),
    _rds("ReadLatency", "its disk is slow to read", **_level("ReadLatency", 0.1, 0.001)),
    _rds("WriteLatency", "its disk is slow to write", **_level("WriteLatency", 0.1, 0.001)),
    _rds("DiskQueueDepth", "its disk cannot keep up", **_level("DiskQueueDepth", 256, 1)),
    _rds("DBLoad", "its sessions wait", bad=_waiting(4), calm=_waiting(0.1), when=_has_insights),
    _rds(
        "MaximumUsedTransactionIDs",
        "its transaction ids run out",
        # PostgreSQL freezes rows from 0.2 thousand million ids on, and stops for good at 2.1.
        **_level("MaximumUsedTransactionIDs", 1.5e9, 0.2e9),
    ),
    _rds("EBSIOBalance%", "its disk's burst of operations ends", **_level("EBSIOBalance%", 5, 50)),
    _rds("EBSByteBalance%", "its disk's burst of bytes ends", **_level("EBSByteBalance%", 5, 50)),
    _rds("CPUCreditBalance", "its CPU credits end", **_level("CPUCreditBalance", 10, 100), when=_earns_credits),
    _counted(HOST, "AWS/EC2", "StatusCheckFailed", "it fails its status checks"),
    Watch(
        types=(HOST,),
        namespace="AWS/EC2",
        metrics=("CPUUtilization",),
        told="its CPU is busy",
        **_BUSY_CPU,
    ),
    _counted(GATEWAY, "AWS/NATGateway", "ErrorPortAllocation", "it has no port left", _is_public),
    Watch(
        types=(GATEWAY,),
        namespace="AWS/NATGateway",
        metrics=("PacketsDropCount",),
        told="it drops packets",
        # 0.1 % is lost. AWS asks to look from 0.01 % on.
        bad=_at(PacketsDropCount=1e3, PacketsOutToDestination=5e5, PacketsOutToSource=5e5),
        calm=_at(PacketsOutToDestination=5e5, PacketsOutToSource=5e5),
    ),
    Watch(
        types=(CERTIFICATE,),
        namespace="AWS/CertificateManager",
        metrics=("DaysToExpiry",),
        told="it is about to expire",
        # ACM renews 60 days ahead; three weeks are what it takes to find out why it did not.
        **_level("DaysToExpiry", 21, 60),
    ),
    Watch(
        types=(WEB_ACL,),
        namespace="AWS/WAFV2",
        metrics=("BlockedRequests",),
        told="it blocks many requests",
        **_level("BlockedRequests", 5000, 10),
    ),
    _counted(TOPIC, "AWS/SNS", "NumberOfNotificationsFailed", "its messages do not arrive"),
    _counted(LOG_DETECTOR, "AWS/Logs", "AnomalyCount", "the log says something new"),
    _counted(FUNCTION, "AWS/Lambda", "Errors", "it fails"),
    _counted(FUNCTION, "AWS/Lambda", "Throttles", "it is held back"),
    Watch(
        types=(FUNCTION,),
        namespace="AWS/Lambda",
        metrics=("Duration",),
        told="it nearly runs out of time",
        bad=_lasting(0.95),
        calm=_lasting(0.2),
    ),
    Watch(
        types=(QUEUE,),
        namespace="AWS/SQS",
        metrics=("ApproximateAgeOfOldestMessage",),
        told="its messages wait",
        **_level("ApproximateAgeOfOldestMessage", 600, 1),
        when=_is_worked_off,
    ),
    _counted(QUEUE, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "a message lies in it", _takes_dead_letters),
    _counted(MACHINE, "AWS/States", "ExecutionsFailed", "it fails"),
    _counted(MACHINE, "AWS/States", "ExecutionsTimedOut", "it takes too long"),
    _counted(MACHINE, "AWS/States", "ExecutionsAborted", "it is stopped by hand"),
    _counted(MACHINE, "AWS/States", "ExecutionThrottled", "it is held back"),
    *(
        Watch(
            types=(TABLE,),
            namespace="AWS/DynamoDB",
            metrics=(metric,),
            told=told,
            bad=_at(**{metric: 1.0}),
        )
        for metric, told in (
            ("ReadThrottleEvents", "its readers are held back"),
            ("WriteThrottleEvents", "its writers are held back"),
        )
    ),
    *(
        Watch(types=(SCHEDULES,), namespace="AWS/Scheduler", metrics=(metric,), told=told, bad=_at(**{metric: 1.0}))
        for metric, told in (
            ("InvocationDroppedCount", "a run is dropped"),
            ("InvocationThrottleCount", "a run is held back"),
            ("InvocationsFailedToBeSentToDeadLetterCount", "a failed run is lost"),
            ("TargetErrorThrottledCount", "a target is held back"),
        )
    ),
    _counted(EVENT_RULE, "AWS/Events", "FailedInvocations", "an event does not reach its target", _loses_events),
    _counted(WORKSPACE, "AWS/Prometheus", "AlertManagerNotificationsFailed", "its alerts do not arrive", _tells),
    Watch(
        types=(WORKSPACE,),
        namespace="AWS/Prometheus",
        metrics=("RuleEvaluationFailures",),
        told="its rules cannot be evaluated",
        bad=_at(RuleEvaluationFailures=1.0),
        when=_has_rules,
    ),
    Watch(
        types=(VAULT,),
        namespace="AWS/Backup",
        metrics=("NumberOfBackupJobsFailed",),
        told="a backup fails",
        bad=_at(NumberOfBackupJobsFailed=1.0),
    ),
    Watch(
        types=(DISTRIBUTION,),
        namespace="AWS/CloudFront",
        metrics=("5xxErrorRate",),
        told="requests fail",
        **_level("5xxErrorRate", 10, 0.1),
    ),
    Watch(
        types=(DISTRIBUTION,),
        namespace="AWS/CloudFront",
        metrics=("OriginLatency",),
        told="its origin is slow",
        # Milliseconds.
        **_level("OriginLatency", 30_000, 100),
    ),
)

#: What a metric filter counts has a name of its own, so its line is made from the resource.
_FILTERED = "what it counts piles up"

#: Dimensions that are neither id, ARN nor name: type -> where the value stands.
_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    DATABASE: ("identifier",),
    LOG_DETECTOR: ("detectorName",),
    WEB_ACL: ("visibilityConfig", "metricName"),
}

TYPES = frozenset({FILTER, *(token for watch in WATCHES for token in watch.types)})

_BY_TYPE: Mapping[str, tuple[Watch, ...]] = {
    token: tuple(watch for watch in WATCHES if token in watch.types) for token in TYPES
}


def coverage(stack: Stack) -> Iterator[Cover]:
    """Every line for every resource of the stack's home region, in order of type and registration.

    CloudWatch keeps a region's metrics to itself, and its topics too, so what stands in another region is not judged.
    """
    for token in sorted(TYPES):
        for resource in stack.of(token):
            if not _is_abroad(stack, resource):
                for watch in _watches(stack, resource):
                    try:
                        yield _cover(stack, resource, watch)
                    except UnknownValueError:
                        yield Cover(resource, watch, "unknown")


def _is_abroad(stack: Stack, resource: Resource) -> bool:
    region = resource.section("region")
    return bool(region and stack.context.regions and region != stack.context.regions[0])


def _watches(stack: Stack, resource: Resource) -> Iterator[Watch]:
    if resource.type == FILTER:
        name = str(resource.section("metricTransformation", "name"))
        yield Watch(
            types=(FILTER,),
            namespace=str(resource.section("metricTransformation", "namespace")),
            metrics=(name,),
            told=_FILTERED,
            bad=None,
        )
    for watch in _BY_TYPE[resource.type]:
        if watch.when is None or watch.when(stack, resource):
            yield watch


def _cover(stack: Stack, resource: Resource, watch: Watch) -> Cover:
    looking = stack.shared(_alarms).get((watch.namespace, watch.metrics[0]), {})
    candidates = looking.values() if resource.type == FILTER else _about(stack, resource)
    ringing = tuple(a for a in candidates if a.urn in looking and _covers(stack, a, resource, watch))
    noisy = tuple(alarm.name for alarm in ringing if watch.bad and _rings(alarm, watch.calm(resource)))
    found = tuple(alarm.name for alarm in ringing if alarm.name not in noisy)
    return Cover(resource, watch, "present" if found else "missing", found, noisy)


def _rings(alarm: Resource, values: Values) -> bool:
    others = {str(metric): 0.0 for _, metric in _looks_at(alarm)}
    return alarms.rings(alarm, {**others, **values}) is True


def _about(stack: Stack, resource: Resource) -> Iterator[Resource]:
    """The alarms that name a resource, each once."""
    found = {alarm.urn: alarm for alarm in alarms.watching(stack, resource)}
    own = resource.section(*_DIMENSIONS[resource.type]) if resource.type in _DIMENSIONS else None
    if own is not None:
        values = stack.shared(_by_dimension)
        found |= {alarm.urn: alarm for alarm in values.get(own, ())}
        # What cannot be read yet may be its name.
        found |= {alarm.urn: alarm for alarm in values.get(None, ()) if own in set(_dimension_values(alarm))}
    yield from found.values()


def _alarms(stack: Stack) -> Mapping[tuple[Any, Any], Mapping[str, Resource]]:
    """Namespace and metric -> the alarms that look at it, by URN."""
    found: dict[tuple[Any, Any], dict[str, Resource]] = {}
    for alarm in stack.of(ALARM):
        for seen in _looks_at(alarm):
            found.setdefault(seen, {})[alarm.urn] = alarm
    return found


def _by_dimension(stack: Stack) -> Mapping[Any, Sequence[Resource]]:
    """The value of a dimension -> the alarms that have it; None -> those of which one is not known yet."""
    found: dict[Any, list[Resource]] = {}
    for alarm in stack.of(ALARM):
        try:
            values = set(_dimension_values(alarm))
        except UnknownValueError:
            values = {None}
        for value in values:
            found.setdefault(value, []).append(alarm)
    return found


def _looks_at(alarm: Resource) -> Iterator[tuple[Any, Any]]:
    """Namespace and metric of all that an alarm looks at, through a query too."""
    yield from ((space, metric) for space, metric, _ in alarms.metrics(alarm))
    for index in _queries(alarm):
        query = alarms.QUERY.match(str(alarm.section("metricQueries", index, "expression")))
        if query:
            yield query["namespace"], query["metric"]


def _covers(stack: Stack, alarm: Resource, resource: Resource, watch: Watch) -> bool:
    seen = {metric for space, metric in _looks_at(alarm) if space == watch.namespace}
    return (
        seen.issuperset(watch.metrics)
        and alarms.acts(alarm)
        and (watch.bad is None or _rings(alarm, watch.bad(resource)))
        and (not watch.silence or alarm.section("treatMissingData") == "breaching")
        and (not watch.outage or bool(_listeners(stack, alarm)))
    )


def _dimension_values(alarm: Resource) -> Iterator[Any]:
    paths = [("dimensions",), *(("metricQueries", i, "metric", "dimensions") for i in _queries(alarm))]
    for path in paths:
        dimensions = alarm.section(*path)
        if isinstance(dimensions, Mapping):
            yield from (dimensions[name] for name in dimensions)


def _queries(alarm: Resource) -> range:
    return range(len(alarm.items("metricQueries")))


#: An alarm in the rule of a composite: ``ALARM("name")``, with either quotes or none, by name or ARN.
_HEARD = re.compile(r"""ALARM\(\s*["']?(?:arn:[^"')]*:alarm:)?([^"')]+?)["']?\s*\)""")


def _listeners(stack: Stack, alarm: Resource) -> tuple[Resource, ...]:
    """The composite alarms that ring with ``alarm`` alone and tell somebody."""
    return tuple(
        composite
        for composite in stack.of(COMPOSITE)
        if alarm.section("name") in heard(composite)
        and rings_with(composite, str(alarm.section("name")))
        and alarms.acts(composite)
    )


def heard(composite: Resource) -> list[str]:
    return _HEARD.findall(str(composite.section("alarmRule")))


#: Any state function in the rule of a composite.
_STATE = re.compile(r"""(ALARM|OK|INSUFFICIENT_DATA)\(\s*["']?(?:arn:[^"')]*:alarm:)?([^"')]+?)["']?\s*\)""")
_WORDS = {"AND": "and", "OR": "or", "NOT": "not", "TRUE": "True", "FALSE": "False"}


def rings_with(composite: Resource, name: str) -> bool:
    """Whether a composite rings while the alarm called ``name`` does and all others are well."""

    def state(match: re.Match[str]) -> str:
        return str(match[1] == ("ALARM" if match[2] == name else "OK"))

    text = _STATE.sub(state, str(composite.section("alarmRule")))
    text = re.sub(r"\b(AND|OR|NOT|TRUE|FALSE)\b", lambda match: _WORDS[match[1]], text)
    try:
        return _holds(ast.parse(" ".join(text.split()), mode="eval").body)
    except SyntaxError:
        return False


def _holds(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(_holds, values))
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(map(_holds, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand)
        case _:
            return False


def _coverage(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type == COMPOSITE:
            yield from _deaf(stack, resource)
        elif not _is_abroad(stack, resource):
            for watch in _watches(stack, resource):
                cover = _cover(stack, resource, watch)
                if cover.state == "missing":
                    yield Fault(sentence(watch, cover.noisy), resource.urn)

    return each(stack.of(*sorted(TYPES), COMPOSITE), judge)


def sentence(watch: Watch, noisy: Sequence[str] = ()) -> str:
    """What a line says where nothing covers it but ``noisy`` alarms."""
    metrics = listed(watch.metrics)
    if noisy:
        return f"Nobody can tell when {watch.told}: {listed(noisy)} rings even when all is well."
    if watch.outage:
        return f"Nobody is called at once when {watch.told}: no composite alarm hears of {metrics}."
    return f"No alarm tells when {watch.told}: nothing that acts rings for {metrics}."


#: Seconds that a composite may wait for the alarm that speaks in its place.
_PATIENCE = 300


def _deaf(stack: Stack, composite: Resource) -> Iterator[Fault]:
    known = {alarm.section("name"): alarm for alarm in stack.of(ALARM)}
    known |= {other.section("alarmName"): other for other in stack.of(COMPOSITE)}
    names = heard(composite)
    for name in names:
        if name not in known:
            yield Fault(f"The composite alarm listens to {name}, which the stack does not have.", composite.urn)
    if not any(rings_with(composite, name) for name in names):
        yield Fault("None of the alarms that the composite alarm names makes it ring by itself.", composite.urn)
    yield from (Fault(said, composite.urn) for said in _suppressed(composite, known))


def _suppressed(composite: Resource, known: Mapping[Any, Resource]) -> Iterator[str]:
    """What is wrong with the alarm that silences a composite."""
    name = composite.section("actionsSuppressor", "alarm")
    if name is None:
        return
    other = known.get(str(name).rpartition(":alarm:")[2])
    if other is None or not alarms.acts(other):
        yield f"The composite alarm is silent while {show(name)} rings, which tells nobody."
    elif other.urn == composite.urn:
        yield "The composite alarm silences itself."
    for key in ("waitPeriod", "extensionPeriod"):
        seconds = number(composite.section("actionsSuppressor", key))
        if seconds is None or not 60 <= seconds <= _PATIENCE:
            yield (
                f"The composite alarm's {key} is {show(seconds)}; 60 to {_PATIENCE} seconds let the other alarm speak "
                "first and keep nobody waiting."
            )


ALARM_COVERAGE = StackRule(
    id="mon-alarm-coverage",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems",
    title="Every resource that should be watched has an alarm for each way in which it fails.",
    why="What nobody watches breaks in silence.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP CloudWatch.15", "NIST SI-4", "NIST AU-6"),
    remedy="Name the resource in the facts and references of the Monitoring component; it knows the alarms for it.",
    types=TYPES | {ALARM, COMPOSITE, EVENT_TARGET, ALERT_MANAGER, PROMETHEUS_RULES},
    check=_coverage,
)

RULES: tuple[Rule, ...] = (ALARM_COVERAGE,)
