"""The rules for policies on resources."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import doors
from policies.rulebook.rule import Severity

from .bags import UNKNOWN, UnknownValueError, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in doors.RULES}
TOPIC, QUEUE, KEY = "aws:sns/topicPolicy:TopicPolicy", doors.QUEUE_POLICY, doors.KEY
ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["sqs:SendMessage"],
    "Resource": "arn:aws:sqs:eu-west-1:111122223333:bells",
    "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/bell"}},
}
DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ROOT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "kms:*",
    "Resource": "*",
}
ANYBODY = "Statement 1 lets in anybody; a condition is its only lock."
EVERY_ACTION = "Statement 1 allows every action; name those that are needed."
EVERYWHERE = "Statement 1 is about every resource; name the one that it is attached to."


def said(rule, token, *statements):
    return faults(RULES[rule], resource(token, "it", {"policy": json.dumps({"Statement": list(statements)})}))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity) for rule in doors.RULES] == [
        ("iam-resource-policy-narrow", Severity.HIGH),
        ("sqs-tls-only", Severity.MEDIUM),
        ("s3-one-key", Severity.MEDIUM),
        ("sqs-redrive-named", Severity.LOW),
        ("waf-log-let-in", Severity.MEDIUM),
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"Principal": "*"}, [ANYBODY]),
        ({"Principal": {"AWS": "*"}}, [ANYBODY]),
        ({"Action": "*"}, [EVERY_ACTION]),
        ({"Action": ["sqs:SendMessage", "sqs:*"]}, [EVERY_ACTION]),
        ({"Action": "sqs:Send*"}, []),
        ({"Resource": "*"}, [EVERYWHERE]),
        ({"Resource": ["arn:aws:sqs:*:*:*"]}, [EVERYWHERE]),
        ({"Principal": "*", "Action": "*", "Resource": "*"}, [ANYBODY, EVERY_ACTION, EVERYWHERE]),
    ],
)
def test_an_allow_names_who_what_and_where(change, expected):
    assert said("iam-resource-policy-narrow", QUEUE, {**ALLOW, **change}, DENY) == expected


def test_a_list_of_what_is_not_meant_is_everything_else():
    inverted = {key: value for key, value in ALLOW.items() if key not in ("Action", "Resource")}
    inverted |= {"NotAction": "sqs:DeleteQueue", "NotResource": "arn:aws:sqs:eu-west-1:111122223333:other"}
    assert said("iam-resource-policy-narrow", QUEUE, inverted) == [EVERY_ACTION, EVERYWHERE]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:role/any"}}, [EVERY_ACTION]),
        ({"Principal": {"Service": "logs.amazonaws.com"}}, [EVERY_ACTION]),
        ({"Principal": "*", "Action": "kms:Decrypt"}, [ANYBODY]),
    ],
)
def test_a_key_may_be_handed_to_its_account_alone(change, expected):
    assert said("iam-resource-policy-narrow", KEY, {**ROOT, **change}) == expected


@pytest.mark.parametrize("props", [{}, {"policy": "no JSON"}])
def test_no_policy_lets_in_nobody(props):
    assert faults(RULES["iam-resource-policy-narrow"], resource(TOPIC, "it", props)) == []


PLAIN = ["The queue takes requests without TLS: no statement denies them."]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([ALLOW, DENY], []),
        ([ALLOW], PLAIN),
        ([], PLAIN),
        ([{**DENY, "Effect": "Allow"}], PLAIN),
        ([{**DENY, "Action": "sqs:DeleteQueue"}], PLAIN),
        ([{key: value for key, value in DENY.items() if key != "Condition"}], PLAIN),
    ],
)
def test_a_queue_denies_requests_without_tls(statements, expected):
    assert said("sqs-tls-only", QUEUE, *statements) == expected


def test_a_queue_policy_without_a_document_denies_nothing():
    assert faults(RULES["sqs-tls-only"], resource(QUEUE, "it", {})) == PLAIN


@pytest.mark.parametrize("rule", ["iam-resource-policy-narrow", "sqs-tls-only"])
def test_an_unknown_document_is_not_judged(rule):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(QUEUE, "it", {"policy": UNKNOWN}))


def test_every_action_of_every_service_is_more_than_a_key_s_own():
    assert said("iam-resource-policy-narrow", KEY, {**ROOT, "Action": "*"}) == [EVERY_ACTION]


# Uploads under one key

OTHER_KEYS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::data/*",
    "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:1:key/1"}},
}
ANY_KEY = [("The bucket takes uploads under any key: no statement denies another than its own.", "data")]


def text(*statements):
    return json.dumps({"Statement": list(statements)})


def uploads(*changes, **options):
    bag = {
        "key": (KEY, {}),
        "data": (doors.BUCKETS[0], {"bucket": "data"}),
        "encryption": (
            doors.ENCRYPTION[0],
            {
                "bucket": Ref("data", "bucket"),
                "rules": [{"applyServerSideEncryptionByDefault": {"kmsMasterKeyId": Ref("key", "arn")}}],
            },
        ),
        "policy": (doors.BUCKET_POLICY, {"bucket": Ref("data", "bucket"), "policy": text(OTHER_KEYS)}),
    }
    return declared(bag, *changes, **options)


def one_key(*changes, **options):
    return stack_faults(RULES["s3-one-key"], *uploads(*changes, **options))


@pytest.mark.parametrize("preview", [False, True])
def test_a_bucket_under_a_key_denies_uploads_under_another(preview):
    assert one_key(preview=preview) == []
    assert one_key(preview=preview, without=["policy"]) == ANY_KEY


@pytest.mark.parametrize(
    "statement",
    [
        {**OTHER_KEYS, "Effect": "Allow"},
        {**OTHER_KEYS, "Action": "s3:DeleteObject"},
        {**OTHER_KEYS, "Principal": {"AWS": "arn:aws:iam::111122223333:role/one"}},
        {**OTHER_KEYS, "Condition": {**OTHER_KEYS["Condition"], "Bool": {"aws:SecureTransport": "false"}}},
        {**OTHER_KEYS, "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}},
    ],
)
def test_a_statement_that_lets_some_through_denies_no_other_key(statement):
    assert one_key(("policy", ("policy",), text(statement))) == ANY_KEY
    assert one_key(("policy", ("policy",), "no JSON")) == ANY_KEY


def test_a_bucket_under_s3_s_own_key_or_of_a_trail_is_not_judged():
    assert one_key(("encryption", ("rules",), [{}]), without=["policy"]) == []
    trail = {"trail": (doors.TRAIL, {"s3BucketName": Ref("data", "bucket")})}
    assert one_key(without=["policy"], extra=trail) == []


def test_an_unknown_bucket_policy_is_no_pass():
    assert not_evaluated(RULES["s3-one-key"], *uploads(("policy", ("policy",), UNKNOWN)))[0] == []


# Dead letters

ANYBODY_S = [("Any queue of the account may leave its dead letters there: no policy says which.", "letters")]


def queues(*changes, **options):
    bag = {
        "inbox": (doors.QUEUE, {"redrivePolicy": Ref("letters", "arn", '{"deadLetterTargetArn": "', '"}')}),
        "letters": (doors.QUEUE, {}),
        "allow": (
            doors.REDRIVE,
            {
                "queueUrl": Ref("letters", "id"),
                "redriveAllowPolicy": Ref(
                    "inbox", "arn", '{"redrivePermission": "byQueue", "sourceQueueArns": ["', '"]}'
                ),
            },
        ),
    }
    return declared(bag, *changes, **options)


def redrive(*changes, **options):
    return stack_faults(RULES["sqs-redrive-named"], *queues(*changes, **options))


def test_a_queue_of_dead_letters_says_whose_it_takes():
    assert redrive() == []
    assert redrive(without=["allow"]) == ANYBODY_S
    assert redrive(without=["allow"], preview=True) == ANYBODY_S
    assert redrive(("letters", ("redriveAllowPolicy",), '{"redrivePermission": "denyAll"}'), without=["allow"]) == []
    assert redrive(without=["allow", "inbox"]) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "Any queue may leave its dead letters there: redrivePermission is unset."),
        (
            '{"redrivePermission": "allowAll"}',
            "Any queue may leave its dead letters there: redrivePermission is allowAll.",
        ),
        ("no JSON", "Any queue may leave its dead letters there: redrivePermission is unset."),
        (
            '{"redrivePermission": "byQueue", "sourceQueueArns": []}',
            "No queue may leave its dead letters there: sourceQueueArns is empty.",
        ),
        (
            '{"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:a:111122223333:gone"]}',
            "Queue arn:aws:sqs:a:111122223333:gone may leave dead letters there and is not declared here.",
        ),
    ],
)
def test_a_redrive_policy_names_queues_that_are_there(body, sentence):
    assert redrive(("allow", ("redriveAllowPolicy",), body)) == [(sentence, "allow")]


def test_a_redrive_policy_is_for_a_queue_that_is_there():
    assert redrive(("allow", ("queueUrl",), "url-elsewhere"), without=["inbox"]) == [
        ("The policy is for a queue that is not declared here.", "allow"),
        (
            "Queue arn:aws:any:eu-west-1:123456789012:inbox may leave dead letters there and is not declared here.",
            "allow",
        ),
    ]


def test_an_unknown_redrive_policy_is_no_pass():
    assert not_evaluated(RULES["sqs-redrive-named"], *queues(("allow", ("redriveAllowPolicy",), UNKNOWN)))[0] == []


# The firewall's log

DELIVERS = {
    "Effect": "Allow",
    "Principal": {"Service": "delivery.logs.amazonaws.com"},
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "arn:aws:any:eu-west-1:123456789012:group:*",
}


def firewall(*changes, **options):
    bag = {
        "group": (doors.LOG_GROUP, {}),
        "log": (doors.FIREWALL_LOG, {"logDestinationConfigs": [Ref("group", "arn")]}),
        "policy": (doors.LOG_POLICY, {"policyDocument": text(DELIVERS)}),
    }
    return declared(bag, *changes, **options)


def delivered(*changes, **options):
    return stack_faults(RULES["waf-log-let-in"], *firewall(*changes, **options))


def test_the_firewall_s_log_is_let_in():
    shut = [("No policy lets the firewall's log into log group group.", "log")]
    assert delivered() == []
    assert delivered(without=["policy"]) == shut
    for change in (
        {"Effect": "Deny"},
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Action": "logs:CreateLogStream"},
        {"Resource": "arn:aws:any:eu-west-1:123456789012:other:*"},
    ):
        assert delivered(("policy", ("policyDocument",), text({**DELIVERS, **change}))) == shut


def test_an_unknown_log_policy_is_no_pass():
    assert not_evaluated(RULES["waf-log-let-in"], *firewall(("policy", ("policyDocument",), UNKNOWN)))[0] == []
