"""Who can reach a database, computed from security groups x ACLs x routes, and whether its clients really can.

A packet passes when every lock on its way is open: the route, the ACL of each subnet it crosses (in both directions,
because ACLs keep no state), the group it leaves and the group it enters. ``who_can_reach`` gives every way that is
open; the rules judge what it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .firewall import (
    ACL,
    ACL_RULE,
    ANYWHERE,
    EPHEMERAL,
    GROUP_RULES,
    GROUPS,
    Declared,
    Direction,
    Entry,
    Network,
    Ports,
    Traffic,
    allowed,
    common,
    declared,
    on_the_internet,
    refused,
)
from .resource import Resource, Stack, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .topology import (
    ACL_ASSOCIATION,
    DATABASE,
    DATABASE_SUBNET_GROUP,
    INTERNET_GATEWAY,
    ROUTE,
    SUBNETS,
    TABLE,
    TABLE_ASSOCIATION,
    Acl,
    Route,
    database_groups,
    database_port,
    database_subnets,
    effective_acl,
    group_of,
    group_rules,
    internet_routes,
    members,
    ranges,
    source_groups,
    source_ranges,
    vpc_of,
)
from .values import is_true_of_any, listed

INTERNET = "internet"

#: The ports that replies need. 3389 may be shut: ``net-nacl-no-world-admin`` wants it shut to the world, and the
#: systems that are clients here take their ports from 32768 on.
_REPLIES = (Ports(EPHEMERAL.first, 3388), Ports(3390, EPHEMERAL.last))


@dataclass(frozen=True, slots=True)
class Path:
    """An open way to a database.

    ``client``: who comes in: ``internet``, the tier or role of a security group, or a subnet whose range is admitted.
    ``source``: URN of the client's group or subnet, None for the internet. ``hops``: what lets it through, in order.
    """

    client: str
    source: str | None
    database: str
    hops: tuple[str, ...]

    def __str__(self) -> str:
        return " -> ".join(self.hops)


@dataclass(frozen=True, slots=True)
class _Door:
    """A rule of one of the database's groups that admits its port."""

    group: Resource
    rule: Declared

    def __str__(self) -> str:
        return f"group {self.group.name} rule {self.rule.label}"


def who_can_reach(stack: Stack, database: Resource) -> tuple[Path, ...]:
    """Every way to the database's port that is open: from the internet, from groups and from admitted subnets.

    Clients that are groups count where something that has the group stands in a subnet. Raises UnknownValueError
    where a value that decides is unknown.
    """
    return tuple(dict.fromkeys(_ways(stack, database)))


def _ways(stack: Stack, database: Resource) -> Iterator[Path]:
    port = database_port(stack, database)

    def by(door: _Door) -> Iterator[Path]:
        for subnet in database_subnets(stack, database):
            yield from _from_internet(stack, database, subnet, door, port)
            yield from _from_groups(stack, database, subnet, door, port)
            yield from _from_subnets(stack, database, subnet, door, port)

    return through(_doors(stack, database, port), by)


def client_label(group: Resource) -> str:
    """What a report calls a client: its group's tier, else its role, else its name."""
    return str(group.tags.get("Tier") or group.tags.get("Role") or group.name)


def _doors(stack: Stack, database: Resource, port: int) -> Iterator[_Door]:
    for group in database_groups(stack, database):

        def doors(rule: Declared, group: Resource = group) -> Iterator[_Door]:
            if rule.read().carries(port, "tcp"):
                yield _Door(group, rule)

        yield from through(group_rules(stack, group, Direction.INGRESS), doors)


def _from_internet(stack: Stack, database: Resource, subnet: Resource, door: _Door, port: int) -> Iterator[Path]:
    """Ways in by a public address: there and back through the gateway and the subnet's ACL."""
    if not is_true(database.props.get("publiclyAccessible")):
        return
    acl = effective_acl(stack, subnet)
    for route in internet_routes(stack, subnet):
        for text, source in _public_sources(stack, door):
            line = next((line for part in _routed(source, route) if (line := _admits(acl, part, port))), None)
            if line is not None:
                hops = (
                    f"{INTERNET} ({text})",
                    route.target,
                    f"subnet {subnet.name} (route table {route.table})",
                    f"ACL {acl.name} {line}",
                    str(door),
                    _target(database, port),
                )
                yield Path(INTERNET, None, database.urn, hops)


