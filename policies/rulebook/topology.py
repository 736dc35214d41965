"""How the network of a stack hangs together: which table, ACL and group rules hold where, and who is a member of what.

Look-ups only; nothing here judges. References are resolved by known ids first and by dependencies where ids are
unknown, so everything also works in a real preview.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pulumi_policy.proxy import UnknownValueError

from .firewall import (
    ACL,
    ACL_RULE,
    DEFAULT_ACL,
    DEFAULT_GROUP,
    GROUP_RULES,
    GROUPS,
    UNADOPTED,
    Declared,
    Direction,
    Entry,
    Network,
    declared,
    declared_entries,
    first_set,
    is_set,
    read_cidr,
)
from .resource import Resource, Stack, whole

VPC = "aws:ec2/vpc:Vpc"
DEFAULT_VPC = "aws:ec2/defaultVpc:DefaultVpc"
VPCS = (VPC, DEFAULT_VPC)
VPC_RANGE = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
SUBNET = "aws:ec2/subnet:Subnet"
SUBNETS = (SUBNET, "aws:ec2/defaultSubnet:DefaultSubnet")
ROUTE = "aws:ec2/route:Route"
TABLE = "aws:ec2/routeTable:RouteTable"
DEFAULT_TABLE = "aws:ec2/defaultRouteTable:DefaultRouteTable"
TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
MAIN_ASSOCIATION = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
ACL_ASSOCIATION = "aws:ec2/networkAclAssociation:NetworkAclAssociation"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
VPN_GATEWAY = "aws:ec2/vpnGateway:VpnGateway"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"

#: All that says where a subnet's traffic goes.
WAYS = (ROUTE, TABLE, TABLE_ASSOCIATION, INTERNET_GATEWAY)
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
INSTANCE = "aws:ec2/instance:Instance"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
LAUNCH_CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"
SCALING_GROUP = "aws:autoscaling/group:Group"
BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
ENDPOINT_TABLE = "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation"
DATABASE = "aws:rds/instance:Instance"
DATABASE_CLUSTER = "aws:rds/cluster:Cluster"
DATABASE_SUBNET_GROUP = "aws:rds/subnetGroup:SubnetGroup"

#: Where each kind of resource names its groups and its subnets.
_PLACES: Mapping[str, tuple[str, ...]] = {
    INSTANCE: ("vpcSecurityGroupIds", "subnetId"),
    "aws:ec2/networkInterface:NetworkInterface": ("securityGroups", "subnetId"),
    BALANCERS[0]: ("securityGroups", "subnets", "subnetMappings"),
    BALANCERS[1]: ("securityGroups", "subnets", "subnetMappings"),
    "aws:lambda/function:Function": ("vpcConfig",),
    "aws:ecs/service:Service": ("networkConfiguration",),
    ENDPOINT: ("securityGroupIds", "subnetIds"),
}

#: What can have a security group, and what that depends on.
MEMBERS = frozenset(
    {*_PLACES, SCALING_GROUP, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, DATABASE, DATABASE_SUBNET_GROUP, *SUBNETS}
)

_ENGINE_PORTS = (("postgres", 5432), ("mysql", 3306), ("mariadb", 3306), ("oracle", 1521), ("sqlserver", 1433))


def tag(resource: Resource, key: str) -> str:
    """A tag in lower case, empty where it is not set."""
    return str(resource.tags.get(key) or "").lower()


# Security groups


def group_rules(stack: Stack, group: Resource, *directions: Direction) -> Iterator[Declared]:
    """The rules of a group, its own and those that are resources."""
    yield from declared(group, *directions)
    for resource in stack.referring(group, "securityGroupId", *GROUP_RULES):
        yield from declared(resource, *directions)


def group_of(stack: Stack, rule: Declared) -> Resource | None:
    """The group that a rule belongs to; None where the stack does not declare it."""
    if rule.where:
        return rule.owner
    return next(iter(stack.referenced(rule.owner, "securityGroupId", *GROUPS)), None)


def source_groups(stack: Stack, rule: Declared, group: Resource) -> tuple[Resource, ...]:
    """The groups of the stack that ``rule`` of ``group`` names as its other end; raises where one cannot be known."""
    found = [group] if rule.names_itself else []
    try:
        for value in rule.group_ids():
            found.extend(stack.with_id(value, *GROUPS))
    except UnknownValueError:
        if not rule.where:
            for prop in ("referencedSecurityGroupId", "sourceSecurityGroupId"):
                found.extend(stack.referenced(rule.owner, prop, *GROUPS))
            return tuple(found)
        candidates = stack.referenced(rule.owner, rule.direction.value, *GROUPS)
        if len(candidates) != 1:
            raise
        found.extend(candidates)
    return tuple(found)


def source_ranges(stack: Stack, rule: Declared) -> Iterator[tuple[str, Network | None]]:
    """The address ranges of ``rule`` and how they are written; None for a prefix list that the stack does not declare.

    A declared prefix list counts as its entries.
    """
    for cidr in rule.read().cidrs:
        yield str(cidr), cidr
    if rule.where:
        lists = [stack.with_id(value, PREFIX_LIST) for value in rule.prefix_list_ids()]
    else:
        props = [prop for prop in ("prefixListId", "prefixListIds") if is_set(rule.bag, prop)]
        lists = [stack.referenced(rule.owner, prop, PREFIX_LIST) for prop in props]
    for found in lists:
        if not found:
            yield "a prefix list of others", None
        for prefix_list in found:
            bags = [*prefix_list.items("entries")]
            bags += [entry.props for entry in stack.referring(prefix_list, "prefixListId", PREFIX_LIST_ENTRY)]
            for bag in bags:
                yield f"{bag['cidr']} of prefix list {prefix_list.name}", read_cidr(bag["cidr"])


def default_group(stack: Stack, vpc: Resource) -> Resource | None:
    """The adopted default group of a VPC."""
    return next(iter(stack.referring(vpc, "vpcId", DEFAULT_GROUP)), None)


@dataclass(frozen=True, slots=True)
class Member:
    """Something that has a security group, and the subnets it stands in."""

    resource: Resource
    subnets: tuple[Resource, ...]


def members(stack: Stack, group: Resource) -> tuple[Member, ...]:
    """What has ``group``."""
    return stack.shared(_members).get(group.urn, ())


def homes(stack: Stack, group: Resource) -> tuple[Resource, ...]:
    """The subnets in which something has ``group``."""
    return tuple({home.urn: home for member in members(stack, group) for home in member.subnets}.values())


def groups_of(stack: Stack, resource: Resource) -> tuple[Resource, ...]:
    """The groups that ``resource`` names, itself or in its launch template; a database has its VPC's default one."""
    return stack.shared(_groups).get(resource.urn, ())


