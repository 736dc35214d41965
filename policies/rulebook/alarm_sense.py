"""Rules on the sense of alarms: that each looks at its metric in a way that shows what is bad, and rings in time.

``_KINDS`` is what is known of metrics. Those of the program's own are known by the filter that writes them and by their
names: an age counts hours or seconds, failures count what must not happen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import alarms, coverage, links
from .alarms import ALARM
from .backup_watch import HOST_METRICS
from .coverage import COMPOSITE, FILTER, TOPIC, WEB_ACL
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import listed, number, show

_HOUR, _DAY = 3600, 86_400

#: Seconds of a period in which AWS has measured at least once, for what is measured every minute or every five.
_SOON = 300


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known of a metric. ``statistics``: those that show what is bad.

    ``calm``: a period without data is a good one. ``once``: a single period that is bad is one too many.
    """

    statistics: frozenset[str]
    calm: bool = False
    once: bool = False


_EVENTS = _Kind(frozenset({"Sum"}), calm=True, once=True)
_LETTERS = _Kind(frozenset({"Maximum", "Average"}), calm=True, once=True)
_TRAFFIC = _Kind(frozenset({"Sum", "Average"}), calm=True)
_LEVEL = _Kind(frozenset({"Average", "Maximum"}))
_REST = _Kind(frozenset({"Average", "Minimum"}))
_NUMBER = _Kind(frozenset({"Minimum", "Maximum", "Average"}))

_KINDS: Mapping[str, Mapping[str, _Kind]] = {
    "AWS/ApplicationELB": {
        "HTTPCode_Target_5XX_Count": _TRAFFIC,
        "HTTPCode_ELB_5XX_Count": _TRAFFIC,
        "RequestCount": _TRAFFIC,
        "RejectedConnectionCount": _EVENTS,
        "TargetResponseTime": _LEVEL,
        "HealthyHostCount": _NUMBER,
        "UnHealthyHostCount": _NUMBER,
    },
    "AWS/AutoScaling": {"GroupInServiceInstances": _NUMBER, "GroupDesiredCapacity": _NUMBER},
    "AWS/Backup": dict.fromkeys(
        ("NumberOfBackupJobsFailed", "NumberOfBackupJobsExpired", "NumberOfCopyJobsFailed"), _EVENTS
    ),
    "AWS/CertificateManager": {"DaysToExpiry": _REST},
    "AWS/CloudFront": {"5xxErrorRate": _LEVEL, "OriginLatency": _LEVEL},
    "AWS/DynamoDB": dict.fromkeys(("ReadThrottleEvents", "WriteThrottleEvents"), _EVENTS),
    "AWS/EC2": {
        "CPUUtilization": _LEVEL,
        "NetworkIn": _TRAFFIC,
        "NetworkOut": _TRAFFIC,
        "StatusCheckFailed": _Kind(frozenset({"Maximum", "Sum"})),
    },
    "AWS/Events": {"FailedInvocations": _EVENTS},
    "AWS/Lambda": {"Errors": _EVENTS, "Throttles": _EVENTS, "Duration": _LEVEL},
    "AWS/Logs": {"AnomalyCount": _EVENTS, "IncomingLogEvents": _Kind(frozenset({"Sum", "SampleCount"}))},
    "AWS/NATGateway": {
        "ErrorPortAllocation": _TRAFFIC,
        "PacketsDropCount": _TRAFFIC,
        "PacketsOutToDestination": _TRAFFIC,
        "PacketsOutToSource": _TRAFFIC,
    },
    "AWS/Prometheus": dict.fromkeys(("AlertManagerNotificationsFailed", "RuleEvaluationFailures"), _EVENTS),
    "AWS/RDS": {
        "CPUUtilization": _LEVEL,
        "DatabaseConnections": _LEVEL,
        "DBLoad": _LEVEL,
        "DiskQueueDepth": _LEVEL,
        "MaximumUsedTransactionIDs": _LEVEL,
        "ReadLatency": _LEVEL,
        "WriteLatency": _LEVEL,
        "CPUCreditBalance": _REST,
        "EBSByteBalance%": _REST,
        "EBSIOBalance%": _REST,
        "FreeStorageSpace": _REST,
        "FreeableMemory": _REST,
    },
    "AWS/SNS": {"NumberOfNotificationsFailed": _EVENTS},
    "AWS/SQS": {"ApproximateAgeOfOldestMessage": _LETTERS, "ApproximateNumberOfMessagesVisible": _LETTERS},
    "AWS/Scheduler": dict.fromkeys(
        (
            "InvocationDroppedCount",
            "InvocationThrottleCount",
            "InvocationsFailedToBeSentToDeadLetterCount",
            "TargetErrorCount",
            "TargetErrorThrottledCount",
        ),
        _EVENTS,
    ),
    "AWS/States": dict.fromkeys(
        ("ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"), _EVENTS
    ),
    "AWS/WAFV2": {"BlockedRequests": _TRAFFIC},
    "CWAgent": {"mem_used_percent": _LEVEL, "disk_used_percent": _LEVEL},
    "ECS/ContainerInsights": {"RunningTaskCount": _NUMBER},
}

