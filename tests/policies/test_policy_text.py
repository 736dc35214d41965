"""The rule for policy documents as texts."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.policy_text import DOCUMENTS, ROLE, RULES

from .bags import UNKNOWN, faults, not_evaluated, resource

(WHOLE,) = RULES
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*"}
GOOD = {"Version": "2012-10-17", "Statement": [ALLOW]}
KEY = "aws:kms/key:Key"
EMPTY = "The policy has no statement."


def version(shown):
    return f"The policy's Version is {shown}; 2012-10-17 is demanded."


def said(body, token=KEY):
    return faults(WHOLE, resource(token, "it", {DOCUMENTS[token]: body}))


@pytest.mark.parametrize("token", sorted(DOCUMENTS))
def test_every_kind_of_policy_is_read(token):
    assert said(json.dumps(GOOD), token) == []
    assert said(GOOD, token) == []
    assert said(json.dumps({"Statement": [ALLOW]}), token) == [version("unset")]


@pytest.mark.parametrize(
    ("body", "sentences"),
    [
        ({**GOOD, "Version": "2008-10-17"}, [version("2008-10-17")]),
        ({**GOOD, "Statement": []}, [EMPTY]),
        ({"Version": "2012-10-17"}, [EMPTY]),
        ({}, [version("unset"), EMPTY]),
        ({**GOOD, "Statement": ALLOW}, []),
    ],
)
def test_a_policy_says_its_version_and_something(body, sentences):
    assert said(json.dumps(body)) == sentences


@pytest.mark.parametrize("body", [None, "no JSON", "[]"])
def test_what_is_unset_or_no_document_is_the_business_of_others(body):
    assert said(body) == []


def test_a_role_s_inline_policies_are_read_each_and_an_unknown_one_is_no_pass():
    inline = [{"policy": UNKNOWN}, {"policy": json.dumps({**GOOD, "Statement": []})}]
    role = resource(ROLE, "it", {"assumeRolePolicy": json.dumps(GOOD), "inlinePolicies": inline})
    assert not_evaluated(WHOLE, role)[0] == [(EMPTY, "it")]
