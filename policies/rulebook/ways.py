"""Whether subnets have the routes that what stands in them needs, and gateways and addresses what they need to work."""

from __future__ import annotations

from collections.abc import Iterator

from .firewall import GROUP, is_set
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .topology import (
    BALANCERS,
    DATABASE_SUBNET_GROUP,
    DEFAULT_TABLE,
    INSTANCE,
    INTERNET_GATEWAY,
    MAIN_ASSOCIATION,
    NAT_GATEWAY,
    ROUTE,
    SUBNET,
    SUBNETS,
    TABLE,
    TABLE_ASSOCIATION,
    VPCS,
    internet_routes,
    own_tables,
    routes,
)

ADDRESS = "aws:ec2/eip:Eip"
ADDRESS_ASSOCIATION = "aws:ec2/eipAssociation:EipAssociation"
NAT_ADDRESS = "aws:ec2/natGatewayEipAssociation:NatGatewayEipAssociation"
GATEWAY_ATTACHMENT = "aws:ec2/internetGatewayAttachment:InternetGatewayAttachment"

#: Where other resources name an address.
_USERS = (
    (NAT_GATEWAY, "allocationId"),
    (NAT_GATEWAY, "secondaryAllocationIds"),
    (NAT_GATEWAY, "availabilityZoneAddresses"),
    (NAT_ADDRESS, "allocationId"),
    (ADDRESS_ASSOCIATION, "allocationId"),
    *((token, "subnetMappings") for token in BALANCERS),
)


def _own_tables(stack: Stack) -> Iterator[Fault]:
    def judge(subnet: Resource) -> Iterator[Fault]:
        if stack.referring(subnet, "subnetIds", DATABASE_SUBNET_GROUP):
            return  # ``net-db-subnets-no-igw-route`` says so
        if not own_tables(stack, subnet) and any(route.kind == "undeclared" for route in routes(stack, subnet)):
            yield Fault(
                "The subnet has no route table of the stack, so its VPC's main one holds, which nobody looks at.",
                subnet.urn,
            )

    return each(stack.of(SUBNET), judge)


def _in_a_vpc(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if is_set(resource.props, "vpcId"):
            return
        if resource.type == GROUP:
            yield Fault("The group names no VPC, so it is made in the region's default one.", resource.urn)
        elif not stack.referring(resource, "internetGatewayId", GATEWAY_ATTACHMENT):
            yield Fault("The internet gateway is attached to no VPC.", resource.urn)

    return each(stack.of(GROUP, INTERNET_GATEWAY), judge)


def _ways_out(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type == ROUTE:
            if not any(is_set(resource.props, target) for target in _ROUTE_TARGETS):
                yield Fault("The route leads to nothing.", resource.urn)
        elif _is_public(resource):
            if not is_set(resource.props, "allocationId"):
                yield Fault("The NAT gateway has no public address.", resource.urn)
            for subnet in stack.referenced(resource, "subnetId", *SUBNETS):
                if not internet_routes(stack, subnet):
                    sentence = f"The NAT gateway is in subnet {subnet.name}, which has no route to an internet gateway."
                    yield Fault(sentence, resource.urn)

    return each(stack.of(ROUTE, NAT_GATEWAY), judge)


#: Where a route may lead to, of which it names one.
_ROUTE_TARGETS = (
    "carrierGatewayId",
    "coreNetworkArn",
    "egressOnlyGatewayId",
    "gatewayId",
    "localGatewayId",
    "natGatewayId",
    "networkInterfaceId",
    "odbNetworkArn",
    "transitGatewayId",
    "vpcEndpointId",
    "vpcPeeringConnectionId",
)


def _is_public(gateway: Resource) -> bool:
    """Whether a NAT gateway has one public address; a regional one is in no subnet and has addresses of its own."""
    private = gateway.props.get("connectivityType") == "private"
    return not private and gateway.props.get("availabilityMode") != "regional"


def _addresses(stack: Stack) -> Iterator[Fault]:
    def judge(address: Resource) -> Iterator[Fault]:
        own = any(is_set(address.props, prop) for prop in ("instance", "networkInterface"))
        if not own and not any(stack.referring(address, prop, token) for token, prop in _USERS):
            yield Fault("The address belongs to nothing.", address.urn)
        for stranger in stack.strangers(address, "instance", INSTANCE):
            yield Fault(f"The address belongs to {stranger}, which this stack does not declare.", address.urn)

    return each(stack.of(ADDRESS), judge)


OWN_TABLES = StackRule(
    id="net-subnet-own-table",
    sentence="002_3d1abe7e242e6afd.txt §7.3: VPC and subnet allocations",
    title="Every subnet has a route table that the stack declares.",
    why="The main table also holds for every subnet that nobody thought of; a route for one of them opens them all.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST CM-2"),
    remedy="Declare an aws.ec2.RouteTableAssociation with the subnet's id and its tier's table.",
    types=frozenset(
        {*SUBNETS, TABLE, DEFAULT_TABLE, TABLE_ASSOCIATION, MAIN_ASSOCIATION, ROUTE, *VPCS, DATABASE_SUBNET_GROUP}
    ),
    check=_own_tables,
)

IN_A_VPC = StackRule(
    id="net-in-a-vpc",
    sentence="002_3d1abe7e242e6afd.txt §7.3: VPC and subnet allocations",
    title="Each security group and each internet gateway belongs to a VPC that is named.",
    why="A group without one is made in the default VPC, where nothing of the stack can have it.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP EC2.2", "NIST CM-2"),
    remedy="Set vpc_id.",
    types=frozenset({GROUP, INTERNET_GATEWAY, GATEWAY_ATTACHMENT}),
    check=_in_a_vpc,
)

WAYS_OUT = StackRule(
    id="net-ways-out",
    sentence="002_3d1abe7e242e6afd.txt §1: Network topology",
    title="Routes lead somewhere, and NAT gateways have an address and stand where a route leads to the internet.",
    why="A gateway without a way out is made without an error, and every machine behind it is cut off.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-10",),
    remedy="Put it into subnets whose table has a route to the internet gateway, and give a NAT gateway an address.",
    types=frozenset(
        {
            ROUTE,
            NAT_GATEWAY,
            *SUBNETS,
            TABLE,
            DEFAULT_TABLE,
            TABLE_ASSOCIATION,
            MAIN_ASSOCIATION,
            INTERNET_GATEWAY,
            *VPCS,
        }
    ),
    check=_ways_out,
)

ADDRESS_USED = StackRule(
    id="net-address-used",
    sentence="002_3d1abe7e242e6afd.txt §7.3: VPC and subnet allocations",
    title="Every elastic address belongs to a machine, a NAT gateway or a load balancer.",
    why="What should have had it answers at another address, and the idle one is paid for.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("FSBP EC2.12",),
    remedy="Set instance or network_interface, or name the address where it belongs to.",
    types=frozenset({ADDRESS, INSTANCE, *(token for token, _ in _USERS)}),
    check=_addresses,
)

RULES: tuple[Rule, ...] = (OWN_TABLES, IN_A_VPC, WAYS_OUT, ADDRESS_USED)
