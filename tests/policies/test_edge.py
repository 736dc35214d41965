"""The rules for load balancers and web ACLs: one change breaks one rule, in one sentence."""

from __future__ import annotations

import pytest

from policies.rulebook import edge
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
BALANCERS = [BALANCER, "aws:alb/loadBalancer:LoadBalancer"]
LISTENER = "aws:lb/listener:Listener"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"

RULES = {rule.id: rule for rule in edge.RULES}
BAG = {
    "loadBalancerType": "application",
    "dropInvalidHeaderFields": True,
    "enableDeletionProtection": True,
    "desyncMitigationMode": "defensive",
    "accessLogs": {"bucket": "logs", "enabled": True},
}


LOGS = resource("aws:s3/bucket:Bucket", "logs", {"bucket": "logs"})


def broken(judged, context=None):
    said = {
        rule.id: faults(rule, judged, context)
        for rule in edge.RULES
        if isinstance(rule, ResourceRule) and judged.type in rule.types
    }
    said["alb-access-logs"] = [line for line, _ in stack_faults(RULES["alb-access-logs"], judged, LOGS)]
    return {rule: lines for rule, lines in said.items() if lines}


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in edge.RULES] == [
        ("alb-https", Severity.HIGH, Level.MANDATORY),
        ("alb-hardening", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("alb-access-logs", Severity.MEDIUM, Level.MANDATORY),
        ("edge-waf", Severity.HIGH, Level.MANDATORY_IN_PROD),
    ]


@pytest.mark.parametrize("token", BALANCERS)
def test_a_hardened_load_balancer_breaks_no_rule(token):
    assert broken(resource(token, "it", BAG)) == {}


NO_LOG = {"alb-access-logs": "The load balancer writes no access log."}
HEADERS = {"alb-hardening": "The load balancer passes invalid headers on."}
DELETABLE = {"alb-hardening": "The load balancer can be deleted: deletion protection is off."}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("dropInvalidHeaderFields",), ABSENT, HEADERS),
        (("dropInvalidHeaderFields",), False, HEADERS),
        (("enableDeletionProtection",), ABSENT, DELETABLE),
        (("enableDeletionProtection",), False, DELETABLE),
        (("desyncMitigationMode",), ABSENT, {}),
        (("desyncMitigationMode",), "strictest", {}),
        (("desyncMitigationMode",), "monitor",
         {"alb-hardening": "The load balancer's desync mitigation is monitor; defensive is demanded."}),
        (("accessLogs",), ABSENT, NO_LOG),
        (("accessLogs", "enabled"), ABSENT, NO_LOG),
        (("accessLogs", "enabled"), False, NO_LOG),
        (("accessLogs", "bucket"), "", NO_LOG),
        (("accessLogs", "bucket"), "others", {
            "alb-access-logs": "The load balancer writes its access log to a bucket that is not declared here.",
        }),
        (("loadBalancerType",), ABSENT, {}),
    ],
)  # fmt: skip
def test_one_change_breaks_one_rule(path, value, said):
    changed = resource(BALANCER, "it", altered(BAG, *path, to=value))
    assert broken(changed) == {rule: [sentence] for rule, sentence in said.items()}


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("alb-hardening", ("dropInvalidHeaderFields",)),
        ("alb-hardening", ("enableDeletionProtection",)),
        ("alb-hardening", ("desyncMitigationMode",)),
        ("alb-access-logs", ("accessLogs",)),
        ("alb-access-logs", ("accessLogs", "bucket")),
    ],
)
def test_an_unknown_value_is_not_judged(rule, path):
    assert not_evaluated(RULES[rule], resource(BALANCER, "it", altered(BAG, *path, to=UNKNOWN)))[0] == []


def test_outside_prod_a_load_balancer_may_be_deleted():
    changed = resource(BALANCER, "it", altered(BAG, enableDeletionProtection=False))
    assert broken(changed, Context(environment="staging")) == {}


def test_a_network_load_balancer_has_no_headers():
    network = {"loadBalancerType": "network", "enableDeletionProtection": True, "accessLogs": BAG["accessLogs"]}
    assert broken(resource(BALANCER, "it", network)) == {}


def test_a_gateway_load_balancer_has_no_log():
    gateway = {"loadBalancerType": "gateway", "enableDeletionProtection": True}
    assert broken(resource(BALANCER, "it", gateway)) == {}


