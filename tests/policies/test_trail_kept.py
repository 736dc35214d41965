"""How long the trail's files are kept, and that they cannot be changed."""

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import trail
from policies.rulebook.trail import KEPT, OBJECT_EVENTS
from tests.policies.bags import ABSENT, UNKNOWN, stack_faults
from tests.policies.declared import Ref, declared

TRAIL = {
    "bucket": (trail.BUCKETS[0], {}),
    "trail": (trail.TRAIL, {"s3BucketName": Ref("bucket")}),
    "lock": (
        trail.OBJECT_LOCK,
        {"bucket": Ref("bucket"), "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}}},
    ),
    "ends": (
        trail.LIFECYCLES[0],
        {"bucket": Ref("bucket"), "rules": [{"id": "end", "status": "Enabled", "expiration": {"days": 400}}]},
    ),
}
UNLOCKED = [("The trail's files can be changed and deleted: the bucket has no default lock.", "bucket")]
ENDLESS = [("How long the trail's files are kept is not said: no lifecycle ends them.", "bucket")]


def said(*changes, **options):
    return stack_faults(KEPT, *declared(TRAIL, *changes, **options))


def test_files_that_are_locked_and_end_pass():
    assert said() == []
    assert said(preview=True) == []
    assert said(("lock", ("rule", "defaultRetention"), {"mode": "COMPLIANCE", "years": 1})) == []


@pytest.mark.parametrize(
    "changes",
    [
        [("lock", ("rule",), ABSENT)],
        [("lock", ("rule", "defaultRetention", "mode"), ABSENT)],
        [("lock", ("rule", "defaultRetention", "days"), ABSENT)],
        [("lock", ("bucket",), "another")],
    ],
)
def test_a_weaker_lock_is_named(changes):
    assert said(*changes) == UNLOCKED


@pytest.mark.parametrize(
    "changes",
    [
        [("ends", ("rules",), [])],
        [("ends", ("rules", 0, "status"), "Disabled")],
        [("ends", ("rules", 0, "expiration"), ABSENT)],
        [("ends", ("bucket",), "another")],
    ],
)
def test_files_without_an_end_are_named(changes):
    assert said(*changes) == ENDLESS


def test_what_is_taken_away_is_named():
    assert said(without=["lock"]) == UNLOCKED
    assert said(without=["ends"]) == ENDLESS


def test_a_bucket_that_is_not_declared_is_another_rule_s_business():
    assert said(without=["bucket"]) == []


def test_an_unknown_lock_is_no_pass():
    with pytest.raises(UnknownValueError):
        said(("lock", ("rule",), UNKNOWN))


OWN = {
    **TRAIL,
    "trail": (
        trail.TRAIL,
        {
            "s3BucketName": Ref("bucket"),
            "advancedEventSelectors": [
                {
                    "fieldSelectors": [
                        {"field": "eventCategory", "equals": ["Data"]},
                        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                        {"field": "resources.ARN", "startsWiths": ["arn:aws:s3:::backups/"]},
                    ]
                }
            ],
        },
    ),
}
FOR_EVER = [("The trail records what it writes to its own bucket, and that again, for ever.", "trail")]
FIELDS = ("trail", ("advancedEventSelectors", 0, "fieldSelectors"))


def test_a_trail_does_not_record_what_it_writes_itself():
    fields = OWN["trail"][1]["advancedEventSelectors"][0]["fieldSelectors"]
    assert stack_faults(OBJECT_EVENTS, *declared(OWN)) == []
    assert stack_faults(OBJECT_EVENTS, *declared(OWN, (*FIELDS, fields[:2]))) == FOR_EVER
    assert stack_faults(OBJECT_EVENTS, *declared(OWN, ("trail", ("advancedEventSelectors",), ABSENT))) == []
    with pytest.raises(UnknownValueError):
        stack_faults(OBJECT_EVENTS, *declared(OWN, (*FIELDS, UNKNOWN)))
