"""Where alerts go, and who may send them."""

import json

import pytest

from components._keys import Home
from components.alerts import Alerts, AlertsArgs
from runbook.preview.capture import capture
from settings.naming import Labels
from settings.severity import SEVERITIES

TOPIC, POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
ACCOUNT = "210987654321"
ARNS = {f"arn:aws:sns:eu-west-1:{ACCOUNT}:learning-platform-prod-alerts-{severity}" for severity in SEVERITIES}


def alerts(*, protect=True):
    args = AlertsArgs(
        home=Home(partition="aws", account_id=ACCOUNT, region="eu-west-1"), email="on-call@school.org", protect=protect
    )
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")
    config = {"aws:region": "eu-west-1", "aws:allowedAccountIds": json.dumps([ACCOUNT])}
    return capture(lambda: Alerts("alerts", args, labels=labels) and None, stack="prod", config=config)


@pytest.fixture(scope="module")
def graph():
    return alerts()


def statements(text):
    return {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}


def test_there_is_a_topic_per_severity_with_a_name_operators_know(graph):
    assert {(t.name, t.outputs["arn"]) for t in graph.of(TOPIC)} == {
        (f"alerts-{severity}", f"arn:aws:sns:eu-west-1:{ACCOUNT}:learning-platform-prod-alerts-{severity}")
        for severity in ("critical", "high", "medium", "low")
    }


def test_the_component_hands_over_each_topic_by_its_severity(graph):
    handed = graph.one("learning-platform:alerts:Alerts").outputs["topicArns"]
    assert handed == {t.name.removeprefix("alerts-"): t.outputs["arn"] for t in graph.of(TOPIC)}


def test_every_topic_is_encrypted_with_the_component_s_own_key(graph):
    key = graph.one("aws:kms/key:Key")
    assert {t.inputs["kmsMasterKeyId"] for t in graph.of(TOPIC)} == {key.outputs["arn"]}
    assert key.inputs["enableKeyRotation"] is True


def test_the_key_serves_these_services_and_only_for_the_account_s_own_alerts(graph):
    policy = statements(graph.one("aws:kms/key:Key").inputs["policy"])
    services = {sid: s["Principal"]["Service"] for sid, s in policy.items() if "Service" in s["Principal"]}
    assert services == {
        "BudgetsEncrypts": "budgets.amazonaws.com",
        "CloudWatchEncrypts": "cloudwatch.amazonaws.com",
        "CostAnomaliesEncrypts": "costalerts.amazonaws.com",
        "PrometheusEncrypts": "aps.amazonaws.com",
        "RdsEncrypts": "events.rds.amazonaws.com",
    }
    for sid in services:
        assert policy[sid]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert set(policy[sid]["Condition"]["StringEquals"]) == {"kms:EncryptionContext:aws:sns:topicArn"}
        assert set(policy[sid]["Condition"]["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"]) == ARNS


def test_what_the_key_is_bound_to_are_the_topics_there_are(graph):
    assert {t.outputs["arn"] for t in graph.of(TOPIC)} == ARNS


def test_a_topic_takes_messages_of_the_account_s_alarms_database_and_costs_over_tls_and_from_nobody_else(graph):
    for policy in graph.of(POLICY):
        topic = graph.one(TOPIC, policy.name).outputs["arn"]
        said = statements(policy.inputs["policy"])
        allowed = {
            (s["Principal"]["Service"], *s["Action"], *s["Resource"], json.dumps(s["Condition"]))
            for s in said.values()
            if s["Effect"] == "Allow"
        }
        account = json.dumps({"StringEquals": {"aws:SourceAccount": ACCOUNT}})
        assert allowed == {
            ("aps.amazonaws.com", "sns:GetTopicAttributes", "sns:Publish", topic, account),
            ("budgets.amazonaws.com", "sns:Publish", topic, account),
            ("cloudwatch.amazonaws.com", "sns:Publish", topic, account),
            ("costalerts.amazonaws.com", "sns:Publish", topic, account),
            ("events.rds.amazonaws.com", "sns:Publish", topic, account),
        }
        assert [s for s in said.values() if s["Effect"] == "Deny"] == [
            {
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    assert {p.name for p in graph.of(POLICY)} == {t.name for t in graph.of(TOPIC)}


def test_the_address_in_the_settings_reads_every_topic(graph):
    read = {
        (s.inputs["topic"], s.inputs["protocol"], s.inputs["endpoint"])
        for s in graph.of("aws:sns/topicSubscription:TopicSubscription")
    }
    assert read == {(t.outputs["arn"], "email", "on-call@school.org") for t in graph.of(TOPIC)}


@pytest.mark.parametrize("protect", [True, False])
def test_the_key_is_protected_where_the_stack_is(protect):
    assert alerts(protect=protect).one("aws:kms/key:Key").protect is protect


def test_everything_is_a_child_of_the_component_and_carries_its_tags(graph):
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {graph.one("learning-platform:alerts:Alerts").urn}
    assert {r.type for r in own if "tags" in r.inputs} == {TOPIC, "aws:kms/key:Key"}
    assert {t.inputs["tags"]["Severity"] for t in graph.of(TOPIC)} == set(SEVERITIES)
