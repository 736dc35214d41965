"""The rule that a security group's rule speaks of one service."""

from __future__ import annotations

import pytest

from policies.rulebook import ports
from policies.rulebook.firewall import ACL, ACL_RULE, EGRESS_RULE, GROUP, INGRESS_RULE

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, resource

ONE_PORT, LINE_ONE_PORT = ports.RULES
WEB = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "10.0.0.0/16", "securityGroupId": "sg-1"}


def said(props, token=EGRESS_RULE):
    return faults(ONE_PORT, resource(token, "it", props))


@pytest.mark.parametrize("token", [EGRESS_RULE, INGRESS_RULE])
def test_one_port_of_one_protocol_passes(token):
    assert said(WEB, token) == []
    assert said({**WEB, "ipProtocol": "icmp", "fromPort": -1, "toPort": -1}, token) == []


@pytest.mark.parametrize(("token", "way"), [(EGRESS_RULE, "egress"), (INGRESS_RULE, "ingress")])
def test_a_range_and_every_protocol_are_named(token, way):
    ranged = said(altered(WEB, toPort=8443), token)
    assert ranged == [f"Rule it ({way}) lets tcp 443-8443 through; name each port that is needed."]
    everything = said({**WEB, "ipProtocol": "-1", "fromPort": None, "toPort": None}, token)
    assert everything == [f"Rule it ({way}) lets every protocol through; name the one that is needed."]


def test_inline_rules_are_judged_each():
    inline = {"protocol": "tcp", "fromPort": 0, "toPort": 65535, "cidrBlocks": ["10.0.0.0/8"]}
    fine = {**inline, "fromPort": 443, "toPort": 443}
    assert len(said({"egress": [inline, fine], "ingress": [fine]}, GROUP)) == 1
    assert said({}, GROUP) == []


def test_an_unknown_port_is_not_judged():
    with pytest.raises(UnknownValueError):
        said(altered(WEB, toPort=UNKNOWN))


LINE = {"ruleNo": 100, "action": "allow", "protocol": "tcp", "cidrBlock": "10.0.0.0/16", "fromPort": 443, "toPort": 443}


def said_of(**changes):
    """What is said of an ACL with one inbound line."""
    return faults(LINE_ONE_PORT, resource(ACL, "it", {"ingress": [altered(LINE, **changes)]}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fromPort": 1024, "toPort": 65535},
        {"fromPort": 3390, "toPort": 65535},
        {"fromPort": 32768, "toPort": 61000},
        {"protocol": "17", "fromPort": 53, "toPort": 53},
        {"protocol": "icmp", "fromPort": 0, "toPort": 0},
        {"action": "deny", "protocol": "-1"},
        {"cidrBlock": ABSENT, "ipv6CidrBlock": "2001:db8::/56"},
    ],
)
def test_a_line_for_one_port_for_replies_or_against_something_passes(changes):
    assert said_of(**changes) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "-1"}, "lets every protocol through; name the one that is needed."),
        (
            {"fromPort": 221},
            "lets tcp 221-443 through; name one port, or for replies ports of 1024-65535.",
        ),
        (
            {"fromPort": 512, "toPort": 65535},
            "lets tcp 512-65535 through; name one port, or for replies ports of 1024-65535.",
        ),
        ({"fromPort": 4430}, "names ports 4430 to 443, which are none."),
        ({"fromPort": 1024, "toPort": 655350}, "names ports 1024 to 655350, which are none."),
        ({"toPort": ABSENT}, "lets tcp 443-65535 through; name one port, or for replies ports of 1024-65535."),
        ({"cidrBlock": ABSENT}, "names no range of addresses."),
    ],
)
def test_a_line_for_more_or_for_nothing_is_named(changes, words):
    assert said_of(**changes) == [f"Line 100 (ingress) {words}"]


def test_lines_that_are_resources_are_judged_as_well():
    rule = altered(LINE, protocol="-1", ruleNo=ABSENT, action=ABSENT, ruleNumber=7, ruleAction="allow", egress=True)
    assert faults(LINE_ONE_PORT, resource(ACL_RULE, "it", rule)) == [
        "Line 7 (egress) lets every protocol through; name the one that is needed."
    ]


def test_an_unknown_port_of_a_line_is_not_judged():
    with pytest.raises(UnknownValueError):
        said_of(toPort=UNKNOWN)


def test_an_unknown_range_of_a_line_is_one():
    assert said_of(cidrBlock=UNKNOWN) == []
