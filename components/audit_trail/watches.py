"""What must be seen within seconds: events that EventBridge passes on while the trail's log is still being written.

CloudTrail hands events to EventBridge in the region of the call; those of global services, and every sign-in of the
root user, in one region of the partition. The other regions therefore hand what concerns the whole account on to the
home region, where the topics are.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._told import EVENT_PATHS, advice, as_alarm
from .filters import CONTROLS

#: Where global services put their events (CloudTrail User Guide, "Global service events").
_GLOBAL_REGION = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

_CALL = "AWS API Call via CloudTrail"
_SIGN_IN = "AWS Console Sign In via CloudTrail"
_ACTION = "AWS Console Action via CloudTrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One thing that is told at once.

    ``pattern``: EventBridge's, to which the name of the trail's bucket is added where ``of_bucket``. ``paths``: name ->
    where it stands in the event; ``reason``: what happened, with those names in angle brackets. ``everywhere``: it may
    happen in any region, not in the trail's own alone. ``reads``: calls that only read count too, which EventBridge
    leaves out unless asked.
    """

    key: str
    title: str
    impact: str
    runbook: str
    first: str
    pattern: Mapping[str, Any]
    paths: Mapping[str, str] = field(default_factory=lambda: _CALL_PATHS)
    reason: str = "<event> by <who> from <address> in <region>; CloudTrail event <id>"
    of_bucket: bool = False
    everywhere: bool = False
    reads: bool = False


def plan_watches(log_group: str, *, detection: bool) -> tuple[Watch, ...]:
    """The watches of a stack; ``log_group``: where the trail is written; ``detection``: GuardDuty is its own."""
    return (*_ACCOUNT, *((_FINDINGS,) if detection else ()), _BUCKET, _log_changes(log_group))


def render(watch: Watch, bucket: str | None = None) -> str:
    """The pattern as JSON with sorted keys, narrowed to ``bucket`` where the watch is about it."""
    pattern = dict(watch.pattern)
    if watch.of_bucket:
        pattern["detail"] = {**pattern["detail"], "requestParameters": {"bucketName": [bucket]}}
    return json.dumps(pattern, sort_keys=True)


def regions_to_listen_in(home_region: str, partition: str, others: Collection[str]) -> tuple[str, ...]:
    """The regions beside ``home_region`` whose events are brought there: the one of global services, and ``others``."""
    return tuple(sorted({_GLOBAL_REGION[partition], *others} - {home_region}))


#: name in the message -> where it stands in an event of CloudTrail
_CALL_PATHS: Mapping[str, str] = {
    **EVENT_PATHS,
    "address": "$.detail.sourceIPAddress",
    "event": "$.detail.eventName",
    "id": "$.detail.eventID",
    "region": "$.detail.awsRegion",
    "who": "$.detail.userIdentity.arn",
}


def message(watch: Watch, name: str) -> str:
    """The input template of the target of the rule ``name``."""
    told = advice("critical", watch.title, watch.impact, run_book=watch.runbook, first=watch.first)
    return as_alarm(name, told, watch.reason)


def _call(source: str, *names: str) -> dict[str, Any]:
    """API calls of one service."""
    return {
        "source": [f"aws.{source}"],
        "detail-type": [_CALL],
        "detail": {"eventSource": [f"{source}.amazonaws.com"], "eventName": list(names)},
    }


def _log_changes(log_group: str) -> Watch:
    pattern = _call("logs", "DeleteLogGroup", "DeleteLogStream", "DeleteMetricFilter", "PutRetentionPolicy")
    pattern["detail"]["requestParameters"] = {"logGroupName": [log_group]}
    return Watch(
        key="trail-log-changes",
        title="The trail's log group, or a filter on it, was removed or shortened",
        impact="The filters count nothing any more.",
        runbook="000_… §7 CloudTrail",
        first="Deploy again to restore it, then find out who did it; the bucket still has every event.",
        pattern=pattern,
    )


_BUCKET = Watch(
    key="trail-bucket-changes",
    title="The trail's bucket was opened, emptied or removed",
    impact="The evidence may be read, or lost once its lock ends.",
    runbook="003_… Backups (S3 bucket with strict permissions)",
    first="Deploy again to restore its policy, then find out who did it; the lock keeps what is in it.",
    pattern=_call(
        "s3",
        "DeleteBucket",
        "DeleteBucketPolicy",
        "DeleteBucketPublicAccessBlock",
        "PutBucketLifecycle",
        "PutBucketLogging",
        "PutBucketObjectLockConfiguration",
        "PutBucketPolicy",
        "PutBucketPublicAccessBlock",
        "PutBucketVersioning",
    ),
    of_bucket=True,
)


def _as_control(key: str, pattern: Mapping[str, Any], *, reads: bool = False) -> Watch:
    """A watch for what a filter counts as well, in the same words."""
    control = next(control for control in CONTROLS if control.key == key)
    return Watch(
        key=key,
        title=control.title,
        impact=control.impact,
        runbook=control.runbook,
        first=control.first,
        pattern=pattern,
        everywhere=True,
        reads=reads,
    )


_ACCOUNT = (
    _as_control(
        "root-use",
        {
            # Nobody else can send events whose source begins so.
            "source": [{"prefix": "aws."}],
            "detail-type": [_CALL, _SIGN_IN, _ACTION],
            "detail": {
                "eventType": [{"anything-but": ["AwsServiceEvent"]}],
                "userIdentity": {"type": ["Root"], "invokedBy": [{"exists": False}]},
            },
        },
        reads=True,
    ),
    _as_control(
        "sign-in-without-mfa",
        {
            "source": ["aws.signin"],
            "detail-type": [_SIGN_IN],
            "detail": {
                "eventName": ["ConsoleLogin"],
                "additionalEventData": {"MFAUsed": [{"anything-but": ["Yes"]}]},
                "responseElements": {"ConsoleLogin": ["Success"]},
                # Federated users show their second factor to their own provider.
                "userIdentity": {"type": ["IAMUser", "Root"]},
            },
        },
    ),
    _as_control(
        "trail-changes",
        _call("cloudtrail", "DeleteTrail", "PutEventSelectors", "PutInsightSelectors", "StopLogging", "UpdateTrail"),
    ),
    _as_control("key-removal", _call("kms", "DeleteImportedKeyMaterial", "DisableKey", "ScheduleKeyDeletion")),
)

_FINDINGS = Watch(
    key="intrusion",
    title="GuardDuty found signs of an intruder",
    impact="A machine or a credential may be in other hands.",
    runbook="001_… §4 (Check the audit logs for suspicious activity)",
    first="Read the finding; cut off the machine or principal that it names, then follow what it did.",
    pattern={
        "source": ["aws.guardduty"],
        "detail-type": ["GuardDuty Finding"],
        # High and critical ones.
        "detail": {"severity": [{"numeric": [">=", 7]}]},
    },
    paths={
        "account": "$.account",
        "id": "$.detail.id",
        "kind": "$.detail.type",
        "region": "$.detail.region",
        "severity": "$.detail.severity",
        "time": "$.time",
        "title": "$.detail.title",
    },
    reason="<title> (<kind>, severity <severity>) in <region>; finding <id>",
    everywhere=True,
)
