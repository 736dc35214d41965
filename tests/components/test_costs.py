"""Who is told of what the account costs, and when."""

from __future__ import annotations

import json

import pytest

from components._keys import Home
from components.costs import CostGuards, CostGuardsArgs
from runbook.preview.capture import capture
from settings.costs import CostSettings
from settings.naming import Labels
from settings.severity import SEVERITIES

ACCOUNT = "210987654321"
TOPICS = {severity: f"arn:aws:sns:eu-west-1:{ACCOUNT}:alerts-{severity}" for severity in SEVERITIES}
MONITOR = f"arn:aws:ce::{ACCOUNT}:anomalymonitor/11111111-2222-3333-4444-555555555555"
SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"


def guards(**costs):
    args = CostGuardsArgs(
        home=Home(partition="aws", account_id=ACCOUNT, region="eu-west-1"),
        costs=CostSettings(monthly_usd=700, warn_percent=75, anomaly_usd=30, anomaly_percent=50, **costs),
        topic_arns=TOPICS,
    )
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")
    config = {"aws:region": "eu-west-1", "aws:allowedAccountIds": json.dumps([ACCOUNT])}
    return capture(lambda: CostGuards("costs", args, labels=labels) and None, stack="prod", config=config)


@pytest.fixture(scope="module")
def graph():
    return guards()


def test_the_budget_warns_looks_ahead_and_tells_when_it_is_spent(graph):
    budget = graph.one("aws:budgets/budget:Budget").inputs
    assert (budget["budgetType"], budget["timeUnit"], budget["limitAmount"], budget["limitUnit"]) == (
        "COST",
        "MONTHLY",
        "700.0",
        "USD",
    )
    assert [
        (
            n["notificationType"],
            n["comparisonOperator"],
            n["threshold"],
            n["thresholdType"],
            n["subscriberSnsTopicArns"],
        )
        for n in budget["notifications"]
    ] == [
        ("ACTUAL", "GREATER_THAN", 75, "PERCENTAGE", [TOPICS["low"]]),
        ("FORECASTED", "GREATER_THAN", 100, "PERCENTAGE", [TOPICS["low"]]),
        ("ACTUAL", "GREATER_THAN", 100, "PERCENTAGE", [TOPICS["medium"]]),
    ]


def test_a_surprise_is_told_at_once_when_it_is_large_in_dollars_and_in_percent(graph):
    subscription = graph.one(SUBSCRIPTION).inputs
    assert subscription["frequency"] == "IMMEDIATE"
    assert subscription["subscribers"] == [{"type": "SNS", "address": TOPICS["low"]}]
    assert {
        part["dimension"]["key"]: (part["dimension"]["matchOptions"], part["dimension"]["values"])
        for part in subscription["thresholdExpression"]["ands"]
    } == {
        "ANOMALY_TOTAL_IMPACT_ABSOLUTE": (["GREATER_THAN_OR_EQUAL"], ["30"]),
        "ANOMALY_TOTAL_IMPACT_PERCENTAGE": (["GREATER_THAN_OR_EQUAL"], ["50"]),
    }


def test_a_monitor_of_all_services_is_made_and_subscribed_to(graph):
    monitor = graph.one("aws:costexplorer/anomalyMonitor:AnomalyMonitor")
    assert (monitor.inputs["monitorType"], monitor.inputs["monitorDimension"]) == ("DIMENSIONAL", "SERVICE")
    assert graph.one(SUBSCRIPTION).inputs["monitorArnLists"] == [monitor.outputs["arn"]]


def test_the_monitor_that_the_account_has_already_is_used_in_its_place():
    graph = guards(anomaly_monitor=MONITOR)
    assert [r.name for r in graph.of("aws:costexplorer/anomalyMonitor:AnomalyMonitor")] == []
    assert graph.one(SUBSCRIPTION).inputs["monitorArnLists"] == [MONITOR]
