"""What commands, agents and functions find by name is there."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import coverage
from policies.rulebook.inventory import INVENTORY, NAMES, PARAMETER, RULES

from .bags import UNKNOWN, not_evaluated, resource, stack_faults

KEY = "arn:aws:kms:eu-west-1:123456789012:key/abcd"
GONE = KEY.replace("abcd", "ef")
BUCKET = resource("aws:s3/bucket:Bucket", "files", {"id": "files-1", "bucket": "files-1"})
DATABASE = resource(coverage.DATABASE, "db", {"identifier": "shop", "port": 5433, "id": "db-1"})
QUEUE = resource(coverage.QUEUE, "dead", {"id": "dead-id", "url": "https://sqs/dead"})
MADE = (BUCKET, DATABASE, QUEUE, resource("aws:kms/key:Key", "key", {"arn": KEY, "id": "abcd"}))

AUDIT = {"bucket": "files-1", "logGroup": "/trail", "trailArn": "arn:aws:cloudtrail:eu-west-1:123456789012:trail/x"}
TRAIL = (
    resource("aws:cloudwatch/logGroup:LogGroup", "trail-log", {"name": "/trail"}),
    resource("aws:cloudtrail/trail:Trail", "trail", {"arn": AUDIT["trailArn"]}),
)


def parameter(body, name="/shop/prod/inventory/audit"):
    text = body if isinstance(body, str) else json.dumps(body)
    return resource(PARAMETER, "it", {"name": name, "insecureValue": text})


def whole(body, *others, **options):
    return [said for said, _ in stack_faults(INVENTORY, parameter(body, **options), *MADE, *TRAIL, *others)]


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["gov-inventory-whole", "lambda-names-declared"]


def test_an_entry_that_is_whole_passes():
    assert whole(AUDIT) == []
    assert whole({**AUDIT, "keyArn": KEY, "url": "https://app.learning.example", "calendar": None}) == []


@pytest.mark.parametrize("key", sorted(AUDIT))
def test_a_missing_entry_is_named(key):
    left = {name: value for name, value in AUDIT.items() if name != key}
    assert whole(left) == [f"Commands do not find {key} of audit in the inventory."]


def test_an_entry_within_an_entry_is_asked_for_too():
    topics = dict.fromkeys(("critical", "high", "low"), "")
    assert whole({"topicArns": topics}, name="/shop/prod/inventory/alerts") == [
        "Commands do not find topicArns.medium of alerts in the inventory."
    ]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("bucket", "files-2", "bucket names files-2, and there is no such Bucket here."),
        (
            "anything",
            GONE,
            f"anything names {GONE}, which is not declared here.",
        ),
        ("machine", "i-0123456789abcdef0", "machine names i-0123456789abcdef0, which is not declared here."),
    ],
)
def test_a_name_of_nothing_in_the_stack_is_named(key, value, sentence):
    assert whole({**AUDIT, key: value}) == [sentence]


@pytest.mark.parametrize("text", ["no json", "[]", ""])
def test_an_entry_that_is_no_object_is_named(text):
    assert whole(text) == ["The parameter holds no JSON object."]


@pytest.mark.parametrize("text", ["al2023-ami-minimal", "5", "files-9"])
def test_a_plain_text_elsewhere_is_not_judged(text):
    assert whole(text, name="/shop/prod/image") == []


def test_place_holders_are_filled_in_by_whoever_reads_them():
    body = {"InstanceId": "${aws:InstanceId}", "log_stream_name": "{instance_id}", "log_group_name": "/trail"}
    assert whole(body, name="/shop/prod/agent") == []
    assert whole({**body, "log_group_name": "/gone"}, name="/shop/prod/agent") == [
        "log_group_name names /gone, and there is no such LogGroup here."
    ]


def test_a_number_stands_alike_in_the_inventory_the_database_and_the_functions():
    entry = {
        "address": "a",
        "identifier": "shop",
        "logGroups": {},
        "maxConnections": 9,
        "port": 5433,
        "resourceId": "x",
        "secretArn": "s",
    }
    name = "/shop/prod/inventory/database"
    judge = resource(
        coverage.FUNCTION,
        "judge",
        {"tags": {"Service": "database"}, "environment": {"variables": {"MAX_CONNECTIONS": "9"}}},
    )
    assert whole(entry, judge, name=name) == []
    assert whole({**entry, "port": 5432, "maxConnections": 90}, judge, name=name) == [
        "maxConnections is 90 and 9 in function judge.",
        "port is 5432, and database db listens on 5433.",
    ]


def test_an_unknown_entry_is_no_pass():
    unknown = resource(PARAMETER, "it", {"name": "/shop/prod/inventory/audit", "insecureValue": UNKNOWN})
    assert not_evaluated(INVENTORY, unknown, *MADE)[0] == []


# Functions


def names(**variables):
    function = resource(coverage.FUNCTION, "f", {"environment": {"variables": variables}})
    return [said for said, _ in stack_faults(NAMES, function, *MADE)]


def test_names_of_what_is_declared_pass():
    assert names(BUCKET="files-1", KEY_ARN=KEY, DEAD_LETTERS="https://sqs/dead", SYSTEM="shop prod") == []
    assert names(EVIDENCE='{"table": "audit_log"}', SECRET="arn:aws:secretsmanager:eu-west-1:1:secret:x") == []
    assert stack_faults(NAMES, resource(coverage.FUNCTION, "f", {})) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TABLE", "records", "TABLE names records, and there is no such Table here."),
        ("DEAD_LETTERS", "https://sqs/gone", "DEAD_LETTERS names https://sqs/gone, and there is no such Queue here."),
        (
            "TOPICS",
            '{"arn:aws:sns:eu-west-1:123456789012:gone": "high"}',
            "TOPICS[] names arn:aws:sns:eu-west-1:123456789012:gone, which is not declared here.",
        ),
    ],
)
def test_a_variable_that_names_nothing_is_named(name, value, sentence):
    assert names(**{name: value}) == [f"The function's variable {sentence}"]


def test_unknown_variables_are_no_pass():
    function = resource(coverage.FUNCTION, "f", {"environment": {"variables": {"TABLE": UNKNOWN}}})
    assert not_evaluated(NAMES, function)[0] == []
