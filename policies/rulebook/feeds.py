"""Rules on what an alarm and an escalation live on: a metric that something counts, a queue that something reads."""

from __future__ import annotations

from collections.abc import Iterator

from .alarms import ALARM
from .coverage import FILTER, FUNCTION, QUEUE
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each

SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"

#: Namespaces that AWS and the CloudWatch agent write; every other one is written by a filter of the program.
_WRITTEN_BY_AWS = ("AWS/", "CWAgent", "ECS/ContainerInsights", "LambdaInsights")


def _metrics(alarm: Resource) -> Iterator[tuple[str, str]]:
    """Namespace and name of every metric an alarm looks at."""
    bags = [alarm.props, *(alarm_query.get("metric") or {} for alarm_query in alarm.items("metricQueries"))]
    for bag in bags:
        namespace, name = bag.get("namespace"), bag.get("metricName")
        if namespace and name:
            yield str(namespace), str(name)


def _fed(stack: Stack) -> Iterator[Fault]:
    counted = {
        (
            str(counter.section("metricTransformation", "namespace")),
            str(counter.section("metricTransformation", "name")),
        )
        for counter in stack.of(FILTER)
    }

    def judge(alarm: Resource) -> Iterator[Fault]:
        for namespace, name in _metrics(alarm):
            if not namespace.startswith(_WRITTEN_BY_AWS) and (namespace, name) not in counted:
                yield Fault(f"Nothing counts {name} in {namespace}, so the alarm waits for ever.", alarm.urn)

    return each(stack.of(ALARM), judge)


def _read(stack: Stack) -> Iterator[Fault]:
    def judge(subscription: Resource) -> Iterator[Fault]:
        if subscription.props.get("protocol") != "sqs":
            return
        for queue in stack.referenced(subscription, "endpoint", QUEUE):
            readers = stack.referring(queue, "eventSourceArn", MAPPING)
            if not any(stack.referenced(reader, "functionName", FUNCTION) for reader in readers):
                yield Fault(f"No function reads queue {queue.name}, where the topic's messages go.", subscription.urn)

    return each(stack.of(SUBSCRIPTION), judge)


ALARM_FED = StackRule(
    id="mon-alarm-fed",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="Every metric of the program's own that an alarm looks at is counted by a filter.",
    why="An alarm without a metric is quiet whatever happens.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.cloudwatch.LogMetricFilter with the alarm's namespace and metric.",
    types=frozenset({ALARM, FILTER}),
    check=_fed,
)

MESSAGES_READ = StackRule(
    id="mon-messages-read",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A queue that a topic hands its messages to is read by a function.",
    why="Alarms pile up in it, and nobody is called.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-6",),
    remedy="Declare aws.lambda_.EventSourceMapping from the queue to the function that escalates.",
    types=frozenset({SUBSCRIPTION, QUEUE, MAPPING}),
    check=_read,
)

RULES: tuple[Rule, ...] = (ALARM_FED, MESSAGES_READ)
