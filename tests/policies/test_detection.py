"""The rules on how what looks for intruders is set."""

import pytest

from policies.rulebook.detection import GROWS, INSIGHTS, PROMPT, RULES
from policies.rulebook.monitoring import DETECTOR, HUB
from policies.rulebook.trail import TRAIL
from tests.policies.bags import UNKNOWN, faults, not_evaluated, resource


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["detect-findings-prompt", "detect-new-controls", "trail-insights"]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"findingPublishingFrequency": "FIFTEEN_MINUTES"}, None),
        ({"findingPublishingFrequency": "ONE_HOUR"}, None),
        ({"findingPublishingFrequency": "SIX_HOURS"}, "SIX_HOURS"),
        ({}, "SIX_HOURS (unset)"),
    ],
)
def test_guardduty_tells_within_the_hour(given, known):
    sentence = f"GuardDuty tells of findings that go on by {known}; FIFTEEN_MINUTES and ONE_HOUR are prompt."
    assert faults(PROMPT, resource(DETECTOR, "it", given)) == ([sentence] if known else [])


@pytest.mark.parametrize(
    ("given", "breaks"), [({"autoEnableControls": True}, 0), ({}, 0), ({"autoEnableControls": False}, 1)]
)
def test_security_hub_takes_up_new_controls(given, breaks):
    sentence = "Security Hub does not take up the controls that AWS adds to its standards: autoEnableControls is false."
    assert faults(GROWS, resource(HUB, "it", given)) == [sentence] * breaks


CALLS, ERRORS = {"insightType": "ApiCallRateInsight"}, {"insightType": "ApiErrorRateInsight"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"insightSelectors": [CALLS, ERRORS]}, None),
        ({"insightSelectors": [CALLS]}, "ApiErrorRateInsight"),
        ({"insightSelectors": []}, "ApiCallRateInsight and ApiErrorRateInsight"),
        ({}, "ApiCallRateInsight and ApiErrorRateInsight"),
    ],
)
def test_the_trail_looks_for_unusual_rates(given, missing):
    sentence = f"The trail does not look for unusual activity by {missing}."
    assert faults(INSIGHTS, resource(TRAIL, "it", given)) == ([sentence] if missing else [])


@pytest.mark.parametrize(
    ("rule", "token", "prop"),
    [
        (PROMPT, DETECTOR, "findingPublishingFrequency"),
        (GROWS, HUB, "autoEnableControls"),
        (INSIGHTS, TRAIL, "insightSelectors"),
    ],
)
def test_an_unknown_value_is_not_judged(rule, token, prop):
    assert not_evaluated(rule, resource(token, "it", {prop: UNKNOWN}))[0] == []
