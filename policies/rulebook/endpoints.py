"""Whether machines reach the services of AWS that they are patched, entered, watched and started by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .firewall import GROUP_RULES, GROUPS, Declared, Direction, common
from .resource import Resource, Stack, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .topology import (
    DEFAULT_VPC,
    ENDPOINT,
    ENDPOINT_TABLE,
    INSTANCE,
    INTERNET_GATEWAY,
    LAUNCH_TEMPLATE,
    NAT_GATEWAY,
    ROUTE,
    SCALING_GROUP,
    SUBNETS,
    TABLE,
    TABLE_ASSOCIATION,
    VPCS,
    group_rules,
    groups_of,
    homes,
    own_tables,
    ranges,
    routes,
    source_groups,
    source_ranges,
    vpc_of,
)
from .values import is_false, is_true_of_any, listed

FUNCTION = "aws:lambda/function:Function"

#: Without these a machine can be neither patched nor entered, not even while the way out is down (S3 is the package
#: mirror).
MANAGEMENT = ("ec2messages", "s3", "ssm", "ssmmessages")

#: What agents and applications need besides; a way out will do.
OTHERS = ("ec2", "kms", "logs", "monitoring", "secretsmanager")

HTTPS = 443

#: Where each kind of machine names its subnets.
_HOMES = {INSTANCE: "subnetId", SCALING_GROUP: "vpcZoneIdentifiers", FUNCTION: "vpcConfig"}


def _machines(stack: Stack) -> Iterator[tuple[Resource, tuple[Resource, ...]]]:
    for token, place in _HOMES.items():
        for machine in stack.of(token):
            subnets = stack.referenced(machine, place, *SUBNETS)
            if subnets:
                yield machine, subnets


def _private_endpoints(stack: Stack) -> Iterator[Fault]:
    places = {subnet.urn: subnet for _, subnets in _machines(stack) for subnet in subnets}
    return each(places.values(), lambda subnet: _missing(stack, subnet))


def _missing(stack: Stack, subnet: Resource) -> Iterator[Fault]:
    ways = {route.kind for route in routes(stack, subnet)}
    if "internet" in ways:
        return
    reasons: dict[str, list[str]] = {}
    for service in MANAGEMENT if "nat" in ways else sorted((*MANAGEMENT, *OTHERS)):
        said = _unreached(stack, subnet, service, nat="nat" in ways)
        if said is not None:
            reasons.setdefault(said, []).append(service)
    for said, services in reasons.items():
        yield Fault(f"The subnet's machines have no private way to {listed(services)}: {said}.", subnet.urn)


def _unreached(stack: Stack, subnet: Resource, service: str, *, nat: bool) -> str | None:
    """Why the subnet does not reach a service by an endpoint; None where it does."""
    said = None
    vpc = vpc_of(stack, subnet)
    for endpoint in stack.referring(vpc, "vpcId", ENDPOINT) if vpc else ():
        if str(endpoint.props.get("serviceName") or "").rpartition(".")[2] != service:
            continue
        if endpoint.props.get("vpcEndpointType") == "Interface":
            reason = next(_interface_faults(stack, endpoint, subnet, vpc, service), None) if vpc else None
        else:
            reason = None if _reaches(stack, endpoint, subnet) else "the endpoint is not in the subnet's route table"
        if reason is None:
            return None
        said = said or reason
    return said or ("there is no endpoint" if nat else "no endpoint and no NAT")


def _interface_faults(stack: Stack, endpoint: Resource, subnet: Resource, vpc: Resource, service: str) -> Iterator[str]:
    # S3 has names of its own behind an interface; of any other the usual name must lead to it.
    if service != "s3":
        if not is_true(endpoint.props.get("privateDnsEnabled")):
            yield "the endpoint has no private DNS"
        hostnames = vpc.props.get("enableDnsHostnames")
        if is_false(vpc.props.get("enableDnsSupport")) or not (
            is_true(hostnames) or (hostnames is None and vpc.type == DEFAULT_VPC)
        ):
            yield f"VPC {vpc.name} answers no private names (enableDnsSupport and enableDnsHostnames)"
    zone = subnet.props.get("availabilityZone")
    zones = [home.props.get("availabilityZone") for home in stack.referenced(endpoint, "subnetIds", *SUBNETS)]
    if zone not in zones:
        yield f"the endpoint stands in no subnet of zone {zone or 'unset'}"
    groups = groups_of(stack, endpoint)
    rules = ((group, rule) for group in groups for rule in group_rules(stack, group, Direction.INGRESS))
    if not is_true_of_any(rules, lambda pair: _admits(stack, *pair, subnet)):
        own = listed(map(str, ranges(subnet) or ("the subnet",)))
        yield f"no security group of the endpoint admits {own} to port {HTTPS}"


def _admits(stack: Stack, group: Resource, rule: Declared, subnet: Resource) -> bool:
    """Whether a rule of an endpoint's group lets in what stands in the subnet, by its range or by some group."""
    if not rule.read().carries(HTTPS, "tcp"):
        return False
    if any(cidr is None or common(own, cidr) for _, cidr in source_ranges(stack, rule) for own in ranges(subnet)):
        return True
    return any(home.urn == subnet.urn for client in source_groups(stack, rule, group) for home in homes(stack, client))


