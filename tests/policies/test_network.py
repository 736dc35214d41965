"""The rules for VPCs, subnets, ACLs and routes: one change to a network that is right, and the exact words for it."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from policies.rulebook import connections, endpoints, flows, network, reachability, ways
from policies.rulebook.network import (
    ACL_NO_WORLD_ADMIN,
    CUSTOM_ACL,
    DATABASE_WITHOUT_INTERNET,
    DISJOINT_RANGES,
    FLOW_LOGS,
    NO_PUBLIC_ADDRESSES,
    PRIVATE_ACLS_NARROW,
    SEVERAL_ZONES,
)
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, ResourceRule, Severity, StackRule

from .bags import ABSENT, UNKNOWN, UnknownValueError, faults, not_evaluated, resource, stack_faults
from .estate import ANYWHERE, DECLARATIONS, EGRESS_RULE, Ref, estate, line

SUBNET = "aws:ec2/subnet:Subnet"
ROUTE = "aws:ec2/route:Route"
TABLE = "aws:ec2/routeTable:RouteTable"
ACL = "aws:ec2/networkAcl:NetworkAcl"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"
ACL_ASSOCIATION = "aws:ec2/networkAclAssociation:NetworkAclAssociation"
DEFAULT_ACL = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"

RULES = (
    *network.RULES,
    *reachability.RULES,
    *flows.RULES,
    *endpoints.RULES,
    *ways.RULES,
    *connections.RULES,
)
ADMINS = Context(admin_cidrs=(IPv4Network("198.51.100.0/24"),))

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])


def test_the_rules_of_the_network_are_these():
    m, mp, a = Level.MANDATORY, Level.MANDATORY_IN_PROD, Level.ADVISORY
    assert [(rule.id, rule.severity, rule.level) for rule in RULES] == [
        ("net-sg-no-world-admin", Severity.CRITICAL, m),
        ("net-sg-no-world-data-ports", Severity.CRITICAL, m),
        ("net-sg-world-only-80-443", Severity.HIGH, m),
        ("net-sg-ssh-from-admin-cidrs", Severity.HIGH, m),
        ("net-sg-db-from-sg-only", Severity.HIGH, m),
        ("net-sg-db-no-world-egress", Severity.MEDIUM, mp),
        ("net-sg-described", Severity.LOW, a),
        ("net-sg-single-rule-style", Severity.MEDIUM, m),
        ("net-default-sg-empty", Severity.HIGH, m),
        ("net-flow-logs", Severity.HIGH, m),
        ("net-nacl-custom-per-subnet", Severity.MEDIUM, m),
        ("net-nacl-no-world-admin", Severity.HIGH, m),
        ("net-nacl-no-allow-all-private", Severity.MEDIUM, mp),
        ("net-subnet-no-auto-public-ip", Severity.MEDIUM, m),
        ("net-db-subnets-no-igw-route", Severity.CRITICAL, m),
        ("net-nacl-data-inside-vpc", Severity.HIGH, m),
        ("net-multi-az", Severity.MEDIUM, mp),
        ("net-cidr-no-overlap", Severity.MEDIUM, m),
        ("net-db-reachability", Severity.CRITICAL, m),
        ("net-db-clients-connected", Severity.MEDIUM, m),
        ("net-nacl-passes-groups", Severity.MEDIUM, m),
        ("net-nacl-only-what-groups-allow", Severity.MEDIUM, m),
        ("net-private-endpoints", Severity.LOW, a),
        ("net-sg-services-allowed", Severity.MEDIUM, m),
        ("net-subnet-own-table", Severity.MEDIUM, m),
        ("net-in-a-vpc", Severity.MEDIUM, m),
        ("net-ways-out", Severity.MEDIUM, m),
        ("net-address-used", Severity.LOW, m),
        ("net-sg-both-halves", Severity.MEDIUM, m),
        ("net-bastion-reached", Severity.MEDIUM, m),
        ("net-balancer-admits", Severity.MEDIUM, m),
    ]


def fired(resources, context=ADMINS):
    """The ids of the rules that find something, each resource rule asked about each resource of its types."""
    found = set()
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            said = [s for judged in resources if judged.type in rule.types for s in faults(rule, judged, context)]
        else:
            assert isinstance(rule, StackRule)
            said = stack_faults(rule, *resources, context=context)
        if said:
            found.add(rule.id)
    return found


@both_modes
def test_no_rule_finds_anything_in_the_estate(preview):
    assert fired(estate(preview=preview)) == set()


def inline(name, **changes):
    """The first inbound line of an ACL of the estate, changed."""
    first, *rest = DECLARATIONS[name][1]["ingress"]
    return {"ingress": [{**first, **changes}, *rest]}


TO_THE_INTERNET = (
    ROUTE,
    {"routeTableId": Ref("data-table"), "destinationCidrBlock": ANYWHERE, "gatewayId": Ref("gateway")},
)

LISTENER = ("aws:lb/listener:Listener", {"loadBalancerArn": Ref("balancer", "arn"), "port": 9443})

#: Each breaks one thing, and exactly these rules say so. More than one speaks where the catalogue asks for both.
MUTATIONS = {
    "SSH of the bastion opened to the world": (
        {"changes": {"bastion-ssh": {"cidrIpv4": ANYWHERE}}},
        {
            "net-sg-no-world-admin",
            "net-sg-ssh-from-admin-cidrs",
            "net-sg-world-only-80-443",
            # The bastion is a client of the database.
            "net-db-reachability",
        },
    ),
    "SSH of the bastion opened to a foreign range": (
        {"changes": {"bastion-ssh": {"cidrIpv4": "192.0.2.0/24"}}},
        {
            "net-sg-ssh-from-admin-cidrs",
            "net-bastion-reached",
            "net-nacl-passes-groups",
            "net-nacl-only-what-groups-allow",
        },
    ),
    "the application opened to the world": (
        {"changes": {"app-edge": {"cidrIpv4": ANYWHERE}}},
        {"net-sg-no-world-data-ports", "net-sg-world-only-80-443", "net-db-reachability"},
    ),
    "a foreign port opened at the edge": (
        {"changes": {"edge-https": {"fromPort": 9443, "toPort": 9443}}},
        {"net-sg-world-only-80-443"},
    ),
    "the edge loses its tag": ({"changes": {"edge-group": {"tags": {}}}}, {"net-sg-world-only-80-443"}),
    "the database admits the VPC's range": (
        {"changes": {"data-app": {"cidrIpv4": "10.20.0.0/16"}}},
        {"net-sg-db-from-sg-only"},
    ),
    "the database may call out": (
        {
            "extra": {
                "out": (
                    EGRESS_RULE,
                    {
                        "securityGroupId": Ref("data-group"),
                        "ipProtocol": "-1",
                        "cidrIpv4": ANYWHERE,
                        "description": "Everything to everyone",
                    },
                )
            }
        },
        {"net-sg-db-no-world-egress"},
    ),
    "a rule loses its description": ({"changes": {"edge-https": {"description": ABSENT}}}, {"net-sg-described"}),
    "an inline rule beside the others": (
        {
            "changes": {
                "edge-group": {
                    "egress": [
                        {
                            "protocol": "tcp",
                            "fromPort": 8443,
                            "toPort": 8443,
                            "cidrBlocks": ["10.20.0.0/16"],
                            "description": "Requests to others",
                        }
                    ]
                }
            }
        },
        {"net-sg-single-rule-style"},
    ),
    "the default group is no longer adopted": ({"without": ["default"]}, {"net-default-sg-empty"}),
    "the flow log is gone": ({"without": ["flow"]}, {"net-flow-logs"}),
    "the flow log drops what is accepted": ({"changes": {"flow": {"trafficType": "REJECT"}}}, {"net-flow-logs"}),
    "the flow log's group keeps no time": (
        {"changes": {"flow-group": {"retentionInDays": ABSENT}}},
        {"net-flow-logs"},
    ),
    "the ACL of the database is gone": ({"without": ["data-acl"]}, {"net-nacl-custom-per-subnet"}),
    "a subnet leaves its ACL": (
        {"changes": {"data-acl": {"subnetIds": [Ref("data-a")]}}},
        {"net-nacl-custom-per-subnet"},
    ),
    "two tiers swap their ACLs": (
        {
            "changes": {
                "data-acl": {"subnetIds": [Ref("app-a"), Ref("app-b")]},
                "app-acl": {"subnetIds": [Ref("data-a"), Ref("data-b")]},
            }
        },
        {
            "net-nacl-custom-per-subnet",
            "net-nacl-data-inside-vpc",
            "net-db-clients-connected",
            "net-nacl-passes-groups",
            "net-nacl-only-what-groups-allow",
        },
    ),
    "the database's ACL admits the world": (
        {"changes": {"data-acl": {"ingress": [line(100, ANYWHERE, 5432)]}}},
        {"net-nacl-data-inside-vpc"},
    ),
    "the database's ACL lets everything out": (
        {"changes": {"data-acl": {"egress": [line(100, ANYWHERE, 1024, 65535)]}}},
        {"net-nacl-data-inside-vpc"},
    ),
    "an ACL lets the world to SSH": (
        {"changes": {"public-acl": inline("public-acl", fromPort=20, toPort=30)}},
        # The line was that for HTTPS.
        {"net-nacl-no-world-admin", "net-nacl-passes-groups"},
    ),
    "an ACL of a private tier lets everything pass": (
        {"changes": {"app-acl": {"egress": [line(100, ANYWHERE, 0, 0, protocol="-1")]}}},
        {"net-nacl-no-allow-all-private"},
    ),
    "a subnet gives public addresses": (
        {"changes": {"app-a": {"mapPublicIpOnLaunch": True}}},
        {"net-subnet-no-auto-public-ip"},
    ),
    "the database's table gets a way to the internet": (
        {"extra": {"data-out": TO_THE_INTERNET}},
        {"net-db-subnets-no-igw-route"},
    ),
    "the database moves to the public subnets": (
        {"changes": {"places": {"subnetIds": [Ref("public-a"), Ref("public-b")]}}},
        {
            "net-db-subnets-no-igw-route",
            "net-nacl-data-inside-vpc",
            "net-nacl-passes-groups",
            "net-nacl-only-what-groups-allow",
        },
    ),
    "a subnet of the database loses its table": ({"without": ["data-b-in-table"]}, {"net-db-subnets-no-igw-route"}),
    "the database no longer admits the machines": ({"without": ["data-app"]}, {"net-db-clients-connected"}),
    "the machines stand in one zone": (
        {"changes": {"machines": {"vpcZoneIdentifiers": [Ref("app-a")]}}},
        {"net-multi-az"},
    ),
    "an endpoint and the way out are gone": (
        {"without": ["app-out", "ssmmessages"]},
        {"net-private-endpoints"},
    ),
    "the machines may not send to the database": ({"without": ["app-database"]}, {"net-db-clients-connected"}),
    "the database's ACL forgets the machines": (
        {"changes": {"data-acl": inline("data-acl", cidrBlock="10.20.192.0/18")}},
        {"net-db-clients-connected", "net-nacl-only-what-groups-allow"},
    ),
    "an endpoint is gone": ({"without": ["ssm"]}, {"net-private-endpoints"}),
    "the VPC answers no private names": (
        {"changes": {"main": {"enableDnsHostnames": False}}},
        {"net-private-endpoints"},
    ),
    "an endpoint admits nobody": (
        {"without": ["endpoint-https"]},
        {"net-private-endpoints", "net-sg-both-halves", "net-nacl-only-what-groups-allow"},
    ),
    "the machines may not send to AWS": (
        {"without": ["app-https"]},
        {"net-sg-services-allowed", "net-nacl-only-what-groups-allow"},
    ),
    "an ACL forgets what the balancer asks": (
        {"changes": {"app-acl": inline("app-acl", fromPort=8081, toPort=8081)}},
        {"net-nacl-passes-groups", "net-nacl-only-what-groups-allow"},
    ),
    "an ACL opens what the balancer asks": (
        {"changes": {"app-acl": inline("app-acl", cidrBlock=ANYWHERE)}},
        {"net-nacl-only-what-groups-allow"},
    ),
    "a subnet loses its table": (
        {"without": ["public-b-in-table"]},
        {"net-subnet-own-table"},
    ),
    "a group is made in the default VPC": ({"changes": {"edge-group": {"vpcId": ABSENT}}}, {"net-in-a-vpc"}),
    "the NAT gateway loses its address": (
        {"changes": {"nat": {"allocationId": ABSENT}}},
        {"net-ways-out", "net-address-used"},
    ),
    "the balancer may send what the machines do not admit": ({"without": ["app-edge"]}, {"net-sg-both-halves"}),
    "the bastion admits nobody": (
        {"without": ["bastion-ssh"]},
        {"net-bastion-reached", "net-nacl-only-what-groups-allow"},
    ),
    "a listener waits where nobody is admitted": (
        {
            "extra": {
                "listener": ("aws:lb/listener:Listener", {"loadBalancerArn": Ref("balancer", "arn"), "port": 9443})
            }
        },
        {"net-balancer-admits"},
    ),
    "the database has no group": (
        {"changes": {"database": {"vpcSecurityGroupIds": ABSENT}}},
        {"net-db-clients-connected"},
    ),
    "the database has no subnet group": (
        {"changes": {"database": {"dbSubnetGroupName": ABSENT}}},
        {"net-db-reachability"},
    ),
}


@both_modes
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_change_for_the_worse_is_said_by_exactly_these_rules(mutation, preview):
    change, expected = MUTATIONS[mutation]
    assert fired(estate(**change, preview=preview)) == expected


def test_every_rule_is_broken_by_some_mutation_but_that_of_other_stacks_ranges():
    broken = {id_ for _, expected in MUTATIONS.values() for id_ in expected}
    assert {rule.id for rule in RULES} - broken == {"net-cidr-no-overlap"}


class TestMetricFiltersOfFlowLogs:
    FORMAT = "${interface-id} ${action} ${log-status}"

    def said(self, pattern, log_format=FORMAT, preview=False):
        counter = (
            "aws:cloudwatch/logMetricFilter:LogMetricFilter",
            {"logGroupName": Ref("flow-group", "name"), "pattern": pattern},
        )
        changes = {"flow": {"logFormat": log_format}, "flow-group": {"name": "flow-group#name"}}
        return stack_faults(FLOW_LOGS, *estate(changes, extra={"counter": counter}, preview=preview))

    @both_modes
    @pytest.mark.parametrize(
        "pattern",
        [
            '[interface_id, action="REJECT", log_status]',
            '[interface_id, action="REJECT", ...]',
            '[..., action="REJECT", log_status]',
            '{ $.action = "REJECT" }',
            "[",
        ],
    )
    def test_one_that_names_the_fields_in_their_places_passes(self, pattern, preview):
        assert self.said(pattern, preview=preview) == []

    @both_modes
    @pytest.mark.parametrize(
        ("pattern", "what"),
        [
            ('[action="REJECT", interface_id, log_status]', "action"),
            ('[..., action="REJECT"]', "action"),
            ('[interface_id, act="REJECT", log_status]', "act"),
            ("[a, b, c, d]", "4 fields"),
        ],
    )
    def test_one_that_names_others_is_named(self, pattern, what, preview):
        sentence = f"Metric filter counter reads {what} where the flow log writes something else or nothing."
        assert self.said(pattern, preview=preview) == [(sentence, "flow")]

    def test_a_log_without_a_format_writes_the_fourteen_fields_of_version_2(self):
        assert self.said('[..., action="REJECT", log_status]', ABSENT) == []
        assert self.said('[interface_id, action="REJECT", log_status]', ABSENT) == [
            ("Metric filter counter reads action where the flow log writes something else or nothing.", "flow")
        ]

    def test_an_unknown_format_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            self.said('[interface_id, action="REJECT", log_status]', UNKNOWN)


class TestFlowLogs:
    @both_modes
    def test_a_vpc_without_one_is_named(self, preview):
        assert stack_faults(FLOW_LOGS, *estate(without=["flow"], preview=preview)) == [
            ("The VPC has no flow log.", "main")
        ]

    @both_modes
    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"trafficType": "ACCEPT"}, "The flow log's traffic type is ACCEPT; ALL is expected."),
            (
                {"maxAggregationInterval": ABSENT},
                "The flow log tells of a connection after 600 seconds; 60 are expected.",
            ),
            (
                {"maxAggregationInterval": 600},
                "The flow log tells of a connection after 600 seconds; 60 are expected.",
            ),
            ({"trafficType": ABSENT}, "The flow log's traffic type is unset; ALL is expected."),
            (
                {"logDestination": "arn:aws:logs:eu-west-1:111122223333:log-group:other"},
                "The flow log goes to no log group of this stack, so nothing says how long it is kept.",
            ),
            (
                {"logDestination": ABSENT},
                "The flow log goes to no log group of this stack, so nothing says how long it is kept.",
            ),
            (
                {"logDestinationType": "kinesis-data-firehose"},
                "The flow log goes to kinesis-data-firehose; a log group or a bucket is expected.",
            ),
            ({"logDestinationType": "s3", "logDestination": ABSENT}, "The flow log names no bucket."),
        ],
    )
    def test_a_flow_log_that_is_not_whole_is_named(self, change, sentence, preview):
        assert stack_faults(FLOW_LOGS, *estate({"flow": change}, preview=preview)) == [(sentence, "flow")]

    @both_modes
    @pytest.mark.parametrize("days", [ABSENT, 0])
    def test_a_log_group_without_retention_is_named(self, days, preview):
        changed = estate({"flow-group": {"retentionInDays": days}}, preview=preview)
        sentence = "The flow log goes to log group flow-group, which sets no retention."
        assert stack_faults(FLOW_LOGS, *changed) == [(sentence, "flow")]

    def test_a_bucket_will_do(self):
        change = {"logDestinationType": "s3", "logDestination": "arn:aws:s3:::flow-logs"}
        assert stack_faults(FLOW_LOGS, *estate({"flow": change})) == []

    def test_one_whole_log_is_enough(self):
        rejected = ("aws:ec2/flowLog:FlowLog", {"vpcId": Ref("main"), "trafficType": "REJECT"})
        assert stack_faults(FLOW_LOGS, *estate(extra={"rejected": rejected})) == []

    def test_the_log_of_another_vpc_does_not_count(self):
        other = ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.30.0.0/16"})
        assert stack_faults(FLOW_LOGS, *estate(extra={"other": other})) == [("The VPC has no flow log.", "other")]

    @pytest.mark.parametrize(
        "change",
        [
            {"flow": {"trafficType": UNKNOWN}},
            {"flow": {"logDestinationType": UNKNOWN}},
            {"flow-group": {"retentionInDays": UNKNOWN}},
        ],
    )
    def test_an_unknown_part_is_not_evaluated(self, change):
        said, _ = not_evaluated(FLOW_LOGS, *estate(change))
        assert said == []


class TestCustomAcl:
    @both_modes
    def test_a_subnet_in_no_acl_is_named(self, preview):
        changed = estate({"data-acl": {"subnetIds": [Ref("data-a")]}}, preview=preview)
        assert stack_faults(CUSTOM_ACL, *changed) == [
            ("The subnet is in no custom ACL, so its VPC's default one lets everything pass.", "data-b")
        ]

    @both_modes
    def test_an_association_is_as_good_as_the_acls_own_list(self, preview):
        association = (ACL_ASSOCIATION, {"subnetId": Ref("data-b"), "networkAclId": Ref("data-acl")})
        changed = {"data-acl": {"subnetIds": [Ref("data-a")]}}
        assert stack_faults(CUSTOM_ACL, *estate(changed, extra={"in-acl": association}, preview=preview)) == []

    @both_modes
    def test_the_acl_of_another_tier_is_named(self, preview):
        changed = estate(
            {"data-acl": {"subnetIds": [Ref("data-a")]}, "app-acl": {"subnetIds": [Ref("app-a"), Ref("app-b")]}},
            extra={"in-acl": (ACL_ASSOCIATION, {"subnetId": Ref("data-b"), "networkAclId": Ref("app-acl")})},
            preview=preview,
        )
        assert stack_faults(CUSTOM_ACL, *changed) == [("The data subnet is in ACL app-acl of the app tier.", "data-b")]

    def test_two_acls_for_one_subnet_are_named(self):
        association = (ACL_ASSOCIATION, {"subnetId": Ref("data-b"), "networkAclId": Ref("spare")})
        extra = {"spare": (ACL, {"vpcId": Ref("main")}), "in-acl": association}
        assert stack_faults(CUSTOM_ACL, *estate(extra=extra)) == [
            ("The subnet is claimed by the ACLs data-acl and spare; only one can hold.", "data-b")
        ]

    def test_the_default_acl_is_not_custom_even_when_it_is_adopted(self):
        adopted = (
            DEFAULT_ACL,
            {"defaultNetworkAclId": Ref("main", "defaultNetworkAclId"), "subnetIds": [Ref("data-a")]},
        )
        said = stack_faults(CUSTOM_ACL, *estate(without=["data-acl"], extra={"adopted": adopted}))
        assert [name for _, name in said] == ["data-a", "data-b"]

    def test_without_tags_any_custom_acl_will_do(self):
        assert stack_faults(CUSTOM_ACL, *estate({"data-acl": {"tags": ABSENT}})) == []

    def test_an_unknown_tier_is_not_evaluated_and_hides_nothing(self):
        changed = estate({"app-a": {"tags": {"Tier": UNKNOWN}}, "data-acl": {"subnetIds": [Ref("data-a")]}})
        said, unknown = not_evaluated(CUSTOM_ACL, *changed)
        assert [name for _, name in said] == ["data-b"]
        assert unknown.message == "string value at .app-a.tags.Tier can't be known during preview"


class TestAclWithoutWorldOnAdminPorts:
    def judged(self, *ingress, preview=False):
        return stack_faults(ACL_NO_WORLD_ADMIN, *estate({"public-acl": {"ingress": ingress}}, preview=preview))

    @pytest.mark.parametrize(
        ("ingress", "sentences"),
        [
            (
                [line(100, ANYWHERE, 22)],
                ["Port 22 is open to 0.0.0.0/0 by rule 100 (allow tcp 22 0.0.0.0/0)."],
            ),
            (
                [line(100, ANYWHERE, 1024, 65535)],
                ["Port 3389 is open to 0.0.0.0/0 by rule 100 (allow tcp 1024-65535 0.0.0.0/0)."],
            ),
            (
                [line(100, None, 22, ipv6CidrBlock="::/0")],
                ["Port 22 is open to ::/0 by rule 100 (allow tcp 22 ::/0)."],
            ),
            (
                [line(100, ANYWHERE, 0, 0, protocol="-1")],
                [
                    "Port 22 is open to 0.0.0.0/0 by rule 100 (allow all traffic 0.0.0.0/0).",
                    "Port 3389 is open to 0.0.0.0/0 by rule 100 (allow all traffic 0.0.0.0/0).",
                ],
            ),
            (
                [line(100, "0.0.0.0/1", 22), line(110, "128.0.0.0/1", 22)],
                [
                    "Port 22 is open to 0.0.0.0/1 by rule 100 (allow tcp 22 0.0.0.0/1).",
                    "Port 22 is open to 128.0.0.0/1 by rule 110 (allow tcp 22 128.0.0.0/1).",
                ],
            ),
            (
                [line(100, ANYWHERE, 22, protocol="17")],
                ["Port 22 is open to 0.0.0.0/0 by rule 100 (allow udp 22 0.0.0.0/0)."],
            ),
            # The line before it lets one office in; the world still comes by the second.
            (
                [line(100, "198.51.100.0/24", 22), line(110, ANYWHERE, 22)],
                ["Port 22 is open to 0.0.0.0/0 by rule 110 (allow tcp 22 0.0.0.0/0)."],
            ),
            # A denial after the line that allows comes too late.
            (
                [line(100, ANYWHERE, 22), line(110, ANYWHERE, 22, action="deny")],
                ["Port 22 is open to 0.0.0.0/0 by rule 100 (allow tcp 22 0.0.0.0/0)."],
            ),
            # A denial of half the world leaves the other half.
            (
                [line(90, "0.0.0.0/1", 22, action="deny"), line(100, ANYWHERE, 22)],
                ["Port 22 is open to 0.0.0.0/0 by rule 100 (allow tcp 22 0.0.0.0/0)."],
            ),
        ],
    )
    def test_the_line_that_lets_the_world_in_is_named(self, ingress, sentences):
        assert self.judged(*ingress) == [(sentence, "public-acl") for sentence in sentences]

    @pytest.mark.parametrize(
        "ingress",
        [
            [],
            [line(100, "198.51.100.0/24", 22)],
            [line(100, ANYWHERE, 443)],
            [line(100, ANYWHERE, 1024, 3388), line(110, ANYWHERE, 3390, 65535)],
            [line(90, ANYWHERE, 22, action="deny"), line(100, ANYWHERE, 20, 30)],
            [line(100, ANYWHERE, 22, action="deny")],
            [line(100, ANYWHERE, 0, 0, protocol="1")],
        ],
    )
    def test_narrow_lines_and_denials_in_time_pass(self, ingress):
        assert self.judged(*ingress) == []

    @both_modes
    def test_a_line_of_its_own_counts_with_those_of_its_acl(self, preview):
        opened = {"networkAclId": Ref("data-acl"), "protocol": "tcp", "fromPort": 22, "toPort": 22}
        opened |= {"ruleAction": "allow", "ruleNumber": 50, "cidrBlock": ANYWHERE}
        extra = {"opened": (ACL_RULE, opened)}
        assert stack_faults(ACL_NO_WORLD_ADMIN, *estate(extra=extra, preview=preview)) == [
            ("Port 22 is open to 0.0.0.0/0 by rule 50 (allow tcp 22 0.0.0.0/0).", "opened")
        ]
        extra["denied"] = (ACL_RULE, {**opened, "ruleAction": "deny", "ruleNumber": 40})
        assert stack_faults(ACL_NO_WORLD_ADMIN, *estate(extra=extra, preview=preview)) == []
        extra["denied"] = (ACL_RULE, {**opened, "ruleAction": "deny", "ruleNumber": 40, "egress": True})
        assert len(stack_faults(ACL_NO_WORLD_ADMIN, *estate(extra=extra, preview=preview))) == 1

    def test_a_line_of_an_undeclared_acl_is_judged_alone(self):
        opened = {"networkAclId": "acl-of-others", "protocol": "tcp", "fromPort": 22, "toPort": 22}
        opened |= {"ruleAction": "allow", "ruleNumber": 50, "cidrBlock": ANYWHERE}
        assert [
            name for _, name in stack_faults(ACL_NO_WORLD_ADMIN, *estate(extra={"opened": (ACL_RULE, opened)}))
        ] == ["opened"]

    def test_an_unknown_line_is_not_evaluated_and_hides_nothing(self):
        changed = estate(
            {
                "app-acl": {"ingress": [line(100, UNKNOWN, 22)]},
                "public-acl": {"ingress": [line(100, ANYWHERE, 22)]},
            }
        )
        said, _ = not_evaluated(ACL_NO_WORLD_ADMIN, *changed)
        assert [name for _, name in said] == ["public-acl"]


class TestPrivateAclsAreNarrow:
    ALL = staticmethod(lambda cidr=ANYWHERE: line(100, cidr, 0, 0, protocol="-1"))

    @both_modes
    @pytest.mark.parametrize("acl", ["app-acl", "data-acl"])
    @pytest.mark.parametrize(("block", "way"), [("ingress", "from"), ("egress", "to")])
    def test_a_line_for_everything_is_named(self, acl, block, way, preview):
        changed = estate({acl: {block: [self.ALL()]}}, preview=preview)
        sentence = f"Rule 100 of the private ACL lets everything pass {way} 0.0.0.0/0."
        assert stack_faults(PRIVATE_ACLS_NARROW, *changed) == [(sentence, acl)]

    @pytest.mark.parametrize("cidr", ["10.20.0.0/16", "198.51.100.0/24"])
    def test_everything_from_one_network_passes(self, cidr):
        assert stack_faults(PRIVATE_ACLS_NARROW, *estate({"app-acl": {"ingress": [self.ALL(cidr)]}})) == []

    @both_modes
    def test_the_acl_of_public_subnets_may(self, preview):
        changed = estate({"public-acl": {"egress": [self.ALL()]}}, preview=preview)
        assert stack_faults(PRIVATE_ACLS_NARROW, *changed) == []

    @both_modes
    def test_a_public_tag_does_not_help_an_acl_of_private_subnets(self, preview):
        changed = estate({"data-acl": {"ingress": [self.ALL()], "tags": {"Tier": "public"}}}, preview=preview)
        assert [name for _, name in stack_faults(PRIVATE_ACLS_NARROW, *changed)] == ["data-acl"]

    @both_modes
    def test_one_private_subnet_makes_its_acl_private(self, preview):
        subnets = [Ref("public-a"), Ref("public-b"), Ref("app-a")]
        changed = {"public-acl": {"egress": [self.ALL()], "subnetIds": subnets}}
        assert [name for _, name in stack_faults(PRIVATE_ACLS_NARROW, *estate(changed, preview=preview))] == [
            "public-acl"
        ]

    @pytest.mark.parametrize(("tags", "named"), [({"Tier": "public"}, []), ({"Tier": "data"}, ["x"]), (ABSENT, ["x"])])
    def test_an_acl_without_subnets_is_what_its_tag_says_and_private_without(self, tags, named):
        acl = (
            ACL,
            {key: value for key, value in {"ingress": [self.ALL()], "tags": tags}.items() if value is not ABSENT},
        )
        assert [name for _, name in stack_faults(PRIVATE_ACLS_NARROW, *estate(extra={"x": acl}))] == named

    def test_a_denial_of_everything_passes(self):
        denied = line(100, ANYWHERE, 0, 0, protocol="-1", action="deny")
        assert stack_faults(PRIVATE_ACLS_NARROW, *estate({"app-acl": {"ingress": [denied]}})) == []

    def test_an_unknown_protocol_is_not_evaluated(self):
        changed = {"app-acl": {"ingress": [line(100, ANYWHERE, 0, 0, protocol=UNKNOWN)]}}
        with pytest.raises(UnknownValueError):
            stack_faults(PRIVATE_ACLS_NARROW, *estate(changed))


class TestNoPublicAddresses:
    @pytest.mark.parametrize("value", [True, "true"])
    def test_a_subnet_that_gives_them_is_named(self, value):
        assert faults(NO_PUBLIC_ADDRESSES, resource(SUBNET, "s", {"mapPublicIpOnLaunch": value})) == [
            "The subnet gives every machine a public address."
        ]

    @pytest.mark.parametrize("props", [{"mapPublicIpOnLaunch": False}, {}])
    def test_false_and_unset_pass_because_aws_gives_none_by_itself(self, props):
        assert faults(NO_PUBLIC_ADDRESSES, resource(SUBNET, "s", props)) == []

    def test_a_default_subnet_gives_them_by_itself(self):
        default = "aws:ec2/defaultSubnet:DefaultSubnet"
        assert faults(NO_PUBLIC_ADDRESSES, resource(default, "s")) == [
            "The default subnet gives every machine a public address unless mapPublicIpOnLaunch is false."
        ]
        assert faults(NO_PUBLIC_ADDRESSES, resource(default, "s", {"mapPublicIpOnLaunch": False})) == []

    def test_an_unknown_value_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            faults(NO_PUBLIC_ADDRESSES, resource(SUBNET, "s", {"mapPublicIpOnLaunch": UNKNOWN}))


@both_modes
class TestDatabaseWithoutInternet:
    def test_a_route_of_its_own_is_named(self, preview):
        changed = estate(extra={"data-out": TO_THE_INTERNET}, preview=preview)
        to = "0.0.0.0/0 to internet gateway gateway (route table data-table)"
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == [
            (f"Subnet data-a routes {to}.", "places"),
            (f"Subnet data-b routes {to}.", "places"),
        ]

    @pytest.mark.parametrize(
        ("destination", "text"), [({"cidrBlock": ANYWHERE}, ANYWHERE), ({"ipv6CidrBlock": "::/0"}, "::/0")]
    )
    def test_an_inline_route_is_named(self, destination, text, preview):
        route = {**destination, "gatewayId": Ref("gateway")}
        changed = estate({"data-table": {"routes": [route]}}, preview=preview)
        assert [sentence for sentence, _ in stack_faults(DATABASE_WITHOUT_INTERNET, *changed)] == [
            f"Subnet data-{zone} routes {text} to internet gateway gateway (route table data-table)." for zone in "ab"
        ]

    def test_the_table_of_another_tier_is_named(self, preview):
        changed = estate({"data-a-in-table": {"routeTableId": Ref("public-table")}}, preview=preview)
        to = "0.0.0.0/0 to internet gateway gateway (route table public-table)"
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == [(f"Subnet data-a routes {to}.", "places")]

    def test_a_subnet_without_a_table_has_the_main_one(self, preview):
        without = ["data-a-in-table"]
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *estate(without=without, preview=preview)) == [
            ("Subnet data-a has no route table that this stack declares.", "places")
        ]
        main = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
        extra = {"as-main": (main, {"vpcId": Ref("main"), "routeTableId": Ref("public-table")})}
        to = "0.0.0.0/0 to internet gateway gateway (route table public-table)"
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *estate(without=without, extra=extra, preview=preview)) == [
            (f"Subnet data-a routes {to}.", "places")
        ]

    @pytest.mark.parametrize(
        ("extra", "table"),
        [
            (
                {
                    "adopted": (
                        "aws:ec2/defaultRouteTable:DefaultRouteTable",
                        {
                            "defaultRouteTableId": Ref("main", "defaultRouteTableId"),
                            "routes": [{"cidrBlock": ANYWHERE, "gatewayId": Ref("gateway")}],
                        },
                    )
                },
                "adopted",
            ),
            (
                {
                    "late": (
                        ROUTE,
                        {
                            "routeTableId": Ref("main", "mainRouteTableId"),
                            "destinationCidrBlock": ANYWHERE,
                            "gatewayId": Ref("gateway"),
                        },
                    )
                },
                "main of main",
            ),
        ],
    )
    def test_the_main_table_has_its_own_routes(self, extra, table, preview):
        changed = estate(without=["data-a-in-table"], extra=extra, preview=preview)
        to = f"0.0.0.0/0 to internet gateway gateway (route table {table})"
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == [(f"Subnet data-a routes {to}.", "places")]

    def test_a_gateway_of_others_is_a_gateway(self, preview):
        route = (ROUTE, {**TO_THE_INTERNET[1], "gatewayId": "igw-0123456789abcdef0"})
        changed = estate(extra={"data-out": route}, preview=preview)
        to = "0.0.0.0/0 to internet gateway igw-0123456789abcdef0 (route table data-table)"
        assert (f"Subnet data-a routes {to}.", "places") in stack_faults(DATABASE_WITHOUT_INTERNET, *changed)

    @pytest.mark.parametrize(
        "target",
        [
            {"natGatewayId": Ref("nat")},
            {"gatewayId": "local"},
            {"gatewayId": Ref("vpn")},
            {"vpcPeeringConnectionId": "pcx-1"},
            {"egressOnlyGatewayId": "eigw-1"},
        ],
    )
    def test_other_targets_pass(self, target, preview):
        vpn = {"vpn": ("aws:ec2/vpnGateway:VpnGateway", {"vpcId": Ref("main")})}
        route = {"routeTableId": Ref("data-table"), "destinationCidrBlock": ANYWHERE, **target}
        changed = estate(extra={**vpn, "data-out": (ROUTE, route)}, preview=preview)
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == []

    def test_a_subnet_or_a_table_of_others_cannot_be_proved(self, preview):
        changed = estate({"places": {"subnetIds": [Ref("data-a"), "subnet-of-others"]}}, preview=preview)
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == [
            ("Subnet subnet-of-others is not declared here, so its routes cannot be known.", "places")
        ]
        changed = estate({"data-b-in-table": {"routeTableId": "rtb-of-others"}}, preview=preview)
        assert stack_faults(DATABASE_WITHOUT_INTERNET, *changed) == [
            ("Subnet data-b has no route table that this stack declares.", "places")
        ]

    def test_an_unknown_target_that_may_be_either_is_not_evaluated(self, preview):
        changed = {"data-table": {"routes": [{"cidrBlock": ANYWHERE, "gatewayId": UNKNOWN}]}}
        with pytest.raises(UnknownValueError):
            stack_faults(DATABASE_WITHOUT_INTERNET, *estate(changed, preview=preview))


class TestSeveralZones:
    @both_modes
    @pytest.mark.parametrize(
        ("name", "change", "what"),
        [
            ("machines", {"vpcZoneIdentifiers": [Ref("app-a")]}, "The Auto Scaling group"),
            ("balancer", {"subnets": [Ref("public-a")]}, "The load balancer"),
            ("places", {"subnetIds": [Ref("data-a")]}, "The database's subnet group"),
        ],
    )
    def test_one_zone_is_named(self, name, change, what, preview):
        assert stack_faults(SEVERAL_ZONES, *estate({name: change}, preview=preview)) == [
            (f"{what} is in zone eu-west-1a only; two are expected.", name)
        ]

    def test_two_subnets_of_one_zone_are_one_zone(self):
        assert stack_faults(SEVERAL_ZONES, *estate({"data-b": {"availabilityZone": "eu-west-1a"}})) == [
            ("The database's subnet group is in zone eu-west-1a only; two are expected.", "places")
        ]

    @both_modes
    def test_a_subnet_that_names_no_zone_is_named_wherever_it_is_used(self, preview):
        sentence = "Subnet app-b names no zone, so AWS may put it where another one is."
        changed = estate({"app-b": {"availabilityZone": ABSENT}}, preview=preview)
        assert stack_faults(SEVERAL_ZONES, *changed) == [(sentence, "machines")]

    def test_no_subnet_at_all_is_named(self):
        assert stack_faults(SEVERAL_ZONES, *estate({"machines": {"vpcZoneIdentifiers": ABSENT}})) == [
            ("The Auto Scaling group is in no zone that this stack knows; two are expected.", "machines")
        ]

    def test_zones_may_be_named_by_themselves_or_by_id_or_by_mapping(self):
        zones = {"vpcZoneIdentifiers": ABSENT, "availabilityZones": ["eu-west-1a", "eu-west-1b"]}
        mapped = {"subnets": ABSENT, "subnetMappings": [{"subnetId": Ref("public-a")}, {"subnetId": Ref("public-b")}]}
        by_id = {"data-b": {"availabilityZone": ABSENT, "availabilityZoneId": "euw1-az2"}}
        assert stack_faults(SEVERAL_ZONES, *estate({"machines": zones, "balancer": mapped, **by_id})) == []

    def test_both_tokens_of_the_balancer_are_judged(self):
        alias = ("aws:alb/loadBalancer:LoadBalancer", {"subnets": [Ref("public-b")]})
        assert stack_faults(SEVERAL_ZONES, *estate(extra={"other": alias})) == [
            ("The load balancer is in zone eu-west-1b only; two are expected.", "other")
        ]

    def test_an_unknown_zone_is_not_evaluated_and_hides_nothing(self):
        changed = estate({"app-a": {"availabilityZone": UNKNOWN}, "balancer": {"subnets": [Ref("public-a")]}})
        said, unknown = not_evaluated(SEVERAL_ZONES, *changed)
        assert [name for _, name in said] == ["balancer"]
        assert [urn.rpartition("::")[2] for urn in unknown.urns] == ["machines"]


class TestDisjointRanges:
    def judged(self, changes=None, extra=None, **reserved):
        context = Context(reserved_cidrs={label: IPv4Network(cidr) for label, cidr in reserved.items()})
        return stack_faults(DISJOINT_RANGES, *estate(changes, extra=extra), context=context)

    def test_ranges_apart_pass(self):
        assert self.judged(staging="10.30.0.0/16", recovery="10.120.0.0/16") == []

    @pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.4.0/24", "10.0.0.0/8"])
    def test_a_range_of_another_stack_is_named(self, cidr):
        assert self.judged(staging=cidr) == [(f"The VPC's range 10.20.0.0/16 overlaps {cidr} of staging.", "main")]

    def test_a_second_range_of_the_vpc_counts(self):
        token = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
        extra = {"second": (token, {"vpcId": Ref("main"), "cidrBlock": "10.21.0.0/16"})}
        assert self.judged(extra=extra, dev="10.21.0.0/18") == [
            ("The VPC's range 10.21.0.0/16 overlaps 10.21.0.0/18 of dev.", "second")
        ]

    def test_ranges_of_other_stacks_are_compared_with_each_other(self):
        assert self.judged(dev="10.30.0.0/16", staging="10.30.0.0/18") == [
            ("The range 10.30.0.0/16 of dev overlaps 10.30.0.0/18 of staging.", None)
        ]

    def test_a_vpc_whose_range_aws_allots_cannot_be_compared(self):
        assert self.judged({"main": {"cidrBlock": ABSENT}}, staging="10.20.0.0/16") == []

    def test_an_unknown_range_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            self.judged({"main": {"cidrBlock": UNKNOWN}}, staging="10.20.0.0/16")