def _public_sources(stack: Stack, door: _Door) -> Iterator[tuple[str, Network]]:
    """The ranges of a door; a prefix list that nobody here declares may hold any address."""
    for text, cidr in source_ranges(stack, door.rule):
        if cidr is not None:
            yield text, cidr
        else:
            yield from ((text, anywhere) for anywhere in ANYWHERE)


def _routed(source: Network, route: Route) -> Iterator[Network]:
    """The parts of a range that are on the internet and get their replies by this route."""
    for part in on_the_internet(source):
        shared = part if route.destination is None else common(part, route.destination)
        if shared is not None:
            yield shared


def _admits(acl: Acl, source: Network, port: int) -> Entry | None:
    """The line by which some address of ``source`` gets in to ``port``, provided that its replies get out."""
    back = allowed(acl.egress, Traffic("tcp", source, EPHEMERAL))
    for came in allowed(acl.ingress, Traffic("tcp", source, Ports(port, port))):
        if any(common(came.traffic.network, went.traffic.network) for went in back):
            return came.entry
    return None


def _from_groups(stack: Stack, database: Resource, subnet: Resource, door: _Door, port: int) -> Iterator[Path]:
    for client in source_groups(stack, door.rule, door.group):
        for home in _homes(stack, client, database, subnet):
            crossed = _crossed(stack, home, ranges(home), subnet, port)
            if crossed is not None and _may_send(stack, client, door.group, subnet, port):
                hops = (f"group {client.name}", *crossed, str(door), _target(database, port))
                yield Path(client_label(client), client.urn, database.urn, hops)


def _from_subnets(stack: Stack, database: Resource, subnet: Resource, door: _Door, port: int) -> Iterator[Path]:
    """Ways in for whatever stands in a subnet whose range is admitted."""
    own_vpc = vpc_of(stack, subnet)
    for text, cidr in source_ranges(stack, door.rule):
        for home in stack.of(*SUBNETS):
            if home.urn == subnet.urn or vpc_of(stack, home) is not own_vpc:
                continue
            parts = [part for own in ranges(home) if (part := own if cidr is None else common(own, cidr))]
            crossed = _crossed(stack, home, parts, subnet, port)
            if crossed is not None:
                hops = (f"any group ({text})", *crossed, str(door), _target(database, port))
                yield Path(f"subnet {home.name}", home.urn, database.urn, hops)


def _homes(stack: Stack, client: Resource, database: Resource, subnet: Resource) -> tuple[Resource, ...]:
    """The subnets of the database's VPC where something has the client's group; a database is no client of itself."""
    own_vpc = vpc_of(stack, subnet)
    found = {
        home.urn: home
        for member in members(stack, client)
        if member.resource.urn != database.urn
        for home in member.subnets
        if vpc_of(stack, home) is own_vpc
    }
    return tuple(found.values())


def _crossed(
    stack: Stack, home: Resource, origins: Sequence[Network], subnet: Resource, port: int
) -> tuple[str, ...] | None:
    """The hops from ``home`` to ``subnet`` for some address of ``origins``; None where no address gets there and back.

    Inside one subnet no ACL is passed.
    """
    if home.urn == subnet.urn:
        return (f"subnet {home.name}",)
    here, there = effective_acl(stack, home), effective_acl(stack, subnet)
    for origin, target in _same_family(origins, ranges(subnet)):
        line = _admits(there, origin, port)
        # The same question from the other end: requests go out where replies come in.
        out = allowed(here.egress, Traffic("tcp", target, Ports(port, port)))
        back = allowed(here.ingress, Traffic("tcp", target, EPHEMERAL))
        if line and any(common(o.traffic.network, b.traffic.network) for o in out for b in back):
            return (f"subnet {home.name}", f"ACL {there.name} {line}", f"subnet {subnet.name}")
    return None