#: Namespace, or namespace and metric -> the dimensions that a metric is written with: with fewer there is none.
_WRITTEN_WITH: Mapping[str | tuple[str, str], tuple[frozenset[str], ...]] = {
    "AWS/ApplicationELB": (frozenset({"LoadBalancer"}),),
    ("AWS/ApplicationELB", "HealthyHostCount"): (frozenset({"LoadBalancer", "TargetGroup"}),),
    ("AWS/ApplicationELB", "UnHealthyHostCount"): (frozenset({"LoadBalancer", "TargetGroup"}),),
    "AWS/AutoScaling": (frozenset({"AutoScalingGroupName"}),),
    "AWS/Backup": (frozenset({"BackupVaultName"}), frozenset({"ResourceType"})),
    "AWS/CertificateManager": (frozenset({"CertificateArn"}),),
    "AWS/CloudFront": (frozenset({"DistributionId", "Region"}),),
    "AWS/DynamoDB": (frozenset({"TableName"}),),
    "AWS/EC2": (frozenset({"AutoScalingGroupName"}), frozenset({"InstanceId"})),
    "AWS/ECS": (frozenset({"ClusterName"}),),
    "AWS/Events": (frozenset({"RuleName"}),),
    "AWS/Lambda": (frozenset({"FunctionName"}),),
    ("AWS/Logs", "AnomalyCount"): (frozenset({"LogAnomalyDetector", "LogAnomalyPriority"}),),
    ("AWS/Logs", "IncomingLogEvents"): (frozenset({"LogGroupName"}),),
    "AWS/NATGateway": (frozenset({"NatGatewayId"}),),
    ("AWS/Prometheus", "AlertManagerNotificationsFailed"): (frozenset({"Workspace"}),),
    "AWS/RDS": (frozenset({"DBInstanceIdentifier"}), frozenset({"DBClusterIdentifier"})),
    "AWS/SNS": (frozenset({"TopicName"}),),
    "AWS/SQS": (frozenset({"QueueName"}),),
    "AWS/Scheduler": (frozenset({"ScheduleGroup"}),),
    "AWS/States": (frozenset({"StateMachineArn"}),),
    "AWS/WAFV2": (frozenset({"WebACL", "Rule", "Region"}), frozenset({"WebACL", "Rule"})),
    "CWAgent": (frozenset({"AutoScalingGroupName"}), frozenset({"InstanceId"})),
}

#: Own metrics that tell how old the newest copy is: part of the name -> the ages, in the metric's unit, at which all is
#: well and at which it is not. Backups are made once a week and tried once a month (``003_… Backups``).
_AGES: Mapping[str, tuple[float, float]] = {
    "RecoveryPointAgeHours": (7 * 24, 10 * 24),
    "RestoreTestAgeHours": (31 * 24, 45 * 24),
    "ConfigurationBackupAge": (7 * _DAY, 10 * _DAY),
}

#: How the name of an own metric ends that counts what must not happen.
_FAILURES = ("Failed", "Failures", "Errors", "Unsettled")


#: What a query sums up by -> the statistic that does the same.
_FUNCTIONS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum"}

#: ``p99``, ``tm90`` and the like: they show what an average does.
_PERCENTILE = re.compile(r"(p|tm|wm)\d+(\.\d+)?$")


@dataclass(frozen=True, slots=True)
class _Look:
    """How an alarm looks at one metric; ``dimensions`` is None for a query, which names them in its own way."""

    namespace: str
    metric: str
    statistic: Any
    period: float
    dimensions: Mapping[str, Any] | None


