"""Rules for log groups and for the topics that carry alerts."""

from __future__ import annotations

from collections.abc import Iterator

from . import documents
from .documents import Statement
from .links import ROLE, sources, targets
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import number, show

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
TRAIL = "aws:cloudtrail/trail:Trail"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"

#: Days that prod keeps what tells of an intrusion.
EVIDENCE_DAYS = 365

#: Alarms publish to every topic of the platform.
ALARMS = "cloudwatch.amazonaws.com"

#: What publishes to a topic beside alarms: type -> its property that names the topic, and the service that does it.
_PUBLISHERS = {
    "aws:backup/vaultNotifications:VaultNotifications": ("snsTopicArn", "backup.amazonaws.com"),
    "aws:cloudwatch/eventTarget:EventTarget": ("arn", "events.amazonaws.com"),
    "aws:rds/eventSubscription:EventSubscription": ("snsTopic", "events.rds.amazonaws.com"),
}

_ALARMS = ("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm")

#: What publishing to an encrypted topic takes.
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


def _retention(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        value = group.section("retentionInDays")
        days = number(value)
        if days is None or days <= 0:
            yield Fault("The log group keeps its logs for ever: no retention is set.", group.urn)
        elif stack.context.environment == "prod" and days < EVIDENCE_DAYS and (what := _evidence(stack, group)):
            yield Fault(f"The {what} are kept {show(value)} days; {EVIDENCE_DAYS} are demanded.", group.urn)

    return each(stack.of(LOG_GROUP), judge)


def _evidence(stack: Stack, group: Resource) -> str | None:
    if sources(stack, group, "logDestination", FLOW_LOG) or sources(stack, group, "logGroupName", FLOW_LOG):
        return "flow logs"
    return "trail's logs" if sources(stack, group, "cloudWatchLogsGroupArn", TRAIL) else None


def _log_key(resource: Resource, context: Context) -> Iterator[str]:
    if context.environment == "prod" and not resource.section("kmsKeyId"):
        yield "The log group is not encrypted with a customer key."


def _topics(stack: Stack) -> Iterator[Fault]:
    parts = (_topic_key, _topic_policy)

    def judge(topic: Resource) -> Iterator[Fault]:
        return through(parts, lambda part: part(stack, topic))

    return each(stack.of(TOPIC), judge)


def _topic_key(stack: Stack, topic: Resource) -> Iterator[Fault]:
    keys = _keys_of(stack, topic)
    if not keys:
        named = topic.section("kmsMasterKeyId")
        if not named:
            yield Fault("The topic is not encrypted.", topic.urn)
        elif "alias/aws/" in str(named):
            yield Fault("The topic is encrypted with AWS's key, which alarms may not use.", topic.urn)
    for key in keys:
        yield from (
            Fault(f"The topic's key {key.name} does not let {service} publish, so its messages are lost.", topic.urn)
            for service in _services(stack, topic)
            if not _lets_publish(key, service)
        )


def _keys_of(stack: Stack, topic: Resource) -> tuple[Resource, ...]:
    """The declared key of a topic, also by its alias."""
    prop = "kmsMasterKeyId"
    aliases = targets(stack, topic, prop, ALIAS)
    return targets(stack, topic, prop, KEY) or tuple(
        key for alias in aliases for key in targets(stack, alias, "targetKeyId", KEY)
    )


def _services(stack: Stack, topic: Resource) -> tuple[str, ...]:
    """The services that publish to a topic in their own name. A target of EventBridge with a role uses the role."""
    found = [
        service
        for token, (prop, service) in _PUBLISHERS.items()
        if any("roleArn" not in publisher.props for publisher in sources(stack, topic, prop, token))
    ]
    return (*([ALARMS] if _rings(stack, topic) else []), *found)


def _rings(stack: Stack, topic: Resource) -> bool:
    """Whether alarms publish to a topic; where a stack declares none, those of another may."""
    declared = tuple(stack.of(*_ALARMS))
    return not declared or any(sources(stack, topic, "alarmActions", token) for token in _ALARMS)


def _lets_publish(key: Resource, service: str) -> bool:
    """An unset policy admits the account alone, and one that cannot be read is told by ``kms-not-public``."""
    try:
        statements = documents.read(key.section("policy"))
    except documents.DocumentError:
        return False
    return all(
        any(one.allows and service in one.services() and one.speaks_of(action) for one in statements)
        for action in _KEY_ACTIONS
    )


def _topic_policy(stack: Stack, topic: Resource) -> Iterator[Fault]:
    refused = False
    for policy in sources(stack, topic, "arn", TOPIC_POLICY):
        try:
            statements = documents.read(policy.section("policy"))
        except documents.DocumentError as error:
            yield Fault(f"The topic policy cannot be read: {error}.", policy.urn)
            continue
        yield from (Fault(said, policy.urn) for statement in statements for said in _opened(statement))
        refused = refused or any(_refuses_plain(statement, topic) for statement in statements)
    if not refused:
        yield Fault("Nothing refuses messages to the topic that come without TLS.", topic.urn)


def _refuses_plain(statement: Statement, topic: Resource) -> bool:
    if not documents.refuses_plain_transport(statement, "sns:Publish"):
        return False
    arn = topic.section("arn")
    return isinstance(arn, str) and statement.reaches(arn)


def _opened(statement: Statement) -> Iterator[str]:
    if not statement.allows:
        return
    if statement.is_for_anyone and not statement.is_scoped:
        yield "The topic policy lets anyone use the topic."
    if not statement.conditions:
        yield from (
            f"The topic policy lets {service} use the topic on any account's behalf: it has no condition."
            for service in statement.services()
        )


RETENTION = StackRule(
    id="mon-log-retention",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Every log group has a retention; prod keeps flow logs and the trail for a year.",
    why="Unset means for ever, which costs without end; an intrusion is often found months later.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_338", "NIST AU-11"),
    remedy="Set retention_in_days; 365 or more for flow logs and the trail.",
    types=frozenset({LOG_GROUP}),
    check=_retention,
)

LOG_KEY = ResourceRule(
    id="mon-log-cmk",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="Log groups of prod are encrypted with a customer key.",
    why="Logs hold addresses, names and errors of real users; the key decides who reads them.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST AU-9", "NIST SC-28"),
    remedy="Set kms_key_id to a key whose policy admits CloudWatch Logs.",
    types=frozenset({LOG_GROUP}),
    check=_log_key,
)

TOPICS = StackRule(
    id="sns-encrypted-private",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="Topics are encrypted with a key that lets their publishers in, open to nobody else, and take TLS only.",
    why="An alarm that may not use the topic's key is lost without a word; an open topic takes anyone's alarms.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP SNS.1", "FSBP SNS.4", "cdk-nag SNS3"),
    remedy=(
        "Name a customer key whose policy allows kms:Decrypt and kms:GenerateDataKey* to the publishing services, and "
        "declare an aws.sns.TopicPolicy that denies sns:Publish where aws:SecureTransport is false."
    ),
    types=frozenset({TOPIC, TOPIC_POLICY, KEY, ROLE, *_PUBLISHERS}),
    check=_topics,
)

RULES: tuple[Rule, ...] = (RETENTION, LOG_KEY, TOPICS)
