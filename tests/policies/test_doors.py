"""The rules for policies on resources."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import doors
from policies.rulebook.rule import Severity

from .bags import UNKNOWN, UnknownValueError, faults, resource

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


@pytest.mark.parametrize("rule", RULES)
def test_an_unknown_document_is_not_judged(rule):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(QUEUE, "it", {"policy": UNKNOWN}))
