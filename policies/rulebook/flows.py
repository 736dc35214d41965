"""The connections that security groups allow, and whether the network ACLs on their way fit them.

A connection is seen where the group at one end names the other end, or names a range that the other end stands in or
that lies outside of the VPC. From each follow the packets that an ACL on the way must let pass: the request in one
direction and the replies in the other, because ACLs keep no state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pulumi_policy.proxy import UnknownValueError

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
    FirewallRule,
    Network,
    Ports,
    Traffic,
    common,
    is_on_the_internet,
    refused,
    within,
)
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .security_groups import WEB_PORTS
from .topology import (
    ACL_ASSOCIATION,
    DATABASE,
    DATABASE_SUBNET_GROUP,
    INTERNET_GATEWAY,
    MEMBERS,
    NAT_GATEWAY,
    ROUTE,
    SUBNETS,
    TABLE,
    TABLE_ASSOCIATION,
    VPC_RANGE,
    VPCS,
    acls_of,
    entries,
    group_rules,
    homes,
    internet_routes,
    ranges,
    routes,
    source_groups,
    source_ranges,
    subnets_of,
    tag,
    vpc_of,
    vpc_ranges,
)

#: The ports that replies need: 3389 may be shut (``reachability``).
_REPLIES = (Ports(EPHEMERAL.first, 3388), Ports(3390, EPHEMERAL.last))


class _Way(NamedTuple):
    """An ACL in one direction."""

    acl: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class _Need:
    """Traffic that a connection brings to an ACL.

    ``reply``: it answers a request that went the other way. ``outside``: its far end is beyond the VPC.
    """

    traffic: Traffic
    reply: bool
    outside: bool
    demand: _Demand


class _Demand(NamedTuple):
    """What is asked of an ACL for a connection beyond that a line for it may be there.

    ``passes``: it lets the packets through. ``by_itself``: it does so by a line that is not the one for replies, which
    somebody may narrow to the ports that his systems take.
    """

    passes: bool
    by_itself: bool


_ALL = _Demand(passes=True, by_itself=True)

#: Which addresses are meant nobody knows.
_NOTHING = _Demand(passes=False, by_itself=False)

#: ``net-db-clients-connected`` says whether a database's clients get through.
_OF_DATABASES = _Demand(passes=False, by_itself=True)


@dataclass(slots=True)
class _Needs:
    """What passes each ACL, and the rule of a group that asks for it; ``unknown``: what kept some from being seen."""

    of: dict[_Way, dict[_Need, str]] = field(default_factory=dict)
    unknown: UnknownValueError | None = None


def _needs(stack: Stack) -> _Needs:
    """What all connections of the stack ask of its ACLs."""
    found = _Needs()
    databases = {
        group.urn
        for database in stack.of(DATABASE)
        for group in stack.referenced(database, "vpcSecurityGroupIds", *GROUPS)
    }
    takers: dict[str, list[_End]] = {}
    callers: list[_End] = []
    for group in stack.of(*GROUPS):
        places = homes(stack, group)
        if not places:
            continue
        try:
            for written in group_rules(stack, group):
                rule = written.read()
                if rule.protocol not in ("tcp", "udp"):
                    continue
                end = _End(group, places, written, rule)
                (callers if rule.direction is Direction.EGRESS else takers.setdefault(_vpc(stack, places), [])).append(
                    end
                )
                _with_groups(stack, found, end, databases)
                _with_outside(stack, found, end)
        except UnknownValueError as error:
            found.unknown = found.unknown or error
    try:
        for caller in callers:
            _within_ranges(stack, found, caller, takers.get(_vpc(stack, caller.places), ()), databases)
    except UnknownValueError as error:
        found.unknown = found.unknown or error
    return found


@dataclass(frozen=True, slots=True)
class _End:
    """One end of connections: a group, where it is, and a rule of it."""

    group: Resource
    places: tuple[Resource, ...]
    written: Declared
    rule: FirewallRule


def _vpc(stack: Stack, places: tuple[Resource, ...]) -> str:
    vpc = vpc_of(stack, places[0])
    return vpc.urn if vpc else ""


def _with_groups(stack: Stack, found: _Needs, end: _End, databases: Collection[str]) -> None:
    """Connections with the groups that a rule names."""
    for other in source_groups(stack, end.written, end.group):
        there = homes(stack, other)
        if not there:
            _anywhere(stack, found, end)
        if end.rule.direction is Direction.EGRESS:
            _connect(stack, found, end, end.places, there, _demand(other, databases))
        else:
            _connect(stack, found, end, there, end.places, _demand(end.group, databases))


def _anywhere(stack: Stack, found: _Needs, end: _End) -> None:
    """Connections with a group that nothing has yet: it may come to stand anywhere in the VPC."""
    for home in end.places:
        for own in vpc_ranges(stack, home):
            _pass(stack, found, end, home, end.rule.direction, own, end.rule.ports, _NOTHING)


def _within_ranges(
    stack: Stack, found: _Needs, caller: _End, takers: Iterable[_End], databases: Collection[str]
) -> None:
    """Connections inside the VPC where both groups name ranges: each that of the other end."""
    targets = _cidrs(stack, caller.written)
    if not targets:
        return
    for taker in takers:
        ports = caller.rule.ports.common(taker.rule.ports)
        if ports is None or caller.rule.protocol != taker.rule.protocol:
            continue
        sources = _cidrs(stack, taker.written)
        clients = [home for home in caller.places if _meets(home, sources)]
        servers = [home for home in taker.places if _meets(home, targets)]
        _connect(stack, found, taker, clients, servers, _demand(taker.group, databases), ports)


def _demand(server: Resource, databases: Collection[str]) -> _Demand:
    return _OF_DATABASES if server.urn in databases else _ALL


def _cidrs(stack: Stack, written: Declared) -> tuple[Network, ...]:
    return tuple(cidr for _, cidr in source_ranges(stack, written) if cidr is not None)


def _meets(home: Resource, cidrs: Iterable[Network]) -> bool:
    return any(common(own, cidr) for own in ranges(home) for cidr in cidrs)


def _connect(
    stack: Stack,
    found: _Needs,
    end: _End,
    clients: Iterable[Resource],
    servers: Iterable[Resource],
    demand: _Demand,
    ports: Ports | None = None,
) -> None:
    """Connections between subnets; inside one no ACL is passed."""
    servers = tuple(servers)
    for client in clients:
        for server in servers:
            if client.urn == server.urn or vpc_of(stack, client) is not vpc_of(stack, server):
                continue
            for near, far in ((one, two) for one in ranges(client) for two in ranges(server)):
                if near.version == far.version:
                    request = ports or end.rule.ports
                    _pass(stack, found, end, client, Direction.EGRESS, far, request, demand)
                    _pass(stack, found, end, server, Direction.INGRESS, near, request, demand)


def _with_outside(stack: Stack, found: _Needs, end: _End) -> None:
    """Connections with addresses beyond the VPC, along the routes of the subnets that the group is in."""
    for _, cidr in source_ranges(stack, end.written):
        for far in ANYWHERE if cidr is None else (cidr,):
            # What the world is let in to beyond the web is a fault of the group, and the ACL does well to stop it.
            odd = end.rule.direction is Direction.INGRESS and far in ANYWHERE and end.rule.ports.first not in WEB_PORTS
            demand = _NOTHING if cidr is None or odd else _ALL
            for home in end.places:
                if end.rule.direction is Direction.EGRESS:
                    _leaves(stack, found, end, home, far, demand)
                elif _is_beyond(stack, home, far):
                    asked = demand if internet_routes(stack, home) else _NOTHING
                    _pass(stack, found, end, home, Direction.INGRESS, far, end.rule.ports, asked, outside=True)


def _leaves(stack: Stack, found: _Needs, end: _End, home: Resource, target: Network, demand: _Demand) -> None:
    if _is_beyond(stack, home, target):
        # Whether there is a route or not: other rules speak of routes.
        _pass(stack, found, end, home, Direction.EGRESS, target, end.rule.ports, _NOTHING, outside=True)
    for route in routes(stack, home):
        far = route.destination and common(target, route.destination)
        if not far or not _is_beyond(stack, home, far):
            continue
        _pass(stack, found, end, home, Direction.EGRESS, far, end.rule.ports, demand, outside=True)
        gateway = stack.by_urn.get(route.gateway or "") if route.kind == "nat" else None
        for public in stack.referenced(gateway, "subnetId", *SUBNETS) if gateway else ():
            for own in ranges(home):
                _pass(stack, found, end, public, Direction.INGRESS, own, end.rule.ports, demand)
            _pass(stack, found, end, public, Direction.EGRESS, far, end.rule.ports, demand, outside=True)


def _is_beyond(stack: Stack, home: Resource, cidr: Network) -> bool:
    """Whether some of ``cidr`` lies outside of the subnet's VPC."""
    return not any(within(cidr, own) for own in vpc_ranges(stack, home))


