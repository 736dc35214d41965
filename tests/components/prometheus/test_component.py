"""What the three components declare."""

import json

import pulumi
import pytest
import yaml

from components import iam
from components._keys import Home
from components.prometheus import (
    Alerting,
    AlertingArgs,
    Grafana,
    GrafanaArgs,
    Panel,
    Prometheus,
    PrometheusArgs,
    PrometheusRule,
)
from runbook.preview.capture import capture
from settings.naming import REQUIRED_TAGS, Labels

ACCOUNT = "210987654321"
HOME = Home(partition="aws", account_id=ACCOUNT, region="eu-west-1")
LOGS_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
TOPIC_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/66666666-2222-3333-4444-555555555555"
SEVERITIES = ("critical", "high", "medium", "low")
TOPICS = {severity: f"arn:aws:sns:eu-west-1:{ACCOUNT}:alerts-{severity}" for severity in SEVERITIES}
ADMINS, VIEWERS = "94482488-3041-7071-f0e2-0c1a2b3c4d5e", "14482488-3041-7071-f0e2-0c1a2b3c4d5f"

WORKSPACE = "aws:amp/workspace:Workspace"
KEY, LOG_GROUP = "aws:kms/key:Key", "aws:cloudwatch/logGroup:LogGroup"
ASSOCIATION, DOCUMENT = "aws:ssm/association:Association", "aws:ssm/document:Document"
PARAMETER, ALARM = "aws:ssm/parameter:Parameter", "aws:cloudwatch/metricAlarm:MetricAlarm"
RULES, MANAGER = (
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace",
    "aws:amp/alertManagerDefinition:AlertManagerDefinition",
)
GRAFANA, MEMBERS = "aws:grafana/workspace:Workspace", "aws:grafana/roleAssociation:RoleAssociation"
TOPIC, POLICY = "aws:sns/topic:Topic", "aws:iam/rolePolicy:RolePolicy"
PROFILE = "aws:appconfig/configurationProfile:ConfigurationProfile"
VERSION = "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion"

RULE = PrometheusRule(
    key="group-cpu",
    alert="learning-platform-prod-group-cpu",
    severity="high",
    group="servers",
    value="avg(mem_used_percent)",
    comparison=">",
    threshold=80.0,
    minutes=5,
    description="Busy.\nFirst action: Scale up.",
)
PANEL = Panel(
    key="group-cpu",
    row="servers",
    title="Busy",
    description="004_…",
    unit="Percent",
    comparison=">",
    threshold=80.0,
    value=RULE.value,
    series=(),
    expression=None,
    period=60,
)


def stack(*, protect=True, viewers=(VIEWERS,)):
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")

    def program():
        metrics = Prometheus(
            "prometheus",
            PrometheusArgs(
                home=HOME,
                server_tags={"Service": "web", "Environment": "prod"},
                probe_url="https://app.school.org/health",
                scrape_seconds=30,
                probe_timeout_seconds=7,
                agent_schedule="cron(0 4 ? * * *)",
                retention_days=200,
                log_retention_days=400,
                logs_key_arn=LOGS_KEY,
                protect=protect,
            ),
            labels=labels,
        )
        pulumi.export("statements", iam.document(*metrics.instance_statements))
        Alerting(
            "alerting",
            AlertingArgs(
                region=HOME.region,
                workspace_id=metrics.workspace_id,
                rules=[RULE],
                topic_arns=TOPICS,
                repeat_minutes=120,
            ),
            labels=labels,
        )
        grafana = Grafana(
            "grafana",
            GrafanaArgs(
                home=HOME,
                version="12.4",
                admin_group_ids=(ADMINS,),
                viewer_group_ids=viewers,
                workspace_arn=metrics.workspace_arn,
                endpoint=metrics.endpoint,
                key_arn=metrics.key_arn,
                topic_key_arn=TOPIC_KEY,
                panels=[PANEL],
                names={},
                email="on-call@school.org",
                protect=protect,
            ),
            labels=labels,
        )
        pulumi.export("dashboards", {"profile": grafana.dashboards_profile, "address": grafana.address})

    config = {"aws:region": HOME.region, "aws:allowedAccountIds": json.dumps([ACCOUNT])}
    return capture(program, stack="prod", config=config)


