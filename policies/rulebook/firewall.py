"""Security-group rules and network-ACL entries, however they are written, as typed data; and what they let through.

Both AWS and Pulumi have several shapes for the same thing. Everything below ``declared`` and ``Entry`` sees one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from .resource import Resource, is_true, whole

Network = IPv4Network | IPv6Network

GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
LEGACY_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GROUPS = (GROUP, DEFAULT_GROUP)
GROUP_RULES = (LEGACY_RULE, INGRESS_RULE, EGRESS_RULE)

ACL = "aws:ec2/networkAcl:NetworkAcl"
DEFAULT_ACL = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"

ANYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))

#: Prefixes shorter than these are as good as the world. No single network on the internet is larger than an IPv4 /8,
#: and the largest IPv6 blocks handed out are smaller than a /16, so a shorter prefix always holds many owners:
#: 0.0.0.0/1 beside 128.0.0.0/1 is 0.0.0.0/0 in two lines.
_WIDEST = {4: 8, 6: 16}

#: Ranges that the internet does not route (RFC 1918, 6598, 3927, 1122; 4193, 4291).
_NOT_ON_THE_INTERNET: Mapping[int, tuple[Network, ...]] = {
    4: tuple(
        ip_network(text)
        for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
    ),
    6: (ip_network("fc00::/7"), ip_network("fe80::/10")),
}

_PROTOCOLS = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}


class Direction(StrEnum):
    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """An inclusive range of ports."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def common(self, other: Ports) -> Ports | None:
        """The ports in both ranges, None where there are none."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Ports(first, last) if first <= last else None


ALL_PORTS = Ports(0, 65535)

#: Where clients listen for replies: load balancers, NAT gateways and Lambda use all of it.
EPHEMERAL = Ports(1024, 65535)


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """What one security-group rule lets through; ``cidrs`` are its sources (or targets) that are address ranges."""

    direction: Direction
    protocol: str
    ports: Ports
    cidrs: tuple[Network, ...] = ()

    def carries(self, port: int, *protocols: str) -> bool:
        """Whether traffic to ``port`` in one of ``protocols`` (by default TCP or UDP) passes."""
        return self.protocol == "all" or (self.protocol in (protocols or ("tcp", "udp")) and port in self.ports)

    @property
    def world(self) -> tuple[Network, ...]:
        """Its ranges that are the world, alone or together."""
        return world(self.cidrs)

    def __str__(self) -> str:
        if self.protocol == "all":
            return "all traffic"
        return f"{self.protocol} {self.ports}" if self.protocol in ("tcp", "udp") else self.protocol


@dataclass(frozen=True, slots=True)
class Atom:
    """A rule with one source or target: a range, the id of a group or of a prefix list, or ``self``."""

    direction: Direction
    protocol: str
    ports: Ports
    end: str


@dataclass(frozen=True, slots=True)
class Declared:
    """A security-group rule as written: by which resource, and its properties, none of them read yet.

    ``where``: the inline rule's place (``ingress[0]``), empty for a rule that is a resource.
    """

    owner: Resource
    direction: Direction
    bag: Mapping[str, Any]
    where: str = ""

    @property
    def label(self) -> str:
        return f"{self.owner.name} {self.where}".rstrip()

    def read(self) -> FirewallRule:
        """Raises UnknownValueError where a protocol, port or range is unknown; sources that are groups stay unread."""
        protocol = read_protocol(first_set(self.bag, "ipProtocol", "protocol"))
        texts = [
            text
            for key in ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
            for text in _listed(self.bag.get(key))
        ]
        ports = read_ports(protocol, self.bag.get("fromPort"), self.bag.get("toPort"))
        return FirewallRule(self.direction, protocol, ports, tuple(read_cidr(text) for text in texts))

    @property
    def names_itself(self) -> bool:
        """Whether the group itself is a source."""
        return is_true(self.bag.get("self"))

    def atoms(self) -> frozenset[Atom]:
        """The rule cut into pieces with one source each, so that two ways of writing the same can be compared."""
        rule = self.read()
        ends = [*map(str, rule.cidrs), *self.group_ids(), *self.prefix_list_ids(), *(["self"] * self.names_itself)]
        return frozenset(Atom(self.direction, rule.protocol, rule.ports, end) for end in ends)

    def group_ids(self) -> tuple[str, ...]:
        """The ids of the groups that are its sources; raises UnknownValueError where one is unknown."""
        keys = ("securityGroups", "sourceSecurityGroupId", "referencedSecurityGroupId")
        # A group of another account is written account/group.
        return tuple(str(text).rpartition("/")[2] for key in keys for text in _listed(self.bag.get(key)))

    @property
    def names_prefix_lists(self) -> bool:
        """Whether a prefix list is among its sources, known or not."""
        return any(is_set(self.bag, key) for key in ("prefixListIds", "prefixListId"))

    def prefix_list_ids(self) -> tuple[str, ...]:
        """The ids of the prefix lists that are its sources; raises UnknownValueError where one is unknown."""
        return tuple(str(text) for key in ("prefixListIds", "prefixListId") for text in _listed(self.bag.get(key)))


def declared(resource: Resource, *directions: Direction) -> Iterator[Declared]:
    """The rules that ``resource`` declares in ``directions`` (none given: both).

    A group with neither block has no rules: the provider removes the way out that AWS would add.
    """
    wanted = directions or tuple(Direction)
    if resource.type in GROUPS:
        for direction in wanted:
            for index, bag in enumerate(resource.items(direction.value)):
                yield Declared(resource, direction, bag, f"{direction}[{index}]")
    elif resource.type in GROUP_RULES:
        fixed = {INGRESS_RULE: Direction.INGRESS, EGRESS_RULE: Direction.EGRESS}.get(resource.type)
        direction = fixed or Direction(resource.props.get("type") or Direction.INGRESS)
        if direction in wanted:
            yield Declared(resource, direction, resource.props)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a network ACL. The lowest ``number`` that matches decides; what matches no line is denied.

    ``urn``: the resource that it is written in.
    """

    number: int
    allow: bool
    protocol: str
    ports: Ports
    cidr: Network
    urn: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        what = "all traffic" if self.protocol == "all" else f"{self.protocol} {self.ports}"
        return f"rule {self.number} ({'allow' if self.allow else 'deny'} {what} {self.cidr})"

    def concerns(self, protocol: str, version: int) -> bool:
        return self.cidr.version == version and self.protocol in ("all", protocol)

    def holds(self, traffic: Traffic) -> bool:
        """Whether it speaks of all of ``traffic``."""
        return (
            self.ports.common(traffic.ports) == traffic.ports
            and self.concerns(traffic.protocol, traffic.network.version)
            and within(traffic.network, self.cidr)
        )


