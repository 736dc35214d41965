"""The rule on the other half of what a resource names."""

import pytest

from policies.rulebook.counterparts import RULES, WHOLE
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared

DEFAULT = "applyServerSideEncryptionByDefault"
SYSTEM = {
    "key": ("aws:kms/key:Key", {}),
    "pages": ("aws:s3/bucket:Bucket", {}),
    "logs": ("aws:s3/bucket:Bucket", {}),
    "encryption": (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {
            "bucket": Ref("pages"),
            "rules": [{DEFAULT: {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": Ref("key", "arn")}}],
        },
    ),
    "logging": ("aws:s3/bucketLogging:BucketLogging", {"bucket": Ref("pages"), "targetBucket": Ref("logs")}),
    "application": ("aws:appconfig/application:Application", {}),
    "profile": ("aws:appconfig/configurationProfile:ConfigurationProfile", {"applicationId": Ref("application")}),
    "version": (
        "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion",
        {"applicationId": Ref("application"), "configurationProfileId": Ref("profile")},
    ),
    "monitor": ("aws:costexplorer/anomalyMonitor:AnomalyMonitor", {}),
    "anomalies": (
        "aws:costexplorer/anomalySubscription:AnomalySubscription",
        {"monitorArnLists": [Ref("monitor", "arn")]},
    ),
}


def said(*changes, **options):
    return stack_faults(WHOLE, *declared(SYSTEM, *changes, **options))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["gov-counterparts-declared"]


@pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])
def test_a_whole_system_passes(preview):
    assert said(preview=preview) == []


KEY = ("encryption", ("rules", 0, DEFAULT, "kmsMasterKeyId"))


@pytest.mark.parametrize(
    ("change", "what", "prop"),
    [
        ((*KEY, "elsewhere"), "key", "kmsMasterKeyId"),
        (("logging", ("targetBucket",), "elsewhere"), "bucket", "targetBucket"),
        (("profile", ("applicationId",), "elsewhere"), "application", "applicationId"),
        (("version", ("applicationId",), "elsewhere"), "application", "applicationId"),
        (("version", ("configurationProfileId",), "elsewhere"), "profile", "configurationProfileId"),
        (("anomalies", ("monitorArnLists",), ["elsewhere"]), "monitor of costs", "monitorArnLists"),
    ],
)
def test_what_is_named_and_not_declared_is_told(change, what, prop):
    assert said(change) == [(f"The {what} elsewhere that {prop} names is not declared in this stack.", change[0])]


@pytest.mark.parametrize(
    "change",
    [
        (*KEY, ABSENT),
        ("encryption", ("rules",), ABSENT),
        ("encryption", ("rules",), []),
        ("logging", ("targetBucket",), ABSENT),
        ("anomalies", ("monitorArnLists",), []),
    ],
)
def test_what_names_nothing_is_for_other_rules(change):
    assert said(change) == []


def test_a_bucket_may_be_named_through_its_versioning_and_a_key_through_an_alias():
    through = {
        "versioning": ("aws:s3/bucketVersioning:BucketVersioning", {"bucket": Ref("logs")}),
        "logging": ("aws:s3/bucketLogging:BucketLogging", {"targetBucket": Ref("versioning", "bucket")}),
        "alias": ("aws:kms/alias:Alias", {"targetKeyId": Ref("key")}),
        "encryption": (
            SYSTEM["encryption"][0],
            {"rules": [{DEFAULT: {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": Ref("alias", "arn")}}]},
        ),
    }
    assert said(extra=through) == []


def test_an_unknown_name_without_a_target_is_not_judged():
    changed = {**SYSTEM, "logging": ("aws:s3/bucketLogging:BucketLogging", {"targetBucket": UNKNOWN})}
    assert not_evaluated(WHOLE, *declared(changed))[0] == []