def _target(database: Resource, port: int) -> str:
    return f"database {database.name}:{port}"


def _may_send(stack: Stack, client: Resource, group: Resource, subnet: Resource, port: int) -> bool:
    """Whether an outbound rule of the client's group covers the database's group or its subnet."""

    def covers(rule: Declared) -> bool:
        if not rule.read().carries(port, "tcp"):
            return False
        targets = (cidr for _, cidr in source_ranges(stack, rule) if cidr is not None)
        return any(common(own, cidr) for cidr in targets for own in ranges(subnet)) or any(
            target.urn == group.urn for target in source_groups(stack, rule, client)
        )

    return is_true_of_any(group_rules(stack, client, Direction.EGRESS), covers)


def _unreachable(stack: Stack) -> Iterator[Fault]:
    def judge(database: Resource) -> Iterator[Fault]:
        if not database_subnets(stack, database):
            sentence = "The database is in no subnet group of this stack, so who can reach it cannot be known."
            yield Fault(sentence, database.urn)
        for stranger in stack.strangers(database, "vpcSecurityGroupIds", *GROUPS):
            sentence = f"Security group {stranger} is not declared here, so whom it admits cannot be known."
            yield Fault(sentence, database.urn)
        target = _target(database, database_port(stack, database))
        said: set[Path | str | None] = {None}
        for path in _ways(stack, database):
            if path.client == INTERNET and path not in said:
                said.add(path)
                yield Fault(f"The internet can reach the database: {path}.", database.urn)
            if path.source not in said:
                said.add(path.source)
                yield from _stepping_stone(stack, stack.by_urn[path.source or ""], target)

    return each(stack.of(DATABASE), judge)


def _stepping_stone(stack: Stack, client: Resource, target: str) -> Iterator[Fault]:
    """A client that the world may talk to is a way in by one hop, whatever it listens for."""
    for written in group_rules(stack, client, Direction.INGRESS):
        rule = written.read()
        if rule.world:
            hops = (
                f"{INTERNET} ({listed(map(str, rule.world))}) -> group {client.name} rule {written.label} -> {target}"
            )
            yield Fault(f"A client of the database is open to the world ({rule}): {hops}.", written.owner.urn)


def _connected(stack: Stack) -> Iterator[Fault]:
    def judge(database: Resource) -> Iterator[Fault]:
        port = database_port(stack, database)
        doors: list[_Door] = []
        said: set[str] = set()

        def blocks(door: _Door) -> Iterator[str]:
            doors.append(door)
            for subnet in database_subnets(stack, database):
                for client in source_groups(stack, door.rule, door.group):
                    for home in _homes(stack, client, database, subnet):
                        for block in _blocks(stack, client, home, door.group, subnet, port):
                            yield f"Group {client.name} is admitted to the database but cannot connect: {block}."

        for sentence in through(_doors(stack, database, port), blocks):
            if sentence not in said:
                said.add(sentence)
                yield Fault(sentence, database.urn)
        if doors:
            yield from _turned_away(stack, database, port, doors)
        else:
            yield Fault(f"No security group admits anyone to port {port} of the database.", database.urn)

    return each(stack.of(DATABASE), judge)


def _turned_away(stack: Stack, database: Resource, port: int, doors: Iterable[_Door]) -> Iterator[Fault]:
    """Groups that may send to the database's group and are not admitted there: one half of the pair is missing."""
    admitted = {client.urn for door in doors for client in source_groups(stack, door.rule, door.group)}
    own = dict.fromkeys(group.urn for group in database_groups(stack, database))
    if any(True for door in doors for _ in source_ranges(stack, door.rule)):
        return

    def judge(rule: Declared) -> Iterator[Fault]:
        client = group_of(stack, rule)
        if client is None or client.urn in admitted or client.urn in own or not rule.read().carries(port, "tcp"):
            return
        if any(target.urn in own for target in source_groups(stack, rule, client)):
            sentence = f"Group {client.name} may send to port {port} of the database, which does not admit it."
            yield Fault(sentence, rule.owner.urn)

    separate = (
        resource
        for urn in own
        for prop in ("referencedSecurityGroupId", "sourceSecurityGroupId")
        for resource in stack.referring(stack.by_urn[urn], prop, *GROUP_RULES)
    )
    outbound = [rule for resource in separate for rule in declared(resource, Direction.EGRESS)]
    yield from through((*outbound, *stack.shared(_inline_outbound)), judge)


