"""Whether Prometheus and Grafana are whole."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from components.prometheus import rules as rendered
from policies.rulebook import prometheus
from policies.rulebook.alarms import ALARM
from policies.rulebook.coverage import ALERT_MANAGER, PROMETHEUS_RULES, TOPIC, WORKSPACE
from policies.rulebook.links import ROLE, ROLE_POLICY
from policies.rulebook.prometheus import (
    ACCESS,
    ACCOUNT,
    ASSOCIATION,
    CONFIGURATION,
    DOCUMENT,
    GRAFANA,
    GRAFANA_WHOLE,
    PARAMETER,
    PROMETHEUS_WHOLE,
    SCRAPER,
)
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared

DASHBOARDS = "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion"
TOLD = "arn:aws:any:eu-west-1:123456789012:high"


def allows(*actions, on="*"):
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": on}]})


def alert_manager(*, receivers=("high",), topic=TOLD, default="high"):
    """A definition of the shape that AMP takes: YAML in YAML."""
    config = {
        "route": {"receiver": default},
        "receivers": [{"name": name, "sns_configs": [{"topic_arn": topic}]} for name in receivers],
    }
    return f"alertmanager_config: |\n  {json.dumps(config)}\n"


RULE_FILE = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "cpu", "expr": "up == 0"}]}]})
AGENT = '{"metrics":{"metrics_destinations":{"amp":{"workspace_id":"'

COLLECTED = {
    "workspace": (WORKSPACE, {"loggingConfiguration": {"logGroupArn": "arn:aws:logs:eu-west-1:1:log-group:/p:*"}}),
    "kept": (CONFIGURATION, {"workspaceId": Ref("workspace"), "retentionPeriodInDays": 150}),
    "rules": (PROMETHEUS_RULES, {"workspaceId": Ref("workspace"), "data": RULE_FILE}),
    "manager": (ALERT_MANAGER, {"workspaceId": Ref("workspace"), "definition": alert_manager()}),
    "high": (TOPIC, {}),
    "agent": (PARAMETER, {"insecureValue": Ref("workspace", before=AGENT, after='"}}}}')}),
    "document": (DOCUMENT, {}),
    "sends": (
        ASSOCIATION,
        {"name": Ref("document", "name"), "parameters": {"configuration": Ref("agent", "name")}},
    ),
    "role": (ROLE, {}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": allows("aps:RemoteWrite")}),
}


def collected(*changes, **options):
    return stack_faults(PROMETHEUS_WHOLE, *declared(COLLECTED, *changes, **options))


def test_the_rules_are_these():
    assert [rule.id for rule in prometheus.RULES] == ["mon-prometheus-whole", "mon-grafana-whole"]


def test_a_whole_workspace_passes():
    assert collected() == []


def test_what_the_program_renders_is_understood():
    made = rendered.alert_manager(
        topic_arns=dict.fromkeys(("critical", "high", "medium", "low"), TOLD), region="eu-west-1", repeat_minutes=60
    )
    own = rendered.rules_file(rendered.own_rules(str))
    assert collected(("manager", ("definition",), made), ("rules", ("data",), own)) == []


NO_RULES = "No rule looks at what Prometheus collects, so it alerts of nothing."
UNFED = "Nothing sends metrics to the workspace: neither a scraper nor an association."
ELSEWHERE = "It is for a workspace of Prometheus that is not declared here."


@pytest.mark.parametrize(
    ("gone", "sentence", "name"),
    [
        ("kept", "How long the workspace keeps what it collects is not said.", "workspace"),
        ("rules", NO_RULES, "workspace"),
        ("manager", "The workspace has no alert manager, so its alerts reach nobody.", "workspace"),
        ("high", "The alert manager's receiver high tells no topic that is declared here.", "manager"),
        ("agent", UNFED, "workspace"),
        ("sends", UNFED, "workspace"),
        ("document", "What sends metrics runs a document that is not declared here.", "sends"),
        ("role", "No role of the stack may write to the workspace.", "workspace"),
        ("may", "No role of the stack may write to the workspace.", "workspace"),
    ],
)
def test_what_is_taken_away_is_named(gone, sentence, name):
    assert collected(without=[gone]) == [(sentence, name)]


def test_what_is_left_of_a_workspace_that_is_gone_is_named():
    assert collected(without=["workspace"]) == [
        (ELSEWHERE, "manager"),
        (ELSEWHERE, "rules"),
        ("The agent sends metrics to a workspace that is not declared here.", "agent"),
    ]


@pytest.mark.parametrize(
    "data", ["{}", "groups: [", '{"groups": []}', '{"groups": [{"rules": [{"record": "a", "expr": "b"}]}]}', ABSENT]
)
def test_rules_that_alert_of_nothing_are_none(data):
    assert collected(("rules", ("data",), data)) == [(NO_RULES, "workspace")]


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ("no: config", "The alert manager has no receiver, so alerts reach nobody."),
        (
            alert_manager(receivers=["high", "low"], topic="arn:aws:sns:eu-west-1:1:x"),
            "The alert manager's receiver high and low tells no topic that is declared here.",
        ),
        (alert_manager(default="low"), "The alert manager has no route for alerts that no other route takes."),
        (alert_manager(default=None), "The alert manager has no route for alerts that no other route takes."),
    ],
)
def test_an_alert_manager_that_tells_nobody_is_named(definition, sentence):
    assert collected(("manager", ("definition",), definition)) == [(sentence, "manager")]


@pytest.mark.parametrize("path", [("loggingConfiguration",), ("loggingConfiguration", "logGroupArn")])
def test_a_workspace_that_logs_nothing_is_named(path):
    assert collected(("workspace", path, ABSENT)) == [
        ("The workspace logs nothing: why a rule or an alert failed is not to be found.", "workspace")
    ]


def test_a_scraper_feeds_it_without_agents():
    scraper = {"scraper": (SCRAPER, {"destination": {"amp": {"workspaceArn": Ref("workspace", "arn")}}})}
    assert collected(without=["agent", "sends", "document", "role", "may"], extra=scraper) == []


def test_aws_s_own_document_need_not_be_declared():
    assert collected(("sends", ("name",), "AmazonCloudWatch-ManageAgent"), without=["document"]) == []


def test_without_a_workspace_nothing_is_asked_for():
    assert stack_faults(PROMETHEUS_WHOLE) == []
    assert collected(without=["workspace", "kept", "rules", "manager", "agent"]) == []


def test_an_unknown_definition_is_no_pass_and_hides_nothing():
    resources = declared(COLLECTED, ("manager", ("definition",), UNKNOWN), without=["kept"])
    found, unknown = not_evaluated(PROMETHEUS_WHOLE, *resources)
    assert found == [("How long the workspace keeps what it collects is not said.", "workspace")]
    assert isinstance(unknown, UnknownValueError)


# Grafana

SHOWN = {
    "source": (WORKSPACE, {}),
    "grafana": (
        GRAFANA,
        {
            "authenticationProviders": ["AWS_SSO"],
            "dataSources": ["CLOUDWATCH", "PROMETHEUS"],
            "grafanaVersion": "12.4",
            "notificationDestinations": ["SNS"],
            "roleArn": Ref("role", "arn"),
        },
    ),
    "admin": (ACCESS, {"workspaceId": Ref("grafana"), "role": "ADMIN", "groupIds": ["1"]}),
    "account": (ACCOUNT, {"workspaceId": Ref("grafana"), "grafanaRole": "ADMIN"}),
    "dashboards": (DASHBOARDS, {"content": Ref("source", before='{"dashboards": ["', after='"]}')}),
    "role": (ROLE, {}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": allows("sns:Publish", on=TOLD)}),
    "high": (TOPIC, {}),
}
SILENT = "Grafana is to tell people by a topic, and may publish to none that is declared."
SHORT = ("The workspace keeps 89 days of metrics; 90 are demanded.", "workspace")
ORPHAN = "It is for a workspace of Grafana that is not declared here."


def shown(*changes, **options):
    return stack_faults(GRAFANA_WHOLE, *declared(SHOWN, *changes, **options))


def test_a_whole_grafana_passes():
    assert shown() == []


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("source", "Grafana shows Prometheus, and no workspace of it is declared."),
        ("admin", "Nobody administers the workspace of Grafana."),
        ("account", "No service account can bring dashboards into the workspace of Grafana."),
        ("dashboards", "No dashboard is kept as code, so the workspace of Grafana shows nothing."),
        ("role", SILENT),
        ("may", SILENT),
        ("high", SILENT),
    ],
)
def test_what_is_taken_away_from_grafana_is_named(gone, sentence):
    assert shown(without=[gone]) == [(sentence, "grafana")]


def test_what_is_left_of_a_grafana_that_is_gone_is_named():
    assert shown(without=["grafana"]) == [(ORPHAN, "admin"), (ORPHAN, "account")]


@pytest.mark.parametrize(("path", "value"), [(("role",), "VIEWER"), (("groupIds",), [])])
def test_an_administrator_is_somebody(path, value):
    assert shown(("admin", path, value)) == [("Nobody administers the workspace of Grafana.", "grafana")]


NO_TOPICS = "Grafana tells none of the topics that are declared: SNS is no destination."
NO_DOOR = "Nobody can sign in to the workspace of Grafana: it has no authentication provider."
OFFERED = "9.4, 10.4, 12.4 and 13.2 are offered."


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("authenticationProviders", ["SAML"], None),
        ("authenticationProviders", [], NO_DOOR),
        ("authenticationProviders", ABSENT, NO_DOOR),
        ("dataSources", ["CLOUDWATCH"], "Grafana does not show what the stack measures with PROMETHEUS."),
        ("dataSources", ["PROMETHEUS"], "Grafana does not show what the stack measures with CLOUDWATCH."),
        ("dataSources", ABSENT, "Grafana does not show what the stack measures with CLOUDWATCH and PROMETHEUS."),
        ("grafanaVersion", "10.4", None),
        ("grafanaVersion", "6.2", f"The version of Grafana is 6.2; {OFFERED}"),
        ("grafanaVersion", ABSENT, f"The version of Grafana is unset; {OFFERED}"),
        ("notificationDestinations", [], NO_TOPICS),
        ("notificationDestinations", ABSENT, NO_TOPICS),
    ],
)
def test_grafana_has_a_door_a_version_sources_and_topics(path, value, sentence):
    alarm = {"alarm": (ALARM, {})}
    assert shown(("grafana", (path,), value), extra=alarm) == ([(sentence, "grafana")] if sentence else [])


@pytest.mark.parametrize("path", ["authenticationProviders", "dataSources", "grafanaVersion"])
def test_an_unknown_property_of_grafana_is_no_pass(path):
    found, _ = not_evaluated(GRAFANA_WHOLE, *declared(SHOWN, ("grafana", (path,), UNKNOWN)))
    assert found == []


def test_grafana_that_tells_nobody_needs_no_topic():
    assert shown(("grafana", ("notificationDestinations",), ABSENT), without=["high", "may"]) == []


@pytest.mark.parametrize(
    ("days", "environment", "said"), [(90, "prod", []), (89, "staging", []), (89, "prod", [SHORT])]
)
def test_prod_keeps_metrics_for_three_months(days, environment, said):
    resources = declared(COLLECTED, ("kept", ("retentionPeriodInDays",), days))
    assert stack_faults(PROMETHEUS_WHOLE, *resources, context=Context(environment=environment)) == said


def test_dashboards_may_be_kept_in_a_parameter_too():
    kept = {"parameter": (PARAMETER, {"value": SHOWN["dashboards"][1]["content"]})}
    assert shown(without=["dashboards"], extra=kept) == []


def test_unknown_rights_are_no_pass():
    with pytest.raises(UnknownValueError):
        shown(("may", ("policy",), UNKNOWN))
