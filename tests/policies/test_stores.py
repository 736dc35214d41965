"""The rules for what keeps data outside RDS and S3."""

from __future__ import annotations

import pytest

from policies.rulebook import stores
from policies.rulebook.resource import Context
from policies.rulebook.rule import Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, resource

RULES = {rule.id: rule for rule in stores.RULES}
DATABASE = "aws:rds/instance:Instance"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234"
TABLE = {
    "pointInTimeRecovery": {"enabled": True},
    "serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY},
    "deletionProtectionEnabled": True,
}
MACHINE = {
    "loggingConfiguration": {"level": "ALL", "logDestination": "arn:aws:logs:eu-west-1:111122223333:log-group:x:*"},
    "tracingConfiguration": {"enabled": True},
}


def said(rule, token, props, environment="prod"):
    return faults(RULES[rule], resource(token, "it", props), Context(environment=environment))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity) for rule in stores.RULES] == [
        ("enc-own-keys", Severity.MEDIUM),
        ("sqs-encrypted", Severity.MEDIUM),
        ("ddb-recoverable", Severity.HIGH),
        ("sfn-logged-traced", Severity.MEDIUM),
    ]


@pytest.mark.parametrize(
    ("token", "path", "what"),
    [
        ("aws:amp/workspace:Workspace", ("kmsKeyArn",), "metrics"),
        ("aws:appconfig/configurationProfile:ConfigurationProfile", ("kmsKeyIdentifier",), "configuration"),
        (stores.TABLE, ("serverSideEncryption", "kmsKeyArn"), "items"),
        ("aws:grafana/workspace:Workspace", ("kmsKeyId",), "dashboards"),
    ],
)
def test_what_keeps_data_names_a_key(token, path, what):
    props = KEY
    for step in reversed(path):
        props = {step: props}
    assert said("enc-own-keys", token, props) == []
    missing = [f"No key of the project encrypts its {what}: {'.'.join(path)} is unset."]
    assert said("enc-own-keys", token, {}) == missing
    assert said("enc-own-keys", token, altered(props, *path, to="")) == missing
    with pytest.raises(UnknownValueError):
        said("enc-own-keys", token, altered(props, *path, to=UNKNOWN))


def test_a_database_names_a_key_for_what_it_keeps():
    assert said("enc-own-keys", DATABASE, {}) == ["No key of the project encrypts its storage: kmsKeyId is unset."]
    on = {"kmsKeyId": KEY, "manageMasterUserPassword": True, "performanceInsightsEnabled": True}
    assert said("enc-own-keys", DATABASE, on) == [
        "No key of the project encrypts its password: masterUserSecretKmsKeyId is unset.",
        "No key of the project encrypts its statistics: performanceInsightsKmsKeyId is unset.",
    ]
    whole = {**on, "masterUserSecretKmsKeyId": KEY, "performanceInsightsKmsKeyId": KEY}
    assert said("enc-own-keys", DATABASE, whole) == []


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"kmsMasterKeyId": KEY}, []),
        ({"sqsManagedSseEnabled": True}, []),
        ({"sqsManagedSseEnabled": False}, ["The queue says neither that SQS encrypts it nor under which key."]),
        ({}, ["The queue says neither that SQS encrypts it nor under which key."]),
    ],
)
def test_a_queue_is_encrypted(props, expected):
    assert said("sqs-encrypted", stores.QUEUE, props) == expected


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        (TABLE, []),
        (
            altered(TABLE, "pointInTimeRecovery", "enabled", to=False),
            ["The table cannot be restored to a point in time."],
        ),
        (altered(TABLE, pointInTimeRecovery=ABSENT), ["The table cannot be restored to a point in time."]),
        (
            altered(TABLE, "serverSideEncryption", "enabled", to=False),
            ["The table is not encrypted under a key of the account."],
        ),
        (
            altered(TABLE, deletionProtectionEnabled=ABSENT),
            ["The table can be deleted: its deletion protection is off."],
        ),
    ],
)
def test_a_table_can_be_restored(props, expected):
    assert said("ddb-recoverable", stores.TABLE, props) == expected


def test_a_table_may_be_deleted_outside_prod():
    assert said("ddb-recoverable", stores.TABLE, altered(TABLE, deletionProtectionEnabled=False), "staging") == []


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        (MACHINE, []),
        (altered(MACHINE, "loggingConfiguration", "level", to="OFF"), ["The state machine logs nothing of its runs."]),
        (altered(MACHINE, loggingConfiguration=ABSENT), ["The state machine logs nothing of its runs."]),
        (
            altered(MACHINE, "loggingConfiguration", "logDestination"),
            ["The state machine has no log group to write to."],
        ),
        (altered(MACHINE, tracingConfiguration=ABSENT), ["The state machine's runs are not traced."]),
        (
            altered(MACHINE, "tracingConfiguration", "enabled", to=False),
            ["The state machine's runs are not traced."],
        ),
    ],
)
def test_a_state_machine_is_logged_and_traced(props, expected):
    assert said("sfn-logged-traced", stores.MACHINE, props) == expected


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("sqs-encrypted", stores.QUEUE, {"kmsMasterKeyId": UNKNOWN}),
        ("ddb-recoverable", stores.TABLE, altered(TABLE, "pointInTimeRecovery", "enabled", to=UNKNOWN)),
        ("sfn-logged-traced", stores.MACHINE, altered(MACHINE, "loggingConfiguration", "level", to=UNKNOWN)),
    ],
)
def test_an_unknown_value_is_not_judged(rule, token, props):
    with pytest.raises(UnknownValueError):
        said(rule, token, props)
