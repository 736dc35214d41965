"""An alarm that looks at its metric in the wrong way is told so; so is one that rings too late."""

from __future__ import annotations

import pytest

from policies.rulebook.alarm_sense import IN_TIME, SENSE
from policies.rulebook.alarms import ALARM
from policies.rulebook.coverage import COMPOSITE, FILTER, TOPIC, WEB_ACL
from policies.rulebook.resource import Context

from .bags import ABSENT, UNKNOWN, altered, not_evaluated, resource, stack_faults

ERRORS = {
    "name": "errors",
    "namespace": "AWS/Lambda",
    "metricName": "Errors",
    "dimensions": {"FunctionName": "f"},
    "statistic": "Sum",
    "period": 300,
    "evaluationPeriods": 1,
    "comparisonOperator": "GreaterThanThreshold",
    "threshold": 0,
    "treatMissingData": "notBreaching",
}
SILENT = altered(
    ERRORS,
    namespace="AWS/RDS",
    metricName="CPUUtilization",
    dimensions={"DBInstanceIdentifier": "db"},
    statistic="SampleCount",
    evaluationPeriods=5,
    comparisonOperator="LessThanThreshold",
    threshold=1,
    treatMissingData="breaching",
)
HEALTHY = altered(
    SILENT,
    namespace="AWS/ApplicationELB",
    metricName="HealthyHostCount",
    dimensions={"LoadBalancer": "app/web/1", "TargetGroup": "targetgroup/web/1"},
    statistic="Minimum",
)
BLOCKED = altered(
    ERRORS,
    namespace="AWS/WAFV2",
    metricName="BlockedRequests",
    dimensions={"WebACL": "WebTier", "Rule": "ALL", "Region": "us-east-1"},
    threshold=1000,
)
AGE = altered(
    SILENT,
    namespace="platform-backup",
    metricName="RecoveryPointAgeHours",
    dimensions={"Vault": "home"},
    statistic="Maximum",
    period=3600,
    evaluationPeriods=6,
    comparisonOperator="GreaterThanOrEqualToThreshold",
    threshold=192,
)
COUNTED = altered(
    ERRORS,
    namespace="platform",
    metricName="Refusals",
    dimensions=ABSENT,
    comparisonOperator="GreaterThanOrEqualToThreshold",
    threshold=1,
)
QUERY = {
    **altered(ERRORS, **dict.fromkeys(("namespace", "metricName", "dimensions", "statistic", "period"), ABSENT)),
    "metricQueries": [
        {"id": "q", "expression": 'SELECT SUM(Errors) FROM "AWS/Lambda"', "period": 300, "returnData": True}
    ],
}
COUNTER = {"metricTransformation": {"namespace": "platform", "name": "Refusals", "value": "1"}}
AGES = {
    "metricTransformation": {
        "namespace": "platform-backup",
        "name": "RecoveryPointAgeHours",
        "value": "$.value",
        "dimensions": {"Vault": "$.vault"},
    }
}
FIREWALL = resource(
    WEB_ACL,
    "web",
    {
        "scope": "REGIONAL",
        "visibilityConfig": {"metricName": "WebTier"},
        "rules": [{"visibilityConfig": {"metricName": "Rate"}}],
    },
)


def alone(bag, *more, environment="prod"):
    everything = (resource(ALARM, "alarm", bag), FIREWALL, *more)
    return [sentence for sentence, _ in stack_faults(SENSE, *everything, context=Context(environment=environment))]


def counted(bag, counter=COUNTER):
    return alone(bag, resource(FILTER, "counter", counter))


@pytest.mark.parametrize(
    "bag",
    [
        ERRORS,
        SILENT,
        HEALTHY,
        BLOCKED,
        AGE,
        QUERY,
        altered(BLOCKED, "dimensions", "Rule", to="Rate"),
        altered(ERRORS, metricName="Duration", statistic=ABSENT, extendedStatistic="p99", threshold=8000),
    ],
)
def test_alarms_that_make_sense_pass(bag):
    assert alone(bag) == []


@pytest.mark.parametrize(
    ("bag", "sentence"),
    [
        (
            altered(ERRORS, statistic="Average"),
            "The alarm looks at the Average of Errors; Sum shows what is bad.",
        ),
        (
            altered(ERRORS, treatMissingData="breaching"),
            "Errors is missing while nothing happens, so the alarm rings when all is well.",
        ),
        (
            altered(ERRORS, comparisonOperator="LessThanThreshold"),
            "The alarm rings for few Errors, where many are bad.",
        ),
        (
            altered(ERRORS, evaluationPeriods=3),
            "The alarm waits for 3 periods with Errors; one is too many already.",
        ),
        (
            altered(ERRORS, period=3000),
            "The alarm looks at Errors every 3000 seconds; 300 or less are expected.",
        ),
        (altered(ERRORS, dimensions=ABSENT), "AWS/Lambda writes no Errors without FunctionName."),
        (
            altered(SILENT, treatMissingData="notBreaching"),
            "A count of samples is never 0: only missing data is. With notBreaching the alarm stays quiet.",
        ),
        (
            altered(SILENT, treatMissingData=ABSENT),
            "A count of samples is never 0: only missing data is. With unset the alarm stays quiet.",
        ),
        (
            altered(SILENT, evaluationPeriods=1),
            "The alarm rings for a single period without CPUUtilization; data that comes late is no failure.",
        ),
        (
            altered(HEALTHY, "dimensions", "LoadBalancer"),
            "AWS/ApplicationELB writes no HealthyHostCount without LoadBalancer and TargetGroup.",
        ),
        (
            altered(BLOCKED, "dimensions", "Rule", to="Gone"),
            "No web ACL here has a rule Gone; ALL stands for every one.",
        ),
        (
            altered(BLOCKED, "dimensions", "Region"),
            "A web ACL of a region writes BlockedRequests with the dimension Region.",
        ),
        (
            altered(AGE, treatMissingData="ignore"),
            "Nobody is told when RecoveryPointAgeHours is no longer reported: treatMissingData must be breaching.",
        ),
        (
            altered(AGE, statistic="Minimum"),
            "The alarm looks at the Minimum of RecoveryPointAgeHours; Maximum shows what is oldest.",
        ),
        (altered(AGE, threshold=1920), "The alarm does not ring when RecoveryPointAgeHours is 240."),
        (altered(AGE, threshold=96), "The alarm rings when RecoveryPointAgeHours is 168, which is fine."),
        (
            altered(AGE, period=1800),
            "RecoveryPointAgeHours is reported once an hour, and the alarm looks every 1800 seconds.",
        ),
        (altered(AGE, period=36_000), "The alarm waits 216000 seconds; a day is the most for an age."),
        (
            altered(QUERY, "metricQueries", 0, "period", to=3000),
            "The alarm looks at Errors every 3000 seconds; 300 or less are expected.",
        ),
    ],
)
def test_what_makes_no_sense_is_told(bag, sentence):
    assert alone(bag) == [sentence]


