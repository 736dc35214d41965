"""What must be seen within seconds: rules of EventBridge, in the home region and in every other that the stack uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import cis_events, links, trail
from .cis_monitoring import TOPIC
from .event_pattern import EventPatternError, passes, read
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, through
from .values import is_false, is_true_of_any

EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
DETECTOR = "aws:guardduty/detector:Detector"

_ALL_CALLS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

#: What EventBridge hands an alert to; another bus only passes it on.
_RECEIVERS = (":sns:", ":states:", ":lambda:")


def is_off(rule: Resource) -> bool:
    """Whether an EventBridge rule passes nothing on."""
    return rule.props.get("state") == "DISABLED" or is_false(rule.props.get("isEnabled"))


def targets_of(stack: Stack, rule: Resource) -> list[Resource]:
    """The targets of an EventBridge rule. Rules of several regions may have one name."""
    return [
        target
        for target in links.sources(stack, rule, "rule", EVENT_TARGET)
        if target.props.get("region") == rule.props.get("region")
    ]


def takes(rule: Resource, event: Mapping[str, Any], *, reads: bool = False) -> bool:
    """Whether a rule passes ``event`` on, as it stands on the bus. ``reads``: a call that changes nothing."""
    if reads and rule.props.get("state") != _ALL_CALLS:
        return False
    try:
        return passes(read(str(rule.props.get("eventPattern"))), event)
    except EventPatternError:
        return False


@dataclass(frozen=True, slots=True)
class _Example:
    """An event on the bus, and how a finding calls it."""

    words: str
    event: Mapping[str, Any]
    reads: bool = False


@dataclass(frozen=True, slots=True)
class _Urgent:
    """What must be seen within seconds, in the ``regions``; the home region is None."""

    title: str
    examples: tuple[_Example, ...]
    regions: tuple[str | None, ...] = (None,)


def _on_the_bus(sample: cis_events.Sample) -> _Example:
    event = sample.event
    sign_in = event["eventType"] == "AwsConsoleSignIn"
    kind = "AWS Console Sign In via CloudTrail" if sign_in else "AWS API Call via CloudTrail"
    service = str(event["eventSource"]).partition(".")[0]
    envelope = {"source": f"aws.{service}", "detail-type": kind, "detail": event}
    return _Example(f"{sample.name} by {sample.by}", envelope, reads=event["readOnly"] and not sign_in)


def _samples(number_of_control: int, *names: str) -> tuple[cis_events.Sample, ...]:
    control = next(control for control in cis_events.CONTROLS if control.number == number_of_control)
    return tuple(sample for sample in control.evidence if not names or sample.name in names)


def _examples(number_of_control: int, *names: str) -> tuple[_Example, ...]:
    return tuple(map(_on_the_bus, _samples(number_of_control, *names)))


_SIGN_INS = _examples(2)
_ROOT_USE = _examples(3)
#: A finding that GuardDuty itself calls high (GuardDuty User Guide, "Severity levels": 7.0 and more).
_FINDING = _Example(
    "a finding of high severity",
    {
        "source": "aws.guardduty",
        "detail-type": "GuardDuty Finding",
        "detail": {"severity": 8.0, "schemaVersion": "2.0"},
    },
)

#: Calls by which the trail's bucket is opened or emptied, and by which its log group stops to be counted.
_BUCKET_CALLS = (
    "DeleteBucket",
    "DeleteBucketPolicy",
    "DeleteBucketPublicAccessBlock",
    "PutBucketLifecycle",
    "PutBucketLogging",
    "PutBucketObjectLockConfiguration",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketVersioning",
)
_GROUP_CALLS = ("DeleteLogGroup", "DeleteLogStream", "DeleteMetricFilter", "PutRetentionPolicy")


def _calls(service: str, names: Sequence[str], parameters: Mapping[str, Any]) -> tuple[_Example, ...]:
    stranger = _samples(7)[0]
    source = f"{service}.amazonaws.com"
    return tuple(
        _on_the_bus(
            cis_events.Sample(
                name,
                stranger.by,
                {**stranger.event, "eventSource": source, "eventName": name, "requestParameters": dict(parameters)},
            )
        )
        for name in names
    )


#: The root user at what a console does by itself, without an API (CloudTrail User Guide, "eventType").
_ROOT_ACTION = replace(
    _ROOT_USE[0],
    words="a console action by the root user",
    event={
        **_ROOT_USE[0].event,
        "detail-type": "AWS Console Action via CloudTrail",
        "detail": {**_ROOT_USE[0].event["detail"], "eventType": "AwsConsoleAction"},
    },
)

#: What a trail leaves out from now on is as good as a trail that stands still.
_TRAIL_CHANGES = (
    *_examples(5, "StopLogging", "DeleteTrail", "UpdateTrail"),
    *_calls("cloudtrail", ("PutEventSelectors", "PutInsightSelectors"), {}),
)

#: Imported material that is deleted takes with it what the key encrypts, at once.
_KEY_REMOVALS = (*_examples(7), *_calls("kms", ("DeleteImportedKeyMaterial",), {}))


def _urgent(stack: Stack, home: str | None) -> Iterator[_Urgent]:
    # A sign-in is recorded where it was made, and that of a global address in the centre.
    used = stack.context.regions[1:]
    centre = _centre(home)
    everywhere = _places(home, centre, *used)
    yield _Urgent("a sign-in without a second factor", _SIGN_INS, everywhere)
    yield _Urgent("use of the root user", (*_ROOT_USE, _ROOT_ACTION), everywhere)
    yield _Urgent("a trail that is stopped or deleted", _TRAIL_CHANGES, _places(home, *used))
    yield _Urgent("a customer key that is going to be deleted", _KEY_REMOVALS, _places(home, *used))
    for group in trail.groups_of(stack):
        calls = _calls("logs", _GROUP_CALLS, {"logGroupName": group.section("name")})
        yield _Urgent("a change of the trail's log group", calls)
    watched = [detector.props.get("region") or home for detector in stack.of(DETECTOR)]
    if watched:
        regions = tuple(dict.fromkeys(None if region == home else str(region) for region in watched))
        yield _Urgent("signs of an intruder", (_FINDING,), regions)
    # Last, because the name of a bucket is often not known before it is made.
    for one in stack.of(trail.TRAIL):
        for bucket in links.targets(stack, one, "s3BucketName", *trail.BUCKETS):
            name = {"bucketName": bucket.section("bucket") or bucket.section("id")}
            yield _Urgent("a change of the trail's bucket", _calls("s3", _BUCKET_CALLS, name))


def _places(home: str | None, *others: str | None) -> tuple[str | None, ...]:
    """The home region as None, and the others once each."""
    return tuple(dict.fromkeys((None, *(region for region in others if region and region != home))))


def _centre(home: str | None) -> str | None:
    """Where global services put their events; None where the home region is not known."""
    if home is None:
        return None
    return "us-gov-west-1" if home.startswith("us-gov-") else "cn-north-1" if home.startswith("cn-") else "us-east-1"


def _in_seconds(stack: Stack) -> Iterator[Fault]:
    if any(True for _ in stack.of(trail.TRAIL)):
        yield from through((_undelivered, _unseen), lambda check: check(stack))


def _undelivered(stack: Stack) -> Iterator[Fault]:
    for target in stack.of(EVENT_TARGET):
        if (_is_heard(stack, target) or _is_handed_on(_home(stack), target)) and not target.items("deadLetterConfig"):
            yield Fault("An alert that cannot be delivered is lost: the target has no dead-letter queue.", target.urn)


def _unseen(stack: Stack) -> Iterator[Fault]:
    home = _home(stack)
    near = _heard(stack, (None, home), partial(_is_heard, stack))
    for urgent in _urgent(stack, home):
        for region in urgent.regions:
            there = near if region is None else _heard(stack, (region,), partial(_is_handed_on, home))
            yield from _missed(urgent, there, f" in {region}" if region else "")


def _home(stack: Stack) -> str | None:
    return stack.context.regions[0] if stack.context.regions else None


def _heard(stack: Stack, regions: Sequence[str | None], is_heard: Callable[[Resource], bool]) -> list[Resource]:
    """The rules of ``regions`` that are on and have a target that somebody hears."""
    return [
        rule
        for rule in stack.of(EVENT_RULE)
        if not is_off(rule)
        and rule.props.get("region") in regions
        and any(is_heard(target) for target in targets_of(stack, rule))
    ]


def _missed(urgent: _Urgent, heard: Sequence[Resource], where: str) -> Iterator[Fault]:
    for example in urgent.examples:
        takes_it = partial(takes, event=example.event, reads=example.reads)
        if not is_true_of_any(heard, takes_it):
            yield Fault(
                f"No EventBridge rule{where} tells within seconds of {urgent.title}: {example.words} is missed."
            )
            return


def _is_heard(stack: Stack, target: Resource) -> bool:
    if links.targets(stack, target, "arn", TOPIC):
        return True
    return any(part in str(target.props.get("arn")) for part in _RECEIVERS)


def _is_handed_on(home: str | None, target: Resource) -> bool:
    """Whether another region's event goes to a bus of the home region, where the topics are."""
    _, _, service, region, _, resource = (str(target.props.get("arn")).split(":", 5) + [""] * 6)[:6]
    return service == "events" and resource.startswith("event-bus/") and region == home


IN_SECONDS = StackRule(
    id="mon-seen-in-seconds",
    sentence="000_b5883a9168e66709.txt §7: Investigate any suspicious activity reported by CloudTrail",
    title="Use of root, a stopped or weakened trail, a key's deletion and an intruder are told within seconds.",
    why="A filter counts minutes later, and a stopped trail is not counted at all.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 4.3", "CIS 5.0 4.5", "CIS 5.0 4.7", "NIST SI-4"),
    remedy="Declare aws.cloudwatch.EventRule and a target with a dead-letter queue on the critical topic; in each "
    "other region that is used, and where global events arrive, a rule that hands them to the home region's bus.",
    types=frozenset({EVENT_RULE, EVENT_TARGET, TOPIC, trail.TRAIL}),
    check=_in_seconds,
)

RULES: tuple[Rule, ...] = (IN_SECONDS,)
