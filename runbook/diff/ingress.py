"""What the world reaches now and did not: rules of security groups and network ACLs (``000_… §6``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from policies.rulebook.firewall import world

from .nodes import Node

_GROUPS = ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
_ACLS = ("aws:ec2/networkAcl:NetworkAcl", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl")

#: Where a block of a rule may name its ranges.
_RANGES = ("cidrBlock", "ipv6CidrBlock", "cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")

_EVERYTHING = ("-1", "all")


def openings(node: Node) -> Mapping[str, str]:
    """Sentence -> property of every way in from the whole internet."""
    return {sentence: path for path, block in _blocks(node) for sentence in _sentences(block)}


def _blocks(node: Node) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inputs = node.inputs
    match node.type:
        case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
            yield "", inputs
        case "aws:ec2/securityGroupRule:SecurityGroupRule" if inputs.get("type") == "ingress":
            yield "", inputs
        case "aws:ec2/networkAclRule:NetworkAclRule" if not inputs.get("egress"):
            if str(inputs.get("ruleAction")).lower() == "allow":
                yield "", inputs
        case type_ if type_ in _GROUPS + _ACLS:
            for block in inputs.get("ingress") or ():
                if isinstance(block, dict) and (type_ in _GROUPS or str(block.get("action")).lower() == "allow"):
                    yield "ingress", block


def _sentences(block: Mapping[str, Any]) -> Iterator[str]:
    named = [text for key in _RANGES for text in _listed(block.get(key))]
    ranges = []
    for text in named:
        try:
            ranges.append(ip_network(text, strict=False))
        except ValueError:  # an unknown; the rules say so
            continue
    protocol = str(block.get("ipProtocol", block.get("protocol", "-1")))
    first, last = block.get("fromPort"), block.get("toPort")
    if protocol in _EVERYTHING:
        what = "everything"
    elif first == last:
        what = f"{protocol} {first}"
    else:
        what = f"{protocol} {first} to {last}"
    yield from (f"{what} from {cidr}" for cidr in world(ranges))


def _listed(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
