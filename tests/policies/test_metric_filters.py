"""What makes metrics of logs counts what happens, in the stack's own logs."""

from __future__ import annotations

import pytest

from policies.rulebook.coverage import FILTER, LOG_DETECTOR
from policies.rulebook.metric_filters import COUNTS, LOG_GROUP, LOOKS, READS
from policies.rulebook.resource import Context
from policies.rulebook.trail import TRAIL

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults

COUNTER = {
    "logGroupName": "/platform/app",
    "pattern": "ERROR",
    "metricTransformation": {"namespace": "platform", "name": "Errors", "value": "1", "defaultValue": "0"},
}
AGE = {
    "logGroupName": "/platform/app",
    "pattern": '{ $.metric = "age" }',
    "metricTransformation": {"namespace": "p", "name": "Age", "value": "$.value", "dimensions": {"Vault": "$.vault"}},
}
GROUP = resource(LOG_GROUP, "app", {"name": "/platform/app", "arn": "arn:app"})


def said(bag):
    return faults(COUNTS, resource(FILTER, "filter", bag))


def transformed(key, to=ABSENT, bag=COUNTER):
    return said(altered(bag, "metricTransformation", key, to=to))


def test_a_filter_that_counts_and_one_that_takes_a_number_pass():
    assert said(COUNTER) == []
    assert said(AGE) == []


def test_each_event_counts_one():
    assert transformed("value", "10") == ["The filter adds 10 for each event; 1 counts them."]
    assert transformed("value", "0") == ["The filter adds 0 for each event; 1 counts them."]
    assert transformed("value") == ["The filter adds unset for each event; 1 counts them."]


def test_the_metric_is_0_while_nothing_happens():
    quiet = "with 0 the metric is there while nothing happens, and quiet."
    assert transformed("defaultValue", "1") == [f"The filter's default is 1; {quiet}"]
    assert transformed("defaultValue") == [f"The filter's default is unset; {quiet}"]


def test_a_default_and_dimensions_are_one_too_many():
    assert transformed("defaultValue", "0", AGE) == [
        "The filter has a default and dimensions; CloudWatch takes one of them."
    ]


def test_a_metric_without_a_name_is_told():
    assert transformed("name") == ["The filter's metric has no name, so no alarm can look at it."]
    assert transformed("namespace") == ["The filter's metric has no namespace, so no alarm can look at it."]


def test_a_pattern_that_cannot_be_read_is_told():
    [sentence] = said(altered(COUNTER, pattern="{ $.eventName = }"))
    assert sentence.startswith("CloudWatch does not take the filter's pattern: ")


def test_an_unknown_value_is_not_evaluated():
    with pytest.raises(UnknownValueError):
        transformed("value", UNKNOWN)


def reading(**changes):
    counter = resource(FILTER, "errors", altered(COUNTER, **changes), uses={"logGroupName": GROUP})
    return stack_faults(READS, counter, GROUP)


def test_a_filter_reads_a_group_of_the_stack():
    assert reading() == []
    assert reading(logGroupName=UNKNOWN) == []
    assert reading(logGroupName="/elsewhere") == [
        ("The filter reads the log group /elsewhere, which the stack does not have.", "errors")
    ]


def test_a_filter_without_a_group_is_told():
    assert reading(logGroupName=ABSENT) == [
        ("The filter reads the log group unset, which the stack does not have.", "errors")
    ]


DETECTOR = {"detectorName": "d", "enabled": True, "evaluationFrequency": "FIFTEEN_MIN", "logGroupArnLists": ["arn:app"]}
CLOUDTRAIL = resource(TRAIL, "trail", {"cloudWatchLogsGroupArn": "arn:app"}, uses={"cloudWatchLogsGroupArn": GROUP})
NOBODY = ("No anomaly detector looks into the trail's log group.", "app")


def watching(*changes, environment="prod", **props):
    detector = resource(LOG_DETECTOR, "d", altered(DETECTOR, *changes, **props), uses={"logGroupArnLists": GROUP})
    return stack_faults(LOOKS, detector, GROUP, CLOUDTRAIL, context=Context(environment=environment))


def test_a_detector_that_looks_into_the_trail_passes():
    assert watching() == []
    assert watching(anomalyVisibilityTime=21) == []


def test_a_detector_that_is_off_or_looks_elsewhere_is_told():
    assert watching(enabled=False) == [("The anomaly detector is switched off.", "d"), NOBODY]
    blind = ("The anomaly detector looks into no log group that is declared here.", "d")
    assert watching(logGroupArnLists=["arn:other"]) == [blind, NOBODY]
    assert watching(logGroupArnLists=ABSENT, environment="staging") == [blind]


def test_a_detector_that_looks_rarely_is_told():
    assert watching(evaluationFrequency="ONE_HOUR") == [
        ("The anomaly detector's evaluationFrequency is ONE_HOUR; half an hour or less is expected.", "d")
    ]
    assert watching(evaluationFrequency=ABSENT) == [
        ("The anomaly detector's evaluationFrequency is unset; half an hour or less is expected.", "d")
    ]


def test_a_time_that_cloudwatch_does_not_take_is_told():
    assert watching(anomalyVisibilityTime=210) == [
        ("The anomaly detector shows what it finds for 210 days; CloudWatch takes 7 to 90.", "d")
    ]


def test_prod_has_a_detector_for_its_trail():
    assert stack_faults(LOOKS, GROUP, CLOUDTRAIL, context=Context(environment="prod")) == [NOBODY]
    assert stack_faults(LOOKS, GROUP, CLOUDTRAIL, context=Context(environment="dev")) == []


def test_a_detector_that_may_be_on_is_not_evaluated():
    detector = resource(LOG_DETECTOR, "d", altered(DETECTOR, enabled=UNKNOWN), uses={"logGroupArnLists": GROUP})
    assert not_evaluated(LOOKS, detector, GROUP, CLOUDTRAIL)[0] == []
