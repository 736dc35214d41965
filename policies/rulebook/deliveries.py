"""Whether what is sent arrives: an event at its target, an alert at a reader, a dead letter in its queue.

Each way is judged as AWS judges it: the receiver is there, and either the sender's role or the receiver's own policy
lets the sender in. Nothing fails loudly where that is missing; the message is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import documents, links
from .bells import EVENT_RULE, EVENT_TARGET, is_off, targets_of
from .coverage import FUNCTION, MACHINE, QUEUE, TOPIC
from .resource import SECRET, Resource, Stack
from .roles import trusts
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import either, is_true_of_any

SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
PERMISSION = "aws:lambda/permission:Permission"
CHAT = "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration"

#: From the worst down, as topics are tagged with them.
SEVERITIES = ("critical", "high", "medium", "low")

#: Protocol -> how its endpoints begin (SNS API, "Subscribe").
_ENDPOINTS = {
    "email": re.compile(r"[^@\s]+@[^@\s]+$"),
    "email-json": re.compile(r"[^@\s]+@[^@\s]+$"),
    "firehose": re.compile(r"arn:[a-z-]+:firehose:"),
    "http": re.compile("http://"),
    "https": re.compile("https://"),
    "sms": re.compile(r"\+?[0-9][0-9 .-]+$"),
}

_BUS = ":event-bus/"
_EVENTS, _TOPICS = "events.amazonaws.com", "sns.amazonaws.com"


@dataclass(frozen=True, slots=True)
class _Receiver:
    """A kind of receiver. ``mark``: how its ARN is known; ``policies``: type and property of what lets senders in."""

    word: str
    mark: str
    action: str
    policies: tuple[tuple[str, str], ...] = ()


_RECEIVERS: Mapping[str, _Receiver] = {
    QUEUE: _Receiver("queue", ":sqs:", "sqs:SendMessage", ((QUEUE_POLICY, "queueUrl"),)),
    TOPIC: _Receiver("topic", ":sns:", "sns:Publish", ((TOPIC_POLICY, "arn"),)),
    FUNCTION: _Receiver("function", ":lambda:", "lambda:InvokeFunction"),
    MACHINE: _Receiver("state machine", ":states:", "states:StartExecution"),
}


#: What lets a sender in, on either side.
_WAYS_IN = (QUEUE_POLICY, TOPIC_POLICY, PERMISSION, links.ROLE, links.ROLE_POLICY)


def severity_of(topic: Resource) -> str | None:
    """The severity whose alarms a topic carries; None for any other topic."""
    severity = str(topic.tags.get("Severity") or "").lower()
    return severity if severity in SEVERITIES else None


def lets_in(stack: Stack, receiver: Resource, service: str, sender: Resource) -> bool:
    """Whether the policy of a queue, a topic or a function lets ``service`` hand on what comes from ``sender``."""
    if receiver.type == FUNCTION:
        permissions = links.sources(stack, receiver, "function", PERMISSION)
        return is_true_of_any(permissions, lambda one: _permits(stack, one, service, sender))
    kind = _RECEIVERS[receiver.type]
    holders = [receiver, *(one for token, prop in kind.policies for one in links.sources(stack, receiver, prop, token))]
    return is_true_of_any(holders, lambda holder: _admits(holder, service, kind.action, sender))


def _permits(stack: Stack, permission: Resource, service: str, sender: Resource) -> bool:
    if permission.props.get("principal") != service:
        return False
    return not permission.items("sourceArn") or any(
        hit.urn == sender.urn for hit in links.targets(stack, permission, "sourceArn", sender.type)
    )


def _admits(holder: Resource, service: str, action: str, sender: Resource) -> bool:
    try:
        statements = documents.read(holder.section("policy") or {"Statement": []})
    except documents.DocumentError:
        return False
    return any(
        one.allows and service in one.services() and one.speaks_of(action) and _is_about(one, sender)
        for one in statements
    )


def _is_about(statement: documents.Statement, sender: Resource) -> bool:
    return all(
        any(documents.matches(pattern, str(sender.section("arn"))) for pattern in condition.values)
        for condition in statement.conditions
        if condition.key == "aws:sourcearn" and "not" not in condition.operator
    )


# Events


def _events(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        return _rule(stack, resource) if resource.type == EVENT_RULE else _target(stack, resource)

    yield from each(stack.of(EVENT_RULE, EVENT_TARGET), judge)


def _rule(stack: Stack, rule: Resource) -> Iterator[Fault]:
    if is_off(rule):
        yield Fault("The rule is switched off, so nobody hears of what it waits for.", rule.urn)
    elif not targets_of(stack, rule):
        yield Fault("The rule has no target in its region, so what it catches goes nowhere.", rule.urn)


def _target(stack: Stack, target: Resource) -> Iterator[Fault]:
    rules = [
        rule
        for rule in links.targets(stack, target, "rule", EVENT_RULE)
        if rule.props.get("region") == target.props.get("region")
    ]
    if not rules:
        yield Fault("The target is of no rule that is declared here, so nothing comes to it.", target.urn)
    for rule in rules:
        yield from (Fault(said, target.urn) for said in _handed(stack, rule, target))
        if target.items("deadLetterConfig"):
            yield from (Fault(said, target.urn) for said in _buried(stack, target, "deadLetterConfig", rule, _EVENTS))


def _handed(stack: Stack, rule: Resource, target: Resource) -> Iterator[str]:
    receivers = links.targets(stack, target, "arn", *_RECEIVERS)
    action = next((_RECEIVERS[receiver.type].action for receiver in receivers), None)
    if action is None:
        arn = str(target.props.get("arn"))
        action = "events:PutEvents" if _BUS in arn else None
        word = next((kind.word for kind in _RECEIVERS.values() if kind.mark in arn), None)
        if word:
            yield f"What the rule catches goes to a {word} that is not declared here."
            return
    if target.items("roleArn"):
        yield from _with_role(stack, target, action, receivers)
    elif _BUS in str(target.section("arn")):
        yield "Events are handed to another bus without a role, so it does not take them."
    elif any(receiver.type == MACHINE for receiver in receivers):
        yield "EventBridge has no role to start the state machine with."
    else:
        for receiver in receivers:
            if not lets_in(stack, receiver, _EVENTS, rule):
                yield f"The {_RECEIVERS[receiver.type].word} {receiver.name} does not let the rule in."


def _with_role(stack: Stack, target: Resource, action: str | None, receivers: tuple[Resource, ...]) -> Iterator[str]:
    roles = links.targets(stack, target, "roleArn", links.ROLE)
    if not roles:
        yield "The target's role is not declared here; what it may do is not known."
    for role in roles:
        if not trusts(role, _EVENTS):
            yield f"The target's role {role.name} does not let EventBridge take it on."
        if action and not may_on(stack, role, action, *receivers):
            yield f"The target's role {role.name} lacks {action} there, so the events are dropped."


def may_on(stack: Stack, role: Resource, action: str, *subjects: Resource) -> bool:
    """Whether a statement of ``role`` allows ``action`` on each of ``subjects``; on something, where there are none."""
    statements = [one for one in links.statements_of(stack, role) if one.speaks_of(action)]
    if any(not one.allows and not one.conditions for one in statements):
        return False
    allowing = [one for one in statements if one.allows]
    return bool(allowing) and all(any(_reaches(one, subject) for one in allowing) for subject in subjects)


def _reaches(statement: documents.Statement, subject: Resource) -> bool:
    """Whether a statement is about ``subject``, by its ARN or, where that is put together of it, by its name."""

    def names_it() -> bool:
        name = subject.section("name")
        return bool(name) and any(documents.matches(one.rpartition(":")[2], str(name)) for one in statement.resources)

    return "*" in statement.resources or either(names_it, lambda: statement.reaches(str(subject.section("arn"))))


def _buried(stack: Stack, holder: Resource, prop: str, sender: Resource, service: str) -> Iterator[str]:
    """What keeps dead letters from their queue."""
    queues = links.targets(stack, holder, prop, QUEUE)
    if not queues:
        yield "Its dead letters go to a queue that is not declared here."
    for queue in queues:
        if not lets_in(stack, queue, service, sender):
            yield f"Its dead letters are lost: queue {queue.name} does not let them in."


# Topics


def _topics(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        return _read(stack, resource) if resource.type == TOPIC else _subscription(stack, resource)

    yield from each(stack.of(TOPIC, SUBSCRIPTION), judge)


def _read(stack: Stack, topic: Resource) -> Iterator[Fault]:
    readers = links.sources(stack, topic, "topic", SUBSCRIPTION)
    severity = severity_of(topic)
    if not readers and not links.sources(stack, topic, "snsTopicArns", CHAT):
        yield Fault("Nobody reads the topic: it has no subscription.", topic.urn)
    elif severity and not is_true_of_any(readers, lambda one: str(one.section("protocol")).startswith("email")):
        yield Fault(
            f"No mailbox reads the topic of {severity} alarms, so they hang on the escalation alone.", topic.urn
        )


def _subscription(stack: Stack, subscription: Resource) -> Iterator[Fault]:
    topics = links.targets(stack, subscription, "topic", TOPIC)
    if not topics:
        yield Fault("The subscription is to a topic that is not declared here, so nothing comes.", subscription.urn)
    if subscription.section("filterPolicy"):
        yield Fault("The subscription leaves messages out: it has a filter.", subscription.urn)
    for topic in topics:
        yield from (Fault(said, subscription.urn) for said in _taken(stack, subscription, topic))


def _taken(stack: Stack, subscription: Resource, topic: Resource) -> Iterator[str]:
    protocol = str(subscription.props.get("protocol"))
    token = {"sqs": QUEUE, "lambda": FUNCTION}.get(protocol)
    if token is None:
        endpoint = str(subscription.props.get("endpoint"))
        if protocol in _ENDPOINTS and endpoint != SECRET and not _ENDPOINTS[protocol].match(endpoint):
            yield f"The subscription's endpoint is none for the protocol {protocol}."
    else:
        receivers = links.targets(stack, subscription, "endpoint", token)
        if not receivers:
            yield f"The topic's messages go to a {_RECEIVERS[token].word} that is not declared here."
        for receiver in receivers:
            if not lets_in(stack, receiver, _TOPICS, topic):
                yield f"The {_RECEIVERS[token].word} {receiver.name} does not let the topic in."
    if token and not subscription.section("redrivePolicy"):
        word = _RECEIVERS[token].word
        yield f"What the topic cannot hand to the {word} is lost: the subscription has no dead letters."
    if subscription.section("redrivePolicy"):
        yield from _buried(stack, subscription, "redrivePolicy", topic, _TOPICS)


EVENTS_ARRIVE = StackRule(
    id="mon-events-arrive",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="Every rule of EventBridge is on, and what it catches arrives.",
    why="EventBridge drops what it may not deliver, and says so in a metric alone.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4", "NIST IR-6"),
    remedy="Declare aws.cloudwatch.EventTarget in the rule's region, a role or a receiver's policy that lets it in, "
    "and a dead-letter queue whose policy lets events.amazonaws.com in.",
    types=frozenset({EVENT_RULE, EVENT_TARGET, *_RECEIVERS, *_WAYS_IN}),
    check=_events,
)

TOPICS_READ = StackRule(
    id="mon-topic-read",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 2: Email to on-call engineer (5 minutes)",
    title="Every topic is read, that of a severity by a mailbox too, and every reader is let in.",
    why="A message that nobody reads, or that its reader refuses, is an alarm that did not ring.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-6", "NIST SI-4"),
    remedy="Declare aws.sns.TopicSubscription without a filter, and let sns.amazonaws.com in with "
    "aws.sqs.QueuePolicy or aws.lambda_.Permission.",
    types=frozenset({TOPIC, SUBSCRIPTION, CHAT, *_RECEIVERS, *_WAYS_IN}),
    check=_topics,
)

RULES: tuple[Rule, ...] = (EVENTS_ARRIVE, TOPICS_READ)
