"""What a stack may say of Prometheus and Grafana."""

import pytest
from pydantic import ValidationError

from settings.prometheus import PrometheusSettings, broken_rules

ADMINS, VIEWERS = "94482488-3041-7071-f0e2-0c1a2b3c4d5e", "14482488-3041-7071-f0e2-0c1a2b3c4d5f"


def faults(said, *, environment="prod", partition="aws", nat="one"):
    settings = PrometheusSettings.model_validate(said)
    return [
        (".".join(map(str, fault.path)), fault.wrong)
        for fault in broken_rules(settings, environment=environment, partition=partition, nat=nat)
    ]


def refused(said):
    with pytest.raises(ValidationError) as caught:
        PrometheusSettings.model_validate(said)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_nothing_is_made_unless_a_stack_asks_for_it():
    settings = PrometheusSettings()
    assert (settings.enabled, settings.grafana.enabled) == (False, False)
    assert faults({}, partition="aws-cn", nat="none") == []


def test_a_stack_can_ask_for_both():
    assert faults({"enabled": True, "grafana": {"enabled": True, "admin_group_ids": [ADMINS]}}) == []


def test_servers_need_a_way_to_prometheus():
    assert faults({"enabled": True}, nat="none") == [
        ("prometheus.enabled", "leaves the servers without a way to Prometheus")
    ]


def test_china_has_no_prometheus():
    assert faults({"enabled": True}, partition="aws-cn") == [
        ("prometheus.enabled", "asks for a service that the partition aws-cn does not have")
    ]


def test_in_prod_logs_are_kept_for_a_year_and_metrics_for_a_quarter():
    said = {"enabled": True, "log_retention_days": 90, "retention_days": 89}
    assert faults(said) == [
        ("prometheus.log_retention_days", "is less than a year"),
        ("prometheus.retention_days", "is less than 90"),
    ]
    assert faults(said, environment="staging") == []
    assert faults({"log_retention_days": 90}) == []


def test_grafana_shows_what_prometheus_keeps_to_somebody():
    assert faults({"grafana": {"enabled": True}}) == [
        ("prometheus.grafana.enabled", "shows metrics that nobody collects"),
        ("prometheus.grafana.admin_group_ids", "is empty"),
    ]


def test_a_group_has_one_role():
    grafana = {"enabled": True, "admin_group_ids": [ADMINS], "viewer_group_ids": [VIEWERS, ADMINS]}
    assert faults({"enabled": True, "grafana": grafana}) == [
        ("prometheus.grafana.viewer_group_ids", f"names {ADMINS}, which administers already")
    ]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"retention_days": 1096}, "retention_days"),
        ({"scrape_seconds": 5}, "scrape_seconds"),
        ({"probe_timeout_seconds": 11}, "probe_timeout_seconds"),
        ({"repeat_minutes": 7201}, "repeat_minutes"),
        ({"log_retention_days": 100}, "log_retention_days"),
        ({"agent_schedule": "daily"}, "agent_schedule"),
        ({"grafana": {"version": "9.4"}}, "grafana.version"),
        ({"grafana": {"admin_group_ids": ["platform-admins"]}}, "grafana.admin_group_ids.0"),
        ({"grafana": {"token": "x"}}, "grafana.token"),
    ],
)
def test_what_aws_would_refuse_is_refused_here(said, path):
    assert refused(said) == [path]


@pytest.mark.parametrize("scrape_seconds", [15, 30, 60])
def test_the_longest_probe_ends_before_the_next_one(scrape_seconds):
    settings = PrometheusSettings(scrape_seconds=scrape_seconds, probe_timeout_seconds=10)
    assert settings.probe_timeout_seconds < settings.scrape_seconds
