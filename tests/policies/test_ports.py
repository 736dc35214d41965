"""The rule that a security group's rule speaks of one service."""

from __future__ import annotations

import pytest

from policies.rulebook import ports
from policies.rulebook.firewall import EGRESS_RULE, GROUP, INGRESS_RULE

from .bags import UNKNOWN, UnknownValueError, altered, faults, resource

(ONE_PORT,) = ports.RULES
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
