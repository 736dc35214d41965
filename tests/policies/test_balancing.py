"""The way of a request: one change to a whole site breaks it in one place, and the sentence says where."""

from __future__ import annotations

import pytest

from policies.rulebook import balancing
from policies.rulebook.balancing import VALIDATION
from policies.rulebook.coverage import CERTIFICATE
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, faults, not_evaluated, stack_faults
from .declared import Ref, declared
from .estate import ANYWHERE, EGRESS_RULE, INGRESS_RULE

RULES = {rule.id: rule for rule in balancing.RULES}


def subnet(zone, tier):
    return "aws:ec2/subnet:Subnet", {
        "availabilityZone": f"eu-west-1{zone}",
        "cidrBlock": f"10.20.{'ab'.index(zone) + (2 if tier == 'app' else 0)}.0/24",
        "vpcId": Ref("vpc"),
    }


def table(tier):
    return {
        f"{tier}-table": ("aws:ec2/routeTable:RouteTable", {"vpcId": Ref("vpc")}),
        **{
            f"{tier}-{zone}-in": (
                "aws:ec2/routeTableAssociation:RouteTableAssociation",
                {"subnetId": Ref(f"{tier}-{zone}"), "routeTableId": Ref(f"{tier}-table")},
            )
            for zone in "ab"
        },
    }


def through(token, group, port, other):
    return token, {
        "securityGroupId": Ref(group),
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "referencedSecurityGroupId": Ref(other),
    }


SITE = {
    "vpc": ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.20.0.0/16"}),
    "gateway": ("aws:ec2/internetGateway:InternetGateway", {"vpcId": Ref("vpc")}),
    **{f"{tier}-{zone}": subnet(zone, tier) for tier in ("public", "app") for zone in "ab"},
    **table("public"),
    **table("app"),
    "out": (
        "aws:ec2/route:Route",
        {"routeTableId": Ref("public-table"), "destinationCidrBlock": ANYWHERE, "gatewayId": Ref("gateway")},
    ),
    "edge": ("aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("vpc")}),
    "inside": ("aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("vpc")}),
    "edge-out": through(EGRESS_RULE, "edge", 8080, "inside"),
    "inside-in": through(INGRESS_RULE, "inside", 8080, "edge"),
    "certificate": (CERTIFICATE, {}),
    "issued": (VALIDATION, {"certificateArn": Ref("certificate", "arn")}),
    "balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "internal": False,
            "loadBalancerType": "application",
            "securityGroups": [Ref("edge")],
            "subnets": [Ref("public-a"), Ref("public-b")],
        },
    ),
    "targets": (
        "aws:lb/targetGroup:TargetGroup",
        {
            "port": 8080,
            "protocol": "HTTP",
            "healthCheck": {"path": "/health", "interval": 15, "timeout": 5, "unhealthyThreshold": 3, "matcher": "200"},
        },
    ),
    "https": (
        "aws:lb/listener:Listener",
        {
            "loadBalancerArn": Ref("balancer", "arn"),
            "port": 443,
            "protocol": "HTTPS",
            "certificateArn": Ref("issued", "certificateArn"),
            "defaultActions": [{"type": "forward", "targetGroupArn": Ref("targets", "arn")}],
            "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=31536000; includeSubDomains",
            "routingHttpResponseServerEnabled": False,
        },
    ),
    "http": (
        "aws:lb/listener:Listener",
        {
            "loadBalancerArn": Ref("balancer", "arn"),
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [{"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443"}}],
        },
    ),
    "rule": (
        "aws:lb/listenerRule:ListenerRule",
        {
            "listenerArn": Ref("https", "arn"),
            "priority": 2,
            "conditions": [{"pathPattern": {"values": ["/page", "/page/*"]}}],
            "actions": [{"type": "forward", "targetGroupArn": Ref("one", "arn")}],
        },
    ),
    "one": (
        "aws:lb/targetGroup:TargetGroup",
        {"port": 80, "protocol": "HTTP", "healthCheck": {"path": "/well", "interval": 20}},
    ),
    "host": ("aws:ec2/instance:Instance", {"vpcSecurityGroupIds": [Ref("inside")], "subnetId": Ref("public-a")}),
    "attached": (
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
        {"targetGroupArn": Ref("one", "arn"), "targetId": Ref("host"), "port": 8080},
    ),
    "template": ("aws:ec2/launchTemplate:LaunchTemplate", {"vpcSecurityGroupIds": [Ref("inside")]}),
    "machines": (
        "aws:autoscaling/group:Group",
        {
            "launchTemplate": {"id": Ref("template")},
            "targetGroupArns": [Ref("targets", "arn")],
            "vpcZoneIdentifiers": [Ref("app-a"), Ref("app-b")],
        },
    ),
}


