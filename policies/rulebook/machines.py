"""Rules for machines that look further than at one resource: their security groups, and the maintenance machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .compute import INSTANCE
from .edge import BALANCERS
from .firewall import ANYWHERE, GROUP, GROUP_RULES, Declared, Direction, within
from .links import TEMPLATE, sources, targets, template_of
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .security_groups import WEB_PORTS
from .topology import group_rules, tag
from .values import either, is_true_of_any, listed, show

#: What the run book finds good enough for a page (``003_… Scheduled Maintenance``).
_SHAPE, _IMAGE = "t3.nano", "al2023"

_SSH = 22

#: Where an instance or its launch template names groups.
_GROUP_PROPS = ("vpcSecurityGroupIds", "networkInterfaces")


def _grouped(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        if machine.type == INSTANCE:
            if not is_true_of_any((machine, *template_of(stack, machine)), _names_groups):
                yield Fault("The instance names no security group, so it gets its VPC's default one.", machine.urn)
        # One that only instances start from may leave the groups to them.
        elif not sources(stack, machine, "launchTemplate", INSTANCE) and not _names_groups(machine):
            yield Fault("The launch template names no security group, so machines get the default one.", machine.urn)

    def balancer(one: Resource) -> Iterator[Fault]:
        kind = one.section("loadBalancerType")
        if kind != "gateway" and not _gives(one.props, "securityGroups"):
            then = "lets everybody in" if kind == "network" else "gets its VPC's default one"
            yield Fault(f"The load balancer names no security group, so it {then}.", one.urn)

    passes = ((stack.of(INSTANCE, TEMPLATE), judge), (stack.of(*BALANCERS), balancer))
    return through(passes, lambda one: each(*one))


def _names_groups(machine: Resource) -> bool:
    """Whether a machine's own groups are named; an interface that is made elsewhere brings its own.

    A list that is unknown as a whole may be empty; one with an unknown group names that.
    """

    def interfaces_do() -> bool:
        found = range(len(machine.items("networkInterfaces")))
        each_of = (machine.section("networkInterfaces", index) for index in found)
        return bool(found) and all(_gives(one, "securityGroups", "networkInterfaceId") for one in each_of)

    named = ("vpcSecurityGroupIds", "securityGroups", "securityGroupNames", "primaryNetworkInterface")
    return either(lambda: _gives(machine.props, *named), interfaces_do)


def _gives(bag: Mapping[str, Any], *props: str) -> bool:
    return is_true_of_any(props, lambda prop: bool(bag.get(prop)))


def _each_maintenance(stack: Stack, judge: Callable[[Resource], Iterable[Fault]]) -> Iterator[Fault]:
    return each(stack.of(INSTANCE), lambda one: judge(one) if tag(one, "Role") == "maintenance" else ())


def _shape(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        templates = template_of(stack, machine)
        kind = next((found for one in (machine, *templates) if (found := one.section("instanceType"))), None)
        # An instance that is made has the image's id, and what it came from only in its template.
        image = next((found for one in templates if (found := one.section("imageId"))), None) or machine.section("ami")
        if kind != _SHAPE:
            said = f"a {show(kind)}" if kind else "of no named class"
            yield Fault(f"The maintenance machine is {said}; a {_SHAPE} is good enough.", machine.urn)
        if _IMAGE not in str(image).lower():
            yield Fault(
                f"The maintenance machine's image is {show(image)}; Amazon Linux 2023 is demanded.", machine.urn
            )

    return _each_maintenance(stack, judge)


def _exact(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        holders = (machine, *template_of(stack, machine))
        groups = [hit for one in holders for prop in _GROUP_PROPS for hit in targets(stack, one, prop, GROUP)]
        if not groups:
            yield Fault("The maintenance machine has no security group of the stack.", machine.urn)
            return
        rules = [rule for group in groups for rule in group_rules(stack, group, Direction.INGRESS)]
        yield from through(rules, lambda rule: _surplus(stack, rule))
        doors = [rule.read() for rule in rules]
        for port in WEB_PORTS:
            if not any(rule.carries(port, "tcp") and ANYWHERE[0] in rule.cidrs for rule in doors):
                yield Fault(f"Visitors do not reach port {port} of the maintenance machine.", machine.urn)
        for admin in stack.context.admin_cidrs:
            if not any(rule.carries(_SSH, "tcp") and any(within(admin, cidr) for cidr in rule.cidrs) for rule in doors):
                yield Fault(
                    f"Administrators in {admin} do not reach port {_SSH} of the maintenance machine.", machine.urn
                )

    return _each_maintenance(stack, judge)


def _surplus(stack: Stack, written: Declared) -> Iterator[Fault]:
    """Whom a rule lets in beyond the run book's three doors."""
    rule = written.read()
    port = rule.ports.first if rule.protocol == "tcp" and rule.ports.first == rule.ports.last else None
    known = ANYWHERE if port in WEB_PORTS else stack.context.admin_cidrs if port == _SSH else ()
    odd = [str(cidr) for cidr in rule.cidrs if not any(within(cidr, one) for one in known)]
    if written.names_itself or written.names_prefix_lists or not rule.cidrs:
        odd.append("a group or a prefix list")
    if odd:
        yield Fault(f"The maintenance machine lets {listed(odd)} in by {rule}.", written.owner.urn)


HAS_GROUP = StackRule(
    id="ec2-has-security-group",
    sentence="000_b5883a9168e66709.txt §6: Ensure security groups are correctly configured",
    title="Every machine and every load balancer names its security groups.",
    why="One that names none gets the default group, which nobody had that machine in mind for.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP EC2.2", "NIST SC-7"),
    remedy="Set vpc_security_group_ids on the instance, or security groups in the launch template or load balancer.",
    types=frozenset({INSTANCE, TEMPLATE, *BALANCERS}),
    check=_grouped,
)

SHAPE = StackRule(
    id="maint-instance-shape",
    sentence="003_720b7a256857bf84.txt Patching & Updates: A `t3.nano` with Amazon 2023 is good enough",
    title="The maintenance machine is a t3.nano with Amazon Linux 2023.",
    why="A page needs no more, and a machine unlike the others is patched by nobody.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("NIST CM-2",),
    remedy='Set instance_type="t3.nano" and the image parameter of al2023.',
    types=frozenset({INSTANCE, TEMPLATE}),
    check=_shape,
)

INGRESS_EXACT = StackRule(
    id="maint-ingress-exact",
    sentence="003_720b7a256857bf84.txt Patching & Updates: Inbound 22 (SSH) from UM IP, 80 and 443 from 0.0.0.0/0",
    title="The maintenance machine lets in SSH from the administrators and the web from anywhere, and nothing else.",
    why="It stands in the open all year for the few hours in which it is needed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SC-7",),
    remedy="Give its group port 22 from each of access.admin_cidrs, 80 and 443 from 0.0.0.0/0, and no other rule.",
    types=frozenset({INSTANCE, GROUP, *GROUP_RULES}),
    check=_exact,
)

RULES: tuple[Rule, ...] = (HAS_GROUP, SHAPE, INGRESS_EXACT)
