"""What must be seen within seconds."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import bells, trail
from policies.rulebook.bells import EVENT_RULE, EVENT_TARGET, IN_SECONDS, TOPIC
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, altered, not_evaluated, resource, stack_faults

CALL, SIGN_IN = "AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"
ACTION = "AWS Console Action via CloudTrail"
TRAIL_CALLS = ["DeleteTrail", "PutEventSelectors", "PutInsightSelectors", "StopLogging", "UpdateTrail"]
KEY_CALLS = ["DeleteImportedKeyMaterial", "DisableKey", "ScheduleKeyDeletion"]

high = resource(TOPIC, "high", {"arn": "arn:aws:sns:eu-west-1:210987654321:high"})
group = resource(trail.LOG_GROUP, "group", {"name": "/trail", "arn": "arn:aws:logs:eu-west-1:210987654321:/trail"})
bucket = resource(trail.BUCKETS[0], "bucket", {"bucket": "trail-files", "id": "trail-files"})
audit_trail = resource(
    trail.TRAIL,
    "trail",
    {"cloudWatchLogsGroupArn": f"{group.props['arn']}:*", "s3BucketName": "trail-files"},
    uses={"cloudWatchLogsGroupArn": group, "s3BucketName": bucket},
)

URGENT = {
    "root": {"detail-type": [CALL, SIGN_IN, ACTION], "detail": {"userIdentity": {"type": ["Root"]}}},
    "factor": {"detail-type": [SIGN_IN], "detail": {"additionalEventData": {"MFAUsed": ["No"]}}},
    "trail": {"source": ["aws.cloudtrail"], "detail": {"eventName": TRAIL_CALLS}},
    "keys": {"source": ["aws.kms"], "detail": {"eventName": KEY_CALLS}},
    "bucket": {"source": ["aws.s3"], "detail": {"requestParameters": {"bucketName": ["trail-files"]}}},
    "group": {"source": ["aws.logs"], "detail": {"requestParameters": {"logGroupName": ["/trail"]}}},
}
AT_HOME = Context(regions=("us-east-1",))
ABROAD = Context(regions=("eu-west-1", "eu-central-1"))
HOME_BUS = "arn:aws:events:eu-west-1:210987654321:event-bus/default"


def bell(name, pattern=None, region=None, rule=None, **target):
    """A rule and its target; ``rule`` and ``target``: changes of their properties."""
    place = {"region": region} if region else {}
    state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" if name.startswith("root") else "ENABLED"
    bag = {"name": name, "state": state, "eventPattern": json.dumps(pattern or URGENT[name.partition("-")[0]]), **place}
    made = resource(EVENT_RULE, name, {**bag, **(rule or {})})
    arn = HOME_BUS if region else high.props["arn"]
    aim = altered({"rule": name, "arn": arn, "deadLetterConfig": {"arn": "arn:aws:sqs:x"}, **place}, **target)
    return [made, resource(EVENT_TARGET, name, aim, uses={"rule": made, **({} if region else {"arn": high})})]


def at_home(*but, **changes):
    return [part for name in URGENT if name not in but for part in bell(name, **changes.get(name, {}))]


def abroad(*but, **changes):
    """What a stack at home in eu-west-1 has elsewhere."""
    places = {"us-east-1": ("root", "factor"), "eu-central-1": ("root", "factor", "trail", "keys")}
    return [
        part
        for region, names in places.items()
        for name in names
        if f"{name}-{region}" not in but
        for part in bell(f"{name}-{region}", region=region, **changes)
    ]


def missed(*resources, context=AT_HOME):
    return stack_faults(IN_SECONDS, audit_trail, group, bucket, high, *resources, context=context)


def told(title, example, where=""):
    return [(f"No EventBridge rule{where} tells within seconds of {title}: {example} is missed.", None)]


def test_at_home_a_bell_for_each_is_enough_where_global_events_arrive():
    assert missed(*at_home()) == []


TITLES = {
    "root": ("use of the root user", "a call by the root user"),
    "factor": ("a sign-in without a second factor", "a sign-in without a second factor by an IAM user"),
    "trail": ("a trail that is stopped or deleted", "UpdateTrail by an IAM user"),
    "keys": ("a customer key that is going to be deleted", "DisableKey by an IAM user"),
    "bucket": ("a change of the trail's bucket", "DeleteBucket by an IAM user"),
    "group": ("a change of the trail's log group", "DeleteLogGroup by an IAM user"),
}


@pytest.mark.parametrize("name", URGENT)
def test_a_missing_bell_is_named(name):
    sentence = told(*TITLES[name])
    assert missed(*at_home(name)) == sentence
    assert missed(*at_home(**{name: {"rule": {"state": "DISABLED"}}})) == sentence
    assert missed(*at_home(**{name: {"rule": {"isEnabled": False}}})) == sentence
    assert missed(*at_home(**{name: {"rule": {"region": "eu-west-1"}}})) == sentence
    assert missed(*at_home(**{name: {"rule": {"eventPattern": "broken"}}})) == sentence
    assert missed(*at_home(name), bell(name)[0]) == sentence


@pytest.mark.parametrize(
    ("name", "field", "value"), [("bucket", "bucketName", "another"), ("group", "logGroupName", "/another")]
)
def test_a_bell_for_another_bucket_or_group_is_none(name, field, value):
    other = {**URGENT[name], "detail": {"requestParameters": {field: [value]}}}
    assert missed(*at_home(**{name: {"pattern": other}})) == told(*TITLES[name])


@pytest.mark.parametrize(
    ("name", "source", "gone"),
    [
        *(("trail", "aws.cloudtrail", call) for call in TRAIL_CALLS),
        *(("keys", "aws.kms", call) for call in KEY_CALLS),
    ],
)
def test_a_weaker_pattern_is_found_out(name, source, gone):
    left = [call for call in (*TRAIL_CALLS, *KEY_CALLS) if call != gone]
    weaker = {"pattern": {"source": [source], "detail": {"eventName": left}}}
    assert missed(*at_home(**{name: weaker})) == told(TITLES[name][0], f"{gone} by an IAM user")


def test_what_root_does_in_the_console_alone_is_root_s_use_too():
    pattern = {**URGENT["root"], "detail-type": [CALL, SIGN_IN]}
    assert missed(*at_home(root={"pattern": pattern})) == told(
        "use of the root user", "a console action by the root user"
    )


def test_reads_of_the_root_user_reach_the_bus_on_demand_alone():
    assert missed(*at_home(root={"rule": {"state": "ENABLED"}})) == told(*TITLES["root"])


def test_a_target_without_a_dead_letter_queue_is_named():
    lost = [("An alert that cannot be delivered is lost: the target has no dead-letter queue.", "keys")]
    assert missed(*at_home(keys={"deadLetterConfig": ABSENT})) == lost


def test_elsewhere_events_are_handed_on_to_the_home_region():
    assert missed(*at_home(), *abroad(), context=ABROAD) == []


@pytest.mark.parametrize(
    ("name", "region"), [(rule.name.partition("-")[0], rule.props["region"]) for rule in abroad()[::2]]
)
def test_an_event_that_no_other_region_hands_on_is_named(name, region):
    sentence = told(*TITLES[name], where=f" in {region}")
    assert missed(*at_home(), *abroad(f"{name}-{region}"), context=ABROAD) == sentence


@pytest.mark.parametrize(
    "arn", [HOME_BUS.replace("eu-west-1", "eu-central-1"), HOME_BUS.replace(":events:", ":sqs:"), "", high.props["arn"]]
)
def test_events_that_go_anywhere_but_home_are_missed(arn):
    found = missed(
        *at_home(), *abroad("root-eu-central-1"), *bell("root-x", region="eu-central-1", arn=arn), context=ABROAD
    )
    assert found == told(*TITLES["root"], where=" in eu-central-1")


def test_other_partitions_have_a_centre_of_their_own():
    found = missed(*at_home(), context=Context(regions=("us-gov-east-1",)))
    assert {sentence.split()[4] for sentence, _ in found} == {"us-gov-west-1"}
    assert missed(*at_home(), context=Context(regions=("cn-north-1",))) == []


FINDINGS = {"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">=", 7]}]}}
INTRUDER = ("signs of an intruder", "a finding of high severity")


def test_what_guardduty_finds_is_told_wherever_it_looks():
    detectors = [
        resource(bells.DETECTOR, "here", {"region": "eu-west-1"}),
        resource(bells.DETECTOR, "there", {"region": "eu-central-1"}),
    ]
    there = [*at_home(), *abroad(), *detectors]
    here, far = bell("found", FINDINGS), bell("found-far", FINDINGS, region="eu-central-1")
    assert missed(*there, *here, *far, context=ABROAD) == []
    assert missed(*there, *far, context=ABROAD) == told(*INTRUDER)
    assert missed(*there, *here, context=ABROAD) == told(*INTRUDER, where=" in eu-central-1")
    deaf = bell("found", {**FINDINGS, "detail": {"severity": [{"numeric": [">=", 9]}]}})
    assert missed(*there, *deaf, *far, context=ABROAD) == told(*INTRUDER)


def test_a_detector_without_a_region_is_at_home():
    detector = resource(bells.DETECTOR, "here", {})
    assert missed(*at_home(), detector) == told(*INTRUDER)
    assert missed(*at_home(), detector, *bell("found", FINDINGS)) == []


def test_without_a_trail_no_bell_is_asked_for():
    assert stack_faults(IN_SECONDS, high, context=AT_HOME) == []


def test_what_is_known_is_told_beside_an_unknown_name_of_the_bucket():
    unnamed = resource(trail.BUCKETS[0], "bucket", {"bucket": UNKNOWN, "id": UNKNOWN})
    own = resource(trail.TRAIL, "trail", {"s3BucketName": UNKNOWN}, uses={"s3BucketName": unnamed})
    found, unknown = not_evaluated(IN_SECONDS, own, unnamed, high, *at_home("keys"), context=AT_HOME)
    assert found == told(*TITLES["keys"])
    assert isinstance(unknown, UnknownValueError)
