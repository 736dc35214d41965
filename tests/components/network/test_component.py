"""What the network declares."""

import json
from collections import Counter
from ipaddress import IPv4Network

import pulumi_aws as aws
import pytest

from components._keys import Home
from components.network import Network, NetworkArgs
from components.network.plan import Traffic
from runbook.preview.capture import capture
from settings.naming import Labels

ZONES = ("us-east-1a", "us-east-1b")


def network(*args):
    return capture(lambda: network_of(*args) and None)


def network_of(nat="one", zones=ZONES):
    args = NetworkArgs(
        home=Home(partition="aws", account_id="210987654321", region="us-east-1"),
        cidr=IPv4Network("10.20.0.0/16"),
        zones=zones,
        nat=nat,
        traffic=Traffic(
            app_port=8080,
            database_port=5432,
            admin_cidrs=(IPv4Network("198.51.100.0/28"),),
            bastion_tier="public",
        ),
        flow_log_retention_days=365,
        logs_key_arn="arn:aws:kms:us-east-1:210987654321:key/11111111-2222-3333-4444-555555555555",
    )
    labels = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
    return Network("network", args, labels=labels)


@pytest.fixture(scope="module")
def graph():
    return network()


def names(graph, type_):
    return {resource.name for resource in graph.of(type_)}


def test_there_is_a_subnet_per_tier_and_zone_and_none_gives_out_public_addresses(graph):
    subnets = graph.of("aws:ec2/subnet:Subnet")
    assert {(s.name, s.inputs["cidrBlock"], s.inputs["mapPublicIpOnLaunch"]) for s in subnets} == {
        ("network-public-us-east-1a", "10.20.0.0/20", False),
        ("network-public-us-east-1b", "10.20.16.0/20", False),
        ("network-app-us-east-1a", "10.20.64.0/20", False),
        ("network-app-us-east-1b", "10.20.80.0/20", False),
        ("network-data-us-east-1a", "10.20.128.0/20", False),
        ("network-data-us-east-1b", "10.20.144.0/20", False),
    }


def test_every_subnet_has_the_acl_of_its_tier(graph):
    ids = {r.id: r.name for r in graph.of("aws:ec2/subnet:Subnet")}
    acls = {acl.name: {ids[i] for i in acl.inputs["subnetIds"]} for acl in graph.of("aws:ec2/networkAcl:NetworkAcl")}
    assert acls == {
        f"network-{tier}": {f"network-{tier}-{zone}" for zone in ZONES} for tier in ("public", "app", "data")
    }


def test_the_default_group_is_adopted_without_rules(graph):
    group = graph.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert {"ingress", "egress"} & set(group.inputs) == set()


@pytest.mark.parametrize(
    ("nat", "gateways", "routes"),
    [
        ("none", set(), {"network-public-out"}),
        (
            "one",
            {"network-nat-us-east-1a"},
            {"network-public-out", "network-app-us-east-1a-out", "network-app-us-east-1b-out"},
        ),
        (
            "per-zone",
            {"network-nat-us-east-1a", "network-nat-us-east-1b"},
            {"network-public-out", "network-app-us-east-1a-out", "network-app-us-east-1b-out"},
        ),
    ],
)
def test_the_way_out_is_as_the_setting_says(nat, gateways, routes):
    graph = network(nat)
    assert names(graph, "aws:ec2/natGateway:NatGateway") == gateways
    assert names(graph, "aws:ec2/route:Route") == routes


def test_with_one_gateway_per_zone_a_zone_leaves_by_its_own():
    graph = network("per-zone")
    gateways = {r.id: r.name for r in graph.of("aws:ec2/natGateway:NatGateway")}
    routes = [route for route in graph.of("aws:ec2/route:Route") if "natGatewayId" in route.inputs]
    leaves = {route.name: gateways[route.inputs["natGatewayId"]] for route in routes}
    assert leaves == {f"network-app-{zone}-out": f"network-nat-{zone}" for zone in ZONES}


def test_the_data_tier_has_a_table_of_its_own_without_any_route(graph):
    table = graph.one("aws:ec2/routeTable:RouteTable", "network-data")
    assert "routes" not in table.inputs
    assert all(route.inputs["routeTableId"] != table.id for route in graph.of("aws:ec2/route:Route"))


def test_a_third_zone_renames_and_replaces_nothing(graph):
    wider = network("one", (*ZONES, "us-east-1c"))
    before = {r.urn: r.inputs for r in graph.of("aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable")}
    after = {r.urn: r.inputs for r in wider.of("aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable")}
    assert {urn: after[urn] for urn in before} == before


def test_the_flow_log_keeps_everything_encrypted_for_a_year(graph):
    log, group = graph.one("aws:ec2/flowLog:FlowLog"), graph.one("aws:cloudwatch/logGroup:LogGroup")
    assert (log.inputs["trafficType"], log.inputs["logDestination"]) == ("ALL", group.outputs["arn"])
    assert (group.inputs["name"], group.inputs["retentionInDays"]) == ("/learning-platform/staging/network/flow", 365)
    assert group.inputs["kmsKeyId"].endswith("key/11111111-2222-3333-4444-555555555555")


def test_endpoints_keep_aws_traffic_inside_and_belong_to_the_account(graph):
    endpoints = graph.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    kinds = Counter((e.name, e.inputs["vpcEndpointType"]) for e in endpoints)
    assert kinds == {
        ("network-s3", "Gateway"): 1,
        ("network-ssm", "Interface"): 1,
        ("network-ssmmessages", "Interface"): 1,
        ("network-ec2messages", "Interface"): 1,
    }
    assert all('"210987654321"' in e.inputs["policy"] for e in endpoints)
    assert {
        e.name: json.loads(e.inputs["policy"])["Statement"][0]["Action"]
        for e in endpoints
        if e.inputs["vpcEndpointType"] == "Interface"
    } == {f"network-{service}": f"{service}:*" for service in ("ec2messages", "ssm", "ssmmessages")}


def test_everything_is_a_child_of_the_component_and_carries_its_tags(graph):
    component = graph.one("learning-platform:network:Network")
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {component.urn}
    tagged = [r for r in own if "tags" in r.inputs]
    assert {r.inputs["tags"]["Environment"] for r in tagged} == {"staging"}
    assert {r.inputs["tags"]["RunbookRef"] for r in tagged} == {"000_b5883a9168e66709.txt 6"}


def test_a_public_subnet_is_handed_out_with_its_way_out():
    def program():
        outputs = network_of("one").subnet_ids
        aws.ec2.NetworkInterface("public", subnet_id=outputs["public"][0])
        aws.ec2.NetworkInterface("app", subnet_id=outputs["app"][0])

    graph = capture(program)
    way_out = graph.one("aws:ec2/route:Route", "network-public-out")
    assert way_out.urn in graph.one("aws:ec2/networkInterface:NetworkInterface", "public").dependencies
    assert way_out.urn not in graph.one("aws:ec2/networkInterface:NetworkInterface", "app").dependencies