def _reaches(stack: Stack, gateway: Resource, subnet: Resource) -> bool:
    """Whether a gateway endpoint is in the subnet's route table."""
    tables = {table.urn for table in stack.referenced(gateway, "routeTableIds", TABLE)}
    for association in stack.referring(gateway, "vpcEndpointId", ENDPOINT_TABLE):
        tables.update(table.urn for table in stack.referenced(association, "routeTableId", TABLE))
    return any(table.urn in tables for table in own_tables(stack, subnet))


def _services_allowed(stack: Stack) -> Iterator[Fault]:
    machines = {machine.urn: machine for machine, _ in _machines(stack)}

    def judge(machine: Resource) -> Iterator[Fault]:
        groups = groups_of(stack, machine)
        rules = (rule for group in groups for rule in group_rules(stack, group, Direction.EGRESS))
        if groups and not _carried(rules):
            names = listed(sorted(group.name for group in groups))
            yield Fault(
                f"No rule of security group {names} lets the machine out to port {HTTPS}, so it reaches no service "
                "of AWS.",
                machine.urn,
            )

    return each(machines.values(), judge)


def _carried(rules: Iterable[Declared]) -> bool:
    return is_true_of_any(rules, lambda rule: rule.read().carries(HTTPS, "tcp"))


PRIVATE_ENDPOINTS = StackRule(
    id="net-private-endpoints",
    sentence="001_62c8c82a6a764433.txt §3: AWS Systems Manager: For automating the patching process",
    title="Private machines reach Systems Manager and S3 by working endpoints, other services so or by a NAT gateway.",
    why="A machine that reaches neither is never patched and cannot be entered by Session Manager, and the way out is "
    "down on the day on which it matters.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("CIS 7.0 6.8", "FSBP EC2.10", "FSBP EC2.57"),
    remedy="Declare the interface endpoints with private DNS, in each zone, with a group that admits port 443 from the "
    "subnets, and the S3 gateway endpoint in the subnets' route tables.",
    types=frozenset(
        {
            ENDPOINT,
            ENDPOINT_TABLE,
            *_HOMES,
            *SUBNETS,
            *VPCS,
            TABLE,
            TABLE_ASSOCIATION,
            ROUTE,
            INTERNET_GATEWAY,
            NAT_GATEWAY,
            *GROUPS,
            *GROUP_RULES,
        }
    ),
    check=_private_endpoints,
)

SERVICES_ALLOWED = StackRule(
    id="net-sg-services-allowed",
    sentence="001_62c8c82a6a764433.txt §3: AWS Systems Manager: For automating the patching process",
    title="The security groups of every machine and function in a VPC let it out to the services of AWS.",
    why="Without it the machine is not patched, sends no metrics and logs, and cannot be entered.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-2", "NIST SC-7"),
    remedy="Give one of its groups an outbound rule for tcp 443, to the endpoints' group or to 0.0.0.0/0.",
    types=frozenset({*_HOMES, *GROUPS, *GROUP_RULES, LAUNCH_TEMPLATE, *SUBNETS}),
    check=_services_allowed,
)

RULES: tuple[Rule, ...] = (PRIVATE_ENDPOINTS, SERVICES_ALLOWED)
