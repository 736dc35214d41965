"""Rules for alarms, dashboards and detection; ``RULES`` holds those of the trail and of the CIS controls as well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from . import cis_monitoring, threshold_matrix, trail, trail_alarms
from .alarms import ALARM
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule
from .threshold_matrix import BALANCERS, DATABASE, GROUP, SERVICE
from .values import is_false, is_true_of_any, listed

BACKUP_PLAN = "aws:backup/plan:Plan"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
DETECTOR = "aws:guardduty/detector:Detector"
ANALYZER = "aws:accessanalyzer/analyzer:Analyzer"
HUB = "aws:securityhub/account:Account"


def _acts(alarm: Resource, _: Context) -> Iterator[str]:
    if is_false(alarm.props.get("actionsEnabled")):
        yield "The alarm's actions are switched off."
    if not alarm.items("alarmActions"):
        yield "The alarm has no action, so nobody hears it."


#: What a dashboard shows of each kind of resource: name -> types and the namespaces of their metrics.
_SHOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "the servers": ((GROUP,), ("AWS/EC2", "AWS/AutoScaling", "CWAgent")),
    "the containers": ((SERVICE,), ("AWS/ECS", "ECS/ContainerInsights")),
    "the load balancer": (BALANCERS, ("AWS/ApplicationELB",)),
    "the database": ((DATABASE,), ("AWS/RDS",)),
    "the backups": ((BACKUP_PLAN,), ("AWS/Backup",)),
}


def _dashboard(stack: Stack) -> Iterator[Fault]:
    wanted = {name: spaces for name, (types, spaces) in _SHOWN.items() if any(True for _ in stack.of(*types))}
    if not wanted:
        return
    dashboards = tuple(stack.of(DASHBOARD))
    if not dashboards:
        yield Fault(f"The stack has no dashboard; one that shows {listed(wanted)} is expected.")
        return
    gaps = [(_not_shown(dashboard, wanted), dashboard) for dashboard in dashboards]
    missing, fullest = min(gaps, key=lambda gap: len(gap[0]))
    if missing:
        yield Fault(f"The dashboard does not show {listed(missing)}.", fullest.urn)


def _not_shown(dashboard: Resource, wanted: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        body = json.loads(str(dashboard.props.get("dashboardBody")))
    except ValueError:
        body = None
    texts = tuple(_texts(body))
    return [name for name, spaces in wanted.items() if not any(space in text for space in spaces for text in texts)]


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value; metric searches hold namespaces inside longer ones."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, dict):
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)


_WATCHMEN = ((DETECTOR, "GuardDuty detector"), (ANALYZER, "access analyzer"), (HUB, "Security Hub"))

#: Analyzers that look for what outsiders may reach; others look for unused permissions.
_OUTSIDE = (None, "ACCOUNT", "ORGANIZATION")


def _detection(stack: Stack) -> Iterator[Fault]:
    for region in stack.context.regions or (None,):
        for token, what in _WATCHMEN:
            if not is_true_of_any(stack.of(token), partial(_looks_into, region, stack.context.regions)):
                yield Fault(f"There is no {what}{f' in {region}' if region else ''}.")


def _looks_into(region: str | None, regions: Sequence[str], watchman: Resource) -> bool:
    """Whether a detector, analyzer or hub works in ``region`` (None: anywhere); unset, its region is the first one."""
    if watchman.type == ANALYZER and watchman.props.get("type") not in _OUTSIDE:
        return False
    if watchman.type == DETECTOR and is_false(watchman.props.get("enable")):
        return False
    return region is None or (watchman.props.get("region") or regions[0]) == region


ALARM_ACTS = ResourceRule(
    id="mon-alarm-acts",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems",
    title="Each alarm has an action, and its actions are on.",
    why="An alarm that tells nobody is a light in an empty room.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP CloudWatch.15", "FSBP CloudWatch.17", "NIST AU-6"),
    remedy="Name the topic of its severity in alarm_actions.",
    types=frozenset({ALARM}),
    check=_acts,
)

SHOWN = StackRule(
    id="mon-dashboard",
    sentence="004_5ca73e3508d74ec8.txt Daily Checklist: Review CloudWatch dashboard for overnight alerts",
    title="One dashboard shows servers, load balancer, database and backups.",
    why="Whoever is woken needs one place to look at.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.cloudwatch.Dashboard with widgets of each service's namespace.",
    types=frozenset({DASHBOARD, GROUP, SERVICE, DATABASE, BACKUP_PLAN, *BALANCERS}),
    check=_dashboard,
)

DETECTION = StackRule(
    id="detect-guardduty-analyzer",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check for exposed resources",
    title="GuardDuty, Access Analyzer and Security Hub look into every region that is used.",
    why="Filters find what somebody thought of; these find more.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("CIS 5.0 1.19", "CIS 5.0 4.16", "CIS 7.0 5.16", "FSBP GuardDuty.1"),
    remedy="Declare them in each region, or waive the rule where the organisation does it.",
    types=frozenset({DETECTOR, ANALYZER, HUB}),
    check=_detection,
)

RULES: tuple[Rule, ...] = (
    *trail.RULES,
    *cis_monitoring.RULES,
    *trail_alarms.RULES,
    ALARM_ACTS,
    *threshold_matrix.RULES,
    SHOWN,
    DETECTION,
)
