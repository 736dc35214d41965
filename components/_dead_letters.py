"""Queues for what could not be delivered, and which rules of EventBridge may put something in."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi_aws as aws

from . import iam
from ._base import Component

#: The longest that a queue keeps anything, in seconds.
TWO_WEEKS = 14 * 24 * 3600


def dead_letters(
    owner: Component, name: str, *, physical: str | None = None, region: str | None = None
) -> aws.sqs.Queue:
    """A queue under SQS's own key that keeps everything for two weeks. ``physical``: its name, made up where unset."""
    return aws.sqs.Queue(
        name,
        name=physical,
        message_retention_seconds=TWO_WEEKS,
        sqs_managed_sse_enabled=True,
        region=region,
        tags=owner.tags(name),
        opts=owner.child(),
    )


def let_rules_in(
    owner: Component,
    name: str,
    queue: aws.sqs.Queue,
    rules: Sequence[aws.cloudwatch.EventRule],
    *,
    region: str | None = None,
) -> aws.sqs.QueuePolicy:
    """Of services, only these rules put messages in; roles do so by their own policies."""
    send = iam.allow_service(
        "events.amazonaws.com",
        ["sqs:SendMessage"],
        [queue.arn],
        sid="RulesSend",
        condition={"ArnEquals": {"aws:SourceArn": [rule.arn for rule in rules]}},
    )
    policy = iam.document(iam.deny_insecure("sqs:*", queue.arn), send)
    return aws.sqs.QueuePolicy(name, queue_url=queue.url, policy=policy, region=region, opts=owner.child())
