"""Rules for security groups. Each sees all three ways of writing a rule: inline, the older and the newer resource.

Rules that ask what a group is for are stack rules: a rule that is a resource knows only the id of its group, and what
the group is for is said by the group's tags and by what has the group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Network

from pulumi_policy.proxy import UnknownValueError

from .firewall import (
    DEFAULT_GROUP,
    EGRESS_RULE,
    GROUP,
    GROUP_RULES,
    GROUPS,
    INGRESS_RULE,
    LEGACY_RULE,
    Atom,
    Declared,
    Direction,
    FirewallRule,
    declared,
    within,
)
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .topology import (
    DATABASE,
    DATABASE_CLUSTER,
    VPCS,
    database_port,
    default_group,
    group_of,
    group_rules,
    is_data_tier,
    source_ranges,
    tag,
)
from .values import listed

_WITH_INGRESS = (GROUP, DEFAULT_GROUP, LEGACY_RULE, INGRESS_RULE)
_INGRESS = frozenset(_WITH_INGRESS)
_BOTH = _INGRESS | {EGRESS_RULE}

ADMIN_PORTS = (22, 3389)

#: PostgreSQL, MySQL, SQL Server, Redis, OpenSearch, MongoDB, Prometheus, Grafana, node exporter, applications, SMB.
DATA_PORTS = (5432, 3306, 1433, 6379, 9200, 27017, 9090, 3000, 9100, 8080, 445)

WEB_PORTS = (80, 443)

#: The widest range that one place's administrators may come from; for IPv6 the size of one site (RFC 6177).
_ADMIN_PREFIX = {4: 24, 6: 48}

#: What AWS and the provider write where nobody wrote anything.
_EMPTY_WORDS = ("managed by pulumi", "managed by terraform")


def _no_world_admin(resource: Resource, _: Context) -> Iterator[str]:
    return through(declared(resource, Direction.INGRESS), lambda rule: _open_ports(rule.read(), ADMIN_PORTS))


def _no_world_data(resource: Resource, _: Context) -> Iterator[str]:
    return through(declared(resource, Direction.INGRESS), lambda rule: _open_ports(rule.read(), DATA_PORTS))


def _open_ports(rule: FirewallRule, ports: Sequence[int]) -> Iterator[str]:
    """One sentence where the world may use some of ``ports``."""
    hit = [port for port in ports if rule.carries(port)]
    if not hit or not rule.world:
        return
    if rule.protocol == "all":
        yield f"Every port, {hit[0]} among them, is open to {listed(map(str, rule.world))}."
    elif str(rule) == f"tcp {hit[0]}":
        yield f"Port {hit[0]} is open to {listed(map(str, rule.world))}."
    else:
        subject = f"Port {hit[0]} is" if len(hit) == 1 else f"Ports {', '.join(map(str, hit))} are"
        yield f"{subject} open to {listed(map(str, rule.world))} ({rule})."


def _world_only_web(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        return through(declared(resource, Direction.INGRESS), lambda rule: _web_at_the_edge(stack, rule))

    return each(stack.of(*_WITH_INGRESS), judge)


def _web_at_the_edge(stack: Stack, written: Declared) -> Iterator[Fault]:
    rule = written.read()
    if not rule.world:
        return
    what, to = _what(rule), listed(map(str, rule.world))
    if rule.protocol != "tcp" or rule.ports.first != rule.ports.last or rule.ports.first not in WEB_PORTS:
        yield Fault(f"{what} is open to {to}; only ports 80 and 443 may be.", written.owner.urn)
    group = group_of(stack, written)
    if group is None:
        yield Fault(f"{what} is open to {to} in a group that this stack does not declare.", written.owner.urn)
    elif tag(group, "Tier") != "edge" and tag(group, "Role") != "maintenance":
        tags = "tagged neither Tier=edge nor Role=maintenance"
        yield Fault(f"{what} is open to {to} in group {group.name}, which is {tags}.", written.owner.urn)


def _what(rule: FirewallRule) -> str:
    if rule.protocol == "tcp":
        return f"Port {rule.ports}" if rule.ports.first == rule.ports.last else f"Port range {rule.ports}"
    return "Every port" if rule.protocol == "all" else f"Protocol {rule}"


def _ssh_from_admins(resource: Resource, context: Context) -> Iterator[str]:
    return through(declared(resource, Direction.INGRESS), lambda rule: _ssh_sources(rule, context.admin_cidrs))


def _ssh_sources(written: Declared, admins: Sequence[IPv4Network]) -> Iterator[str]:
    rule = written.read()
    if not rule.carries(22, "tcp"):
        return
    for cidr in rule.cidrs:
        if cidr.prefixlen < _ADMIN_PREFIX[cidr.version]:
            yield f"Port 22 is open to {cidr}, which is wider than /{_ADMIN_PREFIX[cidr.version]}."
        elif admins and not any(within(cidr, admin) for admin in admins):
            known = listed(map(str, admins))
            yield f"Port 22 is open to {cidr}, which is outside the administrators' ranges ({known})."
    if written.names_prefix_lists:
        yield "Port 22 is open to a prefix list; name the administrators' ranges instead."


def _database_from_groups(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        users = stack.referring(group, "vpcSecurityGroupIds", DATABASE, DATABASE_CLUSTER)
        # A group of the data tier that nothing has yet is held to the port it will have.
        ports = sorted({database_port(stack, user) for user in users}) or [5432]
        return through(group_rules(stack, group, Direction.INGRESS), lambda rule: _ranges_on(stack, rule, ports))

    return _each_data_group(stack, judge)


def _ranges_on(stack: Stack, written: Declared, ports: Sequence[int]) -> Iterator[Fault]:
    rule = written.read()
    for port in ports:
        if rule.carries(port, "tcp"):
            for text, _ in source_ranges(stack, written):
                yield Fault(f"Database port {port} admits {text}; name a security group instead.", written.owner.urn)


def _database_stays_inside(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        return through(group_rules(stack, group, Direction.EGRESS), lambda rule: _leaves(group, rule))

    return _each_data_group(stack, judge)


def _leaves(group: Resource, written: Declared) -> Iterator[Fault]:
    rule = written.read()
    if rule.world:
        yield Fault(
            f"Database group {group.name} lets {rule} out to {listed(map(str, rule.world))}.", written.owner.urn
        )


def _each_data_group(stack: Stack, judge: Callable[[Resource], Iterable[Fault]]) -> Iterator[Fault]:
    return each(stack.of(*GROUPS), lambda group: judge(group) if is_data_tier(stack, group) else ())


def _described(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type == GROUP and not _says_something(resource.props.get("description")):
        yield "The group has no description that says what it is for."
    for rule in declared(resource):
        if not _says_something(rule.bag.get("description")):
            yield f"The rule{f' {rule.where}' if rule.where else ''} has no description that says what it is for."


def _says_something(description: object) -> bool:
    words = str(description or "").strip().lower()
    return len(words.split()) > 1 and words not in _EMPTY_WORDS


def _one_style(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        separate = stack.referring(group, "securityGroupId", *GROUP_RULES)
        inline = tuple(declared(group))
        if separate and inline and not _is_a_copy(inline, separate):
            names = ", ".join(rule.name for rule in separate)
            yield Fault(f"The group has inline rules and is also managed by {names}.", group.urn)

    return each(stack.of(GROUP), judge)


def _is_a_copy(inline: Iterable[Declared], separate: Iterable[Resource]) -> bool:
    """Whether the inline rules only repeat the separate ones: after a refresh AWS's whole list stands in the group.

    A separate rule whose source is an unknown group can be the original of a rule between groups, but of no other.
    """
    copies: set[Atom] = set()
    unknown: UnknownValueError | None = None
    for rule in (written for resource in separate for written in declared(resource)):
        try:
            copies |= rule.atoms()
        except UnknownValueError as error:
            unknown = error
    left = frozenset(atom for rule in inline for atom in rule.atoms()) - copies
    if left and unknown is not None and not any("/" in atom.end for atom in left):
        raise unknown
    return not left


def _default_group_empty(stack: Stack) -> Iterator[Fault]:
    def judge(vpc: Resource) -> Iterator[Fault]:
        group = default_group(stack, vpc)
        if group is None:
            yield Fault("The VPC does not adopt its default security group, so AWS's own rules hold in it.", vpc.urn)
        else:
            for rule in group_rules(stack, group):
                yield Fault(f"The default security group has a rule: {rule.label}.", group.urn)
        # ``vpc.default_security_group_id`` names the same group.
        for separate in stack.referring(vpc, "securityGroupId", *GROUP_RULES):
            yield Fault(f"The default security group has a rule: {separate.name}.", separate.urn)

    return each(stack.of(*VPCS), judge)


NO_WORLD_ADMIN = ResourceRule(
    id="net-sg-no-world-admin",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="No security group opens SSH or remote desktop to the world.",
    why="Ports 22 and 3389 are scanned and tried with stolen passwords all day.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=(
        "CIS 5.0 5.3",
        "CIS 5.0 5.4",
        "CIS 7.0 6.3",
        "CIS 7.0 6.4",
        "FSBP EC2.13",
        "FSBP EC2.14",
        "NIST AC-17",
        "NIST SC-7",
    ),
    remedy="Name the administrators' ranges (access.admin_cidrs), or use Session Manager and open no port.",
    types=_INGRESS,
    check=_no_world_admin,
)

NO_WORLD_DATA_PORTS = ResourceRule(
    id="net-sg-no-world-data-ports",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC",
    title="No security group opens a database, cache, metrics or file-share port to the world.",
    why="What listens there trusts its network and is not made to meet the internet.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.1.2", "FSBP EC2.19", "NIST SC-7"),
    remedy="Name the security group of the clients as the source.",
    types=_INGRESS,
    check=_no_world_data,
)

WORLD_ONLY_WEB = StackRule(
    id="net-sg-world-only-80-443",
    sentence="003_720b7a256857bf84.txt Patching & Updates: 80 and 443 from 0.0.0.0/0",
    title="The world reaches ports 80 and 443 of the edge and of the maintenance machine, nothing else.",
    why="Every other open port is a way in that nobody watches.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP EC2.18", "NIST SC-7"),
    remedy="Put a load balancer in front and open 80 and 443 in its group, tagged Tier=edge.",
    types=_INGRESS,
    check=_world_only_web,
)

SSH_FROM_ADMINS = ResourceRule(
    id="net-sg-ssh-from-admin-cidrs",
    sentence="003_720b7a256857bf84.txt Patching & Updates: Inbound 22 (SSH) from UM IP",
    title="SSH comes from the administrators' ranges only, each /24 or narrower.",
    why="A wide or foreign source turns the bastion into everyone's bastion.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.3", "NIST AC-17"),
    remedy="Write the source into access.admin_cidrs and take it from there.",
    types=_INGRESS,
    check=_ssh_from_admins,
)

DATABASE_FROM_GROUPS = StackRule(
    id="net-sg-db-from-sg-only",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC",
    title="The database's port admits security groups, never address ranges.",
    why="An address range also admits whatever is started in it later.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST AC-4"),
    remedy="Use referenced_security_group_id with the group of the client.",
    types=_INGRESS | {DATABASE, DATABASE_CLUSTER},
    check=_database_from_groups,
)

DATABASE_STAYS_INSIDE = StackRule(
    id="net-sg-db-no-world-egress",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="Groups of the database tier let nothing out to the world.",
    why="A database that can call out is a way to carry its content away.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SC-7",),
    remedy="Give the database's group no outbound rule; replies need none.",
    types=_BOTH | {DATABASE, DATABASE_CLUSTER},
    check=_database_stays_inside,
)

DESCRIBED = ResourceRule(
    id="net-sg-described",
    sentence="000_b5883a9168e66709.txt §6: Review and update security group rules as required",
    title="Every group and every rule says what it is for.",
    why="A rule without a purpose cannot be reviewed, so it stays for ever.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("cdk-nag EC27", "NIST CM-8"),
    remedy="Write a description of a few words: who talks to what.",
    types=_BOTH,
    check=_described,
)

ONE_STYLE = StackRule(
    id="net-sg-single-rule-style",
    sentence="000_b5883a9168e66709.txt §6: Review and update security group rules as required",
    title="A group's rules are all inline or all resources of their own.",
    why="Inline rules remove the separate ones at every deployment, and the next one puts them back.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("AWSGuard securityGroupNoRuleManagementConflicts",),
    remedy="Move the inline rules to aws.vpc.SecurityGroupIngressRule and SecurityGroupEgressRule.",
    types=_BOTH,
    check=_one_style,
)

DEFAULT_GROUP_EMPTY = StackRule(
    id="net-default-sg-empty",
    sentence="000_b5883a9168e66709.txt §6: Ensure security groups are correctly configured",
    title="Each VPC adopts its default security group and gives it no rule.",
    why="Whatever names no group gets this one, and by default its members may talk to each other and to the world.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.5", "CIS 7.0 6.5", "FSBP EC2.2"),
    remedy="Declare aws.ec2.DefaultSecurityGroup with the VPC's id and neither ingress nor egress.",
    types=frozenset({*VPCS, DEFAULT_GROUP, *GROUP_RULES}),
    check=_default_group_empty,
)

RULES: tuple[Rule, ...] = (
    NO_WORLD_ADMIN,
    NO_WORLD_DATA_PORTS,
    WORLD_ONLY_WEB,
    SSH_FROM_ADMINS,
    DATABASE_FROM_GROUPS,
    DATABASE_STAYS_INSIDE,
    DESCRIBED,
    ONE_STYLE,
    DEFAULT_GROUP_EMPTY,
)