def _pass(
    stack: Stack,
    found: _Needs,
    end: _End,
    home: Resource,
    direction: Direction,
    far: Network,
    ports: Ports,
    demand: _Demand,
    *,
    outside: bool = False,
) -> None:
    """Notes a request that crosses the subnet's ACL in ``direction``, and its replies the other way."""
    protocol = end.rule.protocol
    back = Direction.INGRESS if direction is Direction.EGRESS else Direction.EGRESS
    acl = _acl(stack, home)
    if acl is not None:
        there = found.of.setdefault(_Way(acl.urn, direction), {})
        there.setdefault(_Need(Traffic(protocol, far, ports), False, outside, demand), end.written.label)
        here = found.of.setdefault(_Way(acl.urn, back), {})
        for some in _REPLIES:
            here.setdefault(_Need(Traffic(protocol, far, some), True, outside, demand), end.written.label)


def _acl(stack: Stack, home: Resource) -> Resource | None:
    return next(iter(acls_of(stack, home)), None)


_WORDS: Mapping[Direction, tuple[str, str]] = {
    Direction.INGRESS: ("inbound", "from"),
    Direction.EGRESS: ("outbound", "to"),
}


def _passed(stack: Stack) -> Iterator[Fault]:
    found = stack.shared(_needs)

    def judge(acl: Resource) -> Iterator[Fault]:
        own = _own(stack, acl)
        for direction, (way, to) in _WORDS.items():
            lines = entries(stack, acl, direction)
            # The system at the far end picks the port that replies go to, so another service has no claim to it.
            services = [line for line in lines if not (line.allow and _is_for_replies(line))]
            said: set[str] = set()
            for need, label in found.of.get(_Way(acl.urn, direction), {}).items():
                if label in said or not any(need.demand):
                    continue
                what = f"{way} {need.traffic.protocol} {need.traffic.ports} {to} {need.traffic.network}"
                whose = f"which rule {label} of a security group lets pass"
                if _is_stopped(own, lines, need):
                    if need.demand.passes:
                        said.add(label)
                        yield Fault(f"The ACL refuses {what}, {whose}.", acl.urn)
                elif need.demand.by_itself and not need.reply and _is_stopped(own, services, need):
                    said.add(label)
                    yield Fault(f"The ACL has no line but that for replies for {what}, {whose}.", acl.urn)

    yield from each(stack.of(ACL), judge)
    if found.unknown is not None:
        raise found.unknown


