"""A rule on the alerts of Prometheus: there for every key metric, at its limit, in time, and fit to be told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import alarms
from .alarms import ALARM
from .coverage import ALERT_MANAGER, PROMETHEUS_RULES, WORKSPACE
from .links import sources
from .prometheus import as_yaml, mappings, section
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import listed, number, show

#: Seconds that a condition may hold before its alert fires, by severity: a fraction of the time to respond in.
_PATIENCE = {"critical": 300, "high": 900, "medium": 3600, "low": 86400}

_COMPARED = re.compile(r"(?P<value>.+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<limit>-?\d+(\.\d+)?)\s*", re.DOTALL)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the run book's table: ``metric`` beyond ``limit``, above it or below it, in words ``told``."""

    metric: str
    above: bool
    limit: float
    told: str


#: ``004_… Key Metrics to Monitor``, ``Critical Incident Response`` and ``Certificate Management``, as what the servers'
#: agent and the probe of the site measure.
_ROWS = (
    _Row("cpu_usage_active", True, 80, "the servers' CPU is above 80 %"),
    _Row("mem_used_percent", True, 85, "the servers' memory is above 85 %"),
    _Row("disk_used_percent", True, 80, "a disk is above 80 %"),
    _Row("probe_duration_seconds", True, 2, "the site takes more than 2 seconds"),
    _Row("probe_success", True, 5, "more than 5 % of probes fail"),
    _Row("probe_success", False, 1, "no probe succeeds"),
    _Row("probe_ssl_earliest_cert_expiry", False, 30, "the certificate ends within 30 days"),
)

#: What tells that nothing is measured any more: one metric of each sender.
_SENDERS = {"mem_used_percent": "the servers", "probe_success": "the probe"}


@dataclass(frozen=True, slots=True)
class _Alert:
    """One alerting rule as it is written. ``sign`` is empty where its expression compares with no number."""

    name: str
    value: str
    sign: str
    limit: float
    rule: Mapping[str, Any]

    @property
    def is_absence(self) -> bool:
        return "absent(" in self.value

    def tells(self, row: _Row) -> bool:
        """Whether it fires at the row's limit or before it."""
        if row.metric not in self.value or self.is_absence or not self.sign:
            return False
        if self.sign.startswith(">") is not row.above:
            return False
        return self.limit <= row.limit if row.above else self.limit >= row.limit


def _alerting(stack: Stack) -> Iterator[Fault]:
    def complete(workspace: Resource) -> Iterator[Fault]:
        groups = sources(stack, workspace, "workspaceId", PROMETHEUS_RULES)
        found = [alert for group in groups for alert in _alerts(group)]
        # `mon-prometheus-whole` tells of a workspace without any.
        missing = [row.told for row in _ROWS if found and not any(alert.tells(row) for alert in found)]
        missing += [
            f"{who} send nothing" if who.endswith("s") else f"{who} sends nothing"
            for metric, who in _SENDERS.items()
            if found and not any(alert.is_absence and metric in alert.value for alert in found)
        ]
        yield from (Fault(f"No alert of Prometheus fires when {told}.", workspace.urn) for told in missing)

    def fit(group: Resource) -> Iterator[Fault]:
        annotations = stack.shared(_annotations)
        for alert in _alerts(group):
            for sentence in (*_alert_faults(alert, annotations), *_laxer(stack, alert)):
                yield Fault(f"Alert {alert.name or 'without a name'} {sentence}", group.urn)

    yield from through((each(stack.of(WORKSPACE), complete), each(stack.of(PROMETHEUS_RULES), fit)), iter)


def _alerts(group: Resource) -> Iterator[_Alert]:
    """The alerting rules of a file, also those that cannot fire; what cannot be read has none."""
    for part in mappings(as_yaml(group.section("data")).get("groups")):
        for rule in mappings(part.get("rules")):
            if "record" in rule:
                continue
            match = _COMPARED.fullmatch(str(rule.get("expr") or ""))
            yield _Alert(
                name=str(rule.get("alert") or ""),
                value=match["value"] if match else str(rule.get("expr") or ""),
                sign=match["sign"] if match else "",
                limit=float(match["limit"]) if match else 0,
                rule=rule,
            )


def _alert_faults(alert: _Alert, annotations: tuple[str, ...]) -> Iterator[str]:
    if not alert.name:
        yield "is called nothing, so AMP refuses the file."
    if not alert.rule.get("expr"):
        yield "has no expression, so AMP refuses the file."
    severity = section(alert.rule, "labels", "severity")
    if severity not in _PATIENCE:
        yield f"has the severity {show(severity)}; {listed(_PATIENCE)} are told."
    elif (waits := _seconds(alert.rule.get("for"))) is None or waits > _PATIENCE[severity]:
        yield f"waits {show(alert.rule.get('for'))} before it fires; {severity} allows {_PATIENCE[severity] // 60}m."
    if missing := [key for key in annotations if not section(alert.rule, "annotations", key)]:
        yield f"lacks what its message says: {listed(missing)}."


def _annotations(stack: Stack) -> tuple[str, ...]:
    """The annotations that a message is made of: a description, and what the templates of alert managers name."""
    found = {"description": None}
    for manager in stack.of(ALERT_MANAGER):
        found |= dict.fromkeys(re.findall(r"\.Annotations\.(\w+)", str(manager.section("definition"))))
    return tuple(found)


def _seconds(duration: Any) -> float | None:
    """Seconds of ``5m`` or ``1h30m``; unset is none at all. None for what is no duration."""
    written = str(duration or "0s")
    parts = _DURATION.findall(written)
    if "".join(count + unit for count, unit in parts) != written:
        return None
    return sum(float(count) * _SECONDS[unit] for count, unit in parts)


def _laxer(stack: Stack, alert: _Alert) -> Iterator[str]:
    """Where CloudWatch's alarm of the same name rings earlier: the two would tell different stories."""
    for twin in stack.shared(_twins).get(alert.name, ()):
        limit = number(twin.props.get("threshold"))
        sign = _SIGNS.get(str(twin.props.get("comparisonOperator")))
        if limit is None or sign is None or not alert.sign or alert.sign[0] != sign:
            continue
        if alert.limit > limit if sign == ">" else alert.limit < limit:
            yield f"fires at {alert.sign} {show(alert.limit)}; the alarm of the same name rings at {show(limit)}."


_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<",
}


def _twins(stack: Stack) -> Mapping[str, tuple[Resource, ...]]:
    """Name -> the alarms that it is the name of."""
    found: dict[str, tuple[Resource, ...]] = {}
    for alarm in stack.of(ALARM):
        name = alarm.props.get("name")
        if isinstance(name, str) and alarms.acts(alarm):
            found[name] = (*found.get(name, ()), alarm)
    return found


ALERTS = StackRule(
    id="mon-prometheus-alerts",
    sentence="001_62c8c82a6a764433.txt §1: Prometheus: For collecting and storing metrics.",
    title="Prometheus alerts of every key metric at the run book's limit, in time, with a severity and a message.",
    why="Prometheus is there for when CloudWatch is not; an alert that is late or says nothing does not replace it.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Write for each line of the run book's table an alert with expr `… > limit`, `for` of minutes, the label "
    "severity, and the annotations that the alert manager's template names.",
    types=frozenset({WORKSPACE, PROMETHEUS_RULES, ALERT_MANAGER, ALARM}),
    check=_alerting,
)

RULES: tuple[Rule, ...] = (ALERTS,)
