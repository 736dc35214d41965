"""Whether a rule of a security group, or a line of an ACL, speaks of one service: one port of one protocol."""

from __future__ import annotations

from collections.abc import Iterator

from .firewall import (
    ACL,
    ACL_RULE,
    ALL_PORTS,
    DEFAULT_GROUP,
    EGRESS_RULE,
    EPHEMERAL,
    GROUP,
    INGRESS_RULE,
    LEGACY_RULE,
    Declared,
    DeclaredEntry,
    Direction,
    declared,
    declared_entries,
    first_set,
    is_set,
    read_ports,
    read_protocol,
)
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity, through
from .values import show


def _wide(resource: Resource, _: Context) -> Iterator[str]:
    return through(declared(resource), _judge)


def _judge(written: Declared) -> Iterator[str]:
    rule = written.read()
    if rule.protocol == "all":
        yield f"Rule {written.label} ({rule.direction}) lets every protocol through; name the one that is needed."
    elif rule.protocol in ("tcp", "udp") and rule.ports.first != rule.ports.last:
        yield f"Rule {written.label} ({rule.direction}) lets {rule} through; name each port that is needed."


def _wide_lines(resource: Resource, _: Context) -> Iterator[str]:
    return through((line for way in Direction for line in declared_entries(resource, way)), _judge_line)


def _judge_line(written: DeclaredEntry) -> Iterator[str]:
    if str(first_set(written.bag, "ruleAction", "action")).lower() != "allow":
        return
    line = f"Line {show(first_set(written.bag, 'ruleNumber', 'ruleNo'))} ({written.direction})"
    if not any(is_set(written.bag, key) for key in ("cidrBlock", "ipv6CidrBlock")):
        yield f"{line} names no range of addresses."
    protocol = read_protocol(written.bag.get("protocol"))
    if protocol == "all":
        yield f"{line} lets every protocol through; name the one that is needed."
    if protocol not in ("tcp", "udp"):
        return
    ports = read_ports(protocol, written.bag.get("fromPort"), written.bag.get("toPort"))
    if not ALL_PORTS.first <= ports.first <= ports.last <= ALL_PORTS.last:
        yield f"{line} names ports {ports.first} to {ports.last}, which are none."
    elif ports.first < ports.last and ports.common(EPHEMERAL) != ports:
        yield f"{line} lets {protocol} {ports} through; name one port, or for replies ports of {EPHEMERAL}."


ONE_PORT = ResourceRule(
    id="net-sg-one-port",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="Each rule of a security group, in or out, names one protocol and one port.",
    why="A range, or a way out for everything, lets a stolen machine reach what nobody meant it to.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST SC-7"),
    remedy="Write one rule for each port, from_port and to_port alike, with ip_protocol tcp or udp.",
    types=frozenset({GROUP, DEFAULT_GROUP, LEGACY_RULE, INGRESS_RULE, EGRESS_RULE}),
    check=_wide,
)

LINE_ONE_PORT = ResourceRule(
    id="net-nacl-one-port",
    sentence="000_b5883a9168e66709.txt §6: Review and update NACL rules as necessary",
    title="Each line of an ACL lets one port of one protocol through, or ports for replies.",
    why="A line for several things at once lets through what none of them needs.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST SC-7"),
    remedy="Write one line for each port, and lines within 1024-65535 for the replies.",
    types=frozenset({ACL, ACL_RULE}),
    check=_wide_lines,
)

RULES: tuple[Rule, ...] = (ONE_PORT, LINE_ONE_PORT)