def _is_for_replies(line: Entry) -> bool:
    return EPHEMERAL.first <= line.ports.first < line.ports.last


def _own(stack: Stack, acl: Resource) -> tuple[Network, ...]:
    """The ranges of the VPC that the ACL's subnets are in."""
    return next((own for subnet in subnets_of(stack, acl) if (own := vpc_ranges(stack, subnet))), ())


def _is_stopped(own: tuple[Network, ...], lines: Sequence[Entry], need: _Need) -> bool:
    # Where nothing is denied one line that holds it all settles it, which is much the fastest.
    if all(line.allow for line in lines) and any(line.holds(need.traffic) for line in lines):
        return False
    for part in refused(lines, need.traffic):
        network = part.traffic.network
        # A line that keeps the inside out of what is meant for the world stops nothing of it.
        if not need.outside or (
            not any(within(network, cidr) for cidr in own)
            and (is_on_the_internet(network) or not is_on_the_internet(need.traffic.network))
        ):
            return True
    return False


def _surplus(stack: Stack) -> Iterator[Fault]:
    found = stack.shared(_needs)

    def judge(acl: Resource) -> Iterator[Fault]:
        subnets = subnets_of(stack, acl)
        # ``net-nacl-data-inside-vpc`` keeps the world from databases.
        databases = any(stack.referring(one, "subnetIds", DATABASE_SUBNET_GROUP) for one in subnets)
        own = () if databases else _own(stack, acl)
        public = tag(acl, "Tier") == "public" or any(internet_routes(stack, subnet) for subnet in subnets)
        for direction, (way, to) in _WORDS.items():
            needs = found.of.get(_Way(acl.urn, direction), {})
            # Of an ACL in front of nothing it cannot be said what it is for.
            for line in entries(stack, acl, direction) if needs else ():
                entrance = public and direction is Direction.INGRESS
                said = _idle(own, line, needs, to, entrance=entrance) if line.allow else None
                if said is None:
                    continue
                if found.unknown is not None:
                    raise found.unknown
                yield Fault(f"Line {line.number} ({way}) lets {line.protocol} {line.ports} pass {said}.", line.urn)

    return each(stack.of(ACL), judge)


