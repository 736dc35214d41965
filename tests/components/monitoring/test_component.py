"""What the monitoring declares, over a stack with everything that can be watched."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from components.monitoring import matrix
from runbook.errors import UserError
from settings.naming import Labels
from settings.thresholds import ThresholdSettings

from .estate import ACCOUNT, EVERYTHING, LABELS, REJECTS, SEVERITIES, estate

ALARM, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
MONITORING = "learning-platform:monitoring:Monitoring"
TOPICS = {
    severity: f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-prod-alerts-{severity}" for severity in SEVERITIES
}
PLANNED = matrix.plan_matrix(
    ThresholdSettings(),
    replace(
        EVERYTHING,
        topics=(*(f"alerts-{severity}" for severity in SEVERITIES), "replies"),
        errors="learning-platform-prod-application",
    ),
)


@pytest.fixture(scope="module")
def graph():
    return estate()


def alarm(graph, key):
    return graph.one(ALARM, f"monitoring-{key}").inputs


def test_there_is_an_alarm_for_each_line_of_the_matrix(graph):
    assert {made.name for made in graph.of(ALARM)} == {f"monitoring-{line.key}" for line in PLANNED.alarms}
    assert {made.name for made in graph.of(COMPOSITE)} == {f"monitoring-{line.key}" for line in PLANNED.composites}


def test_nothing_stays_unknown(graph):
    assert graph.fidelity.unknown == ()


@pytest.mark.parametrize("line", PLANNED.alarms, ids=lambda line: line.key)
def test_an_alarm_is_its_line(graph, line):
    made = alarm(graph, line.key)
    assert made["name"] == f"learning-platform-prod-{line.key}"
    assert made["evaluationPeriods"] == line.evaluation_periods
    assert made["datapointsToAlarm"] == line.datapoints
    assert made["treatMissingData"] == line.missing
    assert made["alarmDescription"] == matrix.description(line)
    assert made.get("threshold") == line.threshold
    assert made["alarmActions"] == [TOPICS[line.severity]]
    assert made.get("okActions") == ([TOPICS[line.severity]] if line.severity in ("critical", "high") else None)
    assert made["tags"]["Severity"] == line.severity


def test_an_alarm_on_one_metric_names_it(graph):
    made = alarm(graph, "group-memory")
    group = graph.one("aws:autoscaling/group:Group").outputs["name"]
    assert {key: made[key] for key in ("namespace", "metricName", "dimensions", "statistic", "period")} == {
        "namespace": "CWAgent",
        "metricName": "mem_used_percent",
        "dimensions": {"AutoScalingGroupName": group},
        "statistic": "Average",
        "period": 60,
    }
    assert made["comparisonOperator"] == "GreaterThanThreshold"
    assert "metricQueries" not in made


def test_a_formula_has_its_metrics_and_one_result(graph):
    made = alarm(graph, "balancer-error-rate")
    assert [(query["id"], query["returnData"]) for query in made["metricQueries"]] == [
        ("target", False),
        ("edge", False),
        ("requests", False),
        ("result", True),
    ]
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer").outputs["arnSuffix"]
    assert made["metricQueries"][0]["metric"] == {
        "namespace": "AWS/ApplicationELB",
        "metricName": "HTTPCode_Target_5XX_Count",
        "dimensions": {"LoadBalancer": balancer},
        "stat": "Sum",
        "period": 300,
    }
    # CloudWatch refuses an alarm that has both.
    assert not {"metricName", "namespace", "period", "statistic", "dimensions"} & set(made)


@pytest.mark.parametrize(
    ("key", "comparison"),
    [
        ("group-network-in", "LessThanLowerOrGreaterThanUpperThreshold"),
        ("network-rejects", "GreaterThanUpperThreshold"),
    ],
)
def test_what_is_unusual_is_measured_with_a_band(graph, key, comparison):
    made = alarm(graph, key)
    assert (made["comparisonOperator"], made["thresholdMetricId"]) == (comparison, "usual")
    assert [(query["id"], query.get("expression"), query["returnData"]) for query in made["metricQueries"]] == [
        ("m1", None, True),
        ("usual", "ANOMALY_DETECTION_BAND(m1, 3)", True),
    ]
    assert "threshold" not in made


def test_a_text_among_the_dimensions_stays_a_text(graph):
    assert alarm(graph, "firewall-blocked")["dimensions"] == {"WebACL": "WebTier", "Region": "us-east-1", "Rule": "ALL"}


def test_a_metric_without_dimensions_has_none(graph):
    (query, _) = alarm(graph, "network-rejects")["metricQueries"]
    assert (query["metric"]["namespace"], "dimensions" in query["metric"]) == (REJECTS, False)


def test_an_outage_is_any_of_its_parts_and_pages_once_by_its_cause(graph):
    made = {composite.name: composite.inputs for composite in graph.of(COMPOSITE)}
    database, service = made["monitoring-database-down"], made["monitoring-service-down"]
    assert database["alarmRule"] == (
        'ALARM("learning-platform-prod-database-storage-exhausted") OR ALARM("learning-platform-prod-database-silent")'
    )
    assert service["alarmRule"] == (
        'ALARM("learning-platform-prod-balancer-outage") OR ALARM("learning-platform-prod-target-group-healthy")'
    )
    assert "actionsSuppressor" not in database
    assert service["actionsSuppressor"] == {
        "alarm": "learning-platform-prod-database-down",
        "waitPeriod": 120,
        "extensionPeriod": 120,
    }
    for composite in (database, service):
        assert composite["alarmActions"] == composite["okActions"] == [TOPICS["critical"]]


def test_a_composite_is_made_after_its_parts(graph):
    for composite in graph.of(COMPOSITE):
        parts = {graph.by_urn[urn].inputs["name"] for urn in composite.property_dependencies["alarmRule"]}
        assert parts == set(re.findall(r'ALARM\("([^"]+)"\)', composite.inputs["alarmRule"]))


def test_errors_are_counted_as_the_run_book_searches_for_them(graph):
    made = graph.one(FILTER, "monitoring-errors").inputs
    assert (made["logGroupName"], made["pattern"]) == ("/learning-platform/prod/web/application", "ERROR")
    counted = made["metricTransformation"]
    assert (counted["name"], counted["value"], counted["defaultValue"]) == ("ApplicationErrors", "1", "0")
    watched = alarm(graph, "application-errors")
    assert (watched["namespace"], watched["metricName"]) == (counted["namespace"], counted["name"])


def test_without_a_log_nothing_is_counted():
    graph = estate(application_log=None)
    assert [made.name for made in graph.of(FILTER)] == ["rejected"]
    assert "monitoring-application-errors" not in {made.name for made in graph.of(ALARM)}


def test_names_and_arns_are_handed_over(graph):
    handed = graph.one(MONITORING).outputs["alarmArns"]
    names = {made.inputs["name"] for made in graph.of(ALARM)} | {
        made.inputs["alarmName"] for made in graph.of(COMPOSITE)
    }
    assert set(handed.values()) == {f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}" for name in names}
    assert graph.one(MONITORING).outputs["dashboardName"] == "learning-platform-prod"


def test_long_names_still_fit():
    labels = Labels(project="p" * 200, environment="e" * 50, owner="platform", cost_center="lp")
    names = [made.inputs["name"] for made in estate(labels=labels).of(ALARM)]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 255


def test_response_times_of_the_settings_are_told():
    graph = estate(response_minutes={"high": 30})
    assert "\nSeverity: high, respond within 30 minutes\n" in alarm(graph, "group-cpu")["alarmDescription"]
    assert "\nSeverity: medium, respond within 4 hours\n" in alarm(graph, "bastion-cpu")["alarmDescription"]


def test_a_threshold_of_the_settings_is_that_of_the_alarm_and_of_the_dashboard():
    graph = estate(thresholds=ThresholdSettings(cpu_percent=63.0))
    assert alarm(graph, "group-cpu")["threshold"] == 63.0
    body = json.loads(graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    assert any(
        mark["value"] == 63.0
        for widget in body["widgets"]
        for mark in widget["properties"].get("annotations", {}).get("horizontal", ())
    )


def test_a_reference_that_nothing_resolves_is_told():
    with pytest.raises(UserError) as refused:
        estate(references={})
    assert "Nothing says what CloudWatch calls backend, balancer, bastion, certificate" in str(refused.value)
    assert "Add each to references, or leave it out of facts." in str(refused.value)


def test_every_alarm_carries_the_tags(graph):
    for made in (*graph.of(ALARM), *graph.of(COMPOSITE)):
        assert (
            made.inputs["tags"].items()
            >= {
                "Service": "monitoring",
                "Environment": LABELS.environment,
                "RunbookRef": "004_5ca73e3508d74ec8.txt Key Metrics to Monitor",
            }.items()
        )
