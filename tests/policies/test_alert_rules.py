"""The rule on the alerts of Prometheus."""

import json

import pytest

from components.prometheus import rules as rendered
from policies.rulebook.alarms import ALARM
from policies.rulebook.alert_rules import ALERTS, RULES
from policies.rulebook.coverage import ALERT_MANAGER, PROMETHEUS_RULES, WORKSPACE
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared


def alert(name, expr, wait="5m", severity="high", **changes):
    annotations = {"description": f"{name} is bad.", "reason": "It is."}
    made = {"alert": name, "expr": expr, "for": wait, "labels": {"severity": severity}, "annotations": annotations}
    return {key: value for key, value in {**made, **changes}.items() if value is not ABSENT}


WHOLE = {
    "cpu": alert("cpu", "avg(cpu_usage_active) > 80"),
    "memory": alert("memory", "(avg(mem_used_percent)) >= 85"),
    "disk": alert("disk", "max(disk_used_percent) > 75.5"),
    "slow": alert("slow", "avg(probe_duration_seconds) > 2", "0m"),
    "errors": alert("errors", "100 * (1 - avg(probe_success)) > 5", ABSENT),
    "down": alert("down", "max(probe_success) < 1", "3m", "critical"),
    "certificate": alert("certificate", "min(probe_ssl_earliest_cert_expiry - time()) / 86400 < 30", "60m", "medium"),
    "silent": alert("silent", "absent(mem_used_percent) > 0", "10m"),
    "unprobed": alert("unprobed", "absent(probe_success) > 0", "1d", "low"),
}


def file(**changes):
    """The whole file with some alerts changed; ABSENT leaves one out."""
    kept = {**WHOLE, **changes}
    return json.dumps({"groups": [{"name": "g", "rules": [one for one in kept.values() if one is not ABSENT]}]})


def system(data):
    return {
        "workspace": (WORKSPACE, {}),
        "rules": (PROMETHEUS_RULES, {"workspaceId": Ref("workspace"), "data": data}),
        "manager": (ALERT_MANAGER, {"definition": '{{ printf "%q" .Annotations.reason }}'}),
        "twin": (
            ALARM,
            {"name": "cpu", "threshold": 80, "comparisonOperator": "GreaterThanThreshold", "alarmActions": ["topic"]},
        ),
    }


def said(*changes, data=None, **alerts):
    return stack_faults(ALERTS, *declared(system(data or file(**alerts)), *changes))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-prometheus-alerts"]


def test_a_whole_file_passes():
    assert said() == []


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("cpu", "the servers' CPU is above 80 %"),
        ("memory", "the servers' memory is above 85 %"),
        ("disk", "a disk is above 80 %"),
        ("slow", "the site takes more than 2 seconds"),
        ("errors", "more than 5 % of probes fail"),
        ("down", "no probe succeeds"),
        ("certificate", "the certificate ends within 30 days"),
        ("silent", "the servers send nothing"),
        ("unprobed", "the probe sends nothing"),
    ],
)
def test_an_alert_that_is_missing_is_named(gone, told):
    assert said(**{gone: ABSENT}) == [(f"No alert of Prometheus fires when {told}.", "workspace")]


def test_a_limit_beyond_the_run_book_s_is_no_alert():
    late = [("No alert of Prometheus fires when a disk is above 80 %.", "workspace")]
    assert said(disk=alert("disk", "max(disk_used_percent) > 81")) == late
    assert said(disk=alert("disk", "max(disk_used_percent) < 80")) == late
    assert said(disk=alert("disk", "max(disk_used_percent)")) == late
    assert said(certificate=alert("c", "probe_ssl_earliest_cert_expiry < 29")) == [
        ("No alert of Prometheus fires when the certificate ends within 30 days.", "workspace")
    ]


def test_an_alert_fires_no_later_than_the_alarm_of_its_name():
    laxer = "Alert cpu fires at > 80; the alarm of the same name rings at 70."
    assert said(("twin", ("threshold",), 70)) == [(laxer, "rules")]
    assert said(("twin", ("threshold",), 90)) == []
    assert said(("twin", ("threshold",), ABSENT)) == []
    assert said(("twin", ("alarmActions",), ABSENT), ("twin", ("threshold",), 70)) == []
    assert said(("twin", ("comparisonOperator",), "LessThanThreshold"), ("twin", ("threshold",), 90)) == []
    downs = ("twin", ("name",), "down"), ("twin", ("comparisonOperator",), "LessThanThreshold")
    assert said(*downs, ("twin", ("threshold",), 2)) == [
        ("Alert down fires at < 1; the alarm of the same name rings at 2.", "rules")
    ]


UNSEVERE = "critical, high, medium and low are told."


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"labels": {"severity": "loud"}}, f"has the severity loud; {UNSEVERE}"),
        ({"labels": ABSENT}, f"has the severity unset; {UNSEVERE}"),
        ({"wait": "15m"}, None),
        ({"wait": "900s"}, None),
        ({"wait": "16m"}, "waits 16m before it fires; high allows 15m."),
        ({"wait": "1h30m"}, "waits 1h30m before it fires; high allows 15m."),
        ({"wait": "soon"}, "waits soon before it fires; high allows 15m."),
        ({"wait": "6m", "severity": "critical"}, "waits 6m before it fires; critical allows 5m."),
        ({"annotations": ABSENT}, "lacks what its message says: description and reason."),
        ({"annotations": {"description": "It is bad."}}, "lacks what its message says: reason."),
        ({"annotations": {"description": "", "reason": "x"}}, "lacks what its message says: description."),
    ],
)
def test_an_alert_is_in_time_and_can_be_told(changed, sentence):
    made = alert("cpu", "avg(cpu_usage_active) > 80", **changed)
    assert said(cpu=made) == ([(f"Alert cpu {sentence}", "rules")] if sentence else [])


def test_an_alert_has_a_name_and_an_expression():
    assert said(extra=alert(ABSENT, "up == 0")) == [
        ("Alert without a name is called nothing, so AMP refuses the file.", "rules")
    ]
    assert said(extra=alert("bare", ABSENT)) == [("Alert bare has no expression, so AMP refuses the file.", "rules")]


def test_recorded_values_are_no_alerts():
    assert said(extra={"record": "cpu:mean", "expr": "avg(cpu_usage_active)"}) == []


@pytest.mark.parametrize("data", ["groups: [", "{}", '{"groups": []}'])
def test_a_file_without_alerts_is_for_another_rule(data):
    assert said(data=data) == []


def test_own_alerts_of_the_program_are_fit_to_be_told():
    found = said(data=rendered.rules_file(rendered.own_rules(str)))
    assert [sentence for sentence, name in found if name == "rules"] == []


@pytest.mark.parametrize(
    "change",
    [
        ("rules", ("data",), UNKNOWN),
        ("manager", ("definition",), UNKNOWN),
        ("twin", ("threshold",), UNKNOWN),
    ],
)
def test_an_unknown_part_is_not_judged(change):
    assert not_evaluated(ALERTS, *declared(system(file()), change))[0] == []
