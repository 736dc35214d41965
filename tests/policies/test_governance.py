"""The rules that hold for every resource, and the one for sessions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pulumi_aws
import pytest

from policies.rulebook import governance
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity
from policies.rulebook.taggable import TAGGABLE

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, resource

RULES = {rule.id: rule for rule in governance.RULES}
TAGS = {
    "Project": "learning-platform",
    "Environment": "prod",
    "Owner": "platform",
    "Service": "web",
    "CostCenter": "LP-1",
    "Backup": "none",
    "RunbookRef": "000_… §5",
}
VPC, GROUP, KEY = "aws:ec2/vpc:Vpc", "aws:autoscaling/group:Group", "aws:kms/key:Key"
HOME = Context(regions=("eu-west-1", "eu-central-1"))


def said_of(rule, token, props, context=None, **fields):
    return faults(RULES[rule], resource(token, "it", props, **fields), context)


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in governance.RULES] == [
        ("session-logged", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("gov-tags", Severity.MEDIUM, Level.MANDATORY),
        ("gov-protect-stateful", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("gov-regions", Severity.HIGH, Level.MANDATORY),
    ]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (TAGS, []),
        ({**TAGS, "Extra": "x"}, []),
        (altered(TAGS, Owner=ABSENT), ["The tag Owner is missing."]),
        (altered(TAGS, Owner=""), ["The tag Owner is missing."]),
        (altered(TAGS, Owner=ABSENT, Backup=ABSENT), ["The tags Owner and Backup are missing."]),
        (altered(altered(TAGS, Owner=ABSENT), owner="x"), ["The tag Owner is missing."]),
        ({}, ["The tags Project, Environment, Owner, Service, CostCenter, Backup and RunbookRef are missing."]),
    ],
)
def test_what_can_be_tagged_carries_every_tag(tags, said):
    assert said_of("gov-tags", VPC, {"tags": tags}) == said
    listed = [{"key": key, "value": value, "propagateAtLaunch": True} for key, value in tags.items()]
    assert said_of("gov-tags", GROUP, {"tags": listed}) == said


def test_unset_tags_are_missing():
    said = ["The tags Project, Environment, Owner, Service, CostCenter, Backup and RunbookRef are missing."]
    assert said_of("gov-tags", VPC, {}) == said


@pytest.mark.parametrize("token", ["aws:ec2/route:Route", "learning-platform:web:WebTier", "pulumi:providers:aws"])
def test_what_cannot_be_tagged_need_not_be(token):
    assert said_of("gov-tags", token, {}) == []


@pytest.mark.parametrize("props", [{"tags": UNKNOWN}, {"tags": {**TAGS, "Owner": UNKNOWN}}])
def test_an_unknown_tag_is_not_judged(props):
    with pytest.raises(UnknownValueError):
        said_of("gov-tags", VPC, props)


def test_the_taggable_types_are_the_sdk_s():
    token = re.compile(r"super\(\w+, __self__\)\.__init__\(\s*'(aws:[^']+)'")
    found = set()
    for path in Path(pulumi_aws.__file__).parent.rglob("*.py"):
        if path.name.startswith(("_", "get_")) or path.name == "outputs.py":
            continue
        source = path.read_text(encoding="utf-8")
        declared = token.search(source)
        start = source.find("def _internal_init")
        if declared and re.search(r"\n\s+tags: ", source[start : source.find("):", start)]):
            found.add(declared[1])
    # Its tags choose what is looked at; they are not its own.
    assert found - TAGGABLE == {"aws:devopsguru/resourceCollection:ResourceCollection"}
    assert TAGGABLE - found == set()


UNPROTECTED = ["A destroy would take the resource along: it is neither protected nor retained."]


@pytest.mark.parametrize(
    ("environment", "fields", "said"),
    [
        ("prod", {}, UNPROTECTED),
        ("prod", {"protect": True}, []),
        ("prod", {"retain_on_delete": True}, []),
        ("staging", {}, UNPROTECTED),
        ("dev", {}, []),
    ],
)
@pytest.mark.parametrize(
    "token",
    [
        "aws:rds/instance:Instance",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
        "aws:backup/plan:Plan",
        "aws:backup/vault:Vault",
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "aws:dynamodb/table:Table",
        "aws:grafana/workspace:Workspace",
        "aws:amp/workspace:Workspace",
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        KEY,
        "aws:cloudtrail/trail:Trail",
    ],
)
def test_what_holds_data_is_protected_but_for_development(token, environment, fields, said):
    assert said_of("gov-protect-stateful", token, {}, Context(environment=environment), **fields) == said


CERTIFICATE = "aws:acm/certificate:Certificate"


@pytest.mark.parametrize(
    ("token", "region", "said"),
    [
        (VPC, None, []),
        (VPC, "eu-west-1", []),
        (VPC, "eu-central-1", []),
        (VPC, "us-east-1", ["The resource is in us-east-1; the regions of the stack are eu-west-1 and eu-central-1."]),
        (CERTIFICATE, "us-east-1", []),
        ("aws:wafv2/webAcl:WebAcl", "us-east-1", []),
        (CERTIFICATE, "us-east-2",
         ["The resource is in us-east-2; the regions of the stack are eu-west-1 and eu-central-1."]),
        ("pulumi:providers:aws", "us-west-1",
         ["The resource is in us-west-1; the regions of the stack are eu-west-1 and eu-central-1."]),
        ("pulumi:providers:aws", "eu-west-1", []),
        ("learning-platform:web:WebTier", "us-west-1", []),
    ],
)  # fmt: skip
def test_everything_is_in_a_region_of_the_stack(token, region, said):
    assert said_of("gov-regions", token, {"region": region} if region else {}, HOME) == said


def test_a_stack_without_regions_allows_none():
    said = ["The resource is in eu-west-1; the regions of the stack are none."]
    assert said_of("gov-regions", VPC, {"region": "eu-west-1"}) == said


def test_an_unknown_region_is_not_judged():
    with pytest.raises(UnknownValueError):
        said_of("gov-regions", VPC, {"region": UNKNOWN}, HOME)


INPUTS = {
    "cloudWatchLogGroupName": "/platform/sessions",
    "cloudWatchEncryptionEnabled": True,
    "kmsKeyId": "1234",
    "s3BucketName": "",
    "s3EncryptionEnabled": False,
}
DOCUMENT = "aws:ssm/document:Document"


def preferences(inputs, **more):
    content = {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": inputs, **more}
    return {"documentType": "Session", "content": json.dumps(content)}


NO_KEY = "Sessions are not encrypted with a customer key: the preferences name no kmsKeyId."
UNREADABLE = "The session preferences cannot be read: their content is no JSON."
NOT_LOGGED = "Sessions are not logged: the preferences name neither a log group nor a bucket."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"cloudWatchEncryptionEnabled": "true"}, []),
        ({"kmsKeyId": ABSENT}, [NO_KEY]),
        ({"kmsKeyId": ""}, [NO_KEY]),
        ({"cloudWatchLogGroupName": ""}, [NOT_LOGGED]),
        ({"cloudWatchLogGroupName": ABSENT}, [NOT_LOGGED]),
        ({"cloudWatchEncryptionEnabled": False},
         ["The log of sessions may be in the clear: cloudWatchEncryptionEnabled is off."]),
        ({"cloudWatchEncryptionEnabled": ABSENT},
         ["The log of sessions may be in the clear: cloudWatchEncryptionEnabled is off."]),
        ({"cloudWatchLogGroupName": "", "s3BucketName": "logs", "s3EncryptionEnabled": True}, []),
        ({"s3BucketName": "logs"}, ["The log of sessions may be in the clear: s3EncryptionEnabled is off."]),
    ],
)  # fmt: skip
def test_sessions_are_encrypted_and_logged(changes, said):
    assert said_of("session-logged", DOCUMENT, preferences(altered(INPUTS, **changes))) == said


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"documentType": "Session", "content": "{"}, [UNREADABLE]),
        ({"documentType": "Session"}, [UNREADABLE]),
        ({"documentType": "Session", "content": "[]"}, [NO_KEY, NOT_LOGGED]),
        (preferences(None), [NO_KEY, NOT_LOGGED]),
        ({"documentType": "Command", "content": "{}"}, []),
        (preferences({}, sessionType="Port"), []),
        (preferences({}, sessionType="InteractiveCommands"), []),
    ],
)  # fmt: skip
def test_only_documents_of_preferences_are_judged(props, said):
    assert said_of("session-logged", DOCUMENT, props) == said


@pytest.mark.parametrize("props", [{"documentType": UNKNOWN}, {"documentType": "Session", "content": UNKNOWN}])
def test_unknown_preferences_are_not_judged(props):
    with pytest.raises(UnknownValueError):
        said_of("session-logged", DOCUMENT, props)