def _members(stack: Stack) -> Mapping[str, tuple[Member, ...]]:
    found: dict[str, list[Member]] = {}
    for member, groups in stack.shared(_all_placed):
        for group in groups:
            found.setdefault(group.urn, []).append(member)
    return {urn: tuple(some) for urn, some in found.items()}


def _groups(stack: Stack) -> Mapping[str, tuple[Resource, ...]]:
    return {member.resource.urn: groups for member, groups in stack.shared(_all_placed)}


def _all_placed(stack: Stack) -> tuple[tuple[Member, tuple[Resource, ...]], ...]:
    return tuple(_placed(stack))


def _placed(stack: Stack) -> Iterator[tuple[Member, tuple[Resource, ...]]]:
    for token, props in _PLACES.items():
        for resource in stack.of(token):
            groups = _all(stack, resource, props, GROUPS)
            if not groups and token == INSTANCE:
                groups = _template_groups(stack, resource)
            yield Member(resource, _all(stack, resource, props, SUBNETS)), groups
    for resource in stack.of(SCALING_GROUP):
        yield (
            Member(resource, stack.referenced(resource, "vpcZoneIdentifiers", *SUBNETS)),
            _template_groups(stack, resource),
        )
    for resource in stack.of(DATABASE):
        yield Member(resource, database_subnets(stack, resource)), database_groups(stack, resource)


