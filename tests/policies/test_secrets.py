"""The rules for secrets and keys: one change of a compliant bag breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import secrets
from policies.rulebook.resource import SECRET, Context
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

STORE = "aws:secretsmanager/secret:Secret"
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
PARAMETER = "aws:ssm/parameter:Parameter"
KEY = "aws:kms/key:Key"
DATABASE = "aws:rds/instance:Instance"

OWNER = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
    "Resource": "*",
}
LOGS = {
    "Effect": "Allow",
    "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
    "Action": ["kms:Decrypt*"],
    "Resource": ["*"],
    "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-west-1:123456789012:log-group:*"}},
}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def anyone_if(key, value):
    return {**OWNER, "Principal": "*", "Condition": {"StringEquals": {key: value}}}


BAGS = {
    STORE: {"name": "platform/slack", "kmsKeyId": "arn:aws:kms:…"},
    PARAMETER: {"name": "/platform/prod/db/password", "type": "SecureString", "keyId": "arn:aws:kms:…"},
    KEY: {"enableKeyRotation": True, "deletionWindowInDays": 30, "policy": document(OWNER, LOGS)},
}
AWS_KEY = {"secret-cmk-and-recovery": "The secret is encrypted with AWS's key, not with a customer key."}
GONE = {"secret-cmk-and-recovery": "The secret would be deleted at once: its recovery window is 0 days."}
NAMED = "The parameter /platform/prod/db/password is"
NEVER = {"kms-rotation": "The key is never rotated."}
OPEN = {"kms-not-public": "The key policy lets anyone use the key."}


def deputy(service):
    return {
        "kms-not-public": f"The key policy lets {service} use the key on any account's behalf: it has no condition."
    }


#: type, property, value, what it says
CHANGES = [
    (STORE, "kmsKeyId", ABSENT, AWS_KEY),
    (STORE, "kmsKeyId", "alias/aws/secretsmanager", AWS_KEY),
    (STORE, "recoveryWindowInDays", 7, {}),
    (STORE, "recoveryWindowInDays", 0, GONE),
    (
        PARAMETER,
        "type",
        "String",
        {"ssm-secure-string": f"{NAMED} called a secret; its type is String, SecureString is demanded."},
    ),
    (
        PARAMETER,
        "type",
        ABSENT,
        {"ssm-secure-string": f"{NAMED} called a secret; its type is unset, SecureString is demanded."},
    ),
    (PARAMETER, "keyId", ABSENT, {"ssm-secure-string": f"{NAMED} encrypted with AWS's key, not with a customer key."}),
    (
        PARAMETER,
        "keyId",
        "alias/aws/ssm",
        {"ssm-secure-string": f"{NAMED} encrypted with AWS's key, not with a customer key."},
    ),
    (KEY, "enableKeyRotation", "true", {}),
    (KEY, "enableKeyRotation", ABSENT, NEVER),
    (KEY, "enableKeyRotation", False, NEVER),
    (KEY, "deletionWindowInDays", ABSENT, {}),
    (KEY, "deletionWindowInDays", 14, {}),
    (
        KEY,
        "deletionWindowInDays",
        7,
        {"kms-rotation": "The deletion of the key can be taken back for 7 days; 14 are demanded."},
    ),
    (KEY, "policy", ABSENT, {}),
    (KEY, "policy", "{", {"kms-not-public": "The key policy cannot be read: it is no JSON."}),
    (KEY, "policy", document({**OWNER, "Principal": "*"}), OPEN),
    (KEY, "policy", document(OWNER, {**LOGS, "Principal": {"AWS": "*"}}), OPEN),
    (KEY, "policy", document(anyone_if("kms:CallerAccount", "123456789012")), {}),
    (KEY, "policy", document(anyone_if("kms:ViaService", "s3.amazonaws.com")), OPEN),
    (KEY, "policy", document({**OWNER, "Principal": "*", "Effect": "Deny"}), {}),
    (KEY, "policy", document(OWNER, {**LOGS, "Condition": {}}), deputy("logs.eu-west-1.amazonaws.com")),
]

RULES = {rule.id: rule for rule in secrets.RULES}
ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
TRAIL_ARN = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/audit"
TRAIL_CONTEXT = {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": TRAIL_ARN}}
BY_TRAIL = {"StringEquals": {"aws:SourceArn": TRAIL_ARN}}
QUEUE_CONTEXT = {"StringEquals": {"kms:EncryptionContext:aws:sqs:arn": "arn:aws:sqs:eu-west-1:123456789012:bells"}}


def for_anybody(service, key):
    return [f"The key policy lets {service} use the key for anybody: no condition on {key} or on a context."]


@pytest.mark.parametrize(
    ("service", "condition", "said"),
    [
        ("events", QUEUE_CONTEXT, []),
        ("budgets", ACCOUNT, []),
        (
            "budgets",
            {"Bool": {"aws:SecureTransport": "true"}},
            for_anybody("budgets.amazonaws.com", "aws:SourceAccount"),
        ),
        (
            "sms-voice",
            {"ArnLike": {"aws:SourceArn": "arn:aws:sms-voice:eu-west-1:123456789012:*"}},
            for_anybody("sms-voice.amazonaws.com", "aws:SourceAccount"),
        ),
        ("sms-voice", ACCOUNT, for_anybody("sms-voice.amazonaws.com", "aws:SourceArn")),
        ("cloudtrail", TRAIL_CONTEXT, for_anybody("cloudtrail.amazonaws.com", "aws:SourceArn")),
        (
            "cloudtrail",
            BY_TRAIL,
            [
                "The key policy lets cloudtrail.amazonaws.com encrypt for any trail: no condition on the trail's "
                "context."
            ],
        ),
        ("cloudtrail", {**TRAIL_CONTEXT, **BY_TRAIL}, []),
    ],
)
def test_a_service_uses_a_key_for_one_thing_of_this_account(service, condition, said):
    statement = {**LOGS, "Action": "kms:GenerateDataKey*", "Condition": condition}
    policy = document(OWNER, {**statement, "Principal": {"Service": f"{service}.amazonaws.com"}})
    assert faults(RULES["kms-not-public"], resource(KEY, "it", {"policy": policy})) == said


def test_a_key_s_policy_is_written_out():
    said = [("The key has no policy of its own, so none says who may use it.", "it")]
    rule, policy = RULES["kms-policy-written"], document(OWNER)
    assert stack_faults(rule, resource(KEY, "it", {"policy": policy})) == []
    bare = resource(KEY, "it", {"id": "1234-key"})
    assert stack_faults(rule, bare) == said
    beside = resource(secrets.KEY_POLICY_TYPE, "policy", {"keyId": "1234-key", "policy": policy}, uses={"keyId": bare})
    assert stack_faults(rule, bare, beside) == []
    assert not_evaluated(rule, resource(KEY, "it", {"policy": UNKNOWN}))[0] == []


def broken(judged, context=None):
    """id -> sentences of every resource rule of the section that ``judged`` breaks."""
    applying = [r for r in secrets.RULES if isinstance(r, ResourceRule) and judged.type in (r.types or {judged.type})]
    return {rule.id: said for rule in applying if (said := faults(rule, judged, context))}


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in secrets.RULES] == [
        ("secret-rotation", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("secret-cmk-and-recovery", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("ssm-secure-string", Severity.HIGH, Level.MANDATORY),
        ("kms-rotation", Severity.HIGH, Level.MANDATORY),
        ("kms-not-public", Severity.CRITICAL, Level.MANDATORY),
        ("kms-policy-written", Severity.MEDIUM, Level.MANDATORY),
        ("no-plaintext-secret", Severity.CRITICAL, Level.MANDATORY),
    ]


@pytest.mark.parametrize("token", BAGS)
def test_a_compliant_resource_breaks_no_rule(token):
    assert broken(resource(token, "it", BAGS[token])) == {}


@pytest.mark.parametrize(("token", "prop", "value", "said"), CHANGES)
def test_one_change_breaks_one_rule(token, prop, value, said):
    changed = resource(token, "it", {k: v for k, v in {**BAGS[token], prop: value}.items() if v is not ABSENT})
    assert broken(changed) == {rule: [sentence] for rule, sentence in said.items()}


@pytest.mark.parametrize(
    ("rule", "token", "prop"),
    [
        ("secret-cmk-and-recovery", STORE, "kmsKeyId"),
        ("secret-cmk-and-recovery", STORE, "recoveryWindowInDays"),
        ("ssm-secure-string", PARAMETER, "name"),
        ("ssm-secure-string", PARAMETER, "keyId"),
        ("kms-rotation", KEY, "enableKeyRotation"),
        ("kms-rotation", KEY, "deletionWindowInDays"),
        ("kms-not-public", KEY, "policy"),
        ("no-plaintext-secret", KEY, "description"),
    ],
)
def test_an_unknown_value_is_not_judged(rule, token, prop):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(token, "it", {**BAGS[token], prop: UNKNOWN}))


def test_outside_prod_a_secret_may_go_at_once():
    gone = resource(STORE, "it", {**BAGS[STORE], "recoveryWindowInDays": 0})
    assert broken(gone, Context(environment="staging")) == {}


def test_a_parameter_that_is_called_otherwise_may_be_plain():
    assert broken(resource(PARAMETER, "it", {"name": "/platform/prod/inventory/database", "type": "String"})) == {}


def test_a_parameter_without_a_name_is_called_after_its_resource():
    said = ["The parameter db-password is called a secret; its type is String, SecureString is demanded."]
    assert broken(resource(PARAMETER, "db-password", {"type": "String"})) == {"ssm-secure-string": said}


@pytest.mark.parametrize(
    "kind", [{"customerMasterKeySpec": "RSA_2048"}, {"keyUsage": "SIGN_VERIFY"}, {"customerMasterKeySpec": "HMAC_256"}]
)
def test_a_key_that_kms_cannot_rotate_need_not_be(kind):
    assert broken(resource(KEY, "it", altered(BAGS[KEY], enableKeyRotation=False, **kind))) == {}


@pytest.mark.parametrize("token", ["aws:kms/keyPolicy:KeyPolicy", "aws:kms/replicaKey:ReplicaKey"])
def test_a_key_policy_is_judged_wherever_it_stands(token):
    said = {"kms-not-public": ["The key policy lets anyone use the key."]}
    assert broken(resource(token, "it", {"policy": document({**OWNER, "Principal": "*"})})) == said


TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"description": TOKEN}, "The property description holds a GitHub token."),
        ({"a": {"b": [{"c": "x"}, {"c": TOKEN}]}}, "The property a.b[1].c holds a GitHub token."),
        ({"url": "postgres://app:hunter2@db/app"}, "The property url holds a connection string with a password."),
        ({"body": "-----BEGIN PRIVATE KEY-----\nMII"}, "The property body holds a private key."),
    ],
)
def test_a_secret_in_any_property_of_any_resource_is_found(props, said):
    assert broken(resource("aws:any/thing:Thing", "it", props)) == {"no-plaintext-secret": [said]}


@pytest.mark.parametrize(
    "props", [{"password": SECRET}, {"url": "postgres://app@db/app"}, {"userData": TOKEN}, {"enabled": True}, {}]
)
def test_what_is_marked_or_judged_elsewhere_is_not(props):
    assert broken(resource("aws:any/thing:Thing", "it", props)) == {}


def test_an_unknown_property_hides_no_secret():
    judged = resource("aws:any/thing:Thing", "it", {"a": UNKNOWN, "b": {"c": [UNKNOWN, TOKEN]}})
    said, _ = not_evaluated(RULES["no-plaintext-secret"], judged)
    assert said == [("The property b.c[1] holds a GitHub token.", "it")]


ROTATED = RULES["secret-rotation"]
STACK = {
    "database": (DATABASE, {"manageMasterUserPassword": True, "masterUserSecrets": [{"secretArn": "arn:of:it"}]}),
    "password": (ROTATION, {"secretId": Ref("database", "id"), "rotationRules": {"automaticallyAfterDays": 30}}),
    "slack": (STORE, {"name": "platform/slack"}),
    "webhook": (ROTATION, {"secretId": Ref("slack"), "rotationRules": {"automaticallyAfterDays": 90}}),
}
RULE = ("rotationRules",)


def said_of(*changes, **options):
    return stack_faults(ROTATED, *declared(STACK, *changes, **options))


@pytest.mark.parametrize("preview", [False, True])
def test_rotated_secrets_break_no_rule(preview):
    assert said_of(("password", ("secretId",), UNKNOWN if preview else "arn:of:it"), preview=preview) == []


def test_what_is_not_rotated_is_named():
    assert said_of(without=["password", "webhook"]) == [
        ("Nothing rotates the database's password: no rotation is declared for it.", "database"),
        ("Nothing rotates the secret: no rotation is declared for it.", "slack"),
    ]


def test_a_rotation_of_something_else_is_none():
    assert said_of(("password", ("secretId",), "arn:of:another")) == [
        ("Nothing rotates the database's password: no rotation is declared for it.", "database")
    ]


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [
        (
            "password",
            {"automaticallyAfterDays": 31},
            "The database's password is rotated every 31 days; 30 are demanded.",
        ),
        ("webhook", {"automaticallyAfterDays": 91}, "The secret is rotated every 91 days; 90 are demanded."),
        ("password", {"scheduleExpression": "rate(30 days)"}, None),
        ("password", {"scheduleExpression": "rate(4 hours)"}, None),
        (
            "password",
            {"scheduleExpression": "rate(40 days)"},
            "The database's password is rotated every 40 days; 30 are demanded.",
        ),
        ("password", {"scheduleExpression": "cron(0 4 1 * ? *)"}, None),
        ("password", {"scheduleExpression": "cron(0 4 ? * SUN#1 *)"}, None),
        (
            "password",
            {"scheduleExpression": "cron(0 4 1 1/3 ? *)"},
            "The database's password is rotated every 90 days; 30 are demanded.",
        ),
        ("webhook", {"scheduleExpression": "cron(0 4 1 */3 ? *)"}, None),
        (
            "webhook",
            {"scheduleExpression": "cron(0 4 1 JAN ? *)"},
            "The secret is rotated on the schedule cron(0 4 1 JAN ? *); every 90 days is demanded.",
        ),
        ("password", {}, "The database's password is rotated on the schedule unset; every 30 days is demanded."),
        (
            "password",
            {"automaticallyAfterDays": "odd"},
            "The database's password is rotated on the schedule odd; every 30 days is demanded.",
        ),
    ],
)
def test_a_rotation_comes_often_enough(name, rules, said):
    assert said_of((name, RULE, rules)) == ([] if said is None else [(said, name)])


def test_a_secret_of_a_database_is_rotated_as_often_as_its_password():
    token, props = STACK["slack"]
    named = {**STACK, "slack": (token, props | {"name": "platform/postgres"})}
    assert stack_faults(ROTATED, *declared(named)) == [
        ("The secret is rotated every 90 days; 30 are demanded.", "webhook")
    ]


def test_a_rotation_that_is_switched_off_is_none():
    assert said_of(("password", ("rotationEnabled",), False)) == [
        ("The rotation of the database's password is switched off.", "password")
    ]


def test_a_database_whose_password_nobody_manages_is_judged_elsewhere():
    assert said_of(("database", ("manageMasterUserPassword",), False), without=["password"]) == []


@pytest.mark.parametrize(
    "change",
    [
        ("database", ("manageMasterUserPassword",), UNKNOWN),
        ("password", RULE, UNKNOWN),
        ("slack", ("name",), UNKNOWN),
    ],
)
def test_an_unknown_value_of_the_stack_is_not_judged(change):
    said, _ = not_evaluated(ROTATED, *declared(STACK, change))
    assert said == []