def _inline_outbound(stack: Stack) -> tuple[Declared, ...]:
    return tuple(rule for group in stack.of(*GROUPS) for rule in declared(group, Direction.EGRESS))


def _blocks(
    stack: Stack, client: Resource, home: Resource, group: Resource, subnet: Resource, port: int
) -> Iterator[str]:
    """What stops the client's group on its way from any address of ``home`` to the database in ``subnet``."""
    if not _may_send(stack, client, group, subnet, port):
        yield f"none of its outbound rules covers tcp {port} to group {group.name}"
    if home.urn == subnet.urn:
        return
    here, there = effective_acl(stack, home), effective_acl(stack, subnet)
    # Subnets that speak both families are connected when one of them gets through; the first is IPv4.
    for origin, target in [*_same_family(ranges(home), ranges(subnet))][:1]:
        asks, request = f"tcp {port}", (Ports(port, port),)
        answers = f"the replies (tcp {EPHEMERAL})"
        yield from _refusal(here.egress, target, request, f"ACL {here.name} refuses outbound {asks} to {target}")
        yield from _refusal(there.ingress, origin, request, f"ACL {there.name} refuses inbound {asks} from {origin}")
        yield from _refusal(there.egress, origin, _REPLIES, f"ACL {there.name} refuses outbound {answers} to {origin}")
        yield from _refusal(here.ingress, target, _REPLIES, f"ACL {here.name} refuses inbound {answers} from {target}")


def _refusal(lines: Sequence[Entry], far: Network, ports: Sequence[Ports], words: str) -> Iterator[str]:
    """``words`` and the line to blame, where some address of ``far`` does not pass on some of ``ports``."""
    for some in ports:
        for stopped in refused(lines, Traffic("tcp", far, some)):
            yield f"{words} by {stopped.entry}" if stopped.entry else words
            return


def _same_family(ones: Iterable[Network], others: Iterable[Network]) -> Iterator[tuple[Network, Network]]:
    second = tuple(others)
    return ((one, other) for one in ones for other in second if one.version == other.version)


_TYPES = frozenset(
    {
        DATABASE,
        DATABASE_SUBNET_GROUP,
        *SUBNETS,
        TABLE,
        ROUTE,
        TABLE_ASSOCIATION,
        INTERNET_GATEWAY,
        ACL,
        ACL_RULE,
        ACL_ASSOCIATION,
        *GROUPS,
        *GROUP_RULES,
    }
)

REACHABILITY = StackRule(
    id="net-db-reachability",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC",
    title="The internet cannot reach a database, neither directly nor by one of its clients.",
    why="Each lock may be right by itself while all of them together leave a way in.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.2.3", "CIS 7.0 3.2.3", "FSBP RDS.2", "FSBP RDS.46", "NIST AC-4", "NIST SC-7"),
    remedy="Close the first hop of the path that the finding prints; keep publicly_accessible false.",
    types=_TYPES,
    check=_unreachable,
)

CLIENTS_CONNECTED = StackRule(
    id="net-db-clients-connected",
    sentence="000_b5883a9168e66709.txt §3: Use appropriate database clients to connect to the RDS instance",
    title="Who may send to a database is admitted there, and who is admitted has a working way there and back.",
    why="ACLs keep no state: where the replies (1024-65535) have no line, every connection hangs and no log says why.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-4", "NIST SC-7"),
    remedy="Add what the finding misses, or take the group out of the rules on both sides.",
    types=_TYPES,
    check=_connected,
)

RULES: tuple[Rule, ...] = (REACHABILITY, CLIENTS_CONNECTED)
