"""The rules on what tells of costs."""

import pytest

from policies.rulebook.costs import ANOMALIES_TOLD, BUDGET, BUDGET_WARNS, RULES, SUBSCRIPTION
from tests.policies.bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults
from tests.policies.declared import declared

TOPIC = "arn:aws:sns:eu-west-1:123456789012:low"


def notice(kind, threshold, **changes):
    return {
        "notificationType": kind,
        "threshold": threshold,
        "thresholdType": "PERCENTAGE",
        "comparisonOperator": "GREATER_THAN",
        "subscriberSnsTopicArns": [TOPIC],
        **changes,
    }


BAG = {
    "budgetType": "COST",
    "limitAmount": "1500.0",
    "notifications": [notice("ACTUAL", 80), notice("ACTUAL", 100), notice("FORECASTED", 100)],
}
EARLY = "The budget tells nobody that most of it is spent (50 to 90 %)."
SPENT = "The budget tells nobody that it is spent (95 to 100 %)."
FORECAST = "The budget tells nobody that it will not last (a forecast of 80 to 100 %)."


def said(*path, to):
    return faults(BUDGET_WARNS, resource(BUDGET, "costs", altered(BAG, *path, to=to)))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["cost-budget-warns", "cost-anomalies-told"]


@pytest.mark.parametrize(
    ("path", "value", "sentences"),
    [
        (("budgetType",), "COST", []),
        (("budgetType",), "USAGE", []),
        (("notifications", 0, "threshold"), 50, []),
        (("notifications", 0, "threshold"), 49, [EARLY]),
        (("notifications", 0, "threshold"), 91, [EARLY]),
        (("notifications", 1, "threshold"), 1000, [SPENT]),
        (("notifications", 1, "notificationType"), "FORECASTED", [SPENT]),
        (("notifications", 2, "threshold"), 50, [FORECAST]),
        (("notifications", 2, "comparisonOperator"), "LESS_THAN", [FORECAST]),
        (("notifications", 2, "comparisonOperator"), ABSENT, [FORECAST]),
        (("notifications", 0, "subscriberSnsTopicArns"), [], [EARLY]),
        (("notifications", 0, "subscriberSnsTopicArns"), ABSENT, [EARLY]),
        (("notifications", 0), notice("ACTUAL", 80, subscriberSnsTopicArns=[], subscriberEmailAddresses=["a@b"]), []),
        (("notifications", 0), notice("ACTUAL", 1200, thresholdType="ABSOLUTE_VALUE"), []),
        (("notifications", 0), notice("ACTUAL", 1500, thresholdType="ABSOLUTE_VALUE"), [EARLY]),
        (("notifications", 0, "threshold"), "odd", [EARLY]),
        (("notifications",), [], [EARLY, SPENT, FORECAST]),
        (("notifications",), ABSENT, [EARLY, SPENT, FORECAST]),
    ],
)
def test_a_budget_warns_early_at_its_limit_and_by_forecast(path, value, sentences):
    assert said(*path, to=value) == sentences


def test_an_absolute_threshold_without_a_limit_says_nothing():
    absolute = altered(BAG, "notifications", 0, to=notice("ACTUAL", 80, thresholdType="ABSOLUTE_VALUE"))
    assert faults(BUDGET_WARNS, resource(BUDGET, "costs", altered(absolute, limitAmount=ABSENT))) == [EARLY]


def test_an_unknown_threshold_of_a_budget_is_not_judged():
    bag = altered(BAG, "notifications", 0, "threshold", to=UNKNOWN)
    assert not_evaluated(BUDGET_WARNS, resource(BUDGET, "costs", bag))[0] == []


def dimension(kind, value, **changes):
    key = f"ANOMALY_TOTAL_IMPACT_{kind}"
    return {"dimension": {"key": key, "matchOptions": ["GREATER_THAN_OR_EQUAL"], "values": [value], **changes}}


