"""What is told within seconds, judged by evaluating the patterns on events."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.audit_trail import watches
from functions.common import alarm
from functions.escalate import decide
from policies.rulebook import event_pattern
from settings.regions import REGIONS
from tests.components.audit_trail.events import ACCOUNT, ROOT, call, role, service, sign_in, user

GROUP, BUCKET = "/learning-platform/staging/audit/trail", "audit-1a2b3c4"


def planned(detection=True):
    return {watch.key: watch for watch in watches.plan_watches(GROUP, detection=detection)}


def bus_event(event, kind=None):
    """What EventBridge makes of an event of CloudTrail."""
    kinds = {
        "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
        "AwsServiceEvent": "AWS Service Event via CloudTrail",
    }
    return {
        "source": "aws." + event["eventSource"].partition(".")[0],
        "detail-type": kind or kinds.get(event["eventType"], "AWS API Call via CloudTrail"),
        "account": ACCOUNT,
        "region": event["awsRegion"],
        "detail": event,
    }


def told(event):
    """The watches that an event of the bus sets off."""
    return {
        key
        for key, watch in planned().items()
        if event_pattern.passes(event_pattern.read(watches.render(watch, BUCKET)), event)
    }


def on(name, **parameters):
    return call(name[0], name[1], requestParameters=parameters)


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        (call("s3", "ListBuckets", ROOT, readOnly=True), {"root-use"}),
        (call("iam", "CreateAccessKey", ROOT), {"root-use"}),
        (sign_in(ROOT, factor="Yes"), {"root-use"}),
        (sign_in(ROOT), {"root-use", "sign-in-without-mfa"}),
        (call("s3", "ListBuckets", service("support.amazonaws.com", **ROOT)), set()),
        (call("kms", "RotateKey", ROOT, eventType="AwsServiceEvent"), set()),
        (call("cloudtrail", "StopLogging", ROOT), {"root-use", "trail-changes"}),
        (sign_in(user("ann")), {"sign-in-without-mfa"}),
        (sign_in(user("ann"), factor="Yes"), set()),
        (sign_in(user("ann"), succeeds=False), set()),
        (sign_in(role("sso")), set()),
        (call("cloudtrail", "StopLogging", role("deploy")), {"trail-changes"}),
        (call("cloudtrail", "DeleteTrail"), {"trail-changes"}),
        (call("cloudtrail", "UpdateTrail"), {"trail-changes"}),
        (call("cloudtrail", "PutEventSelectors"), {"trail-changes"}),
        (call("cloudtrail", "PutInsightSelectors"), {"trail-changes"}),
        (call("cloudtrail", "StartLogging"), set()),
        (call("cloudtrail", "LookupEvents"), set()),
        (call("kms", "ScheduleKeyDeletion"), {"key-removal"}),
        (call("kms", "DisableKey"), {"key-removal"}),
        (call("kms", "DeleteImportedKeyMaterial"), {"key-removal"}),
        (call("kms", "CancelKeyDeletion"), set()),
        (call("kms", "Decrypt"), set()),
        (call("organizations", "StopLogging"), set()),
        (on(("logs", "DeleteLogGroup"), logGroupName=GROUP), {"trail-log-changes"}),
        (on(("logs", "DeleteLogStream"), logGroupName=GROUP), {"trail-log-changes"}),
        (on(("logs", "DeleteMetricFilter"), logGroupName=GROUP, filterName="x"), {"trail-log-changes"}),
        (on(("logs", "PutRetentionPolicy"), logGroupName=GROUP, retentionInDays=1), {"trail-log-changes"}),
        (on(("logs", "DeleteLogGroup"), logGroupName="/other"), set()),
        (on(("logs", "CreateLogStream"), logGroupName=GROUP), set()),
        (on(("s3", "DeleteBucket"), bucketName=BUCKET), {"trail-bucket-changes"}),
        (on(("s3", "PutBucketPolicy"), bucketName=BUCKET), {"trail-bucket-changes"}),
        (on(("s3", "PutBucketLifecycle"), bucketName=BUCKET), {"trail-bucket-changes"}),
        (on(("s3", "DeleteBucketPublicAccessBlock"), bucketName=BUCKET), {"trail-bucket-changes"}),
        (on(("s3", "PutBucketPolicy"), bucketName="other"), set()),
        (on(("s3", "GetBucketPolicy"), bucketName=BUCKET), set()),
    ],
)
def test_an_event_sets_off_these_watches_and_no_other(event, keys):
    assert told(bus_event(event)) == keys


def test_nobody_can_pretend_to_be_the_root_user_on_the_bus():
    event = bus_event(call("iam", "CreateAccessKey", ROOT))
    assert told({**event, "source": "custom.iam"}) == set()


@pytest.mark.parametrize(("severity", "keys"), [(8.9, {"intrusion"}), (7, {"intrusion"}), (6.9, set()), (2, set())])
def test_graver_findings_of_guardduty_are_told(severity, keys):
    assert (
        told({"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": {"severity": severity}}) == keys
    )


def test_without_a_detector_of_its_own_a_stack_waits_for_no_findings():
    assert set(planned()) - set(planned(detection=False)) == {"intrusion"}


def test_what_concerns_the_account_is_looked_for_everywhere_and_what_concerns_the_trail_at_home():
    watched = planned().values()
    assert {watch.key for watch in watched if not watch.everywhere} == {"trail-log-changes", "trail-bucket-changes"}
    assert {watch.key for watch in watched if watch.reads} == {"root-use"}


@pytest.mark.parametrize(
    ("home", "partition", "others", "regions"),
    [
        ("us-east-1", "aws", (), ()),
        ("us-east-1", "aws", ("us-west-2",), ("us-west-2",)),
        ("eu-west-1", "aws", (), ("us-east-1",)),
        ("eu-west-1", "aws", ("eu-central-1",), ("eu-central-1", "us-east-1")),
        ("eu-west-1", "aws", ("us-east-1", "eu-west-1"), ("us-east-1",)),
        ("us-gov-east-1", "aws-us-gov", (), ("us-gov-west-1",)),
        ("cn-northwest-1", "aws-cn", ("cn-north-1",), ("cn-north-1",)),
    ],
)
def test_where_else_to_listen(home, partition, others, regions):
    assert watches.regions_to_listen_in(home, partition, others) == regions


@given(st.sampled_from(sorted(REGIONS)), st.sets(st.sampled_from(sorted(REGIONS)), max_size=3))
def test_every_region_is_listened_in_once(home, others):
    found = watches.regions_to_listen_in(home, REGIONS[home].partition, others)
    assert len(set(found)) == len(found)
    assert others <= {home, *found}
    assert home not in found


@pytest.mark.parametrize("key", sorted(planned()))
def test_a_message_is_an_alarm_whose_place_holders_are_all_filled(key):
    watch = planned()[key]
    template = watches.message(watch, f"x-{key}")
    holders = set(re.findall(r"<(\w+)>", template))
    assert holders <= set(watch.paths)
    assert {"account", "region", "time"} <= holders
    # What the escalation makes of it once EventBridge has filled the place-holders.
    filled = re.sub(r"<(\w+)>", lambda found: "2026-03-04T05:06:07Z" if found[1] == "time" else found[1], template)
    notification = {"TopicArn": "critical", "Message": filled}
    signal = decide.read(json.dumps(notification), {"critical": "critical"})
    assert (signal.alarm, signal.said, signal.severity) == (f"x-{key}", "raised", "critical")
    assert signal.at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    told = alarm.describe(signal.description)
    assert (told.impact, told.run_book, told.first_action) == (watch.impact, watch.runbook, watch.first)
    assert told.summary.startswith(f"{watch.title}.")
