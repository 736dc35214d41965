"""The rules file and alert manager's definition, read as the service reads them."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.prometheus import PrometheusRule, rules, scrape
from functions.common.alarm import Description, describe
from functions.escalate.decide import read as read_message

from . import gotemplate, promql

SEVERITIES = ("critical", "high", "medium", "low")
TOPICS = {severity: f"arn:aws:sns:eu-west-1:210987654321:alerts-{severity}" for severity in SEVERITIES}

RULE = PrometheusRule(
    key="group-cpu",
    alert="learning-platform-prod-group-cpu",
    severity="high",
    group="servers",
    value='avg(cpu_usage_active{cpu="cpu-total"})',
    comparison=">",
    threshold=80.0,
    minutes=5,
    description='CPU is "busy".\nImpact: Slow §\nRun book: 004_…\nFirst action: Scale up.',
)


def groups(*given):
    return yaml.safe_load(rules.rules_file(given))["groups"]


def definition(repeat_minutes=240):
    text = rules.alert_manager(topic_arns=TOPICS, region="eu-west-1", repeat_minutes=repeat_minutes)
    outer = yaml.safe_load(text)
    assert set(outer) == {"alertmanager_config", "template_files"}
    return yaml.safe_load(outer["alertmanager_config"]), outer["template_files"]


def test_a_rule_says_what_it_was_given():
    assert groups(RULE) == [
        {
            "name": "servers",
            "interval": "60s",
            "rules": [
                {
                    "alert": "learning-platform-prod-group-cpu",
                    "expr": '(avg(cpu_usage_active{cpu="cpu-total"})) > 80',
                    "for": "5m",
                    "labels": {"rule": "group-cpu", "severity": "high"},
                    "annotations": {
                        "description": RULE.description,
                        "reason": 'Prometheus: (avg(cpu_usage_active{cpu="cpu-total"})) > 80 for 5 min.',
                    },
                }
            ],
        }
    ]


def test_a_rule_that_looks_back_by_itself_does_not_wait():
    ((rule,),) = [group["rules"] for group in groups(replace(RULE, minutes=0))]
    assert (rule["for"], rule["annotations"]["reason"]) == ("0m", f"Prometheus: {rule['expr']}.")


def test_rules_stand_in_groups_in_an_order_that_no_order_of_the_matrix_changes():
    other = replace(RULE, key="edge-expiry", group="edge")
    third = replace(RULE, key="group-a")
    for order in ([RULE, other, third], [third, RULE, other]):
        found = groups(*order)
        assert [(g["name"], [r["labels"]["rule"] for r in g["rules"]]) for g in found] == [
            ("edge", ["edge-expiry"]),
            ("servers", ["group-a", "group-cpu"]),
        ]


@given(
    threshold=st.floats(min_value=-1e9, max_value=1e9, allow_nan=False),
    comparison=st.sampled_from([">", ">=", "<", "<="]),
    minutes=st.integers(0, 1440),
)
def test_no_threshold_and_no_duration_is_lost_on_the_way(threshold, comparison, minutes):
    ((rule,),) = [
        group["rules"] for group in groups(replace(RULE, threshold=threshold, comparison=comparison, minutes=minutes))
    ]
    value, found, limit = rule["expr"].rsplit(" ", 2)
    assert (value, found, rule["for"]) == (f"({RULE.value})", comparison, f"{minutes}m")
    assert math.isclose(float(limit), threshold, rel_tol=0, abs_tol=0)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, -math.inf])
def test_a_threshold_that_is_no_number_is_refused(threshold):
    with pytest.raises(ValueError, match="is no number"):
        groups(replace(RULE, threshold=threshold))


def test_two_rules_of_one_key_are_refused():
    with pytest.raises(ValueError, match="2 Prometheus rules have the key 'group-cpu'; each has its own"):
        groups(RULE, replace(RULE, threshold=90.0))


def test_rules_that_page_under_one_name_are_fine():
    (group,) = groups(RULE, replace(RULE, key="group-memory"))
    assert {rule["alert"] for rule in group["rules"]} == {RULE.alert}


def test_prometheus_rings_where_it_is_blind_itself():
    own = rules.own_rules(lambda key: f"lp-{key}")
    assert {(r.alert, r.severity, rules.expression(r), r.minutes) for r in own} == {
        ("lp-prometheus-silent", "high", '(absent(mem_used_percent{InstanceId!=""})) > 0', 10),
        ("lp-prometheus-unprobed", "medium", "(absent(probe_success)) > 0", 10),
    }
    for rule in own:
        found = promql.read(rule.value)
        assert (found.kind, found.metrics - set(scrape.METRICS)) == ("one", frozenset())
        assert all(vars_of(describe(rule.description)).values())


def vars_of(description: Description):
    return {name: getattr(description, name) for name in ("summary", "impact", "run_book", "first_action")}


def test_each_severity_has_a_receiver_of_its_own_that_signs_in_its_region_and_holds_no_secret():
    config, _ = definition()
    assert config["receivers"] == [
        {
            "name": severity,
            "sns_configs": [
                {
                    "topic_arn": TOPICS[severity],
                    "sigv4": {"region": "eu-west-1"},
                    "attributes": {"severity": severity},
                    "send_resolved": True,
                }
            ],
        }
        for severity in SEVERITIES
    ]


def test_alerts_go_by_their_severity_and_one_without_is_heard_as_well():
    config, _ = definition(repeat_minutes=90)
    assert config["route"] == {
        "receiver": "high",
        "group_by": ["alertname"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "90m",
        "routes": [{"matchers": [f'severity="{severity}"'], "receiver": severity} for severity in SEVERITIES],
    }


def test_the_template_is_one_that_alert_manager_loads():
    config, templates = definition()
    assert config["templates"] == list(templates) == ["default_template"]


STARTED = datetime(2025, 3, 4, 6, 5, 6, 789_000, tzinfo=timezone(timedelta(hours=1)))
ENDED = datetime(2025, 3, 4, 7, 0, 0, 0, tzinfo=UTC)


def notification(*statuses):
    """What alert manager hands to the template: alerts of the rule above with these statuses."""
    annotations = groups(RULE)[0]["rules"][0]["annotations"]
    alerts = [
        {
            "Status": status,
            "Labels": {"alertname": RULE.alert, "rule": f"rule-{number}"},
            "Annotations": {**annotations, "reason": f"reason {number}"},
            "StartsAt": STARTED + timedelta(minutes=number),
            "EndsAt": ENDED,
        }
        for number, status in enumerate(statuses)
    ]
    firing = "firing" if "firing" in statuses else "resolved"
    return {"Status": firing, "Alerts": alerts, "GroupLabels": {"alertname": RULE.alert}}


def told(*statuses, severity="high"):
    """How the escalation understands the message of such a notification."""
    _, templates = definition()
    message = gotemplate.render(templates["default_template"], "sns.default.message", notification(*statuses))
    return read_message(json.dumps({"TopicArn": TOPICS[severity], "Message": message}), {TOPICS[severity]: severity})


def test_the_escalation_takes_an_alert_for_the_alarm_of_its_name():
    signal = told("firing")
    assert (signal.alarm, signal.said, signal.severity) == (RULE.alert, "raised", "high")
    assert signal.at == STARTED
    assert signal.description == RULE.description
    assert describe(signal.description).first_action == "Scale up."
    assert signal.reason == "reason 0"


def test_the_escalation_hears_when_the_alert_is_over():
    signal = told("resolved")
    assert (signal.alarm, signal.said, signal.at) == (RULE.alert, "cleared", ENDED)


def test_of_several_alerts_one_that_fires_speaks_for_all():
    signal = told("resolved", "firing", "firing")
    assert (signal.said, signal.reason, signal.at) == ("raised", "reason 1", STARTED + timedelta(minutes=1))
    assert told("resolved", "resolved").said == "cleared"


def test_the_subject_is_short_enough_for_sns_and_plain():
    _, templates = definition()
    text = gotemplate.render(templates["default_template"], "sns.default.subject", notification("firing"))
    assert text == 'ALARM: "learning-platform-prod-group-cpu" in Prometheus'
    assert len(text) <= 100
    assert text.isascii()


@pytest.mark.parametrize(
    "text",
    ["avg(", "avg(x))", "avg(x[5m])", "rate(x)", "x{a}", 'x{a="b"', "x >", "avg(x) 5", "nonsense(x)", "avg(5)", ""],
)
def test_the_reader_of_these_tests_refuses_what_prometheus_would(text):
    with pytest.raises(promql.PromQLError):
        promql.read(text)
