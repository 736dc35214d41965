"""The rules file and alert manager's configuration, as the texts that Amazon Managed Service for Prometheus takes.

Both are YAML; what is nested is written as JSON, which YAML includes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from settings.severity import SEVERITIES, Severity

from .plan import PrometheusRule
from .quiet import STOPPED

#: How often rules are evaluated: as often as CloudWatch looks at an alarm.
_INTERVAL_SECONDS = 60

_RUN_BOOK = "001_62c8c82a6a764433.txt §1"

#: A message that the escalation reads as it reads an alarm's own. Alerts of one name make one message, in which the
#: first that fires speaks for all; Go writes moments after the pattern of 2006.
_TEMPLATE = """\
{{ define "platform.alarm" }}"AlarmName": {{ printf "%q" .Labels.alertname }}, \
"AlarmDescription": {{ printf "%q" .Annotations.description }}, \
"NewStateReason": {{ printf "%q" .Annotations.reason }}{{ end }}
{{ define "platform.moment" }}{{ .UTC.Format "2006-01-02T15:04:05.000Z" }}{{ end }}
{{ define "sns.default.message" }}{ {{ if eq .Status "firing" }}{{ with index .Alerts.Firing 0 }}\
{{ template "platform.alarm" . }}, "NewStateValue": "ALARM", \
"StateChangeTime": "{{ template "platform.moment" .StartsAt }}"{{ end }}{{ else }}{{ with index .Alerts 0 }}\
{{ template "platform.alarm" . }}, "NewStateValue": "OK", \
"StateChangeTime": "{{ template "platform.moment" .EndsAt }}"{{ end }}{{ end }} }{{ end }}
{{ define "sns.default.subject" }}{{ if eq .Status "firing" }}ALARM{{ else }}OK{{ end }}: \
"{{ .GroupLabels.alertname }}" in Prometheus{{ end }}
"""


def own_rules(name: Callable[[str], str]) -> tuple[PrometheusRule, ...]:
    """Alerts on Prometheus itself: when nothing arrives, no other can ring. ``name``: key -> the alert's name."""
    return (
        PrometheusRule(
            key="prometheus-silent",
            alert=name("prometheus-silent"),
            severity="high",
            group="prometheus",
            value='absent(mem_used_percent{InstanceId!=""})',
            comparison=">",
            threshold=0,
            minutes=10,
            description=described(
                "No server has sent metrics to Prometheus for 10 minutes.",
                "No alert of Prometheus can ring; CloudWatch's alarms still do.",
                "Look at the agent's log on a server, /opt/aws/amazon-cloudwatch-agent/logs.",
            ),
        ),
        PrometheusRule(
            key="prometheus-unprobed",
            alert=name("prometheus-unprobed"),
            severity="medium",
            group="prometheus",
            value="absent(probe_success)",
            comparison=">",
            threshold=0,
            minutes=10,
            description=described(
                "Nobody has probed the site for 10 minutes.",
                "Prometheus does not know whether the site can be reached.",
                "Look at platform-probe.service on a server.",
            ),
        ),
    )


def described(summary: str, impact: str, first_action: str) -> str:
    """A description with the lines that the escalation reads."""
    return f"{summary}\nImpact: {impact}\nRun book: {_RUN_BOOK}\nFirst action: {first_action}"


def expression(rule: PrometheusRule) -> str:
    """The rule as PromQL; brackets, because ``or`` binds less than a comparison."""
    return f"({rule.value}) {rule.comparison} {_number(rule.threshold)}"


def rules_file(rules: Iterable[PrometheusRule]) -> str:
    """The rules file, a group for each ``group``.

    Raises ValueError for two rules of one key and for a threshold that is no number.
    """
    ordered = sorted(rules, key=lambda rule: (rule.group, rule.key))
    for key, count in Counter(rule.key for rule in ordered).items():
        if count > 1:
            raise ValueError(f"{count} Prometheus rules have the key {key!r}; each has its own.")
    groups = [
        {"name": group, "interval": f"{_INTERVAL_SECONDS}s", "rules": [_rule(rule) for rule in members]}
        for group, members in groupby(ordered, key=lambda rule: rule.group)
    ]
    return _json({"groups": groups}) + "\n"


def _rule(rule: PrometheusRule) -> dict[str, Any]:
    lasting = f" for {rule.minutes} min" if rule.minutes else ""
    return {
        "alert": rule.alert,
        "expr": expression(rule),
        "for": f"{rule.minutes}m",
        "labels": {"rule": rule.key, "severity": rule.severity},
        "annotations": {
            "description": rule.description,
            "reason": f"Prometheus: {expression(rule)}{lasting}.",
        },
    }


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"The threshold {value} is no number.")
    return str(int(value)) if value == int(value) else repr(float(value))


def alert_manager(
    *,
    topic_arns: Mapping[str, str],
    region: str,
    repeat_minutes: int,
    quiet: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Alert manager's definition: the topic of each severity, and a message for the alerts of each name.

    ``quiet``: time intervals in which nothing is told.

    An alert without a known severity goes where ``high`` goes: somebody has to hear of it. A clear is told within a
    minute, so that an escalation ends with it.
    """
    config: dict[str, Any] = {
        "templates": ["default_template"],
        "route": {
            "receiver": "high",
            "group_by": ["alertname"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": f"{repeat_minutes}m",
            "routes": [
                {
                    "matchers": [f'severity="{severity}"'],
                    "receiver": severity,
                    **({"mute_time_intervals": [STOPPED]} if quiet else {}),
                }
                for severity in SEVERITIES
            ],
        },
        "receivers": [_receiver(severity, topic_arns[severity], region) for severity in SEVERITIES],
    }
    if quiet:
        config["time_intervals"] = [{"name": STOPPED, "time_intervals": list(quiet)}]
    return (
        f"alertmanager_config: |\n{_indented(_json(config))}"
        f"template_files:\n  default_template: |\n{_indented(_TEMPLATE, by=4)}"
    )


def _receiver(severity: Severity, topic_arn: str, region: str) -> dict[str, Any]:
    return {
        "name": severity,
        "sns_configs": [
            {
                "topic_arn": topic_arn,
                "sigv4": {"region": region},
                "attributes": {"severity": severity},
                "send_resolved": True,
            }
        ],
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


def _indented(text: str, by: int = 2) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())
