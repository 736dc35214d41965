"""Where subnets go and what the network ACL of each tier lets through: pure decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import count
from typing import Literal

Tier = Literal["public", "app", "data"]

TIERS: tuple[Tier, ...] = ("public", "app", "data")

ANYWHERE = IPv4Network("0.0.0.0/0")

#: Ports that clients listen on for replies: load balancers and NAT gateways use all of 1024-65535.
EPHEMERAL = (1024, 65535)

#: The same without 3389: an ACL is stateless, so a reply range open to the world would open remote desktop with it.
EPHEMERAL_FROM_ANYWHERE = ((1024, 3388), (3390, 65535))

#: What a VPC is cut into: 16 blocks. Each tier owns a run of 4, one block a zone letter, so a zone keeps its block
#: whatever is added later. The last 4 stay free.
_ZONES_PER_TIER = 4


@dataclass(frozen=True, slots=True, order=True)
class PlannedSubnet:
    """A subnet of one tier in one zone."""

    tier: Tier
    zone: str
    cidr: IPv4Network


def plan_subnets(cidr: IPv4Network, zones: Sequence[str]) -> tuple[PlannedSubnet, ...]:
    """One subnet per tier and zone; a zone keeps its slot whatever follows it.

    The slot comes from the zone's letter, so ``us-east-1c`` alone gets the same range as beside ``a`` and ``b``.
    Raises ValueError for a zone beyond ``d`` or a range too small to hold 16 blocks of /28 or more.
    """
    if cidr.prefixlen > 24:
        raise ValueError(f"{cidr} is too small; 16 subnets of at least 16 addresses need a /24 or larger.")
    blocks = list(cidr.subnets(prefixlen_diff=4))
    return tuple(
        PlannedSubnet(tier, zone, blocks[TIERS.index(tier) * _ZONES_PER_TIER + _slot(zone)])
        for tier in TIERS
        for zone in zones
    )


def tier_cidr(cidr: IPv4Network, tier: Tier) -> IPv4Network:
    """The range that holds all subnets of a tier, present and future."""
    return list(cidr.subnets(prefixlen_diff=2))[TIERS.index(tier)]


def _slot(zone: str) -> int:
    slot = ord(zone[-1]) - ord("a")
    if not 0 <= slot < _ZONES_PER_TIER:
        raise ValueError(f"Zone {zone!r} has no slot; the zones a to d have one.")
    return slot


def nat_zones(nat: Literal["none", "one", "per-zone"], zones: Sequence[str]) -> tuple[str, ...]:
    """The zones that get a NAT gateway: none, the first, or each."""
    return {"none": (), "one": tuple(zones[:1]), "per-zone": tuple(zones)}[nat]


#: Service of an endpoint -> what its actions begin with, where that is not its name.
ACTION_PREFIXES = {"monitoring": "cloudwatch"}


def interface_endpoints(nat: Literal["none", "one", "per-zone"]) -> tuple[str, ...]:
    """The AWS services reached without leaving the VPC.

    Systems Manager always: patching and sessions must work when the way out does not. Without a NAT gateway also what
    the CloudWatch agent and the database's secret need.
    """
    managed = ("ec2messages", "ssm", "ssmmessages")
    return managed if nat != "none" else (*managed, "ec2", "kms", "logs", "monitoring", "secretsmanager")


@dataclass(frozen=True, slots=True)
class AclEntry:
    """A TCP line of a network ACL that allows. ACLs are stateless: for each way in there is a way back.

    ``number`` is the order of evaluation; ``ports`` is inclusive. Name resolution and time need no line: ACLs do not
    filter the VPC's own resolver and clock.
    """

    name: str
    direction: Direction
    number: int
    cidr: IPv4Network
    ports: tuple[int, int]


Direction = Literal["ingress", "egress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the tiers say to each other, and where the bastion stands.

    ``public_machine``: one with the maintenance page stands in the public tier: administrators reach it by SSH, and the
    balancer by HTTP.
    """

    app_port: int
    database_port: int
    admin_cidrs: tuple[IPv4Network, ...]
    bastion_tier: Tier
    public_machine: bool = False


