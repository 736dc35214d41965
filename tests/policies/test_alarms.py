"""When an alarm rings, how soon, and who hears it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook import alarms
from tests.policies.bags import UNKNOWN, UnknownValueError, resource

PLAIN = {
    "namespace": "AWS/EC2",
    "metricName": "CPUUtilization",
    "statistic": "Average",
    "period": 60,
    "evaluationPeriods": 5,
    "threshold": 80,
    "comparisonOperator": "GreaterThanThreshold",
    "alarmActions": ["arn:aws:sns:eu-west-1:210987654321:high"],
}


def alarm(**changes):
    return resource(
        alarms.ALARM, "alarm", {key: value for key, value in {**PLAIN, **changes}.items() if value is not None}
    )


@pytest.mark.parametrize(
    ("operator", "rings"),
    [
        ("GreaterThanThreshold", [False, False, True]),
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
        ("LessThanLowerOrGreaterThanUpperThreshold", [None, None, None]),
        (None, [None, None, None]),
    ],
)
def test_it_rings_as_its_operator_says(operator, rings):
    found = [alarms.rings(alarm(comparisonOperator=operator), {"CPUUtilization": value}) for value in (79, 80, 81)]
    assert found == rings


def test_without_a_threshold_or_a_value_nothing_is_known():
    assert alarms.rings(alarm(threshold=None), {"CPUUtilization": 99}) is None
    assert alarms.rings(alarm(), {"Other": 99}) is None


def query(key, name=None, formula=None, *, result=False):
    metric = (
        {"metric": {"metricName": name, "namespace": "AWS/ApplicationELB", "period": 60, "stat": "Sum"}} if name else {}
    )
    return {"id": key, "returnData": result, **metric, **({"expression": formula} if formula else {})}


def math(formula, *more):
    return alarm(
        metricName=None,
        namespace=None,
        period=None,
        statistic=None,
        threshold=5,
        metricQueries=[
            query("errors", "HTTPCode_Target_5XX_Count"),
            query("requests", "RequestCount"),
            *more,
            query("rate", formula=formula, result=True),
        ],
    )


@pytest.mark.parametrize(
    ("formula", "rings"),
    [
        ("100 * errors / requests", True),
        ("(errors/requests)*100", True),
        ("errors / requests", False),
        ("IF(requests > 0, 100 * FILL(errors, 0) / requests, 0)", True),
        ("IF(requests < 0, 100, 0)", False),
        ("100 * SUM([errors]) / MAX([requests, 1])", True),
        ("100 * AVG([errors, errors]) / requests", True),
        ("100 * FILL(errors, REPEAT) / requests", True),
        ("-100 * errors / requests", False),
        ("ABS(-100 * errors / requests)", True),
        ("share * 100", True),
        ("ANOMALY_DETECTION_BAND(errors, 2)", None),
        ("errors / nothing", None),
        ("errors / (requests - requests)", None),
        ("errors +", None),
        ("rate", None),
        ("__import__('os')", None),
    ],
)
def test_its_formula_is_worked_out(formula, rings):
    judged = math(formula, query("share", formula="errors / requests"))
    assert alarms.rings(judged, {"HTTPCode_Target_5XX_Count": 60.0, "RequestCount": 1000.0}) is rings


@given(st.floats(0, 10**6), st.floats(1, 10**6))
def test_formulas_are_arithmetic(errors, requests):
    found = alarms.rings(
        math("100 * errors / requests"), {"HTTPCode_Target_5XX_Count": errors, "RequestCount": requests}
    )
    assert found == (100 * errors / requests > 5)


def test_what_it_looks_at():
    assert list(alarms.metrics(alarm())) == [("AWS/EC2", "CPUUtilization", "Average")]
    assert list(alarms.metrics(math("errors"))) == [
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum"),
        ("AWS/ApplicationELB", "RequestCount", "Sum"),
    ]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 300),
        ({"datapointsToAlarm": 3}, 180),
        ({"period": 300, "evaluationPeriods": 1}, 300),
        ({"evaluationPeriods": None}, None),
        ({"period": None}, None),
    ],
)
def test_how_long_it_waits(changes, seconds):
    assert alarms.seconds(alarm(**changes)) == seconds


def test_how_long_a_formula_waits():
    assert alarms.seconds(math("errors")) == 300


@pytest.mark.parametrize(
    ("changes", "acts"),
    [
        ({}, True),
        ({"actionsEnabled": True}, True),
        ({"actionsEnabled": False}, False),
        ({"alarmActions": []}, False),
        ({"alarmActions": None}, False),
    ],
)
def test_who_hears_it(changes, acts):
    assert alarms.acts(alarm(**changes)) is acts


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(UnknownValueError):
        alarms.rings(alarm(threshold=UNKNOWN), {"CPUUtilization": 99})