@pytest.fixture(scope="module")
def graph():
    return stack()


def statements(text):
    return {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}


def test_three_components_declare_these_resources_and_no_other(graph):
    ours = {(r.type.rpartition(":")[2], r.name) for r in graph.resources if not r.type.startswith("pulumi:")}
    assert ours == {
        ("Prometheus", "prometheus"),
        ("Key", "prometheus"),
        ("Alias", "prometheus"),
        ("LogGroup", "prometheus"),
        ("Workspace", "prometheus"),
        ("WorkspaceConfiguration", "prometheus"),
        ("Parameter", "prometheus-agent"),
        ("Document", "prometheus-agent"),
        ("Association", "prometheus-agent"),
        ("Alerting", "alerting"),
        ("RuleGroupNamespace", "alerting"),
        ("AlertManagerDefinition", "alerting"),
        ("MetricAlarm", "alerting-notifications"),
        ("MetricAlarm", "alerting-evaluations"),
        ("Grafana", "grafana"),
        ("Topic", "grafana"),
        ("TopicPolicy", "grafana"),
        ("TopicSubscription", "grafana-email"),
        ("Role", "grafana"),
        ("RolePolicy", "grafana"),
        ("Workspace", "grafana"),
        ("RoleAssociation", "grafana-admin"),
        ("RoleAssociation", "grafana-viewer"),
        ("WorkspaceServiceAccount", "grafana-dashboards"),
        ("Application", "grafana-dashboards"),
        ("ConfigurationProfile", "grafana-dashboards"),
        ("HostedConfigurationVersion", "grafana-dashboards"),
    }


def test_nothing_is_unknown_and_whatever_can_be_tagged_is(graph):
    assert graph.fidelity.unknown == ()
    untagged = {
        "Alias",
        "AlertManagerDefinition",
        "HostedConfigurationVersion",
        "RoleAssociation",
        "RolePolicy",
        "TopicPolicy",
        "TopicSubscription",
        "WorkspaceConfiguration",
        "WorkspaceServiceAccount",
    }
    for resource in graph.resources:
        kind = resource.type.rpartition(":")[2]
        if resource.custom and not resource.type.startswith("pulumi:") and kind not in untagged:
            assert set(REQUIRED_TAGS) <= set(resource.inputs["tags"]), resource.urn
            assert resource.inputs["tags"]["RunbookRef"] == "001_62c8c82a6a764433.txt 1"


# Where metrics are kept


def test_metrics_are_encrypted_with_a_key_of_their_own_and_logged_to_an_encrypted_group(graph):
    workspace, group, key = graph.one(WORKSPACE), graph.one(LOG_GROUP), graph.one(KEY)
    assert workspace.inputs["alias"] == "learning-platform-prod-metrics"
    assert workspace.inputs["kmsKeyArn"] == key.outputs["arn"]
    assert key.inputs["enableKeyRotation"] is True
    assert workspace.inputs["loggingConfiguration"] == {"logGroupArn": f"{group.outputs['arn']}:*"}
    assert (group.inputs["name"], group.inputs["retentionInDays"], group.inputs["kmsKeyId"]) == (
        "/aws/vendedlogs/prometheus/learning-platform-prod-metrics",
        400,
        LOGS_KEY,
    )


def test_metrics_are_kept_for_the_time_that_was_asked(graph):
    configuration = graph.one("aws:amp/workspaceConfiguration:WorkspaceConfiguration")
    assert dict(configuration.inputs) == {
        "workspaceId": graph.one(WORKSPACE).id,
        "retentionPeriodInDays": 200,
    }


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_data_is_protected_where_it_shall_be(protect):
    found = {(r.type, r.protect) for r in stack(protect=protect).of(WORKSPACE, KEY, GRAFANA)}
    assert found == {(WORKSPACE, protect), (KEY, protect), (GRAFANA, protect)}


# How servers send


