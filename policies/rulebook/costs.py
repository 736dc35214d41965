"""Rules on what tells of costs: a budget that warns in time, and an anomaly monitor that somebody hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_true_of_any, number, show

BUDGET = "aws:budgets/budget:Budget"
SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"

#: AWS takes these ways of telling how far an anomaly goes beyond what was expected.
_ABSOLUTE, _PERCENTAGE = "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "ANOMALY_TOTAL_IMPACT_PERCENTAGE"


@dataclass(frozen=True, slots=True)
class _Warning:
    """A message that a budget must send: of what, and at which percentage of the limit. ``told`` is it in words."""

    kind: str
    least: float
    most: float
    told: str


#: One comes early enough to act, one when the limit is reached, one before it will be. Below, every month would ring.
_WARNINGS = (
    _Warning("ACTUAL", 50, 90, "that most of it is spent (50 to 90 %)"),
    _Warning("ACTUAL", 95, 100, "that it is spent (95 to 100 %)"),
    _Warning("FORECASTED", 80, 100, "that it will not last (a forecast of 80 to 100 %)"),
)


def _warns(budget: Resource, _: Context) -> Iterator[str]:
    if not _is_of_costs(budget):
        return
    notices = range(len(budget.items("notifications")))
    for warning in _WARNINGS:
        if not is_true_of_any(notices, partial(_is, budget, wanted=warning)):
            yield f"The budget tells nobody {warning.told}."


def _is_of_costs(budget: Resource) -> bool:
    return bool(budget.section("budgetType") == "COST")


def _is(budget: Resource, index: int, wanted: _Warning) -> bool:
    """Whether a notification is the wanted one, and somebody gets it."""
    notice = ("notifications", index)
    if (
        budget.section(*notice, "notificationType") != wanted.kind
        or budget.section(*notice, "comparisonOperator") != "GREATER_THAN"
    ):
        return False
    percent = _percent(budget, index)
    told = budget.items(*notice, "subscriberSnsTopicArns") or budget.items(*notice, "subscriberEmailAddresses")
    return percent is not None and wanted.least <= percent <= wanted.most and bool(told)


def _percent(budget: Resource, index: int) -> float | None:
    """A notification's threshold as a percentage of the limit; None where that cannot be told."""
    threshold = number(budget.section("notifications", index, "threshold"))
    if threshold is None or budget.section("notifications", index, "thresholdType") == "PERCENTAGE":
        return threshold
    limit = number(budget.section("limitAmount"))
    return 100 * threshold / limit if limit else None


def _anomalies(stack: Stack) -> Iterator[Fault]:
    limits = [number(budget.section("limitAmount")) for budget in stack.of(BUDGET) if _is_of_costs(budget)]
    limit = max(filter(None, limits), default=None)

    def judge(subscription: Resource) -> Iterator[Fault]:
        yield from (Fault(sentence, subscription.urn) for sentence in _subscription_faults(subscription))
        if limit is None:
            return
        serious, small = limit / 10, limit / 100
        for impact, rings, what in (
            (_impact(serious, 100), True, f"does not tell when costs double and {show(serious)} USD more are spent"),
            (_impact(small, 100), False, f"tells of every {show(small)} USD"),
            (_impact(limit, 1), False, "tells of every hundredth that costs rise by"),
        ):
            if _rings(subscription, impact, "thresholdExpression") is not rings:
                yield Fault(f"The subscription to anomalies {what}.", subscription.urn)

    return each(stack.of(SUBSCRIPTION), judge)


def _subscription_faults(subscription: Resource) -> Iterator[str]:
    subscribers = range(len(subscription.items("subscribers")))
    if not subscribers:
        yield "The subscription to anomalies has no subscriber."
    frequency = subscription.section("frequency")
    for index in subscribers:
        kind = subscription.section("subscribers", index, "type")
        if (kind == "SNS") != (frequency == "IMMEDIATE"):
            yield f"AWS tells {show(kind)} of anomalies {'at once' if kind == 'SNS' else 'daily or weekly'} only; " + (
                f"the frequency is {show(frequency)}."
            )


def _impact(dollars: float, percent: float) -> Mapping[str, float]:
    return {_ABSOLUTE: dollars, _PERCENTAGE: percent}


def _rings(subscription: Resource, impact: Mapping[str, float], *path: str | int) -> bool | None:
    """Whether an expression holds for an anomaly of ``impact``; None where AWS would refuse it."""
    for key, combine in (("ands", all), ("ors", any)):
        count = len(subscription.items(*path, key))
        if count:
            parts = [_rings(subscription, impact, *path, key, index) for index in range(count)]
            return None if None in parts else combine(bool(part) for part in parts)
    if subscription.section(*path, "not"):
        inner = _rings(subscription, impact, *path, "not")
        return None if inner is None else not inner
    dimension = (*path, "dimension")
    value = impact.get(str(subscription.section(*dimension, "key")))
    limit = number(subscription.section(*dimension, "values", 0))
    if (
        value is None
        or limit is None
        or list(subscription.items(*dimension, "matchOptions")) != ["GREATER_THAN_OR_EQUAL"]
    ):
        return None
    return value >= limit


BUDGET_WARNS = ResourceRule(
    id="cost-budget-warns",
    sentence="004_5ca73e3508d74ec8.txt Cost Review: Get cost and usage for past week",
    title="A budget of costs tells somebody early, when it is spent, and when a forecast says that it will be.",
    why="The bill comes weeks after the mistake, or the intruder, that made it.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SI-4", "NIST SA-2"),
    remedy="Give aws.budgets.Budget notifications ACTUAL at 80 and at 100 % and FORECASTED at 100 %, GREATER_THAN, "
    "each with a topic.",
    types=frozenset({BUDGET}),
    check=_warns,
)

ANOMALIES_TOLD = StackRule(
    id="cost-anomalies-told",
    sentence="004_5ca73e3508d74ec8.txt Daily Checklist: Review cost dashboard for anomalies",
    title="Somebody hears of an anomaly that costs a tenth of the budget, and of no trifle.",
    why="What costs twice as much as yesterday is a mistake or somebody else's work.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SI-4",),
    remedy="Set threshold_expression to an `and` of an absolute impact between a hundredth and a tenth of the budget "
    "and of a percentage between 2 and 100; topics take the frequency IMMEDIATE.",
    types=frozenset({SUBSCRIPTION, BUDGET}),
    check=_anomalies,
)

RULES: tuple[Rule, ...] = (BUDGET_WARNS, ANOMALIES_TOLD)
