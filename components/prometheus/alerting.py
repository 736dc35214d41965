"""What Prometheus rings for, and whom it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.severity import Severity

from .._base import Component
from . import rules
from .plan import PrometheusRule


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertingArgs:
    """``topic_arns``: where alerts of each severity go; ``aps.amazonaws.com`` has to be let in there.

    ``rules``: what the alarm matrix says for Prometheus. ``repeat_minutes``: after which an alert that still fires is
    told again, five days at most. ``quiet``: time intervals of alert manager in which nothing is told.
    """

    region: str
    workspace_id: pulumi.Input[str]
    rules: Sequence[PrometheusRule]
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    repeat_minutes: int
    quiet: Sequence[Mapping[str, Any]] = ()


class Alerting(Component):
    """The rules of a Prometheus workspace and its alert manager, with CloudWatch alarms on the two of them.

    An alert is told in the words of the CloudWatch alarm that says the same, and under its name: the escalation makes
    one incident of the two. So Prometheus calls somebody where CloudWatch lacks the data, and nobody is called twice.

    Cost: rules are queries, 0.10 USD for a billion samples: less than a cent a month. The two alarms are 0.20 USD.
    """

    TYPE = "learning-platform:prometheus:Alerting"
    SERVICE = "prometheus"
    RUNBOOK = "001_62c8c82a6a764433.txt 1"

    def __init__(
        self, name: str, args: AlertingArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._create_rules(args)
        self._create_alert_manager(args)
        self._create_alarms(args)
        self.register_outputs({})

    def _create_rules(self, args: AlertingArgs) -> None:
        own = rules.own_rules(partial(self.labels.physical, limit=255))
        aws.amp.RuleGroupNamespace(
            self.name,
            name="platform",
            workspace_id=args.workspace_id,
            data=rules.rules_file([*args.rules, *own]),
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_alert_manager(self, args: AlertingArgs) -> None:
        known: pulumi.Output[Mapping[str, Any]] = pulumi.Output.from_input({"topics": dict(args.topic_arns)})
        aws.amp.AlertManagerDefinition(
            self.name,
            workspace_id=args.workspace_id,
            definition=known.apply(
                lambda made: rules.alert_manager(
                    topic_arns=made["topics"],
                    region=args.region,
                    repeat_minutes=args.repeat_minutes,
                    quiet=args.quiet,
                )
            ),
            opts=self.child(),
        )

    def _create_alarms(self, args: AlertingArgs) -> None:
        """Alarms of CloudWatch on Prometheus's own work; its failures cannot be told by itself."""
        self._create_alarm(
            "notifications",
            rules.described(
                "Alert manager cannot tell its alerts.",
                "An alert of Prometheus rings nobody; CloudWatch's alarms still do.",
                "Look into the workspace's log group, and at who may publish to the alerts' topics.",
            ),
            args,
            namespace="AWS/Prometheus",
            metric_name="AlertManagerNotificationsFailed",
            dimensions={"Workspace": args.workspace_id},
            statistic="Sum",
            period=300,
        )
        query = pulumi.Output.concat(
            'SELECT SUM(RuleEvaluationFailures) FROM "AWS/Prometheus" WHERE Workspace = \'', args.workspace_id, "'"
        )
        self._create_alarm(
            "evaluations",
            rules.described(
                "Rules of Prometheus cannot be evaluated.",
                "Some alerts of Prometheus cannot ring; CloudWatch's alarms still do.",
                "Look into the workspace's log group for the rule and the reason.",
            ),
            args,
            # A query, because each rule group has a series of its own.
            metric_queries=[{"id": "failures", "expression": query, "period": 300, "return_data": True}],
        )

    def _create_alarm(self, purpose: str, description: str, args: AlertingArgs, **watched: Any) -> None:
        name = f"{self.name}-{purpose}"
        topic = args.topic_arns["high"]
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical("prometheus", purpose, limit=255),
            alarm_description=description,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            evaluation_periods=1,
            # Nothing is counted while nothing fails.
            treat_missing_data="notBreaching",
            alarm_actions=[topic],
            ok_actions=[topic],
            tags=self.tags(name, Severity="high"),
            opts=self.child(),
            **watched,
        )
