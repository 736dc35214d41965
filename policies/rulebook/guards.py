"""Rules on what keeps the account's owner from surprises: its costs, its changes, services that come to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule
from .values import is_true_of_any

BUDGET = "aws:budgets/budget:Budget"
MONITOR = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"
DOCUMENT = "aws:ssm/document:Document"


def _cost_guards(stack: Stack) -> Iterator[Fault]:
    budgets = tuple(stack.of(BUDGET))
    if not budgets:
        yield Fault("The stack has no budget, so the bill is the first to tell what was spent.")
    for budget in budgets:
        if not is_true_of_any(range(len(budget.items("notifications"))), partial(_tells, budget)):
            yield Fault("Nobody is told before or when the budget is spent.", budget.urn)
    subscriptions = tuple(stack.of(SUBSCRIPTION))
    if not subscriptions:
        yield Fault("The stack has no subscription to cost anomalies, so a surprise grows until the month's end.")
    for subscription in subscriptions:
        if not subscription.items("subscribers") or not subscription.items("monitorArnLists"):
            yield Fault("The subscription to cost anomalies has no subscriber or no monitor.", subscription.urn)


def _tells(budget: Resource, at: int) -> bool:
    """Whether a notification of a budget rises with what is spent and reaches somebody."""
    if budget.section("notifications", at, "comparisonOperator") != "GREATER_THAN":
        return False
    readers = ("subscriberSnsTopicArns", "subscriberEmailAddresses")
    return any(budget.section("notifications", at, reader) for reader in readers)


def _change_calendar(stack: Stack) -> Iterator[Fault]:
    calendars = [one for one in stack.of(DOCUMENT) if one.props.get("documentType") == "ChangeCalendar"]
    if not calendars:
        yield Fault("The stack has no change calendar, so no operation can know when not to change anything.")
    for calendar in calendars:
        if "X-CALENDAR-TYPE:DEFAULT_" not in str(calendar.props.get("content")):
            yield Fault("The calendar does not say whether it is open or closed outside its events.", calendar.urn)


#: Services that take no new customers or come to an end -> what to use in their place.
_CLOSED: Mapping[str, str] = {
    "aws:auditmanager/assessment:Assessment": "dated records in a bucket with object lock",
    "aws:evidently/project:Project": "AppConfig",
    "aws:glacier/vault:Vault": "S3 with the storage classes GLACIER and DEEP_ARCHIVE",
    "aws:ssmincidents/responsePlan:ResponsePlan": "the escalation's state machine",
}


def _closed(resource: Resource, _: Context) -> Iterator[str]:
    yield f"The service is closed to new customers or comes to an end; use {_CLOSED[resource.type]}."


COST_GUARDS = StackRule(
    id="gov-cost-guards",
    sentence="004_5ca73e3508d74ec8.txt Daily Checklist: Review cost dashboard for anomalies",
    title="A budget and a subscription to cost anomalies tell somebody.",
    why="A forgotten instance or a stolen key costs for weeks before the invoice comes.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("NIST PM-3",),
    remedy="Declare components.costs.CostGuards.",
    types=frozenset({BUDGET, MONITOR, SUBSCRIPTION}),
    check=_cost_guards,
)

CHANGE_CALENDAR = StackRule(
    id="gov-change-calendar",
    sentence="003_720b7a256857bf84.txt Scheduled Maintenance: Check the lab calendar before switch",
    title="A change calendar says when nothing may be changed.",
    why="A switch in the middle of an exam is an outage, however well it goes.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CM-3",),
    remedy="Declare components.change_calendar.ChangeCalendar; its times are settings.changes.",
    types=frozenset({DOCUMENT}),
    check=_change_calendar,
)

CLOSED_SERVICES = ResourceRule(
    id="gov-closed-services",
    sentence="001_62c8c82a6a764433.txt §2: AWS Glacier; 002_3d1abe7e242e6afd.txt §4.1: Feature flag management",
    title="No service is used that is closed to new customers or comes to an end.",
    why="What runs on it has to be moved in a hurry, and a new account cannot have it at all.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("NIST SA-22",),
    remedy="Use what the sentence names.",
    types=frozenset(_CLOSED),
    check=_closed,
)

RULES: tuple[Rule, ...] = (COST_GUARDS, CHANGE_CALENDAR, CLOSED_SERVICES)