def test_other_stacks_may_ignore_the_nights_of_their_machines_and_nothing_else():
    silent = altered(AGE, treatMissingData="ignore")
    own = altered(silent, metricName="ConfigurationBackupAge", dimensions=ABSENT, threshold=691_200)
    assert alone(own, environment="staging") == []
    assert len(alone(own)) == len(alone(silent, environment="staging")) == 1


def test_an_alarm_looks_with_the_dimensions_that_the_filter_writes():
    assert counted(AGE, AGES) == []
    bare = altered(AGE, dimensions=ABSENT)
    assert counted(bare, AGES) == [
        "The filter counter writes RecoveryPointAgeHours with the dimension Vault, and the alarm looks with no "
        "dimension."
    ]


def test_what_a_filter_counts_is_judged_by_its_filter():
    assert counted(COUNTED) == []
    assert counted(altered(COUNTED, statistic="Average")) == [
        "The alarm looks at the Average of Refusals; Sum counts what happens."
    ]
    assert counted(altered(COUNTED, threshold=0)) == ["The alarm rings when Refusals is 0."]
    assert counted(altered(COUNTED, threshold=6)) == ["The alarm does not ring when Refusals is 5."]
    assert counted(altered(COUNTED, treatMissingData="ignore")) == [
        "Refusals is missing while nothing happens, so an alarm that ignores it never ends."
    ]
    assert counted(altered(COUNTED, period=7200)) == [
        "The alarm adds Refusals up for 7200 seconds; an hour is the most."
    ]
    banded = altered(COUNTED, threshold=ABSENT, thresholdMetricId="usual", comparisonOperator="LessThanLowerThreshold")
    assert counted(banded) == ["The alarm rings for less Refusals than is usual, and for more it does not."]


def test_what_is_called_a_failure_rings_at_once():
    failed = altered(COUNTED, metricName="RestoreTestFailed", statistic="Maximum", period=86_400)
    assert alone(failed) == []
    assert alone(altered(failed, threshold=10)) == ["The alarm does not ring when RestoreTestFailed is 1."]


def test_an_unknown_statistic_is_not_evaluated():
    said, _ = not_evaluated(SENSE, resource(ALARM, "alarm", altered(ERRORS, statistic=UNKNOWN)))
    assert said == []


def topic(severity):
    return resource(TOPIC, severity, {"arn": f"arn:{severity}", "tags": {"Severity": severity}})


BUSY = altered(ERRORS, metricName="Duration", statistic="Average", evaluationPeriods=5, threshold=8000)


def late(severity, *more, **changes):
    told = topic(severity)
    bag = altered(BUSY, alarmActions=[f"arn:{severity}"], **changes)
    return stack_faults(IN_TIME, resource(ALARM, "busy", bag, uses={"alarmActions": told}), told, *more)


def test_an_alarm_may_take_a_third_of_the_time_to_answer():
    assert late("medium", period=900) == []
    assert late("medium", period=1200) == [
        (
            "The alarm waits 6000 seconds, and people are to answer a medium one within 14400; 4800 are left to "
            "notice it.",
            "busy",
        )
    ]
    assert late("high", period=240) == []
    assert [name for _, name in late("high", period=300)] == ["busy"]


def test_nobody_waits_for_an_alarm_of_low_severity_but_a_day_is_the_most():
    assert late("low", period=7200) == []
    assert late("low", period=21_600) == [("The alarm waits 108000 seconds; a day is the most.", "busy")]


def test_an_alarm_that_a_composite_hears_is_as_urgent_as_the_composite():
    critical = topic("critical")
    down = {"alarmName": "down", "alarmRule": 'ALARM("errors")', "alarmActions": ["arn:critical"]}
    composite = resource(COMPOSITE, "down", down, uses={"alarmActions": critical})
    assert late("low", composite, critical, period=60) == []
    assert [name for _, name in late("low", composite, critical, period=120)] == ["busy"]


def test_a_sum_is_too_high_as_soon_as_it_is():
    assert late("critical", statistic="Sum", evaluationPeriods=1, period=86_400) == []


def test_an_unset_period_has_no_length_and_an_unknown_one_is_not_evaluated():
    assert late("critical", period=ABSENT) == []
    told = topic("high")
    alarm = resource(ALARM, "busy", altered(BUSY, period=UNKNOWN), uses={"alarmActions": told})
    assert not_evaluated(IN_TIME, alarm, told)[0] == []