def test_a_server_may_write_to_this_workspace_and_read_its_own_configuration_and_nothing_else(graph):
    assert statements(graph.exports["statements"]) == {
        "SendMetrics": {
            "Sid": "SendMetrics",
            "Effect": "Allow",
            "Action": ["aps:RemoteWrite"],
            "Resource": [graph.one(WORKSPACE).outputs["arn"]],
        },
        "EncryptMetrics": {
            "Sid": "EncryptMetrics",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": [graph.one(KEY).outputs["arn"]],
            "Condition": {"StringEquals": {"kms:ViaService": "aps.eu-west-1.amazonaws.com"}},
        },
        "ReadMetricsConfiguration": {
            "Sid": "ReadMetricsConfiguration",
            "Effect": "Allow",
            "Action": ["ssm:GetParameter"],
            "Resource": [graph.one(PARAMETER).outputs["arn"]],
        },
    }


def test_the_servers_are_configured_by_their_tags_also_those_that_come_later(graph):
    association, document, parameter = graph.one(ASSOCIATION), graph.one(DOCUMENT), graph.one(PARAMETER)
    assert association.inputs["targets"] == [
        {"key": "tag:Environment", "values": ["prod"]},
        {"key": "tag:Service", "values": ["web"]},
    ]
    assert association.inputs["name"] == document.outputs["name"]
    assert association.inputs["parameters"] == {"configuration": parameter.inputs["name"]}
    assert association.inputs["scheduleExpression"] == "cron(0 4 ? * * *)"


def test_the_agent_is_told_this_workspace_and_its_probe_this_site(graph):
    config = json.loads(graph.one(PARAMETER).inputs["insecureValue"])
    assert config["metrics"]["metrics_destinations"]["amp"] == {"workspace_id": graph.one(WORKSPACE).id}
    script = "\n".join(json.loads(graph.one(DOCUMENT).inputs["content"])["mainSteps"][1]["inputs"]["runCommand"])
    assert "TARGET = 'https://app.school.org/health'\nTIMEOUT = 7\n" in script
    assert '"scrape_interval": "30s", "scrape_timeout": "8s"' in script


# What rings


def test_the_workspace_has_the_matrix_s_rules_and_its_own(graph):
    namespace = graph.one(RULES)
    assert (namespace.inputs["name"], namespace.inputs["workspaceId"]) == ("platform", graph.one(WORKSPACE).id)
    groups = yaml.safe_load(namespace.inputs["data"])["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == {
        "learning-platform-prod-group-cpu",
        "learning-platform-prod-prometheus-silent",
        "learning-platform-prod-prometheus-unprobed",
    }


def test_alert_manager_tells_the_topic_of_each_severity(graph):
    manager = graph.one(MANAGER)
    assert manager.inputs["workspaceId"] == graph.one(WORKSPACE).id
    config = yaml.safe_load(yaml.safe_load(manager.inputs["definition"])["alertmanager_config"])
    told = {receiver["name"]: receiver["sns_configs"][0]["topic_arn"] for receiver in config["receivers"]}
    assert told == TOPICS
    assert config["route"]["repeat_interval"] == "120m"


def test_cloudwatch_watches_prometheus(graph):
    alarms = {alarm.inputs["name"]: alarm.inputs for alarm in graph.of(ALARM)}
    assert set(alarms) == {
        "learning-platform-prod-prometheus-notifications",
        "learning-platform-prod-prometheus-evaluations",
    }
    for alarm in alarms.values():
        assert alarm["alarmActions"] == alarm["okActions"] == [TOPICS["high"]]
        assert (alarm["comparisonOperator"], alarm["threshold"], alarm["treatMissingData"]) == (
            "GreaterThanThreshold",
            0,
            "notBreaching",
        )
    workspace_id = graph.one(WORKSPACE).id
    notifications = alarms["learning-platform-prod-prometheus-notifications"]
    assert (notifications["namespace"], notifications["metricName"], notifications["dimensions"]) == (
        "AWS/Prometheus",
        "AlertManagerNotificationsFailed",
        {"Workspace": workspace_id},
    )
    (query,) = alarms["learning-platform-prod-prometheus-evaluations"]["metricQueries"]
    wanted = "SELECT SUM(RuleEvaluationFailures) FROM \"AWS/Prometheus\" WHERE Workspace = '@'"
    assert query == {
        "id": "failures",
        "expression": wanted.replace("@", workspace_id),
        "period": 300,
        "returnData": True,
    }