def _looks(alarm: Resource) -> Iterator[_Look]:
    bags = [(alarm.props, alarm.props.get("statistic") or alarm.props.get("extendedStatistic"))]
    for index in range(len(alarm.items("metricQueries"))):
        metric = alarm.section("metricQueries", index, "metric") or {}
        bags.append((metric, metric.get("stat")))
    for bag, statistic in bags:
        if bag.get("metricName"):
            period = number(bag.get("period")) or 0
            namespace = str(bag.get("namespace"))
            yield _Look(namespace, str(bag.get("metricName")), statistic, period, bag.get("dimensions") or {})
    for index in range(len(alarm.items("metricQueries"))):
        query = alarms.QUERY.match(str(alarm.section("metricQueries", index, "expression")))
        if query:
            period = number(alarm.section("metricQueries", index, "period")) or 0
            statistic = _FUNCTIONS.get(query["function"].upper())
            yield _Look(query["namespace"], query["metric"], statistic, period, None)


def _sense(stack: Stack) -> Iterator[Fault]:
    filters = stack.shared(_filters)

    def judge(alarm: Resource) -> Iterator[Fault]:
        for look in _looks(alarm):
            kind = _KINDS.get(look.namespace, {}).get(look.metric)
            said: Iterable[str] = ()
            if kind is not None:
                said = _known(stack, alarm, look, kind)
            elif not look.namespace.startswith("AWS/"):
                said = _own(alarm, look, filters.get((look.namespace, look.metric), ()), stack.context.environment)
            yield from (Fault(sentence, alarm.urn) for sentence in said)

    return each(stack.of(ALARM), judge)


def _filters(stack: Stack) -> Mapping[tuple[str, str], tuple[Resource, ...]]:
    """Namespace and metric -> the filters that write it."""
    found: dict[tuple[str, str], tuple[Resource, ...]] = {}
    for resource in stack.of(FILTER):
        key = (
            str(resource.section("metricTransformation", "namespace")),
            str(resource.section("metricTransformation", "name")),
        )
        found[key] = (*found.get(key, ()), resource)
    return found


def _is_banded(alarm: Resource) -> bool:
    return bool(alarm.props.get("thresholdMetricId"))


def _falls(alarm: Resource) -> bool:
    """Whether it rings for little."""
    return str(alarm.props.get("comparisonOperator")).startswith("LessThan") and not _is_banded(alarm)


def _known(stack: Stack, alarm: Resource, look: _Look, kind: _Kind) -> Iterator[str]:
    yield from _placed(stack, look)
    heartbeat = look.statistic == "SampleCount" and _falls(alarm)
    if (
        not heartbeat
        and look.statistic not in kind.statistics
        and not (kind is _LEVEL and _PERCENTILE.match(str(look.statistic)))
    ):
        yield (
            f"The alarm looks at the {show(look.statistic)} of {look.metric}; {listed(sorted(kind.statistics))} "
            "shows what is bad."
        )
    yield from _silence(alarm, look, heartbeat=heartbeat, calm=kind.calm)
    if kind.calm and _falls(alarm):
        yield f"The alarm rings for few {look.metric}, where many are bad."
    if _is_banded(alarm) and alarm.props.get("comparisonOperator") == "LessThanLowerThreshold":
        yield f"The alarm rings for less {look.metric} than is usual, and for more it does not."
    if kind.once and _bad_periods(alarm) > 1:
        yield f"The alarm waits for {show(_bad_periods(alarm))} periods with {look.metric}; one is too many already."
    if look.period > _SOON and not _is_slow(look) and not _awaits_silence(alarm):
        yield f"The alarm looks at {look.metric} every {show(look.period)} seconds; {_SOON} or less are expected."


def _is_slow(look: _Look) -> bool:
    """Whether AWS writes it once or twice a day."""
    return look.metric == "DaysToExpiry"


def _awaits_silence(alarm: Resource) -> bool:
    return _falls(alarm) and alarm.props.get("treatMissingData") == "breaching"


def _silence(alarm: Resource, look: _Look, *, heartbeat: bool, calm: bool) -> Iterator[str]:
    """What a period without data must mean."""
    value = alarm.props.get("treatMissingData")
    if heartbeat and value != "breaching":
        yield f"A count of samples is never 0: only missing data is. With {show(value)} the alarm stays quiet."
    elif calm and value == "breaching":
        yield f"{look.metric} is missing while nothing happens, so the alarm rings when all is well."
    elif value == "breaching" and _bad_periods(alarm) < 2:
        yield f"The alarm rings for a single period without {look.metric}; data that comes late is no failure."


def _bad_periods(alarm: Resource) -> float:
    return number(alarm.props.get("datapointsToAlarm")) or number(alarm.props.get("evaluationPeriods")) or 0


