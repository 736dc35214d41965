"""Which attacks a web ACL has to know: each group that is taken away is missed by name."""

from __future__ import annotations

import pytest

from policies.rulebook import web_acl
from policies.rulebook.edge import ACL_RULE, WEB_ACL
from policies.rulebook.rule import Level, Severity
from policies.rulebook.web_acl import GROUPS, GROUPS_THERE

from .bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from .declared import Ref, declared


def managed(name):
    return {"name": name, "statement": {"managedRuleGroupStatement": {"vendorName": "AWS", "name": name}}}


RATE = {"name": "RateLimit", "statement": {"rateBasedStatement": {"limit": 5000, "aggregateKeyType": "IP"}}}
STACK = {"acl": (WEB_ACL, {"rules": [RATE, *map(managed, sorted(GROUPS))]})}
NO_LIMIT = ("The web ACL lets one address ask as often as it likes: it limits no rate.", "acl")


def missing(name):
    return (f"The web ACL does not stop {GROUPS[name]}: {name} is missing.", "acl")


def said(*changes, **options):
    return stack_faults(GROUPS_THERE, *declared(STACK, *changes, **options))


def test_the_section_holds_this_rule():
    (rule,) = web_acl.RULES
    assert (rule.id, rule.severity, rule.level) == ("edge-waf-groups", Severity.HIGH, Level.MANDATORY_IN_PROD)


def test_the_groups_are_these():
    assert sorted(GROUPS) == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    ]


def test_a_web_acl_with_all_of_them_passes():
    assert said() == []


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_that_is_gone_is_missed(name):
    rest = [RATE, *(managed(other) for other in sorted(GROUPS) if other != name)]
    assert said(("acl", ("rules",), rest)) == [missing(name)]


def test_a_limit_that_is_gone_is_missed():
    assert said(("acl", ("rules",), [*map(managed, GROUPS)])) == [NO_LIMIT]


def test_without_rules_everything_is_missed():
    assert said(("acl", ("rules",), ABSENT)) == [*map(missing, sorted(GROUPS)), NO_LIMIT]


@pytest.mark.parametrize(
    ("key", "value"), [("vendorName", "Somebody"), ("name", "AWSManagedRulesOther"), ("scopeDownStatement", {"not": 1})]
)
def test_a_group_of_others_or_for_some_requests_is_another(key, value):
    path = ("rules", 1, "statement", "managedRuleGroupStatement", key)
    assert said(("acl", path, value)) == [missing(sorted(GROUPS)[0])]


@pytest.mark.parametrize("preview", [False, True])
def test_a_rule_may_be_a_resource_of_its_own(preview):
    apart = (ACL_RULE, {"webAclArn": Ref("acl", "arn"), **RATE})
    assert said(("acl", ("rules", 0), ABSENT), extra={"apart": apart}, preview=preview) == []


def test_an_unknown_group_is_no_pass():
    path = ("rules", 1, "statement", "managedRuleGroupStatement", "name")
    assert not_evaluated(GROUPS_THERE, *declared(STACK, ("acl", path, UNKNOWN)))[0] == []
