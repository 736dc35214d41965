"""Whether security groups that belong together speak of the same connections."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial

from .edge import LISTENERS
from .firewall import GROUP, GROUP_RULES, GROUPS, Declared, Direction, Network, common, is_set, within
from .resource import Resource, Stack, is_true, whole
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .topology import (
    BALANCERS,
    DATABASE,
    DATABASE_CLUSTER,
    INSTANCE,
    MEMBERS,
    group_rules,
    groups_of,
    homes,
    ranges,
    source_groups,
    source_ranges,
    tag,
)
from .values import is_true_of_any


def _covers(
    stack: Stack, group: Resource, rule: Declared, port: int, protocol: str, others: Collection[Resource]
) -> bool:
    """Whether a rule of ``group`` speaks of ``port`` and of one of ``others``, by its id or by a range it stands in."""
    if not rule.read().carries(port, protocol):
        return False
    named = {hit.urn for hit in source_groups(stack, rule, group)}
    if any(other.urn in named for other in others):
        return True
    # A group that nothing has yet may come to stand anywhere.
    places = [own for other in others for home in homes(stack, other) for own in ranges(home)]
    return any(
        cidr is None or not places or any(common(own, cidr) for own in places) for _, cidr in source_ranges(stack, rule)
    )


def _any_covers(
    stack: Stack,
    groups: Iterable[Resource],
    direction: Direction,
    port: int,
    others: Collection[Resource],
    protocol: str = "tcp",
) -> bool:
    rules = ((group, rule) for group in groups for rule in group_rules(stack, group, direction))
    return is_true_of_any(rules, lambda pair: _covers(stack, *pair, port, protocol, others))


def _halves(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        rules = tuple(group_rules(stack, group))
        if not rules:
            yield Fault("The group has no rule, so whatever has it can talk to nobody.", group.urn)
        yield from through(rules, lambda rule: _half(stack, group, rule))

    return each(stack.of(GROUP), judge)


def _half(stack: Stack, group: Resource, written: Declared) -> Iterator[Fault]:
    if not written.where and not any(is_set(written.bag, end) for end in _ENDS):
        yield Fault("The rule names nobody: no range, no group and no prefix list.", written.owner.urn)
    for other in source_groups(stack, written, group):
        rule = written.read()
        if other.urn == group.urn or rule.protocol not in ("tcp", "udp"):
            continue
        sends = rule.direction is Direction.EGRESS
        if _is_of_a_database(stack, other if sends else group):
            continue  # ``net-db-clients-connected`` says so
        back = Direction.INGRESS if sends else Direction.EGRESS
        if not _any_covers(stack, (other,), back, rule.ports.first, (group,), rule.protocol):
            if sends:
                said = f"may send {rule} to group {other.name}, which does not admit it"
            else:
                said = f"admits {rule} from group {other.name}, which may not send it"
            yield Fault(f"Group {group.name} {said}.", written.owner.urn)


#: Where a rule that is a resource names its other end.
_ENDS = (
    "cidrBlocks",
    "cidrIpv4",
    "cidrIpv6",
    "ipv6CidrBlocks",
    "prefixListId",
    "prefixListIds",
    "referencedSecurityGroupId",
    "self",
    "sourceSecurityGroupId",
)


def _is_of_a_database(stack: Stack, group: Resource) -> bool:
    return bool(stack.referring(group, "vpcSecurityGroupIds", DATABASE, DATABASE_CLUSTER))


def _bastions(stack: Stack) -> Iterator[Fault]:
    admins = stack.context.admin_cidrs

    def judge(machine: Resource) -> Iterator[Fault]:
        if tag(machine, "Role") != "bastion" or not is_true(machine.props.get("associatePublicIpAddress")):
            return
        for admin in admins:
            rules = (
                rule for group in groups_of(stack, machine) for rule in group_rules(stack, group, Direction.INGRESS)
            )
            if not is_true_of_any(rules, partial(_admits_range, cidr=admin)):
                yield Fault(f"Administrators in {admin} do not reach port 22 of the bastion.", machine.urn)

    return each(stack.of(INSTANCE), judge)


def _carries(written: Declared, port: int) -> bool:
    return written.read().carries(port)


def _admits_range(written: Declared, cidr: Network) -> bool:
    rule = written.read()
    return rule.carries(22, "tcp") and any(within(cidr, one) for one in rule.cidrs)


def _balancers(stack: Stack) -> Iterator[Fault]:
    return each(stack.of(*BALANCERS), lambda balancer: _balancer_faults(stack, balancer))


def _balancer_faults(stack: Stack, balancer: Resource) -> Iterator[Fault]:
    groups = groups_of(stack, balancer)
    if not groups:
        return  # ``ec2-has-security-group`` says so
    listeners = stack.referring(balancer, "loadBalancerArn", *LISTENERS)
    for listener in listeners:
        port = whole(listener.props.get("port"))
        rules = (rule for group in groups for rule in group_rules(stack, group, Direction.INGRESS))
        if port and not is_true_of_any(rules, partial(_carries, port=port)):
            yield Fault(f"Nobody is admitted to port {port}, on which listener {listener.name} waits.", balancer.urn)


HALVES = StackRule(
    id="net-sg-both-halves",
    sentence="000_b5883a9168e66709.txt §6: Ensure security groups are correctly configured",
    title="What one security group may send to another is admitted there, and the other way round; none has no rule.",
    why="With one half alone the connection is refused, and the half that is left looks as if it were open.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-4", "NIST SC-7"),
    remedy="Declare the other half, or take out the one that is left.",
    types=frozenset({*GROUPS, *GROUP_RULES, *MEMBERS, DATABASE_CLUSTER}),
    check=_halves,
)

BASTION_REACHED = StackRule(
    id="net-bastion-reached",
    sentence="000_b5883a9168e66709.txt §1: connect to the Bastion server first using SSH",
    title="A bastion with a public address admits SSH from each of the administrators' ranges.",
    why="Whoever is left out finds it on the night on which the others are away.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-17", "NIST CP-2"),
    remedy="Give its group an inbound rule for tcp 22 for each of access.admin_cidrs, or take the public address away.",
    types=frozenset({INSTANCE, *GROUPS, *GROUP_RULES}),
    check=_bastions,
)

BALANCER_ADMITS = StackRule(
    id="net-balancer-admits",
    sentence="002_3d1abe7e242e6afd.txt §7.3: Load balancer configurations",
    title="The security groups of a load balancer admit somebody to each port that it listens on.",
    why="A listener that nobody is admitted to is a door in a wall: the site is down, and every check inside is well.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST CP-10"),
    remedy="Give the load balancer's group an inbound rule for the listener's port.",
    types=frozenset({*BALANCERS, *LISTENERS, *GROUPS, *GROUP_RULES}),
    check=_balancers,
)

RULES: tuple[Rule, ...] = (HALVES, BASTION_REACHED, BALANCER_ADMITS)
