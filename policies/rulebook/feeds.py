"""Rules on what alarms and escalations live on: a metric of something that is there, a queue that is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from . import coverage, documents, links
from .alarms import ALARM
from .coverage import FILTER, FUNCTION, QUEUE
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import is_false, is_true_of_any

SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"

_PARAMETER = "aws:ssm/parameter:Parameter"

_POLICIES = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")

#: Namespaces that AWS and the CloudWatch agent write; the others by a filter or by whoever has leave to.
_WRITTEN_BY_AWS = ("AWS/", "CWAgent", "ECS/ContainerInsights", "LambdaInsights")


def _metrics(alarm: Resource) -> Iterator[tuple[str, str]]:
    """Namespace and name of every metric an alarm looks at."""
    bags = [alarm.props, *(alarm_query.get("metric") or {} for alarm_query in alarm.items("metricQueries"))]
    for bag in bags:
        namespace, name = bag.get("namespace"), bag.get("metricName")
        if namespace and name:
            yield str(namespace), str(name)


def _may_write(namespace: str, policy: Resource) -> bool:
    """Whether a policy lets somebody write metrics of that namespace by name."""
    try:
        statements = documents.read(policy.section("policy"))
    except documents.DocumentError:
        return False
    return any(
        one.allows
        and one.speaks_of("cloudwatch:PutMetricData")
        and any(cond.key == "cloudwatch:namespace" and namespace in cond.values for cond in one.conditions)
        for one in statements
    )


@dataclass(frozen=True, slots=True)
class _Collected:
    """What agents collect: namespace -> metrics, and the parameters that may hold more of it."""

    metrics: Mapping[str, frozenset[str]]
    unknown: tuple[Resource, ...]


def _collected(stack: Stack) -> _Collected:
    found: dict[str, set[str]] = {}
    unknown = []
    for parameter in stack.of(_PARAMETER):
        try:
            body = json.loads(str(parameter.section("insecureValue")))
        except UnknownValueError:
            unknown.append(parameter)
            continue
        except ValueError:
            continue
        metrics = body.get("metrics") if isinstance(body, dict) else None
        plugins = metrics.get("metrics_collected") if isinstance(metrics, dict) else None
        if isinstance(metrics, dict) and isinstance(plugins, dict):
            names = found.setdefault(str(metrics.get("namespace") or "CWAgent"), set())
            names.update(name for plugin, given in plugins.items() for name in _measured(plugin, given))
    return _Collected({namespace: frozenset(names) for namespace, names in found.items()}, tuple(unknown))


def _measured(plugin: str, given: Any) -> Iterator[str]:
    """The names that the agent gives to a plug-in's measurements (CloudWatch User Guide, "metrics section")."""
    for one in (given.get("measurement") or ()) if isinstance(given, dict) else ():
        name = str(one.get("rename") or one.get("name")) if isinstance(one, dict) else str(one)
        yield name
        yield f"{plugin}_{name}"


def _fed(stack: Stack) -> Iterator[Fault]:
    counted = {
        (
            str(counter.section("metricTransformation", "namespace")),
            str(counter.section("metricTransformation", "name")),
        )
        for counter in stack.of(FILTER)
    }

    collected = stack.shared(_collected)

    def judge(alarm: Resource) -> Iterator[Fault]:
        for namespace, name in _metrics(alarm):
            if name not in collected.metrics.get(namespace, {name}):
                for parameter in collected.unknown:
                    # Raises: it may be the one that collects it.
                    parameter.section("insecureValue")
                yield Fault(f"No agent collects {name} in {namespace}, so the alarm waits for ever.", alarm.urn)
            if namespace.startswith(_WRITTEN_BY_AWS) or (namespace, name) in counted:
                continue
            if not is_true_of_any(stack.of(*_POLICIES), partial(_may_write, namespace)):
                yield Fault(f"Nothing counts {name} in {namespace}, so the alarm waits for ever.", alarm.urn)

    return each(stack.of(ALARM), judge)


