"""Rules for VPCs, subnets, ACLs and routes; ``RULES`` holds those of security groups as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import combinations

from . import filter_pattern, security_groups
from .firewall import (
    ACL,
    ACL_RULE,
    ANYWHERE,
    DEFAULT_ACL,
    Direction,
    Entry,
    Network,
    Ports,
    Traffic,
    allowed,
    common,
    declared_entries,
    read_cidr,
    world,
)
from .resource import Context, Resource, Stack, is_true, whole
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .topology import (
    ACL_ASSOCIATION,
    BALANCERS,
    DATABASE_SUBNET_GROUP,
    INTERNET_GATEWAY,
    MAIN_ASSOCIATION,
    ROUTE,
    SCALING_GROUP,
    SUBNET,
    SUBNETS,
    TABLE,
    TABLE_ASSOCIATION,
    VPC,
    VPC_RANGE,
    VPCS,
    acls_of,
    effective_acl,
    entries,
    internet_routes,
    routes,
    subnets_of,
    tag,
    vpc_ranges,
)
from .values import listed, show

FLOW_LOG = "aws:ec2/flowLog:FlowLog"
METRIC_FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

#: Seconds in which a connection is collected before it is written, and what AWS takes where none are named.
_PROMPT, _LATE = 60, 600

#: What a flow log writes that names no fields (version 2 of the record).
_DEFAULT_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} "
    "${bytes} ${start} ${end} ${action} ${log-status}"
)
_FIELD = re.compile(r"\$\{([\w-]+)\}")

_ACLS = (ACL, DEFAULT_ACL)
_PUBLIC_TIERS = ("public", "edge")


def _flow_logs(stack: Stack) -> Iterator[Fault]:
    def judge(vpc: Resource) -> Iterator[Fault]:
        logs = stack.referring(vpc, "vpcId", FLOW_LOG)
        if not logs:
            yield Fault("The VPC has no flow log.", vpc.urn)
            return
        found = [[Fault(sentence, log.urn) for sentence in _flow_log_faults(stack, log)] for log in logs]
        if all(found):
            yield from (fault for faults in found for fault in faults)

    return each(stack.of(*VPCS), judge)


def _flow_log_faults(stack: Stack, log: Resource) -> Iterator[str]:
    recorded = log.props.get("trafficType")
    if recorded != "ALL":
        yield f"The flow log's traffic type is {show(recorded)}; ALL is expected."
    collected = whole(log.props.get("maxAggregationInterval")) or _LATE
    if collected != _PROMPT:
        yield f"The flow log tells of a connection after {collected} seconds; {_PROMPT} are expected."
    kind = log.props.get("logDestinationType") or "cloud-watch-logs"
    if kind == "cloud-watch-logs":
        groups = stack.referenced(log, "logDestination", LOG_GROUP)
        if not groups:
            yield "The flow log goes to no log group of this stack, so nothing says how long it is kept."
        for group in groups:
            if not whole(group.props.get("retentionInDays")):
                yield f"The flow log goes to log group {group.name}, which sets no retention."
            yield from _miscounted(stack, log, group)
    elif kind != "s3":
        yield f"The flow log goes to {show(kind)}; a log group or a bucket is expected."
    elif not log.props.get("logDestination"):
        yield "The flow log names no bucket."


def _miscounted(stack: Stack, log: Resource, group: Resource) -> Iterator[str]:
    """Metric filters that name other fields than the records have: such a filter counts nothing, or the wrong thing."""
    fields = [name.replace("-", "_") for name in _FIELD.findall(str(log.props.get("logFormat") or _DEFAULT_FORMAT))]
    for counter in stack.referring(group, "logGroupName", METRIC_FILTER):
        try:
            pattern = filter_pattern.parse(str(counter.props.get("pattern") or ""))
        except filter_pattern.FilterPatternError:
            continue  # ``mon-filter-counts`` says so
        if not isinstance(pattern, filter_pattern.LinePattern):
            continue
        places = [*enumerate(pattern.head), *enumerate(pattern.tail, len(fields) - len(pattern.tail))]
        named = [one.name for at, one in places if one.tests and fields[at : at + 1] != [one.name]]
        if named or len(places) > len(fields):
            what = listed(named) if named else f"{len(places)} fields"
            yield f"Metric filter {counter.name} reads {what} where the flow log writes something else or nothing."


def _custom_acl(stack: Stack) -> Iterator[Fault]:
    def judge(subnet: Resource) -> Iterator[Fault]:
        found = acls_of(stack, subnet)
        if not found:
            yield Fault("The subnet is in no custom ACL, so its VPC's default one lets everything pass.", subnet.urn)
        elif len(found) > 1:
            names = listed(sorted(acl.name for acl in found))
            yield Fault(f"The subnet is claimed by the ACLs {names}; only one can hold.", subnet.urn)
        tier = tag(subnet, "Tier")
        for acl in found:
            other = tag(acl, "Tier")
            if tier and other and tier != other:
                yield Fault(f"The {tier} subnet is in ACL {acl.name} of the {other} tier.", subnet.urn)

    return each(stack.of(*SUBNETS), judge)


def _acl_without_world_admin(stack: Stack) -> Iterator[Fault]:
    def judge(acl: Resource) -> Iterator[Fault]:
        return _admin_lines(entries(stack, acl, Direction.INGRESS))

    return each(stack.of(*_ACLS), judge)


def _admin_lines(lines: Iterable[Entry]) -> Iterator[Fault]:
    """One fault for each line by which the world gets through to 22 or 3389, after the lines before it."""
    lines = tuple(lines)
    guilty = dict.fromkeys(
        (port, line)
        for port in security_groups.ADMIN_PORTS
        for anywhere in ANYWHERE
        for protocol in ("tcp", "udp")
        for line in _lets_the_world(lines, Traffic(protocol, anywhere, Ports(port, port)))
    )
    for port, line in guilty:
        yield Fault(f"Port {port} is open to {line.cidr} by {line}.", line.urn)


def _lets_the_world(lines: Sequence[Entry], traffic: Traffic) -> Iterator[Entry]:
    """The lines by which the world passes: one that lets it pass itself, or several that do so together."""
    passing: dict[Entry, list[Network]] = {}
    for part in allowed(lines, traffic):
        if part.entry:
            passing.setdefault(part.entry, []).append(part.traffic.network)
    alone = [line for line, ranges in passing.items() if world(ranges)]
    yield from alone
    others = {line: ranges for line, ranges in passing.items() if line not in alone}
    wide = world([cidr for ranges in others.values() for cidr in ranges])
    yield from (line for line, ranges in others.items() if any(cidr in wide for cidr in ranges))


def _orphan_rules(stack: Stack) -> Iterator[Resource]:
    """ACL rules of an ACL that the stack does not declare."""
    return (rule for rule in stack.of(ACL_RULE) if not stack.referenced(rule, "networkAclId", *_ACLS))


def _acl_rules_of_others(stack: Stack) -> Iterator[Fault]:
    """Their neighbours cannot be seen, so each is judged alone."""

    def judge(rule: Resource) -> Iterator[Fault]:
        return _admin_lines(line for written in declared_entries(rule, Direction.INGRESS) for line in written.read())

    return each(_orphan_rules(stack), judge)


def _no_world_admin(stack: Stack) -> Iterator[Fault]:
    return through((_acl_without_world_admin, _acl_rules_of_others), lambda part: part(stack))


def _private_acls_narrow(stack: Stack) -> Iterator[Fault]:
    def judge(acl: Resource) -> Iterator[Fault]:
        if _is_public(stack, acl):
            return
        for direction, way in ((Direction.INGRESS, "from"), (Direction.EGRESS, "to")):
            for line in entries(stack, acl, direction):
                if line.allow and line.protocol == "all" and world([line.cidr]):
                    sentence = f"Rule {line.number} of the private ACL lets everything pass {way} {line.cidr}."
                    yield Fault(sentence, line.urn)

    return each(stack.of(*_ACLS), judge)


def _is_public(stack: Stack, acl: Resource) -> bool:
    """Whether an ACL stands in front of public subnets only; one without subnets is what its tag says."""
    subnets = subnets_of(stack, acl)
    if subnets:
        return all(internet_routes(stack, subnet) for subnet in subnets)
    return tag(acl, "Tier") in _PUBLIC_TIERS


def _no_public_addresses(resource: Resource, _: Context) -> Iterator[str]:
    given = resource.props.get("mapPublicIpOnLaunch")
    if is_true(given):
        yield "The subnet gives every machine a public address."
    elif given is None and resource.type != SUBNET:
        yield "The default subnet gives every machine a public address unless mapPublicIpOnLaunch is false."


def _database_without_internet(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        for stranger in stack.strangers(group, "subnetIds", *SUBNETS):
            yield Fault(f"Subnet {stranger} is not declared here, so its routes cannot be known.", group.urn)
        for subnet in stack.referenced(group, "subnetIds", *SUBNETS):
            for route in routes(stack, subnet):
                if route.kind == "internet":
                    yield Fault(f"Subnet {subnet.name} routes {route}.", group.urn)
                elif route.kind == "undeclared":
                    yield Fault(f"Subnet {subnet.name} has no route table that this stack declares.", group.urn)

    return each(stack.of(DATABASE_SUBNET_GROUP), judge)


def _several_zones(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        places = {
            SCALING_GROUP: ("vpcZoneIdentifiers",),
            DATABASE_SUBNET_GROUP: ("subnetIds",),
        }.get(resource.type, ("subnets", "subnetMappings"))
        zones = {str(zone) for zone in resource.items("availabilityZones")}
        for place in places:
            for subnet in stack.referenced(resource, place, *SUBNETS):
                zone = _zone(subnet)
                zones.add(zone or _UNNAMED)
                if not zone:
                    sentence = f"Subnet {subnet.name} names no zone, so AWS may put it where another one is."
                    yield Fault(sentence, resource.urn)
        if len(zones) < 2:
            spans = f"in zone {zones.pop()} only" if zones else "in no zone that this stack knows"
            yield Fault(
                f"{_SPANNING.get(resource.type, 'The load balancer')} is {spans}; two are expected.", resource.urn
            )

    return each(stack.of(SCALING_GROUP, *BALANCERS, DATABASE_SUBNET_GROUP), judge)


_SPANNING = {SCALING_GROUP: "The Auto Scaling group", DATABASE_SUBNET_GROUP: "The database's subnet group"}


_UNNAMED = "of AWS's choice"


def _zone(subnet: Resource) -> str:
    """The zone that a subnet names, empty where it leaves that to AWS."""
    return str(subnet.props.get("availabilityZone") or subnet.props.get("availabilityZoneId") or "")


def _database_acl_inside(stack: Stack) -> Iterator[Fault]:
    said: set[tuple[str | None, str]] = set()

    def judge(group: Resource) -> Iterator[Fault]:
        for subnet in stack.referenced(group, "subnetIds", *SUBNETS):
            own = vpc_ranges(stack, subnet)
            if not acls_of(stack, subnet):
                continue  # ``net-nacl-custom-per-subnet`` says so
            acl = effective_acl(stack, subnet)
            for lines, way in ((acl.ingress, "in from"), (acl.egress, "out to")):
                for line in lines:
                    if not line.allow or any(common(line.cidr, network) == line.cidr for network in own):
                        continue
                    sentence = f"ACL {acl.name} of a database's subnet lets traffic {way} {line.cidr}: {line}."
                    if (line.urn, sentence) not in said:
                        said.add((line.urn, sentence))
                        yield Fault(sentence, line.urn or group.urn)

    return each(stack.of(DATABASE_SUBNET_GROUP), judge)


def _disjoint_ranges(stack: Stack) -> Iterator[Fault]:
    reserved = stack.context.reserved_cidrs

    def judge(resource: Resource) -> Iterator[Fault]:
        text = resource.props.get("cidrBlock")
        own = read_cidr(text) if text else None
        if isinstance(own, IPv4Network):
            for label, taken in reserved.items():
                if own.overlaps(taken):
                    yield Fault(f"The VPC's range {own} overlaps {taken} of {label}.", resource.urn)

    yield from each(stack.of(VPC, VPC_RANGE), judge)
    for (label, one), (other_label, other) in combinations(reserved.items(), 2):
        if one.overlaps(other):
            yield Fault(f"The range {one} of {label} overlaps {other} of {other_label}.")


FLOW_LOGS = StackRule(
    id="net-flow-logs",
    sentence="004_5ca73e3508d74ec8.txt Infrastructure Logs: VPC Flow Logs analysis",
    title="Each VPC records all its traffic within a minute, to a bucket or to a log group with a retention, in the "
    "fields that metric filters name.",
    why="Without it nobody can tell afterwards who talked to whom.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.7", "CIS 7.0 4.7", "FSBP EC2.6", "NIST AU-12"),
    remedy='Declare aws.ec2.FlowLog with traffic_type="ALL", max_aggregation_interval=60, a log_format with the fields '
    "of the filters, and a log group that sets retention_in_days.",
    types=frozenset({*VPCS, FLOW_LOG, LOG_GROUP, METRIC_FILTER}),
    check=_flow_logs,
)

CUSTOM_ACL = StackRule(
    id="net-nacl-custom-per-subnet",
    sentence="000_b5883a9168e66709.txt §6: Network ACLs are configured with custom rules for different subnets",
    title="Every subnet is in one custom ACL, that of its own tier.",
    why="The default ACL lets everything pass, and another tier's ACL what that tier needs.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-7",),
    remedy="Add the subnet to subnet_ids of its tier's aws.ec2.NetworkAcl.",
    types=frozenset({*SUBNETS, ACL, ACL_RULE, ACL_ASSOCIATION}),
    check=_custom_acl,
)

ACL_NO_WORLD_ADMIN = StackRule(
    id="net-nacl-no-world-admin",
    sentence="000_b5883a9168e66709.txt §6: Review and update NACL rules as necessary",
    title="No ACL lets the world through to SSH or remote desktop.",
    why="The ACL is the second lock: it still holds when a security group is opened by mistake.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.2", "CIS 7.0 6.2", "FSBP EC2.21"),
    remedy="Split reply ranges around 3389 (1024-3388, 3390-65535) and name the administrators' ranges for 22.",
    types=frozenset({*_ACLS, ACL_RULE}),
    check=_no_world_admin,
)

PRIVATE_ACLS_NARROW = StackRule(
    id="net-nacl-no-allow-all-private",
    sentence="000_b5883a9168e66709.txt §6: Review and update NACL rules as necessary",
    title="ACLs of private subnets do not let everything pass from or to the world.",
    why="Such a line makes the ACL say nothing.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SC-7",),
    remedy="Name the ports and the tiers that talk to each other.",
    types=frozenset({*_ACLS, ACL_RULE, ACL_ASSOCIATION, *SUBNETS, TABLE, ROUTE}),
    check=_private_acls_narrow,
)

NO_PUBLIC_ADDRESSES = ResourceRule(
    id="net-subnet-no-auto-public-ip",
    sentence="000_b5883a9168e66709.txt §1: From the Bastion server, you can then access other resources",
    title="No subnet gives public addresses by itself.",
    why="A machine started there by mistake would be on the internet at once.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP EC2.15", "NIST SC-7"),
    remedy="Leave map_public_ip_on_launch false; what needs an address asks for one itself.",
    types=frozenset(SUBNETS),
    check=_no_public_addresses,
)

DATABASE_WITHOUT_INTERNET = StackRule(
    id="net-db-subnets-no-igw-route",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC",
    title="No subnet of a database has a route to an internet gateway.",
    why="With such a route one changed switch puts the database on the internet.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("FSBP RDS.46", "NIST SC-7"),
    remedy="Use subnets with a route table of their own (aws.ec2.RouteTableAssociation) that knows the VPC only.",
    types=frozenset(
        {DATABASE_SUBNET_GROUP, *SUBNETS, TABLE_ASSOCIATION, MAIN_ASSOCIATION, ROUTE, TABLE, INTERNET_GATEWAY}
    ),
    check=_database_without_internet,
)

SEVERAL_ZONES = StackRule(
    id="net-multi-az",
    sentence="002_3d1abe7e242e6afd.txt §1: Network topology",
    title="Auto Scaling groups, load balancers and database subnet groups span two zones or more.",
    why="In one zone everything stops when that zone does.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP AutoScaling.2", "FSBP ELB.13", "NIST CP-10"),
    remedy="Name subnets of at least two zones (network.zones).",
    types=frozenset({SCALING_GROUP, *BALANCERS, DATABASE_SUBNET_GROUP, *SUBNETS}),
    check=_several_zones,
)

DISJOINT_RANGES = StackRule(
    id="net-cidr-no-overlap",
    sentence="002_3d1abe7e242e6afd.txt §7.3: VPC and subnet allocations",
    title="The ranges of all stacks and of the recovery region are disjoint.",
    why="Networks that overlap can never be connected, and a recovery needs them connected.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-2",),
    remedy="Give network.cidr and network.recovery_cidr of each stack a range of its own.",
    types=frozenset({VPC, VPC_RANGE}),
    check=_disjoint_ranges,
)

DATABASE_ACL_INSIDE = StackRule(
    id="net-nacl-data-inside-vpc",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC",
    title="The ACL in front of a database lets nothing in or out beyond the VPC's own ranges.",
    why="A security group opened by mistake is then the only lock that was there.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST AC-4"),
    remedy="Name the ranges of the tiers that are clients of the database; acl_entries in components/network does.",
    types=frozenset({DATABASE_SUBNET_GROUP, *SUBNETS, *_ACLS, ACL_RULE, ACL_ASSOCIATION, *VPCS, VPC_RANGE}),
    check=_database_acl_inside,
)

RULES: tuple[Rule, ...] = (
    *security_groups.RULES,
    FLOW_LOGS,
    CUSTOM_ACL,
    ACL_NO_WORLD_ADMIN,
    PRIVATE_ACLS_NARROW,
    NO_PUBLIC_ADDRESSES,
    DATABASE_WITHOUT_INTERNET,
    DATABASE_ACL_INSIDE,
    SEVERAL_ZONES,
    DISJOINT_RANGES,
)
