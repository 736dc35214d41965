"""Rules for what no filter can tell: that the trail has fallen silent, and what must be seen within seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from . import alarms, cis_events, links, trail
from .alarms import ALARM
from .cis_monitoring import TOPIC
from .event_pattern import EventPatternError, passes, read
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import is_false, is_true_of_any

EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"

_ALL_CALLS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

#: What EventBridge hands an alert to; another bus only passes it on.
_RECEIVERS = (":sns:", ":states:", ":lambda:")


def _silence(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        if not is_true_of_any(stack.of(ALARM), partial(_hears_silence, stack, group)):
            yield Fault("No alarm rings when the trail's log group gets nothing any more.", group.urn)

    return each(trail.groups_of(stack), judge)


def _hears_silence(stack: Stack, group: Resource, alarm: Resource) -> bool:
    return (
        any((namespace, metric) == ("AWS/Logs", "IncomingLogEvents") for namespace, metric, _ in alarms.metrics(alarm))
        and alarms.watches(stack, alarm, group)
        and alarm.props.get("treatMissingData") == "breaching"
        and alarms.rings(alarm, {"IncomingLogEvents": 0.0}) is True
        and alarms.rings(alarm, {"IncomingLogEvents": 100.0}) is False
        and alarms.acts(alarm)
    )


@dataclass(frozen=True, slots=True)
class _Urgent:
    """What must be seen within seconds, in the home region and elsewhere.

    ``at_centre``: where the partition's global services put their events; ``in_regions``: in every region used.
    """

    title: str
    samples: tuple[cis_events.Sample, ...]
    at_centre: bool = False
    in_regions: bool = False

    def elsewhere(self, home: str | None, regions: Sequence[str]) -> tuple[str, ...]:
        """The regions beside ``home`` whose events must be handed on."""
        centre = _centre(home)
        found = [centre] if self.at_centre and centre else []
        return tuple(
            dict.fromkeys(region for region in (*found, *(regions if self.in_regions else ())) if region != home)
        )


def _samples(number_of_control: int, *names: str) -> tuple[cis_events.Sample, ...]:
    control = next(control for control in cis_events.CONTROLS if control.number == number_of_control)
    return tuple(sample for sample in control.evidence if not names or sample.name in names)


_URGENT = (
    _Urgent("a sign-in without a second factor", _samples(2), at_centre=True),
    _Urgent("use of the root user", _samples(3), at_centre=True, in_regions=True),
    _Urgent("a trail that is stopped or deleted", _samples(5, "StopLogging", "DeleteTrail", "UpdateTrail")),
    _Urgent("a customer key that is going to be deleted", _samples(7), in_regions=True),
)


def _in_seconds(stack: Stack) -> Iterator[Fault]:
    if not any(True for _ in stack.of(trail.TRAIL)):
        return
    regions = stack.context.regions
    home = regions[0] if regions else None
    near = _heard(stack, (None, home), lambda target: _is_heard(stack, target))
    heard = [*near]
    for urgent in _URGENT:
        yield from _missed(urgent, near, "")
        for region in urgent.elsewhere(home, regions):
            far = _heard(stack, (region,), _is_passed_on)
            heard += far
            yield from _missed(urgent, far, f" in {region}")
    for target in {target.urn: target for _, targets in heard for target in targets}.values():
        if not target.items("deadLetterConfig"):
            yield Fault("An alert that cannot be delivered is lost: the target has no dead-letter queue.", target.urn)


def _centre(home: str | None) -> str | None:
    """Where global services put their events; None where the home region is not known."""
    if home is None:
        return None
    return "us-gov-west-1" if home.startswith("us-gov-") else "cn-north-1" if home.startswith("cn-") else "us-east-1"


def _heard(
    stack: Stack, regions: Sequence[str | None], is_heard: Callable[[Resource], bool]
) -> list[tuple[Resource, list[Resource]]]:
    """The rules of ``regions`` that are on, each with those of its targets that somebody hears."""
    found = []
    for rule in stack.of(EVENT_RULE):
        is_off = rule.props.get("state") == "DISABLED" or is_false(rule.props.get("isEnabled"))
        if is_off or rule.props.get("region") not in regions:
            continue
        # Rules of several regions may have one name.
        targets = [
            target
            for target in links.sources(stack, rule, "rule", EVENT_TARGET)
            if target.props.get("region") == rule.props.get("region") and is_heard(target)
        ]
        if targets:
            found.append((rule, targets))
    return found


def _missed(urgent: _Urgent, heard: Sequence[tuple[Resource, list[Resource]]], where: str) -> Iterator[Fault]:
    for sample in urgent.samples:
        if not is_true_of_any((rule for rule, _ in heard), partial(_takes, sample)):
            missing = f"{sample.name} by {sample.by}"
            yield Fault(f"No EventBridge rule{where} tells within seconds of {urgent.title}: {missing} is missed.")
            return


def _takes(sample: cis_events.Sample, rule: Resource) -> bool:
    event = sample.event
    sign_in = event["eventType"] == "AwsConsoleSignIn"
    kind = "AWS Console Sign In via CloudTrail" if sign_in else "AWS API Call via CloudTrail"
    if event["readOnly"] and not sign_in and rule.props.get("state") != _ALL_CALLS:
        return False
    service = str(event["eventSource"]).partition(".")[0]
    try:
        pattern = read(str(rule.props.get("eventPattern")))
        return passes(pattern, {"source": f"aws.{service}", "detail-type": kind, "detail": event})
    except EventPatternError:
        return False


def _is_heard(stack: Stack, target: Resource) -> bool:
    if links.targets(stack, target, "arn", TOPIC):
        return True
    return any(part in str(target.props.get("arn")) for part in _RECEIVERS)


def _is_passed_on(target: Resource) -> bool:
    return ":event-bus/" in str(target.props.get("arn"))


SILENCE = StackRule(
    id="mon-trail-silence",
    sentence="000_b5883a9168e66709.txt §7: Use CloudTrail to monitor and alert on unauthorized access attempts",
    title="An alarm rings when the trail's log group gets nothing any more.",
    why="Every filter is content with a log that has ended.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AU-5",),
    remedy='Declare aws.cloudwatch.MetricAlarm on IncomingLogEvents of the group with treat_missing_data="breaching".',
    types=frozenset({ALARM, trail.TRAIL, trail.LOG_GROUP}),
    check=_silence,
)

IN_SECONDS = StackRule(
    id="mon-seen-in-seconds",
    sentence="000_b5883a9168e66709.txt §7: Investigate any suspicious activity reported by CloudTrail",
    title="Use of root, a stopped trail and a key's deletion are told within seconds.",
    why="A filter counts minutes later, and a stopped trail is not counted at all.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 4.3", "CIS 5.0 4.5", "CIS 5.0 4.7", "NIST SI-4"),
    remedy="Declare aws.cloudwatch.EventRule and a target with a dead-letter queue on the critical topic; where global "
    "events arrive in another region, a rule there that hands them on.",
    types=frozenset({EVENT_RULE, EVENT_TARGET, TOPIC, trail.TRAIL}),
    check=_in_seconds,
)

RULES: tuple[Rule, ...] = (SILENCE, IN_SECONDS)
