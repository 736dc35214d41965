"""What every bucket of the platform has in common."""

import json

import pulumi_aws as aws
import pytest

from components import iam
from components._base import Component
from components._bucket import BucketArgs, GuardedBucket, Lock, Retention
from runbook.preview.capture import capture
from settings.naming import REQUIRED_TAGS, Labels

LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
KEY = "arn:aws:kms:us-east-1:210987654321:key/11111111-2222-3333-4444-555555555555"
DELIVERY = iam.allow_service(
    "logs.example.amazonaws.com",
    ["s3:PutObject"],
    [],
    sid="Deliver",
    condition={"StringEquals": {"aws:SourceAccount": "210987654321"}},
)


class Owner(Component):
    TYPE = "test:owner:Owner"
    SERVICE = "evidence"
    RUNBOOK = "003_720b7a256857bf84.txt Backups"


def bucket(statements=(), **changes):
    given = {"purpose": "backup", "key_arn": KEY, "expire_days": 400, "archive_days": 90, "protect": True}
    args = BucketArgs(**{**given, **changes})
    return capture(lambda: GuardedBucket(Owner("owner", LABELS), "archive", args, statements) and None)


@pytest.fixture(scope="module")
def graph():
    return bucket()


def guard(graph, name):
    return graph.one(f"aws:s3/{name[0].lower()}{name[1:]}:{name}").inputs


def test_a_bucket_comes_with_these_guards_and_all_belong_to_the_owner(graph):
    made = [r for r in graph.resources if r.type.startswith("aws:")]
    owner = graph.one("test:owner:Owner").urn
    assert {(r.type.rpartition(":")[2], r.name, r.parent) for r in made} == {
        (type_, "archive", owner)
        for type_ in (
            "Bucket",
            "BucketLifecycleConfiguration",
            "BucketOwnershipControls",
            "BucketPolicy",
            "BucketPublicAccessBlock",
            "BucketServerSideEncryptionConfiguration",
            "BucketVersioning",
        )
    }


def test_every_guard_is_of_this_bucket(graph):
    name = graph.one("aws:s3/bucket:Bucket").outputs["bucket"]
    guards = [r for r in graph.resources if r.type.startswith("aws:s3/bucket") and not r.type.endswith(":Bucket")]
    assert {r.inputs["bucket"] for r in guards} == {name}


def test_nothing_of_it_is_ever_public_and_there_are_no_acls(graph):
    block = guard(graph, "BucketPublicAccessBlock")
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert {flag: block[flag] for flag in flags} == dict.fromkeys(flags, True)
    assert guard(graph, "BucketOwnershipControls")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_the_bucket_is_tagged_with_its_purpose_and_is_never_emptied_by_force(graph):
    inputs = graph.one("aws:s3/bucket:Bucket").inputs
    assert set(REQUIRED_TAGS) <= set(inputs["tags"])
    assert inputs["tags"]["Purpose"] == "backup"
    assert "forceDestroy" not in inputs


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (
            KEY,
            {
                "applyServerSideEncryptionByDefault": {"kmsMasterKeyId": KEY, "sseAlgorithm": "aws:kms"},
                "bucketKeyEnabled": True,
            },
        ),
        (None, {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}, "bucketKeyEnabled": False}),
    ],
    ids=["customer key", "no key"],
)
def test_objects_are_encrypted_with_the_key_or_where_there_is_none_by_s3(key, rule):
    assert guard(bucket(key_arn=key), "BucketServerSideEncryptionConfiguration")["rules"] == [rule]


@pytest.mark.parametrize(("archive_days", "transitions"), [(90, [{"days": 90, "storageClass": "GLACIER"}]), (None, [])])
def test_objects_move_to_the_archive_when_asked_and_go_in_the_end(archive_days, transitions):
    (rule,) = guard(bucket(archive_days=archive_days), "BucketLifecycleConfiguration")["rules"]
    assert rule == {
        "id": "expire",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "transitions": transitions,
        "expiration": {"days": 400},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }


