"""Which attacks a web ACL has to know: each group that is taken away is missed by name."""

from __future__ import annotations

import pytest

from policies.rulebook import web_acl
from policies.rulebook.edge import ACL_RULE, LOGGING, WEB_ACL
from policies.rulebook.rule import Level, Severity
from policies.rulebook.web_acl import GROUPS, GROUPS_THERE, LOG_REDACTED, STRICT

from .bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults
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


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in web_acl.RULES] == [
        ("edge-waf-groups", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("edge-waf-strict", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("edge-waf-log-redacted", Severity.MEDIUM, Level.MANDATORY),
    ]


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


# Whether they stop what they say

SEEN = {"cloudwatchMetricsEnabled": True, "sampledRequestsEnabled": True}
COMMON = {
    "vendorName": "AWS",
    "name": "AWSManagedRulesCommonRuleSet",
    "ruleActionOverrides": [{"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}],
}
RULED = {
    "visibilityConfig": {**SEEN},
    "rules": [
        {"name": "Rate", "priority": 0, "action": {"block": {}}, "visibilityConfig": {**SEEN},
         "statement": {"rateBasedStatement": {"limit": 5000, "aggregateKeyType": "IP", "evaluationWindowSec": 300}}},
        {"name": "Common", "priority": 10, "overrideAction": {"none": {}}, "visibilityConfig": {**SEEN},
         "statement": {"managedRuleGroupStatement": COMMON}},
    ],
}  # fmt: skip
RATE_AT = ("rules", 0, "statement", "rateBasedStatement")
OVERRIDES_AT = ("rules", 1, "statement", "managedRuleGroupStatement", "ruleActionOverrides")


def strict(*path, to):
    return stack_faults(STRICT, resource(WEB_ACL, "acl", altered(RULED, *path, to=to)))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("rules", 0, "action"), {"allow": {}}, "The web ACL's rule Rate lets requests past all rules after it."),
        (("visibilityConfig", "sampledRequestsEnabled"), False,
         "The web ACL keeps no sample of the requests that no rule met."),
        (("rules", 1, "visibilityConfig", "sampledRequestsEnabled"), ABSENT,
         "The web ACL's rule Common keeps no sample of what it met."),
        (("rules", 1, "priority"), 0, "The web ACL's rules Rate and Common have one priority."),
        ((*OVERRIDES_AT, 0, "name"), "CrossSiteScripting_BODY",
         "The web ACL's rule Common stops nothing by CrossSiteScripting_BODY, which an override lets pass."),
        ((*OVERRIDES_AT, 0, "actionToUse"), {"allow": {}},
         "The web ACL's rule Common stops nothing by SizeRestrictions_BODY, which an override lets pass."),
        ((*RATE_AT, "aggregateKeyType"), "CONSTANT",
         "The web ACL's rule Rate counts by CONSTANT; a limit for each address is demanded."),
        ((*RATE_AT, "evaluationWindowSec"), 3000,
         "The web ACL's rule Rate counts over 3000 seconds; AWS takes 60, 120, 300 or 600."),
        ((*RATE_AT, "limit"), 50_000,
         "The web ACL's rule Rate lets one address ask 50000 times in 300 seconds; 30000 are the most."),
        ((*RATE_AT, "limit"), ABSENT,
         "The web ACL's rule Rate lets one address ask unset times in 300 seconds; 30000 are the most."),
    ],
)  # fmt: skip
def test_a_rule_that_lets_pass_what_it_should_stop_is_named(path, value, sentence):
    assert strict(*path, to=value) == [(sentence, "acl")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rules", 1, "priority"), 5),
        (OVERRIDES_AT, []),
        ((*OVERRIDES_AT, 0, "actionToUse"), {"block": {}}),
        ((*RATE_AT, "evaluationWindowSec"), ABSENT),
        ((*RATE_AT, "aggregateKeyType"), ABSENT),
        ((*RATE_AT, "limit"), 10),
    ],
)
def test_what_is_as_strict_or_stricter_passes(path, value):
    assert strict(*path, to=value) == []


def test_a_rule_of_its_own_is_judged_with_its_acl():
    loose = {"webAclArn": Ref("acl", "arn"), "name": "Office", "priority": 0, "action": {"allow": {}}}
    own = {"office": (ACL_RULE, {**loose, "visibilityConfig": {**SEEN}})}
    assert stack_faults(STRICT, *declared({"acl": (WEB_ACL, RULED)}, extra=own)) == [
        ("The web ACL's rule Office lets requests past all rules after it.", "office"),
        ("The web ACL's rules Rate and Office have one priority.", "office"),
    ]


def test_an_unknown_limit_is_no_pass():
    assert not_evaluated(STRICT, resource(WEB_ACL, "acl", altered(RULED, *RATE_AT, "limit", to=UNKNOWN)))[0] == []


# What its log must not hold


def logged(*headers):
    return resource(LOGGING, "log", {"redactedFields": [{"singleHeader": {"name": name}} for name in headers]})


@pytest.mark.parametrize(
    ("judged", "sentences"),
    [
        (logged("authorization", "Cookie"), []),
        (logged("cookie"), ["The web ACL's log holds the header authorization in the clear."]),
        (logged(), ["The web ACL's log holds the headers authorization and cookie in the clear."]),
        (resource(LOGGING, "log", {}), ["The web ACL's log holds the headers authorization and cookie in the clear."]),
        (resource(LOGGING, "log", {"redactedFields": [{"queryString": {}}]}),
         ["The web ACL's log holds the headers authorization and cookie in the clear."]),
    ],
)  # fmt: skip
def test_sessions_are_not_logged(judged, sentences):
    assert faults(LOG_REDACTED, judged) == sentences


def test_unknown_fields_are_no_pass():
    assert not_evaluated(LOG_REDACTED, resource(LOGGING, "log", {"redactedFields": UNKNOWN}))[0] == []