def managed(name, **more):
    metrics = {"cloudwatchMetricsEnabled": True}
    return {"name": name, "overrideAction": {"none": {}}, "visibilityConfig": metrics, **more}


REDIRECT = {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}
STACK = {
    "balancer": (BALANCER, BAG),
    "https": (
        LISTENER,
        {
            "loadBalancerArn": Ref("balancer", "arn"),
            "protocol": "HTTPS",
            "port": 443,
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "defaultActions": [{"type": "forward", "targetGroupArn": "arn:aws:…"}],
        },
    ),
    "http": (
        LISTENER,
        {
            "loadBalancerArn": Ref("balancer", "arn"),
            "protocol": "HTTP",
            "port": 80,
            "defaultActions": [REDIRECT],
        },
    ),
    "path": (
        "aws:lb/listenerRule:ListenerRule",
        {"listenerArn": Ref("http", "arn"), "actions": [REDIRECT]},
    ),
    "acl": (
        "aws:wafv2/webAcl:WebAcl",
        {
            "defaultAction": {"allow": {}},
            "rules": [managed("common"), managed("rate", action={"block": {}})],
            "visibilityConfig": {"cloudwatchMetricsEnabled": True},
        },
    ),
    "association": (
        "aws:wafv2/webAclAssociation:WebAclAssociation",
        {"resourceArn": Ref("balancer", "arn"), "webAclArn": Ref("acl", "arn")},
    ),
    "log": (
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        {"resourceArn": Ref("acl", "arn"), "logDestinationConfigs": ["arn:aws:logs:…"]},
    ),
}


def said_of(*changes, **options):
    resources = declared(STACK, *changes, **options)
    return {rule: said for rule in ("alb-https", "edge-waf") if (said := stack_faults(RULES[rule], *resources))}


def https(sentence, name="http"):
    return {"alb-https": [(sentence, name)]}


def waf(sentence, name="acl"):
    return {"edge-waf": [(sentence, name)]}


def old(policy):
    return https(f"The listener takes TLS older than 1.2: its policy is {policy}.", "https")


UNGUARDED = waf("The load balancer is open to the internet without a web ACL of the stack.", "balancer")
NO_LOG_OF_ACL = waf("The web ACL has no log.")
NO_METRIC = waf("The web ACL has no metric.")
ACTION = ("defaultActions", 0)
RULE = ("rules", 0)


@pytest.mark.parametrize("preview", [False, True])
def test_a_guarded_edge_breaks_no_rule(preview):
    assert said_of(preview=preview) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("http", (*ACTION, "type"), "forward"),
         https("The listener answers plain HTTP itself (forward); it may only redirect.")),
        (("http", (*ACTION, "type"), "fixed-response"),
         https("The listener answers plain HTTP itself (fixed-response); it may only redirect.")),
        (("http", ("defaultActions",), ABSENT),
         https("The listener answers plain HTTP itself (unset); it may only redirect.")),
        (("http", (*ACTION, "redirect", "protocol"), "HTTP"),
         https("The listener redirects plain HTTP to HTTP; HTTPS is demanded.")),
        (("http", (*ACTION, "redirect", "protocol"), ABSENT),
         https("The listener redirects plain HTTP to unset; HTTPS is demanded.")),
        (("http", ("port",), 8080), {}),
        (("https", ("protocol",), "HTTP"),
         https("The listener answers plain HTTP itself (forward); it may only redirect.", "https")),
        (("https", ("protocol",), ABSENT),
         https("The listener answers plain HTTP itself (forward); it may only redirect.", "https")),
        (("https", ("protocol",), "TCP"), {}),
        (("https", ("protocol",), "TLS"), {}),
        (("path", ("actions", 0, "type"), "forward"),
         https("The listener's rule answers plain HTTP itself (forward); it may only redirect.", "path")),
        (("path", ("listenerArn",), "arn:of:another"), {}),
        (("https", ("sslPolicy",), ABSENT), old("ELBSecurityPolicy-2016-08")),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-2016-08"), old("ELBSecurityPolicy-2016-08")),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-TLS13-1-0-2021-06"), old("ELBSecurityPolicy-TLS13-1-0-2021-06")),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-TLS-1-1-2017-01"), old("ELBSecurityPolicy-TLS-1-1-2017-01")),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-FS-2018-06"), old("ELBSecurityPolicy-FS-2018-06")),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-TLS13-1-3-2021-06"), {}),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-TLS-1-2-Ext-2018-06"), {}),
        (("https", ("sslPolicy",), "ELBSecurityPolicy-FS-1-2-Res-2020-10"), {}),
        (("association", ("resourceArn",), "arn:of:another"), UNGUARDED),
        (("association", ("webAclArn",), "arn:of:another"), UNGUARDED),
        (("acl", ("defaultAction",), ABSENT),
         waf("The web ACL says not what becomes of a request that no rule meets.")),
        (("acl", ("defaultAction",), {"block": {}}), {}),
        (("acl", ("rules",), ABSENT), waf("The web ACL has no rule.")),
        (("acl", ("rules",), []), waf("The web ACL has no rule.")),
        (("acl", (*RULE, "overrideAction"), {"count": {}}),
         waf("The web ACL's rule common only counts; it stops nothing.")),
        (("acl", ("rules", 1, "action"), {"count": {}}), waf("The web ACL's rule rate only counts; it stops nothing.")),
        (("acl", (*RULE, "visibilityConfig", "cloudwatchMetricsEnabled"), False),
         waf("The web ACL's rule common has no metric.")),
        (("acl", ("visibilityConfig",), ABSENT), NO_METRIC),
        (("acl", ("visibilityConfig", "cloudwatchMetricsEnabled"), False), NO_METRIC),
        (("log", ("resourceArn",), "arn:of:another"), NO_LOG_OF_ACL),
        (("log", ("logDestinationConfigs",), []), NO_LOG_OF_ACL),
        (("balancer", ("internal",), False), {}),
    ],
)  # fmt: skip
def test_one_change_breaks_one_rule_of_the_stack(change, said):
    assert said_of(change) == said