def _placed(stack: Stack, look: _Look) -> Iterator[str]:
    if look.dimensions is None:
        return
    choices = _WRITTEN_WITH.get((look.namespace, look.metric)) or _WRITTEN_WITH.get(look.namespace, ())
    if choices and not any(choice <= set(look.dimensions) for choice in choices):
        yield f"{look.namespace} writes no {look.metric} without {listed(sorted(choices[0]))}."
    if look.namespace == "AWS/WAFV2" and not _names_a_rule(stack, look):
        yield f"No web ACL here has a rule {show(look.dimensions.get('Rule'))}; ALL stands for every one."
    # Firewalls of a region write its name, those of CloudFront do not.
    if look.namespace == "AWS/WAFV2" and "Region" not in look.dimensions and _is_regional(stack, look):
        yield "A web ACL of a region writes BlockedRequests with the dimension Region."


def _web_acls(stack: Stack, look: _Look) -> Iterator[Resource]:
    name = (look.dimensions or {}).get("WebACL")
    return (one for one in stack.of(WEB_ACL) if one.section("visibilityConfig", "metricName") == name)


def _names_a_rule(stack: Stack, look: _Look) -> bool:
    rule = (look.dimensions or {}).get("Rule")
    if rule in (None, "ALL"):
        return True
    return any(
        one.section("rules", index, "visibilityConfig", "metricName") == rule
        for one in _web_acls(stack, look)
        for index in range(len(one.items("rules")))
    )


def _is_regional(stack: Stack, look: _Look) -> bool:
    return any(one.section("scope") == "REGIONAL" for one in _web_acls(stack, look))


def _own(alarm: Resource, look: _Look, filters: tuple[Resource, ...], environment: str) -> Iterator[str]:
    for one in filters:
        written = set(one.section("metricTransformation", "dimensions") or {})
        if look.dimensions is not None and written != set(look.dimensions):
            yield (
                f"The filter {one.name} writes {look.metric} with {_named(written)}, and the alarm looks with "
                f"{_named(look.dimensions)}."
            )
    yield from _aged(alarm, look, environment)
    counted = any(number(one.section("metricTransformation", "value")) for one in filters)
    if look.metric.endswith(_FAILURES) or counted:
        yield from _counting(alarm, look, counted=counted)


def _named(dimensions: Iterable[str]) -> str:
    names = sorted(dimensions)
    return f"the dimension {listed(names)}" if names else "no dimension"


def _aged(alarm: Resource, look: _Look, environment: str) -> Iterator[str]:
    ages = _AGES.get(look.metric)
    if ages is None:
        return
    fine, old = ages
    # Machines that are off for the night, in other stacks than prod, report nothing of themselves.
    silent = ["breaching"]
    if look.metric in HOST_METRICS and environment != "prod":
        silent.append("ignore")
    if alarm.props.get("treatMissingData") not in silent:
        yield f"Nobody is told when {look.metric} is no longer reported: treatMissingData must be breaching."
    if look.statistic != "Maximum":
        yield f"The alarm looks at the {show(look.statistic)} of {look.metric}; Maximum shows what is oldest."
    if alarms.rings(alarm, {look.metric: old}) is False:
        yield f"The alarm does not ring when {look.metric} is {show(old)}."
    if alarms.rings(alarm, {look.metric: fine}):
        yield f"The alarm rings when {look.metric} is {show(fine)}, which is fine."
    if look.period < _HOUR:
        yield f"{look.metric} is reported once an hour, and the alarm looks every {show(look.period)} seconds."
    if _bad_periods(alarm) * look.period > _DAY:
        yield f"The alarm waits {show(_bad_periods(alarm) * look.period)} seconds; a day is the most for an age."


def _counting(alarm: Resource, look: _Look, *, counted: bool) -> Iterator[str]:
    """A filter counts, or a name says that what is told must not happen."""
    # Many are one for each minute; what a name calls a failure is bad at once.
    many = 1.0 if not counted else max(1.0, look.period / 60)
    silence = alarm.props.get("treatMissingData")
    if silence == "breaching":
        yield f"{look.metric} is missing while nothing happens, so the alarm rings when all is well."
    elif silence == "ignore":
        yield f"{look.metric} is missing while nothing happens, so an alarm that ignores it never ends."
    if look.statistic in ("Average", "Minimum", None) and counted:
        yield f"The alarm looks at the {show(look.statistic)} of {look.metric}; Sum counts what happens."
    if _is_banded(alarm):
        if alarm.props.get("comparisonOperator") == "LessThanLowerThreshold":
            yield f"The alarm rings for less {look.metric} than is usual, and for more it does not."
        return
    if alarms.rings(alarm, {look.metric: many}) is False:
        yield f"The alarm does not ring when {look.metric} is {show(many)}."
    if alarms.rings(alarm, {look.metric: 0.0}):
        yield f"The alarm rings when {look.metric} is 0."
    if counted and look.period > _HOUR:
        yield f"The alarm adds {look.metric} up for {show(look.period)} seconds; an hour is the most."


