"""The rules for buckets: one change of a guarded bucket breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import storage
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity, StackRule

from .bags import ABSENT, UNKNOWN, UnknownValueError, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

BUCKET = "aws:s3/bucket:Bucket"
ARN = "arn:aws:s3:::pages"

DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def of(name, **props):
    return {"bucket": Ref(name), **props}


KMS = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:…"}
STACK = {
    "pages": (BUCKET, {"arn": ARN}),
    "block": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        of("pages", blockPublicAcls=True, blockPublicPolicy=True, ignorePublicAcls=True, restrictPublicBuckets=True),
    ),
    "encryption": (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        of("pages", rules=[{"applyServerSideEncryptionByDefault": KMS, "bucketKeyEnabled": True}]),
    ),
    "policy": ("aws:s3/bucketPolicy:BucketPolicy", of("pages", policy=document(DENY))),
    "versioning": (
        "aws:s3/bucketVersioning:BucketVersioning",
        of("pages", versioningConfiguration={"status": "Enabled"}),
    ),
    "logging": ("aws:s3/bucketLogging:BucketLogging", of("pages", targetBucket="elsewhere")),
    "ownership": (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        of("pages", rule={"objectOwnership": "BucketOwnerEnforced"}),
    ),
}

RULES = {rule.id: rule for rule in storage.RULES}


def said_of(*changes, context=None, **options):
    """id -> (sentence, name) of every stack rule of the section."""
    resources = declared(STACK, *changes, **options)
    rules = [rule for rule in storage.RULES if isinstance(rule, StackRule)]
    return {rule.id: said for rule in rules if (said := stack_faults(rule, *resources, context=context))}


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in storage.RULES] == [
        ("s3-block-public", Severity.CRITICAL, Level.MANDATORY),
        ("s3-encrypted-kms", Severity.HIGH, Level.MANDATORY),
        ("s3-tls-only", Severity.HIGH, Level.MANDATORY),
        ("s3-versioned", Severity.MEDIUM, Level.MANDATORY),
        ("s3-access-logged", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("s3-no-acls", Severity.MEDIUM, Level.MANDATORY),
        ("s3-no-force-destroy", Severity.HIGH, Level.MANDATORY_IN_PROD),
    ]


@pytest.mark.parametrize("preview", [False, True])
def test_a_guarded_bucket_breaks_no_rule(preview):
    assert said_of(preview=preview) == {}


def test_buckets_of_before_version_7_are_buckets():
    newer = {
        name: (token.replace("Bucket:Bucket", "BucketV2:BucketV2"), props) for name, (token, props) in STACK.items()
    }
    newer["pages"] = ("aws:s3/bucketV2:BucketV2", {"arn": ARN})
    newer["versioning"] = ("aws:s3/bucketVersioningV2:BucketVersioningV2", STACK["versioning"][1])
    rules = [rule for rule in storage.RULES if isinstance(rule, StackRule)]
    assert [rule.id for rule in rules if stack_faults(rule, *declared(newer))] == []
    alone = declared({"pages": newer["pages"]})
    assert len([rule.id for rule in rules if stack_faults(rule, *alone)]) == 6


SUSPENDED = "The bucket's versioning is Suspended; Enabled is demanded."
UNSAID = {
    "s3-encrypted-kms": [
        ("Nothing says how the bucket is encrypted; what is delivered to it stops with any key.", "pages")
    ]
}
OPEN_TO_PLAIN = {"s3-tls-only": [("Nothing refuses requests to the bucket that come without TLS.", "pages")]}
SSE = ("rules", 0, "applyServerSideEncryptionByDefault")


def unblocked(*flags):
    return {"s3-block-public": [(f"Public access to the bucket is not blocked by {' and '.join(flags)}.", "block")]}


def encrypted(sentence):
    return {"s3-encrypted-kms": [(sentence, "encryption")]}


def encrypted_with(algorithm):
    return encrypted(f"The bucket is encrypted with {algorithm}; aws:kms is demanded.")


def owned(ownership):
    said = f"The bucket takes ACLs: its ownership is {ownership}; BucketOwnerEnforced is demanded."
    return {"s3-no-acls": [(said, "ownership")]}


def policy(**changes):
    return ("policy", ("policy",), document({**DENY, **changes}))


TLS = DENY["Condition"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("block", ("blockPublicAcls",), False), unblocked("blockPublicAcls")),
        (("block", ("blockPublicPolicy",), ABSENT), unblocked("blockPublicPolicy")),
        (("block", ("ignorePublicAcls",), "odd"), unblocked("ignorePublicAcls")),
        (("block", ("restrictPublicBuckets",), False), unblocked("restrictPublicBuckets")),
        (("encryption", (*SSE, "sseAlgorithm"), "AES256"), encrypted_with("AES256")),
        (("encryption", (*SSE, "sseAlgorithm"), ABSENT), encrypted_with("unset")),
        (("encryption", (*SSE, "kmsMasterKeyId"), ABSENT),
         encrypted("The bucket is encrypted with AWS's key, not with a customer key.")),
        (("encryption", ("rules", 0, "bucketKeyEnabled"), False),
         encrypted("The bucket has no bucket key, so each object costs a request to KMS.")),
        (("encryption", ("rules",), []),
         {"s3-encrypted-kms": [("The bucket is encrypted with S3's own key; a KMS key is demanded.", "pages")]}),
        (policy(Effect="Allow"), OPEN_TO_PLAIN),
        (policy(Principal={"AWS": "*"}), {}),
        (policy(Principal={"AWS": "arn:aws:iam::123456789012:root"}), OPEN_TO_PLAIN),
        (policy(Action="s3:GetObject"), OPEN_TO_PLAIN),
        (policy(Action="*"), {}),
        (policy(Resource=ARN), OPEN_TO_PLAIN),
        (policy(Resource=f"{ARN}/*"), OPEN_TO_PLAIN),
        (policy(Resource="arn:aws:s3:::another*"), OPEN_TO_PLAIN),
        (policy(Resource="*"), {}),
        (policy(Condition={"Bool": {"aws:SecureTransport": False}}), {}),
        (policy(Condition={"Bool": {"aws:SecureTransport": "true"}}), OPEN_TO_PLAIN),
        (policy(Condition={}), OPEN_TO_PLAIN),
        (policy(Condition={**TLS, "StringEquals": {"aws:PrincipalAccount": "123456789012"}}), OPEN_TO_PLAIN),
        (("policy", ("policy",), document()), OPEN_TO_PLAIN),
        (("policy", ("policy",), "{"), {"s3-tls-only": [
            ("The bucket policy cannot be read: it is no JSON.", "policy"), *OPEN_TO_PLAIN["s3-tls-only"]]}),
        (("versioning", ("versioningConfiguration", "status"), "Suspended"),
         {"s3-versioned": [(SUSPENDED, "versioning")]}),
        (("ownership", ("rule", "objectOwnership"), "ObjectWriter"), owned("ObjectWriter")),
        (("ownership", ("rule",), ABSENT), owned("unset")),
    ],
)  # fmt: skip
def test_one_change_breaks_one_rule(change, said):
    assert said_of(change) == said


MISSING = {
    "block": ("s3-block-public", "Nothing blocks public access to the bucket."),
    "encryption": ("s3-encrypted-kms", "The bucket is encrypted with S3's own key; a KMS key is demanded."),
    "policy": ("s3-tls-only", "Nothing refuses requests to the bucket that come without TLS."),
    "versioning": ("s3-versioned", "The bucket keeps no versions."),
    "logging": ("s3-access-logged", "Nobody can tell who read the bucket: it has no access log."),
    "ownership": ("s3-no-acls", "The bucket does not say that it takes no ACLs."),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_named(name):
    rule, said = MISSING[name]
    assert said_of(without=[name]) == {rule: [(said, "pages")]}


@pytest.mark.parametrize("name", MISSING)
def test_what_guards_another_bucket_guards_not_this_one(name):
    rule, said = MISSING[name]
    assert said_of((name, ("bucket",), "another")) == {rule: [(said, "pages")]}


def test_two_layers_of_encryption_take_no_bucket_key():
    two = {"applyServerSideEncryptionByDefault": {**KMS, "sseAlgorithm": "aws:kms:dsse"}}
    assert said_of(("encryption", ("rules",), [two])) == {}


def test_an_acl_is_a_fault_in_itself():
    acl = {"acl": ("aws:s3/bucketAcl:BucketAcl", {"bucket": Ref("pages"), "acl": "private"})}
    said = "An ACL is declared for a bucket; its policy says who may use it."
    assert said_of(extra=acl) == {"s3-no-acls": [(said, "acl")]}


BALANCER = "aws:lb/loadBalancer:LoadBalancer"
S3_KEY = ("encryption", ("rules",), [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}])


@pytest.mark.parametrize("through", ["pages", "policy"])
@pytest.mark.parametrize("preview", [False, True])
def test_a_bucket_for_a_load_balancer_s_log_cannot_use_a_customer_key_and_needs_no_log(through, preview):
    link = Ref("pages") if through == "pages" else Ref("policy", "bucket")
    balancer = {"balancer": (BALANCER, {"accessLogs": {"bucket": link, "enabled": True}})}
    assert said_of(S3_KEY, without=["logging"], extra=balancer, preview=preview) == {}
    assert said_of(without=["logging", "encryption"], extra=balancer, preview=preview) == UNSAID


@pytest.mark.parametrize("service", ["logdelivery.elasticloadbalancing.amazonaws.com", "logging.s3.amazonaws.com"])
def test_a_bucket_that_lets_such_a_delivery_in_cannot_either(service):
    delivery = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject", "Resource": f"{ARN}/*"}
    admits = ("policy", ("policy",), document(DENY, delivery))
    assert said_of(S3_KEY, admits) == {}
    assert said_of(admits, without=["encryption"]) == UNSAID
    refuses = ("policy", ("policy",), document(DENY, {**delivery, "Effect": "Deny"}))
    assert said_of(S3_KEY, refuses) == encrypted_with("AES256")


def test_a_bucket_for_s3_s_log_neither():
    logging = {"other": ("aws:s3/bucketLogging:BucketLogging", {"bucket": "another", "targetBucket": Ref("pages")})}
    assert said_of(S3_KEY, without=["logging"], extra=logging) == {}


def test_a_load_balancer_s_bucket_is_still_encrypted_by_someone():
    balancer = {"balancer": (BALANCER, {"accessLogs": {"bucket": Ref("pages"), "enabled": True}})}
    none = ("encryption", ("rules", 0, "applyServerSideEncryptionByDefault", "sseAlgorithm"), "none")
    assert said_of(none, extra=balancer) == encrypted_with("none")


def test_a_bucket_of_logs_needs_no_log_but_a_key():
    logs = ("pages", ("tags",), {"Purpose": "logs"})
    assert said_of(logs, without=["logging"]) == {}
    assert set(said_of(logs, S3_KEY, without=["logging"])) == {"s3-encrypted-kms"}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("s3-block-public", ("block", ("blockPublicAcls",), UNKNOWN)),
        ("s3-encrypted-kms", ("encryption", ("rules",), UNKNOWN)),
        ("s3-tls-only", ("policy", ("policy",), UNKNOWN)),
        ("s3-versioned", ("versioning", ("versioningConfiguration",), UNKNOWN)),
        ("s3-access-logged", ("pages", ("tags",), UNKNOWN)),
        ("s3-no-acls", ("ownership", ("rule",), UNKNOWN)),
    ],
)
def test_an_unknown_value_is_not_judged(rule, change):
    said, _ = not_evaluated(RULES[rule], *declared(STACK, change))
    assert said == []


def test_an_unknown_bucket_hides_no_other():
    open_ = {"open": (BUCKET, {})}
    said, _ = not_evaluated(
        RULES["s3-block-public"], *declared(STACK, ("block", ("blockPublicAcls",), UNKNOWN), extra=open_)
    )
    assert said == [("Nothing blocks public access to the bucket.", "open")]


FORCE = RULES["s3-no-force-destroy"]


@pytest.mark.parametrize(
    ("props", "environment", "said"),
    [
        ({}, "prod", []),
        ({"forceDestroy": False}, "prod", []),
        ({"forceDestroy": True}, "prod", ["The bucket would be deleted with everything in it."]),
        ({"forceDestroy": "odd"}, "prod", ["The bucket would be deleted with everything in it."]),
        ({"forceDestroy": True}, "dev", []),
    ],
)
def test_a_bucket_of_prod_is_not_emptied(props, environment, said):
    assert faults(FORCE, resource(BUCKET, "it", props), Context(environment=environment)) == said


def test_whether_it_would_be_must_be_known():
    with pytest.raises(UnknownValueError):
        faults(FORCE, resource(BUCKET, "it", {"forceDestroy": UNKNOWN}))
