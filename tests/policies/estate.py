"""A small network without a fault, as data: three tiers in two zones, a balancer, a group of machines, a bastion and a
database. A test changes one thing and asserts what is said.

References are written as ``Ref``. They become known ids, or, with ``preview=True``, what a real preview shows: unknown
values beside the dependencies they come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.rulebook.resource import Resource

from .bags import ABSENT, UNKNOWN, resource


@dataclass(frozen=True)
class Ref:
    """The ``attribute`` of the resource called ``name``."""

    name: str
    attribute: str = "id"

    @property
    def value(self) -> str:
        return f"{self.name}#{self.attribute}"


Declaration = tuple[str, Mapping[str, Any]]


def line(number: int, cidr: str, first: int, last: int | None = None, **other: Any) -> dict[str, Any]:
    """An inline ACL line that allows TCP."""
    return {
        "ruleNo": number,
        "action": "allow",
        "protocol": "tcp",
        "cidrBlock": cidr,
        "fromPort": first,
        "toPort": first if last is None else last,
        **other,
    }


ANYWHERE = "0.0.0.0/0"
PUBLIC, APP, DATA = "10.20.0.0/18", "10.20.64.0/18", "10.20.128.0/18"

INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
LEGACY_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"


def _subnet(tier: str, zone: str, cidr: str) -> Declaration:
    return "aws:ec2/subnet:Subnet", {
        "vpcId": Ref("main"),
        "availabilityZone": f"eu-west-1{zone}",
        "cidrBlock": cidr,
        "mapPublicIpOnLaunch": False,
        "tags": {"Tier": tier},
    }


def _association(subnet: str, table: str) -> Declaration:
    return "aws:ec2/routeTableAssociation:RouteTableAssociation", {"subnetId": Ref(subnet), "routeTableId": Ref(table)}


def _table() -> Declaration:
    return "aws:ec2/routeTable:RouteTable", {"vpcId": Ref("main")}


def _acl(tier: str, ingress: Sequence[Any], egress: Sequence[Any]) -> Declaration:
    return "aws:ec2/networkAcl:NetworkAcl", {
        "vpcId": Ref("main"),
        "subnetIds": [Ref(f"{tier}-a"), Ref(f"{tier}-b")],
        "ingress": ingress,
        "egress": egress,
        "tags": {"Tier": tier},
    }


def _group(description: str, **tags: str) -> Declaration:
    return "aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("main"), "description": description, "tags": tags}


def _in(group: str, port: int, description: str, **source: Any) -> Declaration:
    return INGRESS_RULE, {
        "securityGroupId": Ref(group),
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "description": description,
        **source,
    }


def _out(group: str, port: int, description: str, **target: Any) -> Declaration:
    return EGRESS_RULE, _in(group, port, description, **target)[1]


def _endpoint(service: str, **props: Any) -> Declaration:
    return "aws:ec2/vpcEndpoint:VpcEndpoint", {
        "vpcId": Ref("main"),
        "serviceName": f"com.amazonaws.eu-west-1.{service}",
        **props,
    }


def _interface(service: str) -> Declaration:
    subnets = [Ref("app-a"), Ref("app-b")]
    return _endpoint(
        service,
        vpcEndpointType="Interface",
        privateDnsEnabled=True,
        subnetIds=subnets,
        securityGroupIds=[Ref("endpoint-group")],
    )


DECLARATIONS: Mapping[str, Declaration] = {
    "main": ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.20.0.0/16", "enableDnsHostnames": True}),
    "default": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"vpcId": Ref("main")}),
    "gateway": ("aws:ec2/internetGateway:InternetGateway", {"vpcId": Ref("main")}),
    "flow-group": ("aws:cloudwatch/logGroup:LogGroup", {"name": "/platform/flow", "retentionInDays": 365}),
    "flow": (
        "aws:ec2/flowLog:FlowLog",
        {
            "vpcId": Ref("main"),
            "trafficType": "ALL",
            "maxAggregationInterval": 60,
            "logDestination": Ref("flow-group", "arn"),
        },
    ),
    "public-a": _subnet("public", "a", "10.20.0.0/20"),
    "public-b": _subnet("public", "b", "10.20.16.0/20"),
    "app-a": _subnet("app", "a", "10.20.64.0/20"),
    "app-b": _subnet("app", "b", "10.20.80.0/20"),
    "data-a": _subnet("data", "a", "10.20.128.0/20"),
    "data-b": _subnet("data", "b", "10.20.144.0/20"),
    "public-table": _table(),
    "app-table": _table(),
    "data-table": _table(),
    "public-out": (
        "aws:ec2/route:Route",
        {"routeTableId": Ref("public-table"), "destinationCidrBlock": ANYWHERE, "gatewayId": Ref("gateway")},
    ),
    "address": ("aws:ec2/eip:Eip", {"domain": "vpc"}),
    "nat": ("aws:ec2/natGateway:NatGateway", {"subnetId": Ref("public-a"), "allocationId": Ref("address")}),
    "app-out": (
        "aws:ec2/route:Route",
        {"routeTableId": Ref("app-table"), "destinationCidrBlock": ANYWHERE, "natGatewayId": Ref("nat")},
    ),
    **{
        f"{tier}-{zone}-in-table": _association(f"{tier}-{zone}", f"{tier}-table")
        for tier in ("public", "app", "data")
        for zone in "ab"
    },
    "public-acl": _acl(
        "public",
        [
            line(100, ANYWHERE, 443),
            line(110, ANYWHERE, 80),
            line(120, "198.51.100.0/24", 22),
            line(130, ANYWHERE, 1024, 3388),
            line(140, ANYWHERE, 3390, 65535),
        ],
        [
            line(100, ANYWHERE, 443),
            line(110, APP, 8080),
            line(120, DATA, 5432),
            line(130, ANYWHERE, 1024, 65535),
        ],
    ),
    "app-acl": _acl(
        "app",
        [
            line(100, PUBLIC, 8080),
            line(110, ANYWHERE, 1024, 3388),
            line(120, ANYWHERE, 3390, 65535),
            line(130, "10.20.0.0/16", 443),
        ],
        [line(100, ANYWHERE, 443), line(110, DATA, 5432), line(120, "10.20.0.0/16", 1024, 65535)],
    ),
    "data-acl": _acl(
        "data",
        [line(100, APP, 5432), line(110, PUBLIC, 5432)],
        [line(100, APP, 1024, 65535), line(110, PUBLIC, 1024, 65535)],
    ),
    "edge-group": _group("The load balancer of the platform", Tier="edge"),
    "app-group": _group("The machines of the platform", Tier="app"),
    "bastion-group": _group("The bastion of the administrators", Tier="bastion", Role="bastion"),
    "data-group": _group("The database of the platform", Tier="data"),
    "endpoint-group": _group("The endpoints of AWS services", Tier="app"),
    "endpoint-https": _in("endpoint-group", 443, "AWS from inside the VPC", cidrIpv4="10.20.0.0/16"),
    "edge-https": _in("edge-group", 443, "HTTPS from browsers", cidrIpv4=ANYWHERE),
    "edge-http": _in("edge-group", 80, "HTTP, which only redirects", cidrIpv4=ANYWHERE),
    "edge-app": _out("edge-group", 8080, "Requests to the machines", referencedSecurityGroupId=Ref("app-group")),
    "app-edge": _in("app-group", 8080, "Requests of the balancer", referencedSecurityGroupId=Ref("edge-group")),
    "app-https": _out("app-group", 443, "AWS and packages", cidrIpv4=ANYWHERE),
    "app-database": _out("app-group", 5432, "Queries to the database", referencedSecurityGroupId=Ref("data-group")),
    "bastion-ssh": _in("bastion-group", 22, "SSH of the administrators", cidrIpv4="198.51.100.0/24"),
    "bastion-https": _out("bastion-group", 443, "AWS and packages", cidrIpv4=ANYWHERE),
    "bastion-database": _out(
        "bastion-group", 5432, "Queries to the database", referencedSecurityGroupId=Ref("data-group")
    ),
    "data-app": _in("data-group", 5432, "Queries of the machines", referencedSecurityGroupId=Ref("app-group")),
    "data-bastion": _in(
        "data-group", 5432, "Queries of administrators", referencedSecurityGroupId=Ref("bastion-group")
    ),
    "balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {"securityGroups": [Ref("edge-group")], "subnets": [Ref("public-a"), Ref("public-b")]},
    ),
    "template": ("aws:ec2/launchTemplate:LaunchTemplate", {"vpcSecurityGroupIds": [Ref("app-group")]}),
    "machines": (
        "aws:autoscaling/group:Group",
        {"launchTemplate": {"id": Ref("template")}, "vpcZoneIdentifiers": [Ref("app-a"), Ref("app-b")]},
    ),
    "bastion": (
        "aws:ec2/instance:Instance",
        {
            "vpcSecurityGroupIds": [Ref("bastion-group")],
            "subnetId": Ref("public-a"),
            "associatePublicIpAddress": True,
            "tags": {"Role": "bastion"},
        },
    ),
    "places": ("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": [Ref("data-a"), Ref("data-b")]}),
    "database": (
        "aws:rds/instance:Instance",
        {
            "engine": "postgres",
            "port": 5432,
            "publiclyAccessible": False,
            "dbSubnetGroupName": Ref("places", "name"),
            "vpcSecurityGroupIds": [Ref("data-group")],
        },
    ),
    "ssm": _interface("ssm"),
    "ssmmessages": _interface("ssmmessages"),
    "ec2messages": _interface("ec2messages"),
    "s3": _endpoint("s3", vpcEndpointType="Gateway", routeTableIds=[Ref("app-table")]),
}


def estate(
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    without: Sequence[str] = (),
    extra: Mapping[str, Declaration] | None = None,
    preview: bool = False,
) -> tuple[Resource, ...]:
    """The network with ``changes`` (name -> property -> value, ABSENT removes), ``without`` some and with ``extra``."""
    declared = {name: kept for name, kept in DECLARATIONS.items() if name not in without} | dict(extra or {})
    for name, props in (changes or {}).items():
        token, before = declared[name]
        after = {key: value for key, value in {**before, **props}.items() if value is not ABSENT}
        declared[name] = (token, after)
    return tuple(_resource(name, *declared[name], declared, preview) for name in declared)


def _resource(
    name: str, token: str, props: Mapping[str, Any], declared: Mapping[str, Declaration], preview: bool
) -> Resource:
    own = {} if preview else {"id": Ref(name).value, "arn": Ref(name, "arn").value}
    if token.endswith(":SubnetGroup"):
        own = own | {"name": UNKNOWN if preview else Ref(name, "name").value}
    uses = {key: [ref for ref in _references(value) if ref.name in declared] for key, value in props.items()}
    return resource(
        token,
        name,
        {**own, **{key: _plain(value, preview) for key, value in props.items()}},
        uses={key: [resource(declared[ref.name][0], ref.name) for ref in refs] for key, refs in uses.items() if refs},
    )


def _references(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _references(inner)


def _plain(value: Any, preview: bool) -> Any:
    if isinstance(value, Ref):
        return UNKNOWN if preview else value.value
    if isinstance(value, Mapping):
        return {key: _plain(inner, preview) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, preview) for inner in value]
    return value