def broken(*changes, **options):
    resources = declared(SITE, *changes, **options)
    found = {}
    for rule in balancing.RULES:
        if isinstance(rule, ResourceRule):
            said = [(line, one.name) for one in resources if one.type in rule.types for line in faults(rule, one)]
        else:
            said = stack_faults(rule, *resources)
        if said:
            found[rule.id] = said
    return found


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in balancing.RULES] == [
        ("alb-doors", Severity.HIGH, Level.MANDATORY),
        ("alb-response-headers", Severity.LOW, Level.MANDATORY_IN_PROD),
        ("alb-zones", Severity.HIGH, Level.MANDATORY),
        ("alb-targets", Severity.HIGH, Level.MANDATORY),
        ("alb-health-check", Severity.MEDIUM, Level.MANDATORY),
    ]


def test_a_whole_site_breaks_no_rule():
    assert broken() == {}


def test_in_a_preview_the_dependencies_lead():
    assert stack_faults(RULES["alb-doors"], *declared(SITE, preview=True)) == []


OTHER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:other"
NO_HTTPS = ("No listener of the load balancer speaks HTTPS on port 443.", "balancer")
NO_HTTP = ("Who comes to port 80 of the load balancer is not led to HTTPS.", "balancer")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("https", ("port",), 8443)],
         [NO_HTTPS, ("The redirect leads to port 443, which speaks no HTTPS.", "http")]),
        ([("http", ("port",), ABSENT)], [NO_HTTP]),
        ([("http", ("loadBalancerArn",), OTHER)],
         [NO_HTTP, ("The listener belongs to no load balancer of the stack.", "http")]),
        ([("https", ("certificateArn",), ABSENT)],
         [("The listener shows no certificate that the stack declares.", "https")]),
        ([("https", ("certificateArn",), "arn:aws:acm:eu-west-1:123456789012:certificate/other")],
         [("The listener shows no certificate that the stack declares.", "https")]),
        ([("http", ("defaultActions", 0, "redirect", "port"), "8443")],
         [("The redirect leads to port 8443, which speaks no HTTPS.", "http")]),
        ([("http", ("defaultActions", 0, "redirect", "port"), ABSENT)],
         [("The redirect leads to port 80, which speaks no HTTPS.", "http")]),
        ([("http", ("defaultActions", 0, "redirect", "host"), "www.example"),
          ("http", ("defaultActions", 0, "redirect", "port"), "8443")], []),
        ([("rule", ("listenerArn",), OTHER)], [("The listener's rule belongs to no listener of the stack.", "rule")]),
        ([("rule", ("conditions",), [])],
         [("The listener's rule has a condition that says nothing, so AWS refuses it.", "rule")]),
        ([("rule", ("conditions", 0, "pathPattern", "values"), ABSENT)],
         [("The listener's rule has a condition that says nothing, so AWS refuses it.", "rule")]),
        ([("rule", ("conditions", 0, "pathPattern", "values"), ["/*"])],
         [("The listener's rule takes every request: what the listener itself does never happens.", "rule")]),
        ([("rule", ("conditions",), [{"pathPattern": {"values": ["/*"]}}, {"hostHeader": {"values": ["a.example"]}}])],
         []),
        ([("rule", ("conditions",), [{"queryStrings": [{"key": "page", "value": "1"}]}])], []),
    ],
)  # fmt: skip
def test_a_door_that_leads_nowhere_is_named(changes, expected):
    assert broken(*changes).get("alb-doors", []) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("https", ("defaultActions",), []), ("The listener does nothing with a request.", "https")),
        (("https", ("defaultActions", 0, "targetGroupArn"), ABSENT),
         ("The listener forwards to no target group of the stack.", "https")),
        (("https", ("defaultActions", 0, "targetGroupArn"), OTHER),
         ("The listener forwards to no target group of the stack.", "https")),
        (("rule", ("actions",), []), ("The listener's rule does nothing with a request.", "rule")),
        (("rule", ("actions", 0, "targetGroupArn"), OTHER),
         ("The listener's rule forwards to no target group of the stack.", "rule")),
    ],
)  # fmt: skip
def test_what_leads_to_no_target_group_is_named_with_the_group_that_is_left(change, expected):
    left = "targets" if change[0] == "https" else "one"
    assert broken(change) == {
        "alb-doors": [expected],
        "alb-targets": [("No listener leads to the target group, so nothing asks whether its targets are well.", left)],
    }


