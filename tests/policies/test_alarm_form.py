"""An alarm that CloudWatch takes, and each way of writing one that it does not take or that never rings."""

from __future__ import annotations

import pytest

from policies.rulebook.alarm_form import ALARM_FORM
from policies.rulebook.alarms import ALARM
from policies.rulebook.resource import Context

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, resource

CPU = {
    "namespace": "AWS/EC2",
    "metricName": "CPUUtilization",
    "statistic": "Average",
    "period": 60,
    "evaluationPeriods": 5,
    "datapointsToAlarm": 5,
    "comparisonOperator": "GreaterThanThreshold",
    "threshold": 80,
    "treatMissingData": "notBreaching",
}


def asked(key, name):
    metric = {"namespace": "AWS/ApplicationELB", "metricName": name, "stat": "Sum", "period": 300}
    return {"id": key, "metric": metric, "returnData": False}


_SINGLE = ("namespace", "metricName", "statistic", "period", "datapointsToAlarm")
RATE = altered(
    CPU,
    **dict.fromkeys(_SINGLE, ABSENT),
    metricQueries=[
        asked("bad", "HTTPCode_Target_5XX_Count"),
        asked("all", "RequestCount"),
        {"id": "rate", "expression": "100 * FILL(bad, 0) / MAX([all, 1])", "returnData": True},
    ],
)
BAND = altered(
    RATE,
    threshold=ABSENT,
    thresholdMetricId="usual",
    comparisonOperator="GreaterThanUpperThreshold",
    metricQueries=[
        {**asked("m1", "RequestCount"), "returnData": True},
        {"id": "usual", "expression": "ANOMALY_DETECTION_BAND(m1, 3)", "returnData": True},
    ],
)
QUERY = altered(
    RATE,
    metricQueries=[
        {"id": "q", "expression": 'SELECT SUM(Errors) FROM "AWS/Lambda"', "period": 300, "returnData": True}
    ],
)


def said(bag, environment="prod"):
    return faults(ALARM_FORM, resource(ALARM, "alarm", bag), Context(environment=environment))


@pytest.mark.parametrize("bag", [CPU, RATE, BAND, QUERY, altered(CPU, datapointsToAlarm=ABSENT)])
def test_a_whole_alarm_passes(bag):
    assert said(bag) == []


NOTHING = "The alarm compares nothing: one query with returnData is expected."


@pytest.mark.parametrize(
    ("bag", "sentence"),
    [
        (altered(CPU, metricName=ABSENT), "The alarm looks at nothing."),
        (altered(CPU, namespace=ABSENT), "The metric CPUUtilization is looked at without namespace."),
        (
            altered(CPU, statistic=ABSENT),
            "The metric CPUUtilization is looked at without one of statistic and extendedStatistic.",
        ),
        (altered(CPU, period=90), "A period of 90 seconds is none of CloudWatch's; it takes multiples of 60."),
        (altered(CPU, period=30), "A period of 30 seconds is empty most times: AWS measures once a minute."),
        (altered(CPU, evaluationPeriods=0), "The alarm looks at 0 periods; one or more are expected."),
        (
            altered(CPU, evaluationPeriods=50),
            "The alarm rings when 5 of 50 periods are bad; more than half of them must be.",
        ),
        (
            altered(CPU, evaluationPeriods=4),
            "The alarm rings when 5 of 4 periods are bad; more than half of them must be.",
        ),
        (altered(CPU, period=172_800), "The alarm looks back 864000 seconds; CloudWatch takes 604800 at most."),
        (
            altered(CPU, comparisonOperator="MoreThan"),
            "The alarm compares by MoreThan, which CloudWatch does not know.",
        ),
        (
            altered(CPU, comparisonOperator="GreaterThanUpperThreshold"),
            "GreaterThanUpperThreshold compares with a band, and there is none.",
        ),
        (altered(CPU, threshold=ABSENT), "The alarm's threshold is unset."),
        (
            altered(CPU, treatMissingData=ABSENT),
            "treatMissingData is unset: while nothing is measured, the alarm neither rings nor ends.",
        ),
        (
            altered(CPU, treatMissingData="ignore"),
            "treatMissingData is ignore: an alarm whose metric ends stays as it is, and never rings a second time.",
        ),
        (altered(CPU, treatMissingData="fine"), "treatMissingData is fine; breaching or notBreaching is expected."),
        (
            altered(RATE, "metricQueries", 0, "metric", "stat"),
            "The query bad asks for a metric without stat.",
        ),
        (
            altered(RATE, "metricQueries", 0, "metric", "period", to=600),
            "The metrics are looked at every 300 and 600 seconds; what is reckoned together has one period.",
        ),
        (altered(RATE, "metricQueries", 2, "returnData", to=False), NOTHING),
        (altered(RATE, "metricQueries", 2, "returnData"), NOTHING),
        (
            altered(RATE, "metricQueries", 0, "returnData", to=True),
            "The alarm compares bad and rate: one query with returnData is expected.",
        ),
        (altered(RATE, "metricQueries", 1, "id", to="bad"), "Two of the queries bad, bad and rate have the same id."),
        (
            altered(RATE, "metricQueries", 2, "expression", to="100 * bad / every"),
            "The expression rate reckons with every, which no query is called.",
        ),
        (
            altered(RATE, "metricQueries", 2, "expression", to="rate + bad + all"),
            "The expression rate reckons with itself.",
        ),
        (
            altered(RATE, "metricQueries", 2, "expression", to="bad"),
            "No expression reckons with all, so the alarm does not look at it.",
        ),
        (altered(RATE, "metricQueries", 2, "expression", to="bad /"), "The expression rate cannot be read: bad /."),
        (altered(RATE, "metricQueries", 0, "metric"), "The query bad is neither metric nor expression."),
        (
            altered(BAND, "metricQueries", 1, "expression", to="ANOMALY_DETECTION_BAND(m1, 30)"),
            "The band is 30 standard deviations wide; 1 to 6 tell usual from unusual.",
        ),
        (
            altered(BAND, comparisonOperator="GreaterThanThreshold"),
            "GreaterThanThreshold compares with a number, not a band.",
        ),
        (
            altered(BAND, "metricQueries", 1, "returnData", to=False),
            "The band usual is not returned, so there is nothing to compare with.",
        ),
        (altered(BAND, threshold=1), "The alarm has a threshold and a band; CloudWatch takes one of them."),
        (
            altered(QUERY, "metricQueries", 0, "period"),
            "A period of unset seconds is none of CloudWatch's; it takes multiples of 60.",
        ),
    ],
)
def test_each_mistake_is_told(bag, sentence):
    assert sentence in said(bag)


def test_a_metric_and_queries_are_one_too_many():
    assert said({**RATE, **CPU}) == ["The alarm looks at a metric and at queries; CloudWatch takes one of them."]


def test_other_stacks_may_ignore_the_hours_in_which_their_machines_are_off():
    hourly = altered(CPU, period=3600, treatMissingData="ignore")
    assert said(hourly, "staging") == []
    assert len(said(hourly)) == 1


@pytest.mark.parametrize("key", ["metricName", "period", "threshold", "treatMissingData"])
def test_an_unknown_value_is_not_evaluated(key):
    with pytest.raises(UnknownValueError):
        said(altered(CPU, **{key: UNKNOWN}))
