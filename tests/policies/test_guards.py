"""The rules on costs, on the change calendar and on services that come to an end."""

from __future__ import annotations

import pytest

from policies.rulebook import guards
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults

RULES = {rule.id: rule for rule in guards.RULES}
BUDGET, SUBSCRIPTION, DOCUMENT = guards.BUDGET, guards.SUBSCRIPTION, guards.DOCUMENT

BUDGET_BAG = {
    "budgetType": "COST",
    "notifications": [
        {
            "comparisonOperator": "GREATER_THAN",
            "notificationType": "ACTUAL",
            "threshold": 80,
            "thresholdType": "PERCENTAGE",
            "subscriberSnsTopicArns": ["arn:aws:sns:eu-west-1:210987654321:low"],
        }
    ],
}
SUBSCRIPTION_BAG = {
    "frequency": "IMMEDIATE",
    "monitorArnLists": ["arn:aws:ce::210987654321:anomalymonitor/1"],
    "subscribers": [{"type": "SNS", "address": "arn:aws:sns:eu-west-1:210987654321:low"}],
}
CALENDAR_BAG = {"documentType": "ChangeCalendar", "content": "BEGIN:VCALENDAR\r\nX-CALENDAR-TYPE:DEFAULT_OPEN\r\n"}

NOBODY = "Nobody is told before or when the budget is spent."
NO_READER = "The subscription to cost anomalies has no subscriber or no monitor."


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in guards.RULES] == [
        ("gov-cost-guards", Severity.LOW, Level.MANDATORY),
        ("gov-change-calendar", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("gov-closed-services", Severity.MEDIUM, Level.ADVISORY),
    ]


def said(rule, *resources):
    return [sentence for sentence, _ in stack_faults(RULES[rule], *resources)]


def of_costs(budget=BUDGET_BAG, subscription=SUBSCRIPTION_BAG):
    return [resource(BUDGET, "b", budget), resource(SUBSCRIPTION, "s", subscription)]


def test_a_stack_without_guards_is_told_of_each():
    assert said("gov-cost-guards") == [
        "The stack has no budget, so the bill is the first to tell what was spent.",
        "The stack has no subscription to cost anomalies, so a surprise grows until the month's end.",
    ]


@pytest.mark.parametrize(
    ("budget", "sentences"),
    [
        (BUDGET_BAG, []),
        (altered(BUDGET_BAG, "notifications", 0, "subscriberSnsTopicArns", to=[]), [NOBODY]),
        (altered(BUDGET_BAG, "notifications", 0, "subscriberSnsTopicArns"), [NOBODY]),
        (altered(BUDGET_BAG, "notifications", 0, "comparisonOperator", to="LESS_THAN"), [NOBODY]),
        (altered(BUDGET_BAG, notifications=[]), [NOBODY]),
        (altered(BUDGET_BAG, notifications=ABSENT), [NOBODY]),
    ],
)
def test_somebody_hears_of_the_budget(budget, sentences):
    assert said("gov-cost-guards", *of_costs(budget=budget)) == sentences


@pytest.mark.parametrize("key", ["subscribers", "monitorArnLists"])
@pytest.mark.parametrize("value", [ABSENT, []])
def test_somebody_hears_of_anomalies(key, value):
    assert said("gov-cost-guards", *of_costs(subscription=altered(SUBSCRIPTION_BAG, **{key: value}))) == [NO_READER]


def test_a_budget_whose_notices_are_not_known_is_not_judged():
    assert not_evaluated(RULES["gov-cost-guards"], *of_costs(budget=altered(BUDGET_BAG, notifications=UNKNOWN)))


@pytest.mark.parametrize(
    ("calendar", "sentences"),
    [
        (CALENDAR_BAG, []),
        (
            altered(CALENDAR_BAG, documentType="Command"),
            ["The stack has no change calendar, so no operation can know when not to change anything."],
        ),
        (
            altered(CALENDAR_BAG, content="BEGIN:VCALENDAR\r\n"),
            ["The calendar does not say whether it is open or closed outside its events."],
        ),
        (
            altered(CALENDAR_BAG, content=ABSENT),
            ["The calendar does not say whether it is open or closed outside its events."],
        ),
    ],
)
def test_a_calendar_says_when_nothing_is_changed(calendar, sentences):
    assert said("gov-change-calendar", resource(DOCUMENT, "c", calendar)) == sentences


def test_a_calendar_whose_events_are_not_known_is_not_judged():
    assert not_evaluated(RULES["gov-change-calendar"], resource(DOCUMENT, "c", altered(CALENDAR_BAG, content=UNKNOWN)))


@pytest.mark.parametrize(
    ("token", "instead"),
    [
        ("aws:glacier/vault:Vault", "S3 with the storage classes GLACIER and DEEP_ARCHIVE"),
        ("aws:evidently/project:Project", "AppConfig"),
        ("aws:auditmanager/assessment:Assessment", "dated records in a bucket with object lock"),
        ("aws:ssmincidents/responsePlan:ResponsePlan", "the escalation's state machine"),
    ],
)
def test_a_service_without_a_future_is_named_with_what_to_use(token, instead):
    assert faults(RULES["gov-closed-services"], resource(token, "x", {})) == [
        f"The service is closed to new customers or comes to an end; use {instead}."
    ]