def test_two_rules_of_one_priority_are_named():
    twin = {"twin": (SITE["rule"][0], {**SITE["rule"][1], "conditions": [{"sourceIp": {"values": ["10.0.0.0/8"]}}]})}
    assert broken(extra=twin) == {
        "alb-doors": [("twin has the priority 2 too.", "rule"), ("rule has the priority 2 too.", "twin")]
    }


def test_an_internal_load_balancer_needs_no_doors_to_the_world():
    assert "alb-doors" not in broken(("balancer", ("internal",), True), without=["http"])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("routingHttpResponseStrictTransportSecurityHeaderValue",), ABSENT,
         "Browsers are not told to come back by HTTPS only for a year: the header is unset."),
        (("routingHttpResponseStrictTransportSecurityHeaderValue",), "max-age=300",
         "Browsers are not told to come back by HTTPS only for a year: the header is max-age=300."),
        (("routingHttpResponseServerEnabled",), ABSENT, "Answers tell which software the load balancer is."),
        (("routingHttpResponseServerEnabled",), True, "Answers tell which software the load balancer is."),
    ],
)  # fmt: skip
def test_headers(path, value, said):
    assert broken(("https", path, value)) == {"alb-response-headers": [(said, "https")]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("balancer", ("subnets",), [Ref("public-a")]),
         ("The load balancer sends nothing to eu-west-1b, where machines is.", "balancer")),
        (("machines", ("vpcZoneIdentifiers",), [Ref("app-a")]),
         ("The group has nothing in eu-west-1b, where its load balancer is.", "machines")),
    ],
)  # fmt: skip
def test_both_are_in_the_same_zones(change, expected):
    assert broken(change) == {"alb-zones": [expected]}


def test_a_load_balancer_stands_where_its_visitors_are():
    assert broken(("balancer", ("internal",), True))["alb-zones"] == [
        (f"The load balancer is internal, but public-{zone} has a way to the internet.", "balancer") for zone in "ab"
    ]
    assert broken(("balancer", ("subnets",), [Ref("app-a"), Ref("app-b")]))["alb-zones"] == [
        (f"The load balancer is public, but app-{zone} has no way to the internet.", "balancer") for zone in "ab"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("machines", ("targetGroupArns",), ABSENT),
         ("Nothing is in the target group, so who is led there gets an error.", "targets")),
        (("machines", ("targetGroupArns",), [OTHER]),
         ("Nothing is in the target group, so who is led there gets an error.", "targets")),
        (("attached", ("targetGroupArn",), OTHER),
         ("Nothing is in the target group, so who is led there gets an error.", "one")),
        (("attached", ("targetId",), "i-00000000000000000"),
         ("The target group has a target that is not declared in this stack.", "attached")),
        (("attached", ("port",), ABSENT), ("balancer does not reach port 80 of host: a group stops it.", "one")),
        (("targets", ("port",), 9090), ("balancer does not reach port 9090 of machines: a group stops it.", "targets")),
        (("targets", ("healthCheck", "port"), "9090"),
         ("balancer does not reach port 9090 of machines: a group stops it.", "targets")),
        (("inside-in", ("fromPort",), 8081),
         [("balancer does not reach port 8080 of machines: a group stops it.", "targets"),
          ("balancer does not reach port 8080 of host: a group stops it.", "one")]),
        (("edge-out", ("referencedSecurityGroupId",), "sg-other"),
         [("balancer does not reach port 8080 of machines: a group stops it.", "targets"),
          ("balancer does not reach port 8080 of host: a group stops it.", "one")]),
    ],
)  # fmt: skip
def test_targets_that_nothing_reaches_are_named(change, expected):
    assert broken(change) == {"alb-targets": expected if isinstance(expected, list) else [expected]}