#: Severity -> seconds until somebody answers (``004_… Severity Levels``); an alarm may take a third of it.
_ANSWERED: Mapping[str, int] = {"critical": 15 * 60, "high": 60 * 60, "medium": 4 * 60 * 60}
_DETECTION = 3


def _in_time(stack: Stack) -> Iterator[Fault]:
    listeners = stack.shared(_listeners)

    def judge(alarm: Resource) -> Iterator[Fault]:
        seconds = alarms.seconds(alarm)
        # A sum or a maximum is over the limit as soon as one event is, however long its period; ages have a rule above.
        looks = tuple(_looks(alarm))
        if (
            seconds is None
            or any(look.metric in _AGES or _is_slow(look) for look in looks)
            or _rings_at_once(alarm, looks)
        ):
            return
        heard = [
            severity
            for one in (alarm, *listeners.get(alarm.props.get("name"), ()))
            for severity in _severities(stack, one)
        ]
        limits = {severity: _ANSWERED[severity] / _DETECTION for severity in heard if severity in _ANSWERED}
        for severity, most in sorted(limits.items(), key=lambda pair: pair[1])[:1]:
            if seconds > _patience(alarm, most):
                yield Fault(
                    f"The alarm waits {show(seconds)} seconds, and people are to answer a {severity} one within "
                    f"{_ANSWERED[severity]}; {show(_patience(alarm, most))} are left to notice it.",
                    alarm.urn,
                )
        if not limits and seconds > _DAY:
            yield Fault(f"The alarm waits {show(seconds)} seconds; a day is the most.", alarm.urn)

    return each(stack.of(ALARM), judge)


def _rings_at_once(alarm: Resource, looks: tuple[_Look, ...]) -> bool:
    summed = all(look.statistic in ("Sum", "Maximum", "SampleCount") for look in looks)
    rises = str(alarm.props.get("comparisonOperator")).startswith("GreaterThan")
    return summed and rises and _bad_periods(alarm) == 1 and alarms.seconds(alarm) is not None


def _patience(alarm: Resource, most: float) -> float:
    """What counts the logs of nights must wait until even the quietest hours are over."""
    return max(most, 2 * _HOUR) if any(look.metric == "IncomingLogEvents" for look in _looks(alarm)) else most


def _listeners(stack: Stack) -> Mapping[Any, list[Resource]]:
    """Name of an alarm -> the composites that ring with it."""
    found: dict[Any, list[Resource]] = {}
    for composite in stack.of(COMPOSITE):
        for name in coverage.heard(composite):
            if coverage.rings_with(composite, name):
                found.setdefault(name, []).append(composite)
    return found


def _severities(stack: Stack, alarm: Resource) -> Iterator[str]:
    for topic in links.targets(stack, alarm, "alarmActions", TOPIC):
        yield str(topic.tags.get("Severity")).lower()


SENSE = StackRule(
    id="mon-alarm-sense",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="An alarm looks at its metric in a way that shows what is bad, and takes silence for what it is.",
    why="The average of a count, few where many are bad or silence taken for peace: such an alarm is never heard.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Take the statistic, the dimensions and the meaning of missing data that the metric's service documents.",
    types=frozenset({ALARM, FILTER, WEB_ACL}),
    check=_sense,
)

IN_TIME = StackRule(
    id="mon-alarm-in-time",
    sentence="004_5ca73e3508d74ec8.txt Severity Levels: High | Major functionality impaired | 1 hour",
    title="An alarm rings within a third of the time in which people are to answer one of its severity.",
    why="Who is told when the hour is over cannot answer within it.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST IR-6",),
    remedy="Take a shorter period or fewer datapoints, or a lower severity.",
    types=frozenset({ALARM, COMPOSITE, TOPIC}),
    check=_in_time,
)

RULES: tuple[Rule, ...] = (SENSE, IN_TIME)
