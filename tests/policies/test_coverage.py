"""Every resource that should be watched is, and whoever takes an alarm away is told which one is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policies.rulebook import RULES, coverage
from policies.rulebook.context import of_project
from policies.rulebook.coverage import ALARM_COVERAGE, WATCHES
from policies.rulebook.resource import Context
from runbook.audit.evaluate import audit
from runbook.preview.project import preview
from tests.components.monitoring.estate import estate

from .bags import ABSENT, UNKNOWN, altered, not_evaluated, resource, stack_faults

ROOT = Path(__file__).parents[2]
CONTEXT = Context(environment="prod", regions=("us-east-1", "us-west-2"))

ALARM, COMPOSITE = coverage.ALARM, coverage.COMPOSITE

GATEWAY = resource(coverage.GATEWAY, "nat", {"id": "nat-1", "subnetId": "subnet-1"})
TOPIC = resource(coverage.TOPIC, "alerts", {"name": "alerts-high", "arn": "arn:alerts-high"})

PORTS = {
    "name": "ports",
    "namespace": "AWS/NATGateway",
    "metricName": "ErrorPortAllocation",
    "dimensions": {"NatGatewayId": "nat-1"},
    "statistic": "Sum",
    "period": 300,
    "evaluationPeriods": 3,
    "comparisonOperator": "GreaterThanThreshold",
    "threshold": 0,
    "alarmActions": ["arn:alerts-high"],
}
DROPS = {
    **altered(PORTS, namespace=ABSENT, metricName=ABSENT, dimensions=ABSENT, statistic=ABSENT, period=ABSENT),
    "name": "drops",
    "metricQueries": [
        {
            "id": "dropped",
            "metric": {
                "namespace": "AWS/NATGateway",
                "metricName": "PacketsDropCount",
                "dimensions": {"NatGatewayId": "nat-1"},
                "stat": "Sum",
                "period": 300,
            },
        }
    ],
}
NO_PORTS = "No alarm tells when it has no port left: nothing that acts rings for ErrorPortAllocation."
NO_DROPS = "No alarm tells when it drops packets: nothing that acts rings for PacketsDropCount."


def gateway_faults(ports=PORTS, drops=DROPS, gateway=GATEWAY, *more, context=CONTEXT):
    alarms = (
        resource(ALARM, name, bag, uses={"dimensions": gateway, "metricQueries": gateway})
        for name, bag in (("ports", ports), ("drops", drops))
        if bag is not None
    )
    return stack_faults(ALARM_COVERAGE, gateway, *alarms, *more, context=context)


def test_a_gateway_with_both_alarms_passes():
    assert gateway_faults() == []


def test_a_missing_alarm_is_named_by_its_metric():
    assert gateway_faults(ports=None) == [(NO_PORTS, "nat")]
    assert gateway_faults(drops=None) == [(NO_DROPS, "nat")]


@pytest.mark.parametrize(
    "change",
    [
        {"alarmActions": []},
        pytest.param({"alarmActions": ABSENT}, id="alarmActions absent"),
        {"actionsEnabled": False},
        {"dimensions": {"NatGatewayId": "nat-2"}},
        {"namespace": "AWS/EC2"},
        {"metricName": "ActiveConnectionCount"},
        {"threshold": 1e15},
        {"comparisonOperator": "LessThanThreshold"},
    ],
    ids=str,
)
def test_an_alarm_that_would_not_tell_does_not_count(change):
    changed = {key: value for key, value in {**PORTS, **change}.items() if value is not ABSENT}
    assert gateway_faults(ports=changed) == [(NO_PORTS, "nat")]


def test_a_private_gateway_has_no_ports_to_run_out_of():
    private = resource(coverage.GATEWAY, "nat", {"id": "nat-1", "connectivityType": "private"})
    assert gateway_faults(None, DROPS, private) == []


def test_what_stands_in_another_region_has_its_topics_there():
    abroad = resource(coverage.GATEWAY, "nat", {"id": "nat-1", "region": "us-west-2"})
    assert gateway_faults(None, None, abroad) == []
    assert gateway_faults(None, None, resource(coverage.GATEWAY, "nat", {"id": "nat-1", "region": "us-east-1"})) != []


def test_an_unknown_dimension_is_judged_by_what_it_depends_on():
    assert gateway_faults(ports={**PORTS, "dimensions": {"NatGatewayId": UNKNOWN}}) == []


def test_an_unknown_threshold_is_no_pass():
    judged = resource(ALARM, "ports", {**PORTS, "threshold": UNKNOWN}, uses={"dimensions": GATEWAY})
    drops = resource(ALARM, "drops", DROPS, uses={"metricQueries": GATEWAY})
    said, _ = not_evaluated(ALARM_COVERAGE, GATEWAY, judged, drops)
    assert said == []
    states = {cover.watch.metrics: cover.state for cover in coverage.coverage(_stack(GATEWAY, judged, drops))}
    assert states == {("ErrorPortAllocation",): "unknown", ("PacketsDropCount",): "present"}


def _stack(*resources):
    return coverage.Stack(resources=resources, context=CONTEXT)


WEB_ACL = resource(
    coverage.WEB_ACL,
    "web",
    {"id": "acl-1", "visibilityConfig": {"metricName": "WebTier", "sampledRequestsEnabled": True}},
)


def test_a_web_acl_is_known_by_the_name_of_its_metric():
    blocked = {
        **PORTS,
        "namespace": "AWS/WAFV2",
        "metricName": "BlockedRequests",
        "dimensions": {"WebACL": "WebTier", "Rule": "ALL", "Region": "us-east-1"},
        "threshold": 1000,
    }
    assert stack_faults(ALARM_COVERAGE, WEB_ACL, resource(ALARM, "blocked", blocked)) == []
    other = resource(ALARM, "blocked", {**blocked, "dimensions": {"WebACL": "Other", "Rule": "ALL"}})
    assert [name for _, name in stack_faults(ALARM_COVERAGE, WEB_ACL, other)] == ["web"]


def test_an_alarm_that_rings_when_all_is_well_covers_nothing():
    noisy = ("Nobody can tell when it has no port left: ports rings even when all is well.", "nat")
    assert gateway_faults(ports=altered(PORTS, comparisonOperator="GreaterThanOrEqualToThreshold")) == [noisy]


def test_an_alarm_that_rings_for_far_more_than_is_bad_covers_nothing():
    assert gateway_faults(ports=altered(PORTS, threshold=1)) == [(NO_PORTS, "nat")]
    assert gateway_faults(drops=altered(DROPS, threshold=1e4)) == [(NO_DROPS, "nat")]


def composed(rule, **more):
    bag = {"alarmName": "down", "alarmRule": rule, "alarmActions": ["arn:alerts-high"], **more}
    alarms = (resource(ALARM, name, {**PORTS, "name": name}) for name in ("ports", "drops"))
    return [said for said, _ in stack_faults(ALARM_COVERAGE, resource(COMPOSITE, "down", bag), *alarms)]


@pytest.mark.parametrize(
    "rule",
    [
        'ALARM("ports")',
        'ALARM("ports") OR ALARM("drops")',
        "(ALARM(ports)\nOR ALARM('arn:aws:cloudwatch:us-east-1:1234:alarm:drops')) AND NOT ALARM(other) AND TRUE",
        'ALARM("ports") AND OK("drops")',
    ],
)
def test_a_composite_rings_with_one_of_its_alarms(rule):
    assert "None of the alarms that the composite alarm names makes it ring by itself." not in composed(rule)


@pytest.mark.parametrize("rule", ['ALARM("ports") AND ALARM("drops")', 'NOT ALARM("ports")', "FALSE", "ALARM(", ""])
def test_a_composite_that_rings_with_none_of_its_alarms_alone_is_told(rule):
    assert composed(rule) == ["None of the alarms that the composite alarm names makes it ring by itself."]


def suppressed(**suppressor):
    return composed('ALARM("ports")', actionsSuppressor={"alarm": "drops", **suppressor})


def test_an_alarm_that_silences_another_tells_by_itself_and_does_not_take_long():
    assert suppressed(waitPeriod=120, extensionPeriod=120) == []
    assert suppressed(waitPeriod=1200, extensionPeriod=120) == [
        "The composite alarm's waitPeriod is 1200; 60 to 300 seconds let the other alarm speak first and keep nobody "
        "waiting."
    ]
    assert suppressed(alarm="gone", waitPeriod=120, extensionPeriod=120) == [
        "The composite alarm is silent while gone rings, which tells nobody."
    ]
    assert suppressed(alarm="down", waitPeriod=120, extensionPeriod=120) == ["The composite alarm silences itself."]


FILTER = resource(
    coverage.FILTER, "errors", {"metricTransformation": {"namespace": "platform", "name": "Errors", "value": "1"}}
)


def test_what_a_filter_counts_has_an_alarm():
    counted = {**altered(PORTS, dimensions=ABSENT), "namespace": "platform", "metricName": "Errors"}
    assert stack_faults(ALARM_COVERAGE, FILTER, resource(ALARM, "errors", counted)) == []
    assert stack_faults(ALARM_COVERAGE, FILTER) == [
        ("No alarm tells when what it counts piles up: nothing that acts rings for Errors.", "errors")
    ]


QUEUE = resource(coverage.QUEUE, "letters", {"arn": "arn:letters", "name": "letters"})
AGE = ("No alarm tells when its messages wait: nothing that acts rings for ApproximateAgeOfOldestMessage.", "letters")
VISIBLE = (
    "No alarm tells when a message lies in it: nothing that acts rings for ApproximateNumberOfMessagesVisible.",
    "letters",
)


def test_a_queue_is_watched_by_what_it_is_for():
    policy = {"redrivePolicy": json.dumps({"deadLetterTargetArn": "arn:letters"})}
    source = resource(coverage.QUEUE, "inbox", policy, uses={"redrivePolicy": QUEUE})
    assert stack_faults(ALARM_COVERAGE, QUEUE) == [AGE]
    assert VISIBLE in stack_faults(ALARM_COVERAGE, QUEUE, source)
    assert AGE not in stack_faults(ALARM_COVERAGE, QUEUE, source)


RULE = resource(coverage.EVENT_RULE, "root-use", {"name": "root-use"})


def test_events_that_fail_are_seen_in_the_dead_letter_queue_or_by_an_alarm():
    kept = resource(
        coverage.EVENT_TARGET,
        "kept",
        {"rule": "root-use", "deadLetterConfig": {"arn": "arn:letters"}},
        uses={"rule": RULE},
    )
    lost = resource(coverage.EVENT_TARGET, "lost", {"rule": "root-use"}, uses={"rule": RULE})
    missing = (
        "No alarm tells when an event does not reach its target: nothing that acts rings for FailedInvocations.",
        "root-use",
    )
    assert stack_faults(ALARM_COVERAGE, RULE, kept) == []
    assert stack_faults(ALARM_COVERAGE, RULE, kept, lost) == [missing]
    assert stack_faults(ALARM_COVERAGE, RULE) == [missing]


def test_a_composite_alarm_that_listens_to_nobody_is_told():
    composite = resource(
        COMPOSITE,
        "down",
        {
            "alarmName": "down",
            "alarmRule": "ALARM(\"ports\") OR ALARM('gone') OR ALARM(arn:aws:cloudwatch:us-east-1:1:alarm:lost)",
        },
    )
    assert gateway_faults(PORTS, DROPS, GATEWAY, composite) == [
        ("The composite alarm listens to gone, which the stack does not have.", "down"),
        ("The composite alarm listens to lost, which the stack does not have.", "down"),
    ]


WORKSPACE = resource(coverage.WORKSPACE, "prometheus", {"id": "ws-1"})
RULES_OF_IT = resource(coverage.PROMETHEUS_RULES, "rules", {"workspaceId": "ws-1"}, uses={"workspaceId": WORKSPACE})
UNEVALUATED = (
    "No alarm tells when its rules cannot be evaluated: nothing that acts rings for RuleEvaluationFailures.",
    "prometheus",
)


def test_an_alarm_may_ask_with_a_query():
    def query(text):
        bag = {**altered(DROPS, "metricQueries", to=[{"id": "failures", "expression": text, "returnData": True}])}
        return resource(ALARM, "evaluations", bag, uses={"metricQueries": WORKSPACE})

    def said(text):
        return stack_faults(ALARM_COVERAGE, WORKSPACE, RULES_OF_IT, query(text))

    assert said("SELECT SUM(RuleEvaluationFailures) FROM \"AWS/Prometheus\" WHERE Workspace = 'ws-1'") == []
    assert (
        said("SELECT MAX(RuleEvaluationFailures) FROM SCHEMA(\"AWS/Prometheus\", Workspace) WHERE Workspace = 'ws-1'")
        == []
    )
    assert said("SELECT SUM(RuleEvaluations) FROM \"AWS/Prometheus\" WHERE Workspace = 'ws-1'") == [UNEVALUATED]
    assert stack_faults(ALARM_COVERAGE, WORKSPACE) == []


@pytest.fixture(scope="module")
def whole():
    return estate()


def findings(graph):
    audited = audit(graph, CONTEXT, (ALARM_COVERAGE,))
    assert audited.not_evaluated == ()
    return {(finding.resource.name, finding.sentence) for finding in audited.findings}


def test_the_matrix_covers_every_line_of_the_table(whole):
    types = {made.type for made in whole.resources}
    assert {token for token in coverage.TYPES if token not in types} == {
        "aws:alb/loadBalancer:LoadBalancer",
        "aws:alb/targetGroup:TargetGroup",
        "aws:amp/workspace:Workspace",
        "aws:cloudwatch/logAnomalyDetector:LogAnomalyDetector",
    }
    assert findings(whole) == set()


def test_each_alarm_is_missed_where_it_is_taken_away(whole):
    alarms = [made for made in whole.resources if made.type in (ALARM, COMPOSITE)]
    assert len(alarms) > 50
    for alarm in alarms:
        rest = replace(whole, resources=tuple(made for made in whole.resources if made is not alarm))
        assert findings(rest), alarm.name


def test_each_line_of_the_table_is_missed_without_alarms(whole):
    silent = replace(whole, resources=tuple(made for made in whole.resources if made.type not in (ALARM, COMPOSITE)))
    said = {sentence for _, sentence in findings(silent)}
    elsewhere = {(coverage.LOG_DETECTOR,), (coverage.WORKSPACE,)}
    assert said >= {coverage.sentence(watch) for watch in WATCHES if watch.types not in elsewhere}


def without_parts(whole, composite):
    return replace(whole, resources=tuple(made for made in whole.resources if made.name != composite))


def test_without_the_composite_nobody_is_called_at_once(whole):
    assert findings(without_parts(whole, "monitoring-service-down")) == {
        (
            "web",
            "Nobody is called at once when it fails most requests itself: no composite alarm hears of "
            "HTTPCode_ELB_5XX_Count and RequestCount.",
        ),
        ("web", "Nobody is called at once when no target is healthy: no composite alarm hears of HealthyHostCount."),
    }


def test_silence_that_does_not_ring_is_told(whole):
    changed = [
        replace(made, outputs={**made.outputs, "treatMissingData": "notBreaching"})
        if made.name == "monitoring-group-memory-missing"
        else made
        for made in whole.resources
    ]
    assert findings(replace(whole, resources=tuple(changed))) == {
        ("web", "No alarm tells when nothing reports its memory: nothing that acts rings for mem_used_percent.")
    }


#: Rules that say what is missing of the audit trail's alarms, whose subject is what was done and not a resource.
OF_OTHERS = [rule for rule in RULES if rule.id.startswith(("mon-", "trail-", "backup-"))]


def test_in_the_real_stack_each_alarm_is_missed_too():
    graph, context = preview("prod", ROOT), of_project(ROOT, "prod")
    alarms = [made for made in graph.resources if made.type in (ALARM, COMPOSITE)]
    for alarm in alarms:
        rest = replace(graph, resources=tuple(made for made in graph.resources if made is not alarm))
        assert audit(rest, context, (ALARM_COVERAGE,)).findings or audit(rest, context, OF_OTHERS).findings, alarm.name