#: What Lambda does with a queue on a function's behalf, by the function's role.
_READING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a dimension names: in words, the types, and their property that it repeats."""

    word: str
    types: tuple[str, ...]
    prop: str


_SUBJECTS: Mapping[str, _Subject] = {
    "AutoScalingGroupName": _Subject("group of machines", (coverage.GROUP,), "name"),
    "CertificateArn": _Subject("certificate", (coverage.CERTIFICATE,), "arn"),
    "DBInstanceIdentifier": _Subject("database", (coverage.DATABASE,), "identifier"),
    "DistributionId": _Subject("distribution", (coverage.DISTRIBUTION,), "id"),
    "FunctionName": _Subject("function", (FUNCTION,), "name"),
    "InstanceId": _Subject("machine", (coverage.HOST,), "id"),
    "LoadBalancer": _Subject("load balancer", coverage.BALANCERS, "arnSuffix"),
    "LogAnomalyDetector": _Subject("anomaly detector", (coverage.LOG_DETECTOR,), "detectorName"),
    "LogGroupName": _Subject("log group", ("aws:cloudwatch/logGroup:LogGroup",), "name"),
    "NatGatewayId": _Subject("NAT gateway", (coverage.GATEWAY,), "id"),
    "QueueName": _Subject("queue", (QUEUE,), "name"),
    "StateMachineArn": _Subject("state machine", (coverage.MACHINE,), "arn"),
    "TableName": _Subject("table", (coverage.TABLE,), "name"),
    "TargetGroup": _Subject("target group", coverage.TARGET_GROUPS, "arnSuffix"),
    "TopicName": _Subject("topic", (coverage.TOPIC,), "name"),
    "Workspace": _Subject("workspace of Prometheus", (coverage.WORKSPACE,), "id"),
}


def _watched(stack: Stack) -> Iterator[Fault]:
    def judge(alarm: Resource) -> Iterator[Fault]:
        gone = dict.fromkeys(name for path, name in _dimensions(alarm) if not _is_there(stack, alarm, path, name))
        for name in gone:
            yield Fault(
                f"The alarm watches no {_SUBJECTS[name].word} that is declared here: {name} names none.", alarm.urn
            )

    return each(stack.of(ALARM), judge)


def _dimensions(alarm: Resource) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where the dimensions of an alarm's metrics stand, and each that names a resource."""
    queries = (("metricQueries", index, "metric", "dimensions") for index in range(len(alarm.items("metricQueries"))))
    paths: tuple[tuple[str | int, ...], ...] = (("dimensions",), *queries)
    for path in paths:
        yield from ((path, str(name)) for name in alarm.section(*path) or () if name in _SUBJECTS)


def _is_there(stack: Stack, alarm: Resource, path: tuple[str | int, ...], name: str) -> bool:
    subject = _SUBJECTS[name]
    try:
        value = alarm.section(*path, name)
    except UnknownValueError:
        # Before the resource is made, the dimension is known by what it is made from.
        return bool(stack.referenced(alarm, str(path[0]), *subject.types))
    return is_true_of_any(stack.of(*subject.types), lambda one: bool(one.section(subject.prop) == value))


def _read(stack: Stack) -> Iterator[Fault]:
    def judge(subscription: Resource) -> Iterator[Fault]:
        if subscription.props.get("protocol") != "sqs":
            return
        for queue in stack.referenced(subscription, "endpoint", QUEUE):
            readers = stack.referring(queue, "eventSourceArn", MAPPING)
            if not is_true_of_any(readers, lambda reader: _reads(stack, reader)):
                yield Fault(f"No function reads queue {queue.name}, where the topic's messages go.", subscription.urn)

    return each(stack.of(SUBSCRIPTION), judge)


def _reads(stack: Stack, mapping: Resource) -> bool:
    """Whether a mapping is on and its function may take messages out of the queue."""
    roles = (
        role
        for function in stack.referenced(mapping, "functionName", FUNCTION)
        for role in links.targets(stack, function, "role", links.ROLE)
    )
    return not is_false(mapping.props.get("enabled")) and is_true_of_any(
        roles, lambda role: links.can(stack, role, ("AWSLambdaSQSQueueExecutionRole",), *_READING)
    )


ALARM_FED = StackRule(
    id="mon-alarm-fed",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="Every metric of the program's own that an alarm looks at is counted by a filter or written by name.",
    why="An alarm without a metric is quiet whatever happens.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.cloudwatch.LogMetricFilter with that metric, or allow its namespace to whoever writes it.",
    types=frozenset({ALARM, FILTER, _PARAMETER, *_POLICIES}),
    check=_fed,
)

ALARM_WATCHES = StackRule(
    id="mon-alarm-watches",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="What an alarm's dimension names is declared.",
    why="The alarm of something that is gone, or of a name with a mistake in it, is quiet for ever.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Take the dimension from the resource that is watched; delete the alarm of one that is gone.",
    types=frozenset({ALARM, *(token for subject in _SUBJECTS.values() for token in subject.types)}),
    check=_watched,
)

MESSAGES_READ = StackRule(
    id="mon-messages-read",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A queue that a topic hands its messages to is read by a function.",
    why="Alarms pile up in it, and nobody is called.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-6",),
    remedy="Declare aws.lambda_.EventSourceMapping from the queue to the function, and let the function's role read.",
    types=frozenset({SUBSCRIPTION, QUEUE, MAPPING, FUNCTION, links.ROLE, links.ROLE_POLICY}),
    check=_read,
)

RULES: tuple[Rule, ...] = (ALARM_FED, ALARM_WATCHES, MESSAGES_READ)