def acl_entries(tier: Tier, cidr: IPv4Network, traffic: Traffic) -> tuple[AclEntry, ...]:
    """What the ACL of ``tier`` allows; everything else is denied.

    ``public``: the web from anywhere, SSH from the administrators while the bastion stands there, replies of what NAT
    and balancer called. ``app``: the application's port from ``public``, the way out to HTTPS and to the database.
    ``data``: the database's port from ``app`` and from where the bastion stands, the replies to them, nothing else.
    """
    allowed = {"public": _public, "app": _app, "data": _data}[tier](cidr, traffic)
    counters = {"ingress": count(100, 100), "egress": count(100, 100)}
    return tuple(
        AclEntry(name, direction, next(counters[direction]), source, ports)
        for name, direction, source, ports in allowed
    )


_Allowed = tuple[str, Direction, IPv4Network, tuple[int, int]]


def _public(cidr: IPv4Network, traffic: Traffic) -> Iterator[_Allowed]:
    yield "https-in", "ingress", ANYWHERE, _only(443)
    yield "http-in", "ingress", ANYWHERE, _only(80)
    if traffic.bastion_tier == "public" or traffic.public_machine:
        for admin in traffic.admin_cidrs:
            yield f"ssh-in-{admin}", "ingress", admin, _only(22)
    if traffic.bastion_tier == "public":
        yield "database-out", "egress", tier_cidr(cidr, "data"), _only(traffic.database_port)
    yield from _replies_in()
    yield "https-out", "egress", ANYWHERE, _only(443)
    if traffic.public_machine:
        yield "http-out", "egress", cidr, _only(80)
    yield "app-out", "egress", tier_cidr(cidr, "app"), _only(traffic.app_port)
    yield "replies-out", "egress", ANYWHERE, EPHEMERAL


def _app(cidr: IPv4Network, traffic: Traffic) -> Iterator[_Allowed]:
    yield "app-in", "ingress", tier_cidr(cidr, "public"), _only(traffic.app_port)
    if traffic.bastion_tier == "app":
        yield "app-in-beside", "ingress", tier_cidr(cidr, "app"), _only(traffic.app_port)
        yield "app-out-beside", "egress", tier_cidr(cidr, "app"), _only(traffic.app_port)
    yield "https-in", "ingress", cidr, _only(443)
    yield from _replies_in()
    yield "https-out", "egress", ANYWHERE, _only(443)
    yield "database-out", "egress", tier_cidr(cidr, "data"), _only(traffic.database_port)
    yield "replies-out", "egress", cidr, EPHEMERAL


def _data(cidr: IPv4Network, traffic: Traffic) -> Iterator[_Allowed]:
    for client in sorted({"app", traffic.bastion_tier}):
        source = tier_cidr(cidr, client)
        yield f"database-in-{client}", "ingress", source, _only(traffic.database_port)
        yield f"replies-out-{client}", "egress", source, EPHEMERAL


def _replies_in() -> Iterator[_Allowed]:
    for ports in EPHEMERAL_FROM_ANYWHERE:
        yield f"replies-in-{ports[0]}", "ingress", ANYWHERE, ports


def _only(port: int) -> tuple[int, int]:
    return (port, port)


#: The fields of a flow-log record, in order. The record format and the filter pattern are both made from it.
FLOW_FIELDS = (
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "vpc-id",
    "subnet-id",
    "flow-direction",
    "pkt-srcaddr",
    "pkt-dstaddr",
)


def flow_format() -> str:
    """The record format of the flow log: every field, space-delimited."""
    return " ".join(f"${{{field}}}" for field in FLOW_FIELDS)


def reject_pattern() -> str:
    """The filter pattern of refused traffic. Records are space-delimited, so a JSON pattern would never match."""
    names = (field.replace("-", "_") for field in FLOW_FIELDS)
    return "[" + ", ".join(f'{name}="REJECT"' if name == "action" else name for name in names) + "]"