def test_versions_are_kept_before_the_lifecycle_speaks_of_them(graph):
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning")
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    lifecycle = graph.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    assert versioning.urn in lifecycle.dependencies


def test_the_policy_refuses_plain_http_and_adds_what_the_owner_asks_for_on_its_prefix_only():
    graph = bucket(statements=[(DELIVERY, "/AWSLogs/*")])
    arn = graph.one("aws:s3/bucket:Bucket").outputs["arn"]
    document = json.loads(guard(graph, "BucketPolicy")["policy"])
    assert document["Statement"] == [
        {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "Deliver",
            "Effect": "Allow",
            "Principal": {"Service": "logs.example.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"{arn}/AWSLogs/*"],
            "Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}},
        },
    ]


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_of_the_bucket_itself(protect):
    graph = bucket(protect=protect)
    assert [r.type for r in graph.resources if r.protect] == (["aws:s3/bucket:Bucket"] if protect else [])


def test_whoever_waits_for_the_policy_gets_the_buckets_name():
    def program():
        args = BucketArgs(purpose="logs", key_arn=None, expire_days=30, protect=False)
        made = GuardedBucket(Owner("owner", LABELS), "archive", args)
        aws.s3.BucketLogging("waits", bucket=made.policy.bucket, target_bucket="other", target_prefix="/")

    graph = capture(program)
    waits = graph.one("aws:s3/bucketLogging:BucketLogging")
    assert waits.inputs["bucket"] == graph.one("aws:s3/bucket:Bucket").outputs["bucket"]
    assert graph.one("aws:s3/bucketPolicy:BucketPolicy").urn in waits.dependencies


def test_what_lies_below_a_prefix_is_kept_as_long_as_it_is_asked_for():
    kept = (
        Retention(name="state", prefix="state/", days=400, glacier_days=90, deep_archive_days=180),
        Retention(name="pages", prefix="pages/", days=30),
    )
    graph = bucket(expire_days=None, archive_days=None, retention=kept, noncurrent_days=45)
    rest = {
        "status": "Enabled",
        "noncurrentVersionExpiration": {"noncurrentDays": 45},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }
    assert guard(graph, "BucketLifecycleConfiguration")["rules"] == [
        {
            "id": "state",
            "filter": {"prefix": "state/"},
            "transitions": [{"days": 90, "storageClass": "GLACIER"}, {"days": 180, "storageClass": "DEEP_ARCHIVE"}],
            "expiration": {"days": 400},
            **rest,
        },
        {"id": "pages", "filter": {"prefix": "pages/"}, "transitions": [], "expiration": {"days": 30}, **rest},
    ]


@pytest.mark.parametrize("given", [{"expire_days": None}, {"retention": (Retention(name="all", days=30),)}])
def test_it_is_said_once_when_objects_expire(given):
    with pytest.raises(ValueError, match="give either expire_days or retention"):
        _ = BucketArgs(**{"purpose": "logs", "key_arn": None, "expire_days": 30, "protect": False, **given}).kept


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_locked_bucket_locks_whatever_comes_into_it(mode):
    graph = bucket(lock=Lock(mode=mode, days=365))
    lock = graph.one("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert (lock.inputs["objectLockEnabled"], lock.inputs["rule"]) == (
        "Enabled",
        {"defaultRetention": {"mode": mode.upper(), "days": 365}},
    )
    assert graph.one("aws:s3/bucketVersioning:BucketVersioning").urn in lock.dependencies


@pytest.mark.parametrize(("given", "tag"), [({}, "none"), ({"backup": "weekly"}, "weekly")])
def test_a_bucket_is_in_no_backup_unless_it_is_asked_for(given, tag):
    assert bucket(**given).one("aws:s3/bucket:Bucket").inputs["tags"]["Backup"] == tag