def test_a_range_that_holds_the_far_end_lets_it_in_too():
    cidrs = [
        ("inside-in", ("referencedSecurityGroupId",), ABSENT),
        ("inside-in", ("cidrIpv4",), "10.20.0.0/16"),
    ]
    assert broken(*cidrs) == {}
    assert set(broken(cidrs[0], ("inside-in", ("cidrIpv4",), "10.20.0.0/24"))) == {"alb-targets"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("enabled", False, "The target group does not ask whether its targets are well."),
        ("interval", ABSENT, "A dead target is found after 90 seconds; 60 are the most."),
        ("interval", 4, "The health check's interval is 4; AWS takes 5 to 300."),
        ("unhealthyThreshold", 10, "A dead target is found after 150 seconds; 60 are the most."),
        ("unhealthyThreshold", 1, "The health check's unhealthyThreshold is 1; AWS takes 2 to 10."),
        ("timeout", 15, "The health check waits 15 seconds but asks every 15."),
        ("path", ABSENT, "The health check asks for /, which a front page answers when what is behind it has failed."),
        ("path", "/", "The health check asks for /, which a front page answers when what is behind it has failed."),
        ("matcher", "200-399", "The health check takes 200-399 for well; only 200 to 299 are."),
        ("matcher", "100", "The health check takes 100 for well; only 200 to 299 are."),
        ("matcher", "all", "The health check takes all for well; only 200 to 299 are."),
        ("protocol", "TCP", "The health check only opens a connection; a server that answers errors passes it."),
    ],
)
def test_a_check_that_a_dead_server_passes_is_named(key, value, said):
    assert broken(("targets", ("healthCheck", key), value)) == {"alb-health-check": [(said, "targets")]}


def test_what_a_check_leaves_out_the_provider_says():
    assert broken(*(("targets", ("healthCheck", key), ABSENT) for key in ("matcher", "timeout"))) == {}
    assert broken(("targets", ("healthCheck",), ABSENT))["alb-health-check"] == [
        ("A dead target is found after 90 seconds; 60 are the most.", "targets"),
        ("The health check asks for /, which a front page answers when what is behind it has failed.", "targets"),
    ]


def test_a_function_is_not_asked():
    function = {"targetType": "lambda", "healthCheck": {}}
    (judged,) = declared({"it": ("aws:lb/targetGroup:TargetGroup", function)})
    assert faults(RULES["alb-health-check"], judged) == []


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("alb-doors", ("https", ("port",), UNKNOWN)),
        ("alb-doors", ("rule", ("conditions",), UNKNOWN)),
        ("alb-zones", ("balancer", ("internal",), UNKNOWN)),
        ("alb-targets", ("targets", ("port",), UNKNOWN)),
        ("alb-targets", ("inside-in", ("fromPort",), UNKNOWN)),
    ],
)
def test_an_unknown_value_is_no_pass(rule, change):
    assert not_evaluated(RULES[rule], *declared(SITE, change), context=Context())[0] == []


@pytest.mark.parametrize(
    ("rule", "name", "path"),
    [
        ("alb-response-headers", "https", ("routingHttpResponseServerEnabled",)),
        ("alb-health-check", "targets", ("healthCheck", "path")),
        ("alb-health-check", "targets", ("healthCheck",)),
    ],
)
def test_an_unknown_property_is_no_pass(rule, name, path):
    judged = next(one for one in declared(SITE, (name, path, UNKNOWN)) if one.name == name)
    assert not_evaluated(RULES[rule], judged)[0] == []