def _template_groups(stack: Stack, resource: Resource) -> tuple[Resource, ...]:
    """The groups of the launch template, or launch configuration, that ``resource`` starts from."""
    makers = ("launchTemplate", "mixedInstancesPolicy", "launchConfiguration")
    named = ("vpcSecurityGroupIds", "networkInterfaces", "securityGroups")
    templates = _all(stack, resource, makers, (LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION))
    return tuple(group for template in templates for group in _all(stack, template, named, GROUPS))


def _all(stack: Stack, resource: Resource, props: tuple[str, ...], types: tuple[str, ...]) -> tuple[Resource, ...]:
    return tuple(hit for prop in props for hit in stack.referenced(resource, prop, *types))


# Subnets, routes and ACLs


def vpc_of(stack: Stack, resource: Resource) -> Resource | None:
    """The VPC that ``resource.vpcId`` names."""
    return next(iter(stack.referenced(resource, "vpcId", *VPCS)), None)


@dataclass(frozen=True, slots=True)
class Route:
    """A way out of a subnet: to ``destination`` (None: a prefix list) through ``target``.

    ``gateway``: URN of the gateway, its id where the stack does not declare it, None for another target.
    """

    table: str
    destination: Network | None
    kind: Literal["internet", "nat", "other", "undeclared"]
    target: str
    gateway: str | None = None

    def __str__(self) -> str:
        to = "a prefix list" if self.destination is None else str(self.destination)
        return f"{to} to {self.target} (route table {self.table})"


def routes(stack: Stack, subnet: Resource) -> tuple[Route, ...]:
    """The routes of the subnet's table, or of its VPC's main table where it has none of its own.

    A table that the stack does not declare gives one route of kind ``undeclared``: nothing is known of it. Raises
    UnknownValueError where a target cannot be known.
    """
    associations = stack.referring(subnet, "subnetId", TABLE_ASSOCIATION)
    if not associations:
        vpc = vpc_of(stack, subnet)
        return (_UNDECLARED,) if vpc is None else _main_routes(stack, vpc)
    found: list[Route] = []
    for association in associations:
        tables = stack.referenced(association, "routeTableId", TABLE, DEFAULT_TABLE, *VPCS)
        if not tables:
            found.append(_UNDECLARED)
        for table in tables:
            found.extend(_main_routes(stack, table) if table.type in VPCS else _table_routes(stack, table))
    return tuple(found)


_UNDECLARED = Route("of others", None, "undeclared", "targets of others")


def _main_routes(stack: Stack, vpc: Resource) -> tuple[Route, ...]:
    """The routes of the VPC's main table: a table made the main one, the adopted one, and what is written into it."""
    tables = [
        table
        for association in stack.referring(vpc, "vpcId", MAIN_ASSOCIATION)
        for table in stack.referenced(association, "routeTableId", TABLE, DEFAULT_TABLE)
    ]
    tables.extend(stack.referring(vpc, "defaultRouteTableId", DEFAULT_TABLE))
    found = [route for table in tables for route in _table_routes(stack, table)]
    # A route may also be written straight into ``vpc.mainRouteTableId``.
    written = stack.referring(vpc, "routeTableId", ROUTE)
    found.extend(_route(stack, f"main of {vpc.name}", route, route.props, None) for route in written)
    return tuple(found) if tables or found else (_UNDECLARED,)


def own_tables(stack: Stack, subnet: Resource) -> tuple[Resource, ...]:
    """The route tables that associations give the subnet."""
    return tuple(
        table
        for association in stack.referring(subnet, "subnetId", TABLE_ASSOCIATION)
        for table in stack.referenced(association, "routeTableId", TABLE, DEFAULT_TABLE)
    )