@dataclass(frozen=True, slots=True)
class DeclaredEntry:
    """A line of an ACL as written, none of it read yet."""

    owner: Resource
    direction: Direction
    bag: Mapping[str, Any]

    def read(self) -> Iterator[Entry]:
        """The line, once for each of its ranges (AWS wants exactly one)."""
        protocol = read_protocol(self.bag.get("protocol"))
        action = first_set(self.bag, "ruleAction", "action")
        number = whole(first_set(self.bag, "ruleNumber", "ruleNo"))
        ports = read_ports(protocol, self.bag.get("fromPort"), self.bag.get("toPort"))
        for key in ("cidrBlock", "ipv6CidrBlock"):
            for text in _listed(self.bag.get(key)):
                yield Entry(
                    number or 0, str(action).lower() == "allow", protocol, ports, read_cidr(text), self.owner.urn
                )


def declared_entries(resource: Resource, direction: Direction) -> Iterator[DeclaredEntry]:
    """The ACL lines that ``resource``, an ACL or a rule of one, declares in ``direction``."""
    if resource.type == ACL_RULE:
        own = Direction.EGRESS if is_true(resource.props.get("egress")) else Direction.INGRESS
        if own is direction:
            yield DeclaredEntry(resource, direction, resource.props)
    elif resource.type in (ACL, DEFAULT_ACL):
        for bag in resource.items(direction.value):
            yield DeclaredEntry(resource, direction, bag)


#: What the ACL of a VPC says that nobody adopted: everything may pass.
UNADOPTED: tuple[Entry, ...] = tuple(Entry(100, True, "all", ALL_PORTS, anywhere) for anywhere in ANYWHERE)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Packets of ``protocol`` between any address of ``network``, at the far end, and any of ``ports``."""

    protocol: str
    network: Network
    ports: Ports

    def __str__(self) -> str:
        return f"{self.protocol} {self.ports} and {self.network}"


@dataclass(frozen=True, slots=True)
class Decision:
    """A part of some traffic and the line that decides it; None is the ACL's last word, a denial."""

    traffic: Traffic
    entry: Entry | None

    @property
    def allowed(self) -> bool:
        return self.entry is not None and self.entry.allow


def decide(entries: Iterable[Entry], traffic: Traffic) -> Iterator[Decision]:
    """Splits ``traffic`` into parts that one line each decides: disjoint, and together the whole of it."""
    left = [traffic]
    for entry in sorted(entries, key=lambda e: e.number):
        if not entry.concerns(traffic.protocol, traffic.network.version):
            continue
        undecided = []
        for part in left:
            network, ports = common(part.network, entry.cidr), part.ports.common(entry.ports)
            if network is None or ports is None:
                undecided.append(part)
                continue
            yield Decision(Traffic(part.protocol, network, ports), entry)
            undecided.extend(Traffic(part.protocol, rest, part.ports) for rest in without(part.network, network))
            undecided.extend(Traffic(part.protocol, network, rest) for rest in _ports_without(part.ports, ports))
        left = undecided
    for part in left:
        yield Decision(part, None)