ABSOLUTE, PERCENTAGE = dimension("ABSOLUTE", "20"), dimension("PERCENTAGE", "40")
COSTS = {
    "budget": (BUDGET, BAG),
    "anomalies": (
        SUBSCRIPTION,
        {
            "frequency": "IMMEDIATE",
            "subscribers": [{"type": "SNS", "address": TOPIC}],
            "thresholdExpression": {"ands": [ABSOLUTE, PERCENTAGE]},
        },
    ),
}
DEAF = "The subscription to anomalies does not tell when costs double and 150 USD more are spent."
TRIFLES = "The subscription to anomalies tells of every 15 USD."
HUNDREDTHS = "The subscription to anomalies tells of every hundredth that costs rise by."
REFUSED = [DEAF, TRIFLES, HUNDREDTHS]


@pytest.mark.parametrize(
    ("expression", "sentences"),
    [
        ({"ands": [ABSOLUTE, PERCENTAGE]}, []),
        ({"ands": [dimension("ABSOLUTE", "150"), PERCENTAGE]}, []),
        ({"ands": [dimension("ABSOLUTE", "151"), PERCENTAGE]}, [DEAF]),
        ({"ands": [ABSOLUTE, dimension("PERCENTAGE", "101")]}, [DEAF]),
        ({"ands": [dimension("ABSOLUTE", "15"), PERCENTAGE]}, [TRIFLES]),
        ({"ands": [ABSOLUTE]}, [HUNDREDTHS]),
        ({"ands": [PERCENTAGE]}, [TRIFLES]),
        (ABSOLUTE, [HUNDREDTHS]),
        ({"ors": [ABSOLUTE, PERCENTAGE]}, [TRIFLES, HUNDREDTHS]),
        ({"not": {"ands": [ABSOLUTE, PERCENTAGE]}}, REFUSED),
        ({"not": {"dimension": {}}}, REFUSED),
        ({"ands": [dimension("ABSOLUTE", "20", matchOptions=["EQUALS"]), PERCENTAGE]}, REFUSED),
        ({"ands": [dimension("ABSOLUTE", "20", values=[]), PERCENTAGE]}, REFUSED),
        ({"ands": [dimension("ABSOLUTE", "20", key="SERVICE"), PERCENTAGE]}, REFUSED),
        ({"ands": []}, REFUSED),
        (ABSENT, REFUSED),
    ],
)
def test_an_anomaly_of_a_tenth_of_the_budget_is_told_and_no_trifle(expression, sentences):
    resources = declared(COSTS, ("anomalies", ("thresholdExpression",), expression))
    assert stack_faults(ANOMALIES_TOLD, *resources) == [(sentence, "anomalies") for sentence in sentences]


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("subscribers",), [], "The subscription to anomalies has no subscriber."),
        (("frequency",), "DAILY", "AWS tells SNS of anomalies at once only; the frequency is DAILY."),
        (
            ("subscribers", 0, "type"),
            "EMAIL",
            "AWS tells EMAIL of anomalies daily or weekly only; the frequency is IMMEDIATE.",
        ),
    ],
)
def test_somebody_is_told_of_anomalies_in_a_way_that_aws_knows(path, value, sentence):
    assert stack_faults(ANOMALIES_TOLD, *declared(COSTS, ("anomalies", path, value))) == [(sentence, "anomalies")]


def test_without_a_budget_of_costs_nobody_can_say_what_a_trifle_is():
    assert stack_faults(ANOMALIES_TOLD, *declared(COSTS, without=["budget"])) == []
    assert stack_faults(ANOMALIES_TOLD, *declared(COSTS, ("budget", ("budgetType",), "USAGE"))) == []


@pytest.mark.parametrize(
    "change",
    [
        ("budget", ("limitAmount",), UNKNOWN),
        ("anomalies", ("thresholdExpression",), UNKNOWN),
        ("anomalies", ("frequency",), UNKNOWN),
    ],
)
def test_an_unknown_part_of_anomalies_is_not_judged(change):
    assert not_evaluated(ANOMALIES_TOLD, *declared(COSTS, change))[0] == []
