"""Prometheus and CloudWatch say the same: what one line of the alarm matrix becomes in both."""

from dataclasses import dataclass, field

import pytest
import yaml

from components.monitoring.facts import Balancer, Database, Facts, Function, Group, Queue
from components.monitoring.matrix import plan_matrix
from components.monitoring.spec import description
from components.prometheus import panels_of, rules, rules_of, scrape
from settings.thresholds import ThresholdSettings

from . import promql

FACTS = Facts(
    region="eu-west-1",
    group=Group(least=1, most=2),
    balancer=Balancer(),
    database=Database(max_connections=900, storage_gib=100, memory_gib=8, processors=2, burstable=False),
    gateways=("nat-eu-west-1a",),
    certificates=("certificate",),
    firewalls=("firewall",),
    functions=(Function(ref="notify", timeout_seconds=30),),
    queues=(Queue(ref="inbox"),),
)

#: Metrics that the agent sends a second time, summed up by group: two servers write the same series of them.
SUMMED = {name for name in scrape.METRICS if not name.startswith("probe_") and name != "up"}

#: Labels that the sums lack.
OF_A_SERVER = {"InstanceId", "cpu", "interface"}


def name(key):
    return f"learning-platform-prod-{key}"


def matrix(**changes):
    return plan_matrix(ThresholdSettings(**changes), FACTS)


def planned(found):
    return rules_of(found.alarms, found.composites, name=name, describe=description)


def rendered(found):
    """key -> the rule as Prometheus reads it."""
    groups = yaml.safe_load(rules.rules_file(planned(found)))["groups"]
    return {rule["labels"]["rule"]: rule for group in groups for rule in group["rules"]}


LOOSE = matrix()
TIGHT = matrix(cpu_percent=70.0, memory_percent=61.5, response_seconds=1.25, error_percent=2.5, disk_free_percent=33.0)


@pytest.mark.parametrize("found", [LOOSE, TIGHT], ids=["run book", "tighter"])
def test_both_ring_at_the_same_threshold_on_the_same_side(found):
    said = {key: rule["expr"].rsplit(" ", 2)[1:] for key, rule in rendered(found).items()}
    expected = {alarm.key: (alarm.comparison, alarm.threshold) for alarm in found.alarms if alarm.prometheus}
    assert {key: (comparison, float(threshold)) for key, (comparison, threshold) in said.items()} == expected


def test_the_run_book_s_metrics_are_all_judged_by_prometheus():
    """CPU, memory, disk and uptime (``001_… §1``), response time and error rate (``004_… Key Metrics to Monitor``)."""
    assert {
        "group-cpu",
        "group-memory",
        "group-disk",
        "balancer-response-time",
        "balancer-error-rate",
        "target-group-healthy",
    } <= set(rendered(LOOSE))


def test_a_setting_moves_both():
    changed = {key for key, rule in rendered(TIGHT).items() if rule["expr"] != rendered(LOOSE)[key]["expr"]}
    assert changed == {"group-cpu", "group-memory", "group-disk", "balancer-response-time", "balancer-error-rate"}
    assert changed == {
        tight.key
        for tight, loose in zip(TIGHT.alarms, LOOSE.alarms, strict=True)
        if tight.prometheus and tight.threshold != loose.threshold
    }


@pytest.mark.parametrize("found", [LOOSE, TIGHT], ids=["run book", "tighter"])
def test_prometheus_waits_no_longer_than_cloudwatch_unless_its_number_changes_by_the_day(found):
    for alarm in found.alarms:
        if alarm.prometheus and alarm.unit != "Days":
            waits = int(rendered(found)[alarm.key]["for"].removesuffix("m")) * 60
            assert waits <= alarm.window, alarm.key


def test_an_alert_rings_under_the_name_and_with_the_severity_of_the_alarm_that_pages():
    voices = {alarm.key: LOOSE.voice(alarm) for alarm in LOOSE.alarms if alarm.prometheus}
    assert {key: (rule["alert"], rule["labels"]["severity"]) for key, rule in rendered(LOOSE).items()} == {
        key: (name(voice.key), voice.severity) for key, voice in voices.items()
    }
    assert rendered(LOOSE)["target-group-healthy"]["alert"] == "learning-platform-prod-service-down"


def test_an_alert_says_what_the_alarm_that_pages_says():
    texts = {alarm.key: description(LOOSE.voice(alarm)) for alarm in LOOSE.alarms if alarm.prometheus}
    assert {key: rule["annotations"]["description"] for key, rule in rendered(LOOSE).items()} == texts
    # Two curly brackets would be read as a template.
    assert not any("{{" in text for rule in rendered(LOOSE).values() for text in rule["annotations"].values())


@pytest.mark.parametrize("rule", planned(LOOSE), ids=lambda rule: rule.key)
def test_each_expression_is_promql_over_metrics_that_the_servers_send_and_yields_one_series(rule):
    found = promql.read(rule.value)
    assert found.metrics
    assert found.metrics - set(scrape.METRICS) == set()
    assert found.kind == "one"
    assert promql.read(rules.expression(rule)).kind == "one"


@pytest.mark.parametrize("rule", planned(LOOSE), ids=lambda rule: rule.key)
def test_no_expression_reads_the_agent_s_sums_by_group_along_with_the_servers(rule):
    for metric, labels in promql.read(rule.value).selectors:
        assert metric not in SUMMED or labels & OF_A_SERVER, metric


def test_an_alarm_without_an_expression_becomes_no_rule():
    without = {alarm.key for alarm in LOOSE.alarms if alarm.prometheus is None}
    assert without
    assert {rule.key for rule in planned(LOOSE)} == {alarm.key for alarm in LOOSE.alarms} - without


@dataclass(frozen=True)
class Value:
    value: str = "max(probe_success)"
    minutes: int = 3


@dataclass(frozen=True)
class FakeLine:
    key: str = "site-up"
    title: str = "The site is down"
    kind: str = "site"
    metrics: tuple = ()
    expression: str | None = None
    comparison: str = "<"
    threshold: float | None = 1.0
    unit: str = "Percent"
    period: int = 60
    severity: str = "high"
    run_book: str = "001_… §1"
    feeds: str | None = None
    prometheus: Value | None = field(default_factory=Value)


@pytest.mark.parametrize("changes", [{"threshold": None}, {"comparison": "outside"}])
def test_prometheus_is_not_asked_to_judge_what_has_no_threshold(changes):
    with pytest.raises(ValueError, match="'site-up' has an expression for Prometheus and no threshold"):
        rules_of([FakeLine(**changes)], [], name=name, describe=lambda line: line.title)


def test_an_alarm_feeds_a_composite_that_is_there():
    with pytest.raises(ValueError, match="'site-up' feeds 'nothing', which is no composite alarm of the matrix"):
        rules_of([FakeLine(feeds="nothing")], [], name=name, describe=lambda line: line.title)


def test_every_line_of_the_matrix_is_a_panel_in_its_words():
    panels = panels_of(LOOSE.alarms)
    assert [(p.key, p.row, p.title, p.threshold, p.comparison, p.unit, p.description) for p in panels] == [
        (a.key, a.kind, a.title, a.threshold, a.comparison, a.unit, a.run_book) for a in LOOSE.alarms
    ]
    assert {p.key: p.value for p in panels} == {
        a.key: a.prometheus.value if a.prometheus else None for a in LOOSE.alarms
    }
    assert {p.key: [(s.id, s.namespace, s.name, s.statistic) for s in p.series] for p in panels} == {
        a.key: [(m.id, m.namespace, m.name, m.statistic) for m in a.metrics] for a in LOOSE.alarms
    }
