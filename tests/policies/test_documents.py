"""How policy documents are read."""

from __future__ import annotations

import fnmatch
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import unknown_checking_proxy

from policies.rulebook.documents import Condition, DocumentError, is_everything, is_scoping, matches, read

letters = st.text(alphabet="ab:/", max_size=8)
patterns = st.text(alphabet="ab:/*?", max_size=8)


def one(**parts):
    (statement,) = read({"Statement": {"Effect": "Allow", **parts}})
    return statement


@given(patterns, letters)
def test_wildcards_are_those_of_a_shell(pattern, text):
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(letters)
def test_a_text_stands_for_itself_and_a_star_for_all(text):
    assert matches(text, text)
    assert matches("*", text)


@given(letters, letters, letters)
def test_a_star_takes_any_middle(head, middle, tail):
    assert matches(f"{head}*{tail}", head + middle + tail)


def test_actions_are_read_in_any_case_and_arns_are_not():
    assert one(Action="IAM:pass*", Resource="*").speaks_of("iam:PassRole")
    assert not one(Action="*", Resource="arn:aws:s3:::Logs").reaches("arn:aws:s3:::logs")


def test_a_pattern_is_no_regular_expression():
    assert not matches("s3:Get.bject", "s3:GetObject")
    assert matches("a[b]", "a[b]")


def test_many_stars_take_no_long_time():
    assert not matches("*a" * 40 + "b", "a" * 60)


@pytest.mark.parametrize("form", [lambda body: body, json.dumps, unknown_checking_proxy], ids=["map", "text", "proxy"])
def test_a_document_may_come_in_each_of_its_forms(form):
    body = {
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": {"AWS": ["arn:aws:iam::123456789012:root"], "Service": "logs.amazonaws.com"},
                "NotAction": "s3:GetObject",
                "NotResource": ["arn:aws:s3:::logs"],
                "Condition": {"Bool": {"aws:SecureTransport": False}, "NumericLessThan": {"s3:TlsVersion": 1.2}},
            }
        ]
    }
    (statement,) = read(form(body))
    assert not statement.allows
    assert statement.principals == (("AWS", "arn:aws:iam::123456789012:root"), ("Service", "logs.amazonaws.com"))
    assert statement.services() == ("logs.amazonaws.com",)
    assert (statement.not_actions, statement.not_resources) == (("s3:GetObject",), ("arn:aws:s3:::logs",))
    assert statement.conditions == (
        Condition("bool", "aws:securetransport", ("false",)),
        Condition("numericlessthan", "s3:tlsversion", ("1.2",)),
    )
    assert statement.speaks_of("s3:PutObject")
    assert not statement.speaks_of("s3:GetObject")
    assert statement.reaches("arn:aws:s3:::other")
    assert not statement.reaches("arn:aws:s3:::logs")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "it has no statement"),
        ('{"Statement": "all"}', "it has no statement"),
        ('{"Statement": [{"Action": "*"}]}', "a statement neither allows nor denies"),
        ('{"Statement": [{"Effect": "allow", "Action": "*"}]}', "a statement neither allows nor denies"),
        ('{"Statement": [{"Effect": "Allow", "Action": [["*"]]}]}', "a list holds something that is no text"),
        ('{"Statement": [{"Effect": "Allow", "Condition": "none"}]}', "a condition is no object"),
        ('{"Statement": [{"Effect": "Allow", "Condition": {"Bool": "x"}}]}', "a condition is no object"),
        (7, "it is neither JSON text nor an object"),
        (None, "it is neither JSON text nor an object"),
    ],
)
def test_what_is_no_document_says_why(document, why):
    with pytest.raises(DocumentError) as error:
        read(document)
    assert str(error.value) == why


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:root", "*"]}, {"AWS": "arn:aws:iam::*:root"}],
)
def test_a_star_is_anyone(principal):
    assert one(Principal=principal).is_for_anyone


def test_everyone_but_one_is_anyone():
    assert one(NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"}).is_for_anyone


@pytest.mark.parametrize(
    "principal", [{"AWS": "arn:aws:iam::123456789012:root"}, {"Service": "*.amazonaws.com"}, {"Federated": "*"}]
)
def test_a_named_account_or_service_is_not_anyone(principal):
    assert not one(Principal=principal).is_for_anyone


@pytest.mark.parametrize(
    ("operator", "key", "value", "scoped"),
    [
        ("StringEquals", "aws:SourceAccount", "123456789012", True),
        ("stringequals", "AWS:sourceaccount", ["123456789012"], True),
        ("ForAnyValue:StringEquals", "aws:PrincipalOrgID", "o-1", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:*:123456789012:*", True),
        ("StringEquals", "kms:CallerAccount", "123456789012", True),
        ("ArnLike", "aws:SourceArn", "*", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:*:*:*", False),
        ("StringLike", "aws:SourceAccount", "*", False),
        ("StringEquals", "aws:SourceAccount", ["123456789012", "*"], False),
        ("StringEquals", "aws:SourceAccount", [], False),
        ("StringEqualsIfExists", "aws:SourceAccount", "123456789012", False),
        ("ForAllValues:StringEquals", "aws:SourceAccount", "123456789012", False),
        ("StringNotEquals", "aws:SourceAccount", "123456789012", False),
        ("Bool", "aws:SecureTransport", "true", False),
        ("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", False),
    ],
)
def test_a_condition_scopes_where_it_refuses_a_stranger(operator, key, value, scoped):
    statement = one(Condition={operator: {key: value}})
    assert [is_scoping(condition) for condition in statement.conditions] == [scoped]
    assert statement.is_scoped == scoped


@pytest.mark.parametrize("resource", ["*", "**", "arn:aws:s3:::*", "arn:aws:ec2:*:*:*", "arn:*:iam::*:*"])
def test_a_resource_that_names_nothing_is_everything(resource):
    assert is_everything(resource)


@pytest.mark.parametrize(
    "resource", ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*", "arn:aws:ec2:eu-west-1:123456789012:*", "a*", "arn:aws"]
)
def test_a_resource_that_names_something_is_not(resource):
    assert not is_everything(resource)