def _table_routes(stack: Stack, table: Resource) -> Iterator[Route]:
    for bag in table.items("routes"):
        yield _route(stack, table.name, table, bag, "routes")
    for route in stack.referring(table, "routeTableId", ROUTE):
        yield _route(stack, table.name, route, route.props, None)


def _route(stack: Stack, table: str, owner: Resource, bag: Mapping[str, Any], inline: str | None) -> Route:
    text = first_set(bag, "destinationCidrBlock", "destinationIpv6CidrBlock", "cidrBlock", "ipv6CidrBlock") or None
    destination = read_cidr(text) if text else None
    gateway = _target(stack, owner, bag, "gatewayId", inline, INTERNET_GATEWAY, VPN_GATEWAY)
    if gateway is not None and (gateway.startswith("igw-") or INTERNET_GATEWAY in gateway):
        return Route(table, destination, "internet", f"internet gateway {_name(gateway)}", gateway)
    nat = _target(stack, owner, bag, "natGatewayId", inline, NAT_GATEWAY)
    if nat is not None:
        return Route(table, destination, "nat", f"NAT gateway {_name(nat)}", nat)
    return Route(table, destination, "other", "another target")


def _target(
    stack: Stack, owner: Resource, bag: Mapping[str, Any], key: str, inline: str | None, *types: str
) -> str | None:
    """URN of the gateway under ``key``, its literal id where the stack does not declare it, None where it is unset.

    Raises UnknownValueError where it is one of several.
    """
    try:
        value = bag.get(key)
    except UnknownValueError:
        hits = stack.referenced(owner, inline or key, *types)
        if len({hit.type for hit in hits}) != 1:
            raise
        return hits[0].urn
    if not value:
        return None
    named = stack.with_id(value, *types) or (() if inline else stack.referenced(owner, key, *types))
    return named[0].urn if named else str(value)


def _name(target: str) -> str:
    return target.rpartition("::")[2]


def internet_routes(stack: Stack, subnet: Resource) -> tuple[Route, ...]:
    """The subnet's routes to an internet gateway; with one it is public."""
    return tuple(route for route in routes(stack, subnet) if route.kind == "internet")


def acls_of(stack: Stack, subnet: Resource) -> tuple[Resource, ...]:
    """The custom ACLs that name the subnet, in their own list or by an association; more than one is a conflict."""
    named = stack.referring(subnet, "subnetIds", ACL)
    by_association = (
        acl
        for association in stack.referring(subnet, "subnetId", ACL_ASSOCIATION)
        for acl in stack.referenced(association, "networkAclId", ACL)
    )
    return tuple({acl.urn: acl for acl in (*named, *by_association)}.values())


@dataclass(frozen=True, slots=True)
class Acl:
    """An ACL as it holds for a subnet: its name and its lines."""

    name: str
    ingress: tuple[Entry, ...]
    egress: tuple[Entry, ...]


def effective_acl(stack: Stack, subnet: Resource) -> Acl:
    """The ACL that filters the subnet: a custom one, or the VPC's default one."""
    book = stack.shared(_acl_book)
    if subnet.urn not in book:
        book[subnet.urn] = _effective_acl(stack, subnet)
    return book[subnet.urn]


def _acl_book(_: Stack) -> dict[str, Acl]:
    """URN of a subnet -> the ACL that was found for it."""
    return {}


def _effective_acl(stack: Stack, subnet: Resource) -> Acl:
    for acl in acls_of(stack, subnet):
        return _acl(stack, acl)
    vpc = vpc_of(stack, subnet)
    adopted = stack.referring(vpc, "defaultNetworkAclId", DEFAULT_ACL) if vpc else ()
    for acl in adopted:
        return _acl(stack, acl)
    return Acl("default", UNADOPTED, UNADOPTED)


def _acl(stack: Stack, acl: Resource) -> Acl:
    return Acl(acl.name, entries(stack, acl, Direction.INGRESS), entries(stack, acl, Direction.EGRESS))


