"""What the account costs is watched: a budget, and whatever is not as usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings.costs import CostSettings
from settings.naming import Labels
from settings.severity import Severity

from ._base import Component
from ._keys import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class CostGuardsArgs:
    """``topic_arns``: severity -> topic, which budgets.amazonaws.com and costalerts.amazonaws.com may publish to."""

    home: Home
    costs: CostSettings
    topic_arns: Mapping[Severity, pulumi.Input[str]]


class CostGuards(Component):
    """A budget of the account with a warning, a forecast and its end; and a subscription to cost anomalies."""

    TYPE = "learning-platform:costs:CostGuards"
    SERVICE = "costs"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Cost Review"

    budget_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: CostGuardsArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._budget = self._create_budget(args)
        self._create_subscription(args, args.costs.anomaly_monitor or self._create_monitor().arn)
        self.budget_name = self._budget.name
        self.register_outputs({"budgetName": self.budget_name})

    def _create_budget(self, args: CostGuardsArgs) -> aws.budgets.Budget:
        def notice(kind: str, percent: int, severity: Severity) -> aws.budgets.BudgetNotificationArgsDict:
            return {
                "comparison_operator": "GREATER_THAN",
                "notification_type": kind,
                "subscriber_sns_topic_arns": [args.topic_arns[severity]],
                "threshold": percent,
                "threshold_type": "PERCENTAGE",
            }

        return aws.budgets.Budget(
            self.name,
            name=self.labels.physical("monthly", limit=100),
            account_id=args.home.account_id,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{args.costs.monthly_usd}.0",
            limit_unit="USD",
            notifications=[
                notice("ACTUAL", args.costs.warn_percent, "low"),
                notice("FORECASTED", 100, "low"),
                notice("ACTUAL", 100, "medium"),
            ],
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_monitor(self) -> aws.costexplorer.AnomalyMonitor:
        return aws.costexplorer.AnomalyMonitor(
            self.name,
            name=self.labels.physical("services", limit=1024),
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_subscription(self, args: CostGuardsArgs, monitor_arn: pulumi.Input[str]) -> None:
        def at_least(key: str, value: int) -> aws.costexplorer.AnomalySubscriptionThresholdExpressionAndArgsDict:
            return {"dimension": {"key": key, "match_options": ["GREATER_THAN_OR_EQUAL"], "values": [str(value)]}}

        aws.costexplorer.AnomalySubscription(
            self.name,
            name=self.labels.physical("anomalies", limit=1024),
            # A topic takes notices one by one; daily and weekly ones are for mail.
            frequency="IMMEDIATE",
            monitor_arn_lists=[monitor_arn],
            subscribers=[{"type": "SNS", "address": args.topic_arns["low"]}],
            threshold_expression={
                "ands": [
                    at_least("ANOMALY_TOTAL_IMPACT_ABSOLUTE", args.costs.anomaly_usd),
                    at_least("ANOMALY_TOTAL_IMPACT_PERCENTAGE", args.costs.anomaly_percent),
                ]
            },
            tags=self.tags(self.name),
            opts=self.child(),
        )