def _idle(own: tuple[Network, ...], line: Entry, needs: Iterable[_Need], to: str, *, entrance: bool) -> str | None:
    """What is wrong with a line that no connection asks for; None where one does."""
    single = line.ports.first == line.ports.last
    if line.protocol not in ("tcp", "udp") or not (single or _is_for_replies(line)):
        return None  # ``net-nacl-one-port`` says so
    if entrance and single and line.ports.first in WEB_PORTS:
        return None
    asked = [
        need
        for need in needs
        if need.reply == _is_for_replies(line)
        and need.traffic.protocol == line.protocol
        and line.ports.common(need.traffic.ports)
    ]
    if not any(common(line.cidr, need.traffic.network) for need in asked):
        return f"{to} {line.cidr}, and no security group asks for that"
    if not own or any(within(line.cidr, cidr) for cidr in own):
        return None
    # 3389 stays out of what replies need and is judged by ``net-nacl-no-world-admin``.
    ports = [line.ports] if single else [part for reply in _REPLIES if (part := line.ports.common(reply))]
    known = [
        Entry(1, allow=True, protocol=line.protocol, ports=need.traffic.ports, cidr=need.traffic.network)
        for need in asked
        if need.outside
    ]
    beyond = (
        part
        for some in ports
        for part in refused(known, Traffic(line.protocol, line.cidr, some))
        if not any(within(part.traffic.network, cidr) for cidr in own)
    )
    if next(beyond, None) is None:
        return None
    return f"{to} {line.cidr}, and no security group asks for that beyond the VPC"


_TYPES = frozenset(
    {
        ACL,
        ACL_RULE,
        ACL_ASSOCIATION,
        *GROUPS,
        *GROUP_RULES,
        *MEMBERS,
        *VPCS,
        VPC_RANGE,
        TABLE,
        ROUTE,
        TABLE_ASSOCIATION,
        INTERNET_GATEWAY,
        NAT_GATEWAY,
    }
)

PASSED = StackRule(
    id="net-nacl-passes-groups",
    sentence="000_b5883a9168e66709.txt §6: Network ACLs are configured with custom rules for different subnets",
    title="ACLs let pass, there and back, what the security groups behind them allow.",
    why="Such a connection hangs until it times out, and no group, route or log of the application says why.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST CP-10"),
    remedy="Give the ACL a line for the port, and one for the replies (1024-65535) in the other direction.",
    types=_TYPES,
    check=_passed,
)

SURPLUS = StackRule(
    id="net-nacl-only-what-groups-allow",
    sentence="000_b5883a9168e66709.txt §6: Review and update NACL rules as necessary",
    title="An ACL lets pass only what some security group behind it allows, and the web into public subnets.",
    why="A line for nobody waits for the day on which a group is opened by mistake.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP EC2.21", "NIST SC-7", "NIST AC-6"),
    remedy="Take the line out, or narrow its range to that of the group's rule.",
    types=_TYPES,
    check=_surplus,
)

RULES: tuple[Rule, ...] = (PASSED, SURPLUS)
