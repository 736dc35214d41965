"""The rules for log groups and topics: one change breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import telemetry
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

GROUP = "aws:cloudwatch/logGroup:LogGroup"
TOPIC_ARN = "arn:aws:sns:eu-west-1:123456789012:alerts"
RULES = {rule.id: rule for rule in telemetry.RULES}
STAGING = Context(environment="staging")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_the_module_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in telemetry.RULES] == [
        ("mon-log-retention", Severity.MEDIUM, Level.MANDATORY),
        ("mon-log-cmk", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("sns-encrypted-private", Severity.HIGH, Level.MANDATORY),
    ]


LOGS = {
    "app": (GROUP, {"retentionInDays": 30}),
    "flows": (GROUP, {"retentionInDays": 365}),
    "trail-logs": (GROUP, {"retentionInDays": 365}),
    "flow-log": ("aws:ec2/flowLog:FlowLog", {"logDestination": Ref("flows", "arn")}),
    "trail": ("aws:cloudtrail/trail:Trail", {"cloudWatchLogsGroupArn": Ref("trail-logs", "arn", after=":*")}),
}
RETENTION = RULES["mon-log-retention"]
FOR_EVER = "The log group keeps its logs for ever: no retention is set."


@pytest.mark.parametrize("preview", [False, True])
def test_logs_that_are_kept_long_enough_break_no_rule(preview):
    assert stack_faults(RETENTION, *declared(LOGS, preview=preview)) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("app", ABSENT, FOR_EVER),
        ("app", 0, FOR_EVER),
        ("app", "odd", FOR_EVER),
        ("app", 1, None),
        ("flows", 364, "The flow logs are kept 364 days; 365 are demanded."),
        ("trail-logs", 90, "The trail's logs are kept 90 days; 365 are demanded."),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_one_change_breaks_the_retention(name, value, said, preview):
    resources = declared(LOGS, (name, ("retentionInDays",), value), preview=preview)
    assert stack_faults(RETENTION, *resources) == ([] if said is None else [(said, name)])


def test_outside_prod_flow_logs_are_kept_as_long_as_one_likes():
    resources = declared(LOGS, ("flows", ("retentionInDays",), 7), ("app", ("retentionInDays",), ABSENT))
    assert stack_faults(RETENTION, *resources, context=STAGING) == [(FOR_EVER, "app")]


def test_a_flow_log_may_name_its_group():
    named = {"named": ("aws:ec2/flowLog:FlowLog", {"logGroupName": Ref("app", "name")})}
    said = [("The flow logs are kept 30 days; 365 are demanded.", "app")]
    assert stack_faults(RETENTION, *declared(LOGS, extra=named)) == said


def test_an_unknown_retention_is_not_judged_and_hides_no_other():
    resources = declared(LOGS, ("app", ("retentionInDays",), UNKNOWN), ("flows", ("retentionInDays",), 7))
    said, _ = not_evaluated(RETENTION, *resources)
    assert said == [("The flow logs are kept 7 days; 365 are demanded.", "flows")]


@pytest.mark.parametrize(
    ("props", "context", "said"),
    [
        ({"kmsKeyId": "arn:aws:kms:…"}, None, []),
        ({}, None, ["The log group is not encrypted with a customer key."]),
        ({"kmsKeyId": ""}, None, ["The log group is not encrypted with a customer key."]),
        ({}, STAGING, []),
    ],
)
def test_log_groups_of_prod_are_encrypted(props, context, said):
    assert faults(RULES["mon-log-cmk"], resource(GROUP, "it", props), context) == said


def test_an_unknown_key_is_not_judged():
    with pytest.raises(UnknownValueError):
        faults(RULES["mon-log-cmk"], resource(GROUP, "it", {"kmsKeyId": UNKNOWN}))


def user(service, **more):
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        **more,
    }


ALARMS, RDS = "cloudwatch.amazonaws.com", "events.rds.amazonaws.com"
PUBLISH = {**user(ALARMS), "Action": "sns:Publish", "Resource": TOPIC_ARN}
DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": TOPIC_ARN,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
TOPIC = {
    "key": ("aws:kms/key:Key", {"policy": document(user(ALARMS), user(RDS))}),
    "topic": ("aws:sns/topic:Topic", {"arn": TOPIC_ARN, "kmsMasterKeyId": Ref("key", "arn")}),
    "policy": ("aws:sns/topicPolicy:TopicPolicy", {"arn": Ref("topic", "arn"), "policy": document(DENY, PUBLISH)}),
    "events": ("aws:rds/eventSubscription:EventSubscription", {"snsTopic": Ref("topic", "arn")}),
}
PRIVATE = RULES["sns-encrypted-private"]
PLAIN = ("Nothing refuses messages to the topic that come without TLS.", "topic")


def said_of(*changes, **options):
    return stack_faults(PRIVATE, *declared(TOPIC, *changes, **options))


def lost(*services):
    return [(f"The topic's key key does not let {one} publish, so its messages are lost.", "topic") for one in services]


@pytest.mark.parametrize("preview", [False, True])
def test_a_private_topic_breaks_no_rule(preview):
    assert said_of(preview=preview) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("topic", ("kmsMasterKeyId",), ABSENT), [("The topic is not encrypted.", "topic")]),
        (("topic", ("kmsMasterKeyId",), "alias/aws/sns"),
         [("The topic is encrypted with AWS's key, which alarms may not use.", "topic")]),
        (("topic", ("kmsMasterKeyId",), "arn:aws:kms:eu-west-1:123456789012:key/another"), []),
        (("key", ("policy",), document(user(ALARMS))), lost(RDS)),
        (("key", ("policy",), document(user(RDS))), lost(ALARMS)),
        (("key", ("policy",), document(user(ALARMS, Action="kms:Decrypt"), user(RDS))), lost(ALARMS)),
        (("key", ("policy",), document(user(ALARMS, Effect="Deny"), user(RDS))), lost(ALARMS)),
        (("key", ("policy",), document(user([ALARMS, RDS], Action="kms:*"))), []),
        (("key", ("policy",), ABSENT), lost(ALARMS, RDS)),
        (("key", ("policy",), "{"), lost(ALARMS, RDS)),
        (("policy", ("policy",), document(PUBLISH)), [PLAIN]),
        (("policy", ("policy",), document({**DENY, "Resource": "arn:of:another"}, PUBLISH)), [PLAIN]),
        (("policy", ("policy",), document({**DENY, "Condition": {}}, PUBLISH)), [PLAIN]),
        (("policy", ("policy",), document({**DENY, "Action": "sns:*"}, PUBLISH)), []),
        (("policy", ("policy",), document(DENY, {**PUBLISH, "Principal": "*", "Condition": {}})),
         [("The topic policy lets anyone use the topic.", "policy")]),
        (("policy", ("policy",), document(DENY, {**PUBLISH, "Principal": {"AWS": "*"}})), []),
        (("policy", ("policy",), document(DENY, {**PUBLISH, "Condition": {}})),
         [(f"The topic policy lets {ALARMS} use the topic on any account's behalf: it has no condition.", "policy")]),
        (("policy", ("policy",), "{"), [("The topic policy cannot be read: it is no JSON.", "policy"), PLAIN]),
        (("policy", ("arn",), "arn:of:another"), [PLAIN]),
    ],
)  # fmt: skip
def test_one_change_breaks_the_topic(change, said):
    assert said_of(change) == said


def test_a_topic_without_a_policy_takes_plain_messages():
    assert said_of(without=["policy"]) == [PLAIN]


def test_a_key_that_the_stack_does_not_declare_cannot_be_judged():
    assert said_of(("topic", ("kmsMasterKeyId",), "alias/platform")) == []


def test_a_key_may_be_named_by_its_alias():
    alias = {"alias": ("aws:kms/alias:Alias", {"name": "alias/alerts", "targetKeyId": Ref("key")})}
    named = ("topic", ("kmsMasterKeyId",), "alias/alerts")
    assert said_of(named, extra=alias) == []
    assert said_of(named, ("key", ("policy",), document(user(ALARMS))), extra=alias) == lost(RDS)


@pytest.mark.parametrize(
    ("token", "prop", "service"),
    [
        ("aws:backup/vaultNotifications:VaultNotifications", "snsTopicArn", "backup.amazonaws.com"),
        ("aws:cloudwatch/eventTarget:EventTarget", "arn", "events.amazonaws.com"),
    ],
)
def test_whatever_publishes_must_be_let_in(token, prop, service):
    assert said_of(extra={"more": (token, {prop: Ref("topic", "arn")})}) == lost(service)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("key", ("policy",), UNKNOWN), []),
        (("policy", ("policy",), UNKNOWN), []),
        (("topic", ("kmsMasterKeyId",), UNKNOWN), []),
    ],
)
def test_an_unknown_value_is_not_judged(change, said):
    without = ["key"] if change[1] == ("kmsMasterKeyId",) else []
    found, _ = not_evaluated(PRIVATE, *declared(TOPIC, change, without=without))
    assert found == said


def test_an_unknown_policy_hides_no_open_topic():
    opened = document(DENY, {**PUBLISH, "Principal": "*", "Condition": {}})
    resources = declared(TOPIC, ("key", ("policy",), UNKNOWN), ("policy", ("policy",), opened))
    said, _ = not_evaluated(PRIVATE, *resources)
    assert said == [("The topic policy lets anyone use the topic.", "policy")]