@pytest.mark.parametrize(
    ("without", "said"), [("association", UNGUARDED), ("acl", UNGUARDED), ("log", NO_LOG_OF_ACL), ("http", {})]
)
def test_what_is_missing_is_named(without, said):
    assert said_of(without=[without]) == said


@pytest.mark.parametrize("change", [{"internal": True}, {"loadBalancerType": "network"}])
def test_what_is_inside_or_speaks_no_http_needs_no_web_acl(change):
    ((prop, value),) = change.items()
    assert said_of(("balancer", (prop,), value), without=["association"]) == {}


def test_a_distribution_needs_a_web_acl_too():
    guarded = {"cdn": (DISTRIBUTION, {"webAclId": Ref("acl", "arn")})}
    assert said_of(extra=guarded) == {}
    assert said_of(extra={"cdn": (DISTRIBUTION, {})}) == waf(
        "The distribution is open to the internet without a web ACL of the stack.", "cdn"
    )


def test_a_web_acl_of_nothing_public_is_not_judged():
    spare = {"spare": ("aws:wafv2/webAcl:WebAcl", {})}
    assert said_of(extra=spare) == {}


def test_rules_may_be_resources_of_their_own():
    token = "aws:wafv2/webAclRule:WebAclRule"
    rule = {"rule": (token, {**managed("own"), "webAclArn": Ref("acl", "arn")})}
    assert said_of(("acl", ("rules",), []), extra=rule) == {}
    counting = {"rule": (token, {**managed("own", overrideAction={"count": {}}), "webAclArn": Ref("acl", "arn")})}
    assert said_of(extra=counting) == waf("The web ACL's rule own only counts; it stops nothing.", "rule")


def test_rules_may_be_a_group_s():
    group = "aws:wafv2/webAclRuleGroupAssociation:WebAclRuleGroupAssociation"
    extra = {"group": (group, {"webAclArn": Ref("acl", "arn")})}
    assert said_of(("acl", ("rules",), []), extra=extra) == {}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("alb-https", ("https", ("sslPolicy",), UNKNOWN)),
        ("alb-https", ("http", ("defaultActions",), UNKNOWN)),
        ("edge-waf", ("acl", ("rules",), UNKNOWN)),
        ("edge-waf", ("balancer", ("internal",), UNKNOWN)),
    ],
)
def test_an_unknown_value_of_the_stack_is_not_judged(rule, change):
    said, _ = not_evaluated(RULES[rule], *declared(STACK, change))
    assert said == []


def test_an_unknown_balancer_hides_no_fault_of_another_s_acl():
    other = {"second": (BALANCER, {"internal": UNKNOWN})}
    resources = declared(STACK, ("acl", ("rules",), []), extra=other)
    said, _ = not_evaluated(RULES["edge-waf"], *resources)
    assert said == [("The web ACL has no rule.", "acl")]
