"""A threshold of the run books is written once, in the settings, and found wherever it matters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policies.rulebook.context import of_project
from policies.rulebook.threshold_matrix import THRESHOLD_MATRIX
from runbook.audit.evaluate import audit
from runbook.preview.project import preview
from settings.thresholds import ThresholdSettings

ROOT = Path(__file__).parents[3]
GIB = 1024**3
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
SETTINGS = ThresholdSettings()

#: Alarm -> its threshold in prod, said with the settings; prod has 901 connections and 100 GiB.
RUN_BOOK = {
    "group-cpu": SETTINGS.cpu_percent,
    "group-memory": SETTINGS.memory_percent,
    "group-disk": 100 - SETTINGS.disk_free_percent,
    "database-cpu": SETTINGS.cpu_percent,
    "database-connections": int(901 * SETTINGS.connections_percent / 100),
    "database-storage": 100 * GIB * SETTINGS.disk_free_percent / 100,
    "balancer-response-time": SETTINGS.response_seconds,
    "balancer-error-rate": SETTINGS.error_percent,
}

#: What servers and the probe send; the rest only CloudWatch knows.
IN_PROMETHEUS = ("group-cpu", "group-memory", "group-disk", "balancer-response-time", "balancer-error-rate")


@pytest.fixture(scope="module")
def prod():
    return preview("prod", ROOT)


@pytest.mark.parametrize("key", RUN_BOOK)
def test_the_alarm_rings_at_it(prod, key):
    assert prod.one(ALARM, f"monitoring-{key}").inputs["threshold"] == RUN_BOOK[key]


@pytest.mark.parametrize("key", RUN_BOOK)
def test_the_dashboard_draws_it(prod, key):
    body = json.loads(prod.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    watched = prod.one(ALARM, f"monitoring-{key}").inputs
    metric = watched.get("metricName") or watched["metricQueries"][0]["metric"]["metricName"]
    drawn = {
        mark["value"]
        for widget in body["widgets"]
        if any(metric in line for line in widget["properties"].get("metrics", ()))
        for mark in widget["properties"].get("annotations", {}).get("horizontal", ())
    }
    assert RUN_BOOK[key] in drawn


@pytest.mark.parametrize("key", IN_PROMETHEUS)
def test_prometheus_compares_with_it(prod, key):
    texts = [made.inputs["data"] for made in prod.of("aws:amp/ruleGroupNamespace:RuleGroupNamespace")]
    rules = [rule for text in texts for group in json.loads(text)["groups"] for rule in group["rules"]]
    (expression,) = (rule["expr"] for rule in rules if rule["alert"] == f"learning-platform-prod-{key}")
    assert expression.rpartition(" > ")[2] == f"{RUN_BOOK[key]:g}"


@pytest.mark.parametrize("key", RUN_BOOK)
def test_the_rule_refuses_a_looser_one(prod, key):
    name = f"monitoring-{key}"
    looser = 0.7 if key == "database-storage" else 1.3
    changed = [
        replace(made, outputs={**made.outputs, "threshold": made.outputs["threshold"] * looser})
        if made.name == name
        else made
        for made in prod.resources
    ]
    audited = audit(replace(prod, resources=tuple(changed)), of_project(ROOT, "prod"), (THRESHOLD_MATRIX,))
    assert any(finding.sentence.startswith(f"Alarm {name} does not ring when ") for finding in audited.findings)
