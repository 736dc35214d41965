"""The rules over what the audit trail declares: all is well, and whatever is taken away or weakened is named."""

import re
from dataclasses import replace

import pytest

from components.audit_trail.filters import CONTROLS
from policies.rulebook import monitoring
from policies.rulebook.resource import Context
from runbook.audit.evaluate import audit
from tests.components.audit_trail.stack import captured

CONTEXT = Context(environment="prod", regions=("eu-west-1", "eu-central-1"))

FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"

#: control -> the rule that asks for its filters
RULE_OF = {control.key: f"mon-cis-{control.number:02}" for control in CONTROLS if control.number}
RULE_OF |= {"credential-changes": "mon-credentials", "data-sharing": "mon-sharing", "blinding": "mon-blinding"}

TIERS = [
    (control.key, tier) for control in CONTROLS for tier in ("literal", "tuned") if control.number or tier == "tuned"
]


@pytest.fixture(scope="module")
def graph():
    return captured()


def broken(graph):
    """Ids of the rules that say something, once for each finding."""
    judged = audit(graph, CONTEXT, monitoring.RULES)
    assert judged.not_evaluated == ()
    return [finding.rule.id for finding in judged.findings]


def without(graph, type_, name):
    gone = graph.one(type_, name).urn
    return replace(graph, resources=tuple(one for one in graph.resources if one.urn != gone))


def changed(graph, type_, name, **inputs):
    def change(one):
        if (one.type, one.name) != (type_, name):
            return one
        return replace(one, inputs={**one.inputs, **inputs}, outputs={**one.outputs, **inputs})

    assert graph.one(type_, name)
    return replace(graph, resources=tuple(map(change, graph.resources)))


def test_the_rules_find_nothing(graph):
    assert broken(graph) == []


@pytest.mark.parametrize(("key", "tier"), TIERS)
def test_a_filter_that_is_taken_away_is_named_by_its_rule(graph, key, tier):
    assert broken(without(graph, FILTER, f"audit-{key}-{tier}")) == [RULE_OF[key]]


@pytest.mark.parametrize(("key", "tier"), TIERS)
def test_an_alarm_that_is_taken_away_is_named_by_its_rule(graph, key, tier):
    assert broken(without(graph, ALARM, f"audit-{key}-{tier}")) == [RULE_OF[key]]


@pytest.mark.parametrize(("key", "tier"), TIERS)
def test_an_alarm_that_loses_its_action_is_named(graph, key, tier):
    found = broken(changed(graph, ALARM, f"audit-{key}-{tier}", alarmActions=[]))
    assert sorted(found) == sorted(["mon-alarm-acts", RULE_OF[key]])


@pytest.mark.parametrize(("key", "tier"), TIERS)
def test_a_filter_that_looks_at_one_region_alone_is_named(graph, key, tier):
    pattern = graph.one(FILTER, f"audit-{key}-{tier}").inputs["pattern"]
    narrow = '{ $.awsRegion = "eu-west-1" && (' + pattern.strip("{} ") + ") }"
    assert set(broken(changed(graph, FILTER, f"audit-{key}-{tier}", pattern=narrow))) == {RULE_OF[key]}


EVENTS = [(control.key, event) for control in CONTROLS for event in control.events if control.number]


@pytest.mark.parametrize(("key", "event"), EVENTS)
def test_one_event_that_is_taken_out_of_a_pattern_is_named(graph, key, event):
    for tier in ("literal", "tuned"):
        name = f"audit-{key}-{tier}"
        pattern = re.sub(rf"eventName={event}\b", "eventName=Nothing", graph.one(FILTER, name).inputs["pattern"])
        judged = audit(changed(graph, FILTER, name, pattern=pattern), CONTEXT, monitoring.RULES)
        ((rule, sentence, where),) = [(f.rule.id, f.sentence, f.resource.name) for f in judged.findings]
        assert (rule, where) == (RULE_OF[key], name)
        assert sentence.startswith(f"The filter does not count {event}, so ")


@pytest.mark.parametrize(
    ("type_", "name", "rules"),
    [
        ("aws:s3/bucket:Bucket", "audit", ["trail-bucket-guarded"]),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "audit", ["trail-bucket-guarded"]),
        ("aws:s3/bucketLogging:BucketLogging", "audit", ["trail-bucket-guarded"]),
        (ALARM, "audit-silence", ["mon-trail-silence"]),
        *(
            (kind, f"audit-{name}", ["mon-seen-in-seconds"])
            for kind in (EVENT_RULE, EVENT_TARGET)
            for name in (
                "root-use",
                "sign-in-without-mfa",
                "trail-changes",
                "key-removal",
                "us-east-1-root-use",
                "us-east-1-sign-in-without-mfa",
                "eu-central-1-root-use",
                "eu-central-1-key-removal",
            )
        ),
        ("aws:guardduty/detector:Detector", "audit-eu-central-1", ["detect-guardduty-analyzer"]),
        ("aws:accessanalyzer/analyzer:Analyzer", "audit-eu-west-1", ["detect-guardduty-analyzer"]),
        ("aws:securityhub/account:Account", "audit-eu-west-1", ["detect-guardduty-analyzer"]),
    ],
)
def test_whatever_else_is_taken_away_is_named(graph, type_, name, rules):
    assert broken(without(graph, type_, name)) == rules


def test_without_the_trail_nothing_else_can_be_asked_for(graph):
    assert broken(without(graph, "aws:cloudtrail/trail:Trail", "audit")) == ["trail-multi-region"]


@pytest.mark.parametrize(
    ("inputs", "rule"),
    [
        ({"isMultiRegionTrail": False}, "trail-multi-region"),
        ({"enableLogging": False}, "trail-multi-region"),
        ({"enableLogFileValidation": False}, "trail-validation"),
        ({"kmsKeyId": None}, "trail-kms"),
        ({"cloudWatchLogsRoleArn": None}, "trail-to-cloudwatch"),
    ],
)
def test_a_weaker_trail_is_named(graph, inputs, rule):
    assert broken(changed(graph, "aws:cloudtrail/trail:Trail", "audit", **inputs)) == [rule]


def test_a_target_that_loses_its_dead_letter_queue_is_named(graph):
    assert broken(changed(graph, EVENT_TARGET, "audit-key-removal", deadLetterConfig=None)) == ["mon-seen-in-seconds"]