def allowed(entries: Iterable[Entry], traffic: Traffic) -> tuple[Decision, ...]:
    """The parts of ``traffic`` that pass."""
    return tuple(decision for decision in decide(entries, traffic) if decision.allowed)


def refused(entries: Iterable[Entry], traffic: Traffic) -> tuple[Decision, ...]:
    """The parts of ``traffic`` that do not pass."""
    return tuple(decision for decision in decide(entries, traffic) if not decision.allowed)


def common(one: Network, other: Network) -> Network | None:
    """The addresses in both ranges: of two CIDR ranges one holds the other or they share nothing."""
    if within(one, other):
        return one
    return other if within(other, one) else None


def within(inner: Network, outer: Network) -> bool:
    """Whether ``outer`` holds all of ``inner``."""
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    spare = inner.max_prefixlen - outer.prefixlen
    return int(inner.network_address) >> spare == int(outer.network_address) >> spare


def without(whole_range: Network, part: Network) -> tuple[Network, ...]:
    """The ranges that are left of ``whole_range`` when ``part``, which lies within it, is taken away."""
    if isinstance(whole_range, IPv4Network) and isinstance(part, IPv4Network):
        return tuple(whole_range.address_exclude(part))
    if isinstance(whole_range, IPv6Network) and isinstance(part, IPv6Network):
        return tuple(whole_range.address_exclude(part))
    raise ValueError(f"{part} is not a part of {whole_range}.")


def _ports_without(ports: Ports, part: Ports) -> Iterator[Ports]:
    if ports.first < part.first:
        yield Ports(ports.first, part.first - 1)
    if part.last < ports.last:
        yield Ports(part.last + 1, ports.last)


def on_the_internet(cidr: Network) -> tuple[Network, ...]:
    """The parts of ``cidr`` that the internet routes."""
    left: tuple[Network, ...] = (cidr,)
    for private in _NOT_ON_THE_INTERNET[cidr.version]:
        left = tuple(rest for part in left for rest in _outside(part, private))
    return left


@lru_cache(maxsize=4096)
def is_on_the_internet(cidr: Network) -> bool:
    """Whether the internet routes some of ``cidr``."""
    return bool(on_the_internet(cidr))


def _outside(part: Network, private: Network) -> tuple[Network, ...]:
    shared = common(part, private)
    return (part,) if shared is None else without(part, shared)


def world(cidrs: Sequence[Network]) -> tuple[Network, ...]:
    """Those of ``cidrs`` that are the world: by themselves, or the narrower ones together with their neighbours."""
    alone = [cidr for cidr in cidrs if _is_wide(cidr)]
    others = [cidr for cidr in cidrs if not _is_part(cidr, alone)]
    merged: list[Network] = list(collapse_addresses(cidr for cidr in others if isinstance(cidr, IPv4Network)))
    merged.extend(collapse_addresses(cidr for cidr in others if isinstance(cidr, IPv6Network)))
    together = [every for every in merged if _is_wide(every)]
    return tuple(cidr for cidr in cidrs if cidr in alone or (cidr in others and _is_part(cidr, together)))


def _is_wide(cidr: Network) -> bool:
    return cidr.prefixlen < _WIDEST[cidr.version] and not _is_part(cidr, _NOT_ON_THE_INTERNET[cidr.version])


def _is_part(cidr: Network, ranges: Iterable[Network]) -> bool:
    return any(within(cidr, every) for every in ranges)


def read_protocol(value: Any) -> str:
    """tcp, udp, icmp, icmpv6, all, or a protocol number. Unset counts as all: AWS has no narrower default."""
    if value is None:
        return "all"
    text = str(int(value)) if isinstance(value, float) else str(value).strip().lower()
    return _PROTOCOLS.get(text, text)


def read_ports(protocol: str, first: Any, last: Any) -> Ports:
    """The range; -1 and a missing end are as wide as they can be, and ports mean nothing where all protocols pass."""
    low, high = whole(first), whole(last)
    if protocol not in ("tcp", "udp") or low == -1 or high == -1:
        return ALL_PORTS
    return Ports(ALL_PORTS.first if low is None else low, ALL_PORTS.last if high is None else high)


def read_cidr(value: Any) -> Network:
    """A range; bits beyond the prefix are dropped, as AWS does. ValueError for what is no range."""
    return _network(str(value))


@lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    return ip_network(text, strict=False)


def is_set(bag: Mapping[str, Any], key: str) -> bool:
    """Whether a property is given and not empty; an unknown one is given."""
    try:
        value = bag.get(key)
    except UnknownValueError:
        return True
    return value is not None and value is not False and (not hasattr(value, "__len__") or len(value) > 0)


def first_set(bag: Mapping[str, Any], *keys: str) -> Any:
    """The value under the first of ``keys`` that is set."""
    return next((value for key in keys if (value := bag.get(key)) is not None), None)


def _listed(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        if value:
            yield value
    elif value is not None:
        yield from value
