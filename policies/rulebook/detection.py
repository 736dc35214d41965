"""Rules on how what looks for intruders is set: in time, whole, and no later than its maker adds to it."""

from __future__ import annotations

from collections.abc import Iterator

from .monitoring import DETECTOR, HUB
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity
from .trail import TRAIL
from .values import is_false, listed, show

#: How often GuardDuty tells of what goes on; unset, it is every six hours.
_PROMPT = ("FIFTEEN_MINUTES", "ONE_HOUR")

#: What CloudTrail compares with the days before.
_INSIGHTS = ("ApiCallRateInsight", "ApiErrorRateInsight")


def _prompt(detector: Resource, _: Context) -> Iterator[str]:
    frequency = detector.section("findingPublishingFrequency")
    if frequency not in _PROMPT:
        known = "SIX_HOURS (unset)" if frequency is None else show(frequency)
        yield f"GuardDuty tells of findings that go on by {known}; {listed(_PROMPT)} are prompt."


def _grows(hub: Resource, _: Context) -> Iterator[str]:
    if is_false(hub.section("autoEnableControls")):
        yield "Security Hub does not take up the controls that AWS adds to its standards: autoEnableControls is false."


def _insights(trail: Resource, _: Context) -> Iterator[str]:
    given = [trail.section("insightSelectors", at, "insightType") for at in range(len(trail.items("insightSelectors")))]
    if missing := [kind for kind in _INSIGHTS if kind not in given]:
        yield f"The trail does not look for unusual activity by {listed(missing)}."


PROMPT = ResourceRule(
    id="detect-findings-prompt",
    sentence="001_62c8c82a6a764433.txt §4: Check the audit logs for suspicious activity",
    title="GuardDuty tells of findings that go on within the hour.",
    why="Six hours are a night in which an intruder goes on and nothing rings again.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SI-4", "NIST IR-4"),
    remedy='Set finding_publishing_frequency="FIFTEEN_MINUTES".',
    types=frozenset({DETECTOR}),
    check=_prompt,
)

GROWS = ResourceRule(
    id="detect-new-controls",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check for exposed resources",
    title="Security Hub takes up new controls by itself.",
    why="A control for what was found out last month is of use only where it is on.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CA-7", "NIST RA-5"),
    remedy="Leave auto_enable_controls unset or True.",
    types=frozenset({HUB}),
    check=_grows,
)

INSIGHTS = ResourceRule(
    id="trail-insights",
    sentence="004_5ca73e3508d74ec8.txt Security Review: Review CloudTrail for unusual activity",
    title="The trail itself looks for unusual rates of calls and of errors.",
    why="A filter finds what somebody thought of; a thousand refused calls in a minute look like nothing else.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("NIST AU-6", "NIST SI-4"),
    remedy="Declare insight_selectors of ApiCallRateInsight and ApiErrorRateInsight.",
    types=frozenset({TRAIL}),
    check=_insights,
)

RULES: tuple[Rule, ...] = (PROMPT, GROWS, INSIGHTS)
