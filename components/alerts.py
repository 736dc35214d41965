"""Where the platform's services tell people that something is wrong: a topic per severity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.severity import SEVERITIES, Severity

from . import iam
from ._base import Component
from ._keys import Home, customer_key

#: The services that publish: alarms of CloudWatch and Prometheus, the database's event subscription, the budget and
#: the detection of cost anomalies. EventBridge is not among them: it sends neither the account nor the rule along, so
#: it could only be let in for every account's rules.
_PUBLISHERS = {
    "Budgets": "budgets.amazonaws.com",
    "CloudWatch": "cloudwatch.amazonaws.com",
    "CostAnomalies": "costalerts.amazonaws.com",
    "Prometheus": "aps.amazonaws.com",
    "Rds": "events.rds.amazonaws.com",
}

#: Prometheus looks at a topic before it publishes to it.
_ACTIONS = {"Prometheus": ["sns:GetTopicAttributes", "sns:Publish"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsArgs:
    """``email``: who gets every alert; the address confirms each topic once."""

    home: Home
    email: pulumi.Input[str]
    protect: bool


class Alerts(Component):
    """An encrypted topic per severity, and the e-mail address that reads them."""

    TYPE = "learning-platform:alerts:Alerts"
    SERVICE = "alerts"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Alert Escalation"

    topic_arns: Mapping[Severity, pulumi.Output[str]]
    key_arn: pulumi.Output[str]

    def __init__(
        self, name: str, args: AlertsArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._key = self._create_key(args)
        self._topics = {severity: self._create_topic(severity, args) for severity in SEVERITIES}
        self.topic_arns = {severity: topic.arn for severity, topic in self._topics.items()}
        self.key_arn = self._key.arn
        self.register_outputs({"topicArns": self.topic_arns, "keyArn": self.key_arn})

    def _physical(self, severity: Severity) -> str:
        return self.labels.physical("alerts", severity, limit=256)

    def _create_key(self, args: AlertsArgs) -> aws.kms.Key:
        """The topics' key. What is being encrypted says whose it is: not every service sends its account to KMS."""
        own_topics = [args.home.arn("sns", self._physical(severity)) for severity in SEVERITIES]
        users = (
            iam.allow_service(
                service,
                ["kms:Decrypt", "kms:GenerateDataKey*"],
                ["*"],
                sid=f"{publisher}Encrypts",
                condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": own_topics}},
            )
            for publisher, service in _PUBLISHERS.items()
        )
        return customer_key(self, self.name, "Encrypts alerts on their way", args.home, *users, protect=args.protect)

    def _create_topic(self, severity: Severity, args: AlertsArgs) -> aws.sns.Topic:
        name = f"{self.name}-{severity}"
        topic = aws.sns.Topic(
            name,
            name=self._physical(severity),
            display_name=f"{self.labels.environment} {severity}",
            kms_master_key_id=self._key.arn,
            signature_version=2,
            tags=self.tags(name, Severity=severity),
            opts=self.child(),
        )
        publishers = (
            iam.allow_service(
                service,
                _ACTIONS.get(publisher, ["sns:Publish"]),
                [topic.arn],
                sid=f"{publisher}Publishes",
                condition={"StringEquals": {"aws:SourceAccount": args.home.account_id}},
            )
            for publisher, service in _PUBLISHERS.items()
        )
        aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=iam.document(iam.deny_insecure("sns:Publish", topic.arn), *publishers),
            opts=self.child(),
        )
        aws.sns.TopicSubscription(
            f"{name}-email", topic=topic.arn, protocol="email", endpoint=args.email, opts=self.child()
        )
        return topic