def entries(stack: Stack, acl: Resource, direction: Direction) -> tuple[Entry, ...]:
    """The lines of an ACL in the order in which they decide."""
    written = [*declared_entries(acl, direction)]
    for resource in stack.referring(acl, "networkAclId", ACL_RULE):
        written.extend(declared_entries(resource, direction))
    return tuple(sorted((entry for line in written for entry in line.read()), key=lambda e: e.number))


def subnets_of(stack: Stack, acl: Resource) -> tuple[Resource, ...]:
    """The subnets that an ACL filters."""
    named = stack.referenced(acl, "subnetIds", *SUBNETS)
    by_association = (
        subnet
        for association in stack.referring(acl, "networkAclId", ACL_ASSOCIATION)
        for subnet in stack.referenced(association, "subnetId", *SUBNETS)
    )
    return tuple({subnet.urn: subnet for subnet in (*named, *by_association)}.values())


def ranges(subnet: Resource) -> tuple[Network, ...]:
    """The subnet's IPv4 and IPv6 ranges."""
    return tuple(read_cidr(text) for key in ("cidrBlock", "ipv6CidrBlock") if (text := subnet.props.get(key)))


def vpc_ranges(stack: Stack, resource: Resource) -> tuple[Network, ...]:
    """All ranges of the VPC that ``resource.vpcId`` names."""
    vpc = vpc_of(stack, resource)
    if vpc is None:
        return ()
    book = stack.shared(_range_book)
    if vpc.urn not in book:
        parts = (vpc, *stack.referring(vpc, "vpcId", VPC_RANGE))
        book[vpc.urn] = tuple(network for part in parts for network in ranges(part))
    return book[vpc.urn]


def _range_book(_: Stack) -> dict[str, tuple[Network, ...]]:
    """URN of a VPC -> its ranges."""
    return {}


# Databases


def database_port(stack: Stack, database: Resource) -> int:
    """The port it listens on: its own, that of what it replicates, or its engine's (PostgreSQL where none is named)."""
    port = whole(database.props.get("port"))
    if port:
        return port
    for source in stack.referenced(database, "replicateSourceDb", DATABASE):
        if source.urn != database.urn:
            return database_port(stack, source)
    engine = str(database.props.get("engine") or "postgres")
    return next((port for prefix, port in _ENGINE_PORTS if prefix in engine), 5432)


def database_subnets(stack: Stack, database: Resource) -> tuple[Resource, ...]:
    """The subnets it may stand in, now or after a failover; empty where it names no subnet group of this stack."""
    groups = stack.referenced(database, "dbSubnetGroupName", DATABASE_SUBNET_GROUP)
    if not groups:
        sources = (s for s in stack.referenced(database, "replicateSourceDb", DATABASE) if s.urn != database.urn)
        return tuple(subnet for source in sources for subnet in database_subnets(stack, source))
    return tuple(subnet for group in groups for subnet in stack.referenced(group, "subnetIds", *SUBNETS))


def database_groups(stack: Stack, database: Resource) -> tuple[Resource, ...]:
    """Its security groups; without any, AWS gives it its VPC's default group."""
    named = stack.referenced(database, "vpcSecurityGroupIds", *GROUPS)
    if named or database.items("vpcSecurityGroupIds"):
        return named
    vpcs = {vpc.urn: vpc for subnet in database_subnets(stack, database) if (vpc := vpc_of(stack, subnet))}
    defaults = (default_group(stack, vpc) for vpc in vpcs.values())
    return tuple(group for group in defaults if group is not None)


def is_data_tier(stack: Stack, group: Resource) -> bool:
    """Whether a group belongs to databases: it is tagged ``Tier=data`` or a database has it."""
    users = (DATABASE, DATABASE_CLUSTER)
    return tag(group, "Tier") == "data" or bool(stack.referring(group, "vpcSecurityGroupIds", *users))