# Where people look


def test_people_sign_in_with_the_identity_center_and_the_workspace_has_our_role(graph):
    workspace = graph.one(GRAFANA)
    assert {key: value for key, value in workspace.inputs.items() if key not in ("tags", "description")} == {
        "name": "learning-platform-prod-grafana",
        "accountAccessType": "CURRENT_ACCOUNT",
        "authenticationProviders": ["AWS_SSO"],
        "permissionType": "CUSTOMER_MANAGED",
        "roleArn": graph.one("aws:iam/role:Role").outputs["arn"],
        "dataSources": ["CLOUDWATCH", "PROMETHEUS"],
        "notificationDestinations": ["SNS"],
        "grafanaVersion": "12.4",
        "kmsKeyId": graph.one(KEY).outputs["arn"],
    }


@pytest.mark.parametrize("viewers", [(), (VIEWERS,)])
def test_each_role_has_its_groups(viewers):
    found = stack(viewers=viewers)
    members = {(m.inputs["role"], tuple(m.inputs["groupIds"])) for m in found.of(MEMBERS)}
    assert members == {("ADMIN", (ADMINS,)), *({("VIEWER", viewers)} if viewers else set())}


def test_only_this_account_s_grafana_takes_the_role(graph):
    trust = json.loads(graph.one("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert trust == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "grafana.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:grafana:eu-west-1:{ACCOUNT}:/workspaces/*"},
            },
        }
    ]


def test_grafana_reads_and_sends_to_its_own_topic_and_can_do_nothing_else(graph):
    policy = statements(graph.one(POLICY).inputs["policy"])
    assert {sid: (s["Resource"], s.get("Condition")) for sid, s in policy.items()} == {
        "ReadPrometheus": ([graph.one(WORKSPACE).outputs["arn"]], None),
        "ReadMetrics": (["*"], None),
        "ReadAlarms": ([f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:*"], None),
        "SendNotifications": ([graph.one(TOPIC).outputs["arn"]], None),
        "UseMetricsKey": (
            [graph.one(KEY).outputs["arn"]],
            {"StringEquals": {"kms:ViaService": "aps.eu-west-1.amazonaws.com"}},
        ),
        "UseTopicKey": ([TOPIC_KEY], {"StringEquals": {"kms:ViaService": "sns.eu-west-1.amazonaws.com"}}),
    }
    changing = [
        action
        for sid, statement in policy.items()
        if sid.startswith("Read")
        for action in statement["Action"]
        if not action.partition(":")[2].startswith(("Describe", "Get", "List", "Query"))
    ]
    assert changing == []
    assert policy["ReadMetrics"]["Action"] == ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
    assert policy["SendNotifications"]["Action"] == ["sns:Publish"]


def test_grafana_s_topic_is_encrypted_and_refuses_plain_transport(graph):
    topic = graph.one(TOPIC)
    assert topic.inputs["kmsMasterKeyId"] == TOPIC_KEY
    assert topic.outputs["arn"] not in TOPICS.values()
    (statement,) = json.loads(graph.one("aws:sns/topicPolicy:TopicPolicy").inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Condition"]) == (
        "Deny",
        "*",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_dashboards_are_kept_encrypted_beside_the_workspace_and_no_token_is_declared(graph):
    profile, version = graph.one(PROFILE), graph.one(VERSION)
    assert profile.inputs["kmsKeyIdentifier"] == graph.one(KEY).outputs["arn"]
    assert (profile.inputs["locationUri"], profile.inputs["type"]) == ("hosted", "AWS.Freeform")
    assert version.inputs["configurationProfileId"] == profile.outputs["configurationProfileId"]
    assert version.inputs["contentType"] == "application/json"
    assert [r.type for r in graph.resources if "Token" in r.type or "ApiKey" in r.type] == []
    account = graph.one("aws:grafana/workspaceServiceAccount:WorkspaceServiceAccount")
    assert (account.inputs["name"], account.inputs["grafanaRole"]) == ("dashboards", "ADMIN")
    assert set(graph.exports["dashboards"]) == {"profile", "address"}
