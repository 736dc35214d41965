"""How security-group rules and ACL lines are read, and what ACLs decide."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.firewall import (
    ALL_PORTS,
    Direction,
    Entry,
    FirewallRule,
    Ports,
    Traffic,
    allowed,
    common,
    decide,
    declared,
    declared_entries,
    on_the_internet,
    read_cidr,
    refused,
    within,
    without,
    world,
)

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, resource

GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
LEGACY = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACL = "aws:ec2/networkAcl:NetworkAcl"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"

INLINE = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.0.0.0/8"]}
STANDALONE = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.0.0.0/8"}
SSH = FirewallRule(Direction.INGRESS, "tcp", Ports(22, 22), (ip_network("10.0.0.0/8"),))
SSH_OUT = FirewallRule(Direction.EGRESS, "tcp", Ports(22, 22), (ip_network("10.0.0.0/8"),))


def net(text):
    return ip_network(text)


def read(type_, props):
    return [rule.read() for rule in declared(resource(type_, "x", props))]


@pytest.mark.parametrize(
    ("type_", "props", "expected"),
    [
        (GROUP, {"ingress": [INLINE]}, [SSH]),
        (GROUP, {"egress": [INLINE]}, [SSH_OUT]),
        (GROUP, {"ingress": [INLINE], "egress": [INLINE]}, [SSH, SSH_OUT]),
        (DEFAULT_GROUP, {"ingress": [INLINE]}, [SSH]),
        (LEGACY, {**INLINE, "type": "ingress"}, [SSH]),
        (LEGACY, {**INLINE, "type": "egress"}, [SSH_OUT]),
        (INGRESS, STANDALONE, [SSH]),
        (EGRESS, STANDALONE, [SSH_OUT]),
        (GROUP, {}, []),
        ("aws:ec2/vpc:Vpc", {"ingress": [INLINE]}, []),
    ],
)
def test_every_way_of_writing_a_rule_reads_the_same(type_, props, expected):
    assert read(type_, props) == expected


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("tcp", "tcp"),
        ("TCP", "tcp"),
        ("6", "tcp"),
        (6, "tcp"),
        ("17", "udp"),
        ("-1", "all"),
        (-1, "all"),
        ("all", "all"),
        ("icmp", "icmp"),
        ("1", "icmp"),
        ("58", "icmpv6"),
        ("50", "50"),
        (None, "all"),
    ],
)
def test_protocols_have_one_name_each_and_unset_is_all(protocol, expected):
    assert [rule.protocol for rule in read(INGRESS, altered(STANDALONE, ipProtocol=protocol))] == [expected]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (22, 22, Ports(22, 22)),
        ("22", "80", Ports(22, 80)),
        (22.0, 80.0, Ports(22, 80)),
        (0, 0, Ports(0, 0)),
        (-1, -1, ALL_PORTS),
        (None, None, ALL_PORTS),
        (None, 80, Ports(0, 80)),
        (22, None, Ports(22, 65535)),
    ],
)
def test_ports_may_be_text_or_floats_and_a_missing_end_is_as_wide_as_can_be(first, last, expected):
    assert [rule.ports for rule in read(INGRESS, altered(STANDALONE, fromPort=first, toPort=last))] == [expected]


def test_ports_mean_nothing_where_all_protocols_pass():
    (rule,) = read(GROUP, {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.0.0.0/8"]}]})
    assert rule.ports == ALL_PORTS
    assert rule.carries(22)


@pytest.mark.parametrize(
    ("protocol", "carried"), [("tcp", True), ("udp", True), ("-1", True), ("icmp", False), ("50", False)]
)
def test_a_port_is_carried_by_tcp_udp_and_everything(protocol, carried):
    (rule,) = read(INGRESS, altered(STANDALONE, ipProtocol=protocol))
    assert rule.carries(22) is carried


def test_a_range_with_host_bits_is_the_range_that_aws_makes_of_it():
    assert read_cidr("10.1.2.3/16") == net("10.1.0.0/16")


def test_a_range_that_is_none_is_an_error_and_not_a_pass():
    with pytest.raises(ValueError, match="does not appear to be"):
        read(INGRESS, altered(STANDALONE, cidrIpv4="anywhere"))


@pytest.mark.parametrize("key", ["ipProtocol", "fromPort", "toPort", "cidrIpv4"])
def test_an_unknown_value_is_no_value(key):
    with pytest.raises(UnknownValueError):
        read(INGRESS, altered(STANDALONE, **{key: UNKNOWN}))


def test_an_unknown_source_group_does_not_hide_the_ranges():
    props = altered(STANDALONE, referencedSecurityGroupId=UNKNOWN)
    assert read(INGRESS, props) == [SSH]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("referencedSecurityGroupId", "sg-1", ("sg-1",)),
        ("referencedSecurityGroupId", "111122223333/sg-1", ("sg-1",)),
        ("sourceSecurityGroupId", "sg-1", ("sg-1",)),
        ("securityGroups", ["sg-1", "sg-2"], ("sg-1", "sg-2")),
        ("securityGroups", [], ()),
        ("securityGroups", None, ()),
    ],
)
def test_source_groups_are_read_in_every_form(key, value, expected):
    (rule,) = declared(resource(LEGACY, "x", {"type": "ingress", key: value}))
    assert rule.group_ids() == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("prefixListId", "pl-1", True),
        ("prefixListId", UNKNOWN, True),
        ("prefixListIds", ["pl-1"], True),
        ("prefixListIds", [], False),
        ("prefixListId", None, False),
    ],
)
def test_a_prefix_list_is_seen_even_where_it_is_unknown(key, value, expected):
    (rule,) = declared(resource(LEGACY, "x", {"type": "ingress", key: value}))
    assert rule.names_prefix_lists is expected


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["0.0.0.0/0"], ["0.0.0.0/0"]),
        (["::/0"], ["::/0"]),
        (["0.0.0.0/0", "::/0"], ["0.0.0.0/0", "::/0"]),
        (["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/1", "128.0.0.0/1"]),
        (["64.0.0.0/7"], ["64.0.0.0/7"]),
        (["64.0.0.0/8"], []),
        (["64.0.0.0/8", "65.0.0.0/8"], ["64.0.0.0/8", "65.0.0.0/8"]),
        (["64.0.0.0/8", "66.0.0.0/8"], []),
        (["2000::/3"], ["2000::/3"]),
        (["2001:db8::/32"], []),
        (["fc00::/7"], []),
        (["10.0.0.0/8"], []),
        (["10.0.0.0/8", "0.0.0.0/0"], ["0.0.0.0/0"]),
        (["198.51.100.0/24", "0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/1", "128.0.0.0/1"]),
        ([], []),
    ],
)
def test_the_world_is_every_prefix_too_short_to_have_one_owner_alone_or_together(cidrs, expected):
    assert [str(cidr) for cidr in world([net(cidr) for cidr in cidrs])] == expected


ipv4 = st.builds(
    lambda address, prefix: ip_network((address, prefix), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)
port = st.integers(0, 65535)
port_ranges = st.builds(lambda one, other: Ports(min(one, other), max(one, other)), port, port)


@given(ipv4, ipv4)
def test_two_ranges_share_the_smaller_one_or_nothing(one, other):
    shared = common(one, other)
    assert (shared is None) == (not one.overlaps(other))
    assert shared in (None, one, other)
    assert shared is None or (within(shared, one) and within(shared, other))


@given(ipv4, ipv4)
def test_a_range_within_another_is_its_subnet(one, other):
    assert within(one, other) == one.subnet_of(other)


@given(ipv4)
def test_what_is_on_the_internet_is_no_private_address(cidr):
    private = [net(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
    parts = on_the_internet(cidr)
    assert not any(part.overlaps(other) for part in parts for other in private)
    assert all(part.subnet_of(cidr) for part in parts)


def test_taking_away_a_range_of_the_other_family_is_refused():
    with pytest.raises(ValueError, match="not a part of"):
        without(net("10.0.0.0/8"), net("::/0"))


# Network ACLs

LINE = {"ruleNo": 100, "action": "allow", "protocol": "6", "fromPort": 22, "toPort": 22, "cidrBlock": "10.0.0.0/8"}
RULE = {
    "ruleNumber": 100,
    "ruleAction": "allow",
    "protocol": "tcp",
    "fromPort": 22,
    "toPort": 22,
    "cidrBlock": "10.0.0.0/8",
}


def entries(type_, props, direction=Direction.INGRESS):
    return [entry for line in declared_entries(resource(type_, "x", props), direction) for entry in line.read()]


@pytest.mark.parametrize(
    ("type_", "props"),
    [
        (ACL, {"ingress": [LINE]}),
        (ACL, {"ingress": [{**LINE, "ipv6CidrBlock": ""}]}),
        ("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", {"ingress": [LINE]}),
        (ACL_RULE, RULE),
        (ACL_RULE, {**RULE, "egress": False}),
        (ACL_RULE, {**RULE, "ruleNumber": "100"}),
    ],
)
def test_every_way_of_writing_an_acl_line_reads_the_same(type_, props):
    assert entries(type_, props) == [Entry(100, True, "tcp", Ports(22, 22), net("10.0.0.0/8"))]
    assert entries(type_, props, Direction.EGRESS) == []


def test_an_acl_rule_for_the_way_out_is_none_for_the_way_in():
    props = {**RULE, "egress": True}
    assert entries(ACL_RULE, props) == []
    assert entries(ACL_RULE, props, Direction.EGRESS) == [Entry(100, True, "tcp", Ports(22, 22), net("10.0.0.0/8"))]


@pytest.mark.parametrize(
    ("action", "expected"), [("allow", True), ("ALLOW", True), ("deny", False), (ABSENT, False), ("alow", False)]
)
def test_only_allow_allows(action, expected):
    assert [entry.allow for entry in entries(ACL_RULE, altered(RULE, ruleAction=action))] == [expected]


def test_an_acl_line_holds_for_both_families_when_it_names_both():
    props = {**RULE, "protocol": "-1", "ipv6CidrBlock": "::/0"}
    assert [str(entry.cidr) for entry in entries(ACL_RULE, props)] == ["10.0.0.0/8", "::/0"]


@pytest.mark.parametrize("key", ["ruleNumber", "ruleAction", "protocol", "fromPort", "cidrBlock", "egress"])
def test_an_unknown_part_of_an_acl_line_is_no_value(key):
    with pytest.raises(UnknownValueError):
        entries(ACL_RULE, altered(RULE, **{key: UNKNOWN}))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_lowest_number_decides_wherever_it_is_written(order):
    lines = (
        Entry(100, True, "tcp", Ports(22, 22), net("0.0.0.0/0")),
        Entry(90, False, "all", ALL_PORTS, net("10.0.0.0/8")),
    )
    asked = Traffic("tcp", net("10.1.0.0/16"), Ports(22, 22))
    assert [d.entry.number for d in decide([lines[i] for i in order], asked)] == [90]


cidrs = st.sampled_from([net(t) for t in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "64.0.0.0/8")])
acl_lines = st.lists(
    st.builds(Entry, st.integers(1, 9), st.booleans(), st.sampled_from(["tcp", "udp", "all"]), port_ranges, cidrs),
    max_size=6,
    unique_by=lambda entry: entry.number,
)
traffic = st.builds(Traffic, st.sampled_from(["tcp", "udp"]), cidrs, port_ranges)


def first_match(lines, protocol, address, number):
    """The definition: the lowest number that matches decides, and nothing matching is a denial."""
    for entry in sorted(lines, key=lambda e: e.number):
        if entry.protocol in (protocol, "all") and address in entry.cidr and number in entry.ports:
            return entry.allow
    return False


@given(acl_lines, traffic, st.data())
def test_each_packet_gets_the_answer_of_the_first_line_that_matches(lines, asked, data):
    address = ip_address(data.draw(st.integers(int(asked.network[0]), int(asked.network[-1]))))
    number = data.draw(st.integers(asked.ports.first, asked.ports.last))
    answers = [d for d in decide(lines, asked) if address in d.traffic.network and number in d.traffic.ports]
    assert [answer.allowed for answer in answers] == [first_match(lines, asked.protocol, address, number)]


@given(acl_lines, traffic)
def test_decisions_are_the_whole_of_the_traffic(lines, asked):
    def size(part):
        return part.network.num_addresses * (part.ports.last - part.ports.first + 1)

    assert sum(size(decision.traffic) for decision in decide(lines, asked)) == size(asked)


@given(acl_lines, traffic)
def test_a_new_line_that_allows_stops_nothing_that_passed(lines, asked):
    opened = [*lines, Entry(0, True, "all", ALL_PORTS, net("10.1.0.0/16"))]
    before = {(d.traffic.network, d.traffic.ports) for d in allowed(lines, asked)}
    shut = [d.traffic for d in refused(opened, asked)]
    assert not any(
        common(network, part.network) and ports.common(part.ports) for network, ports in before for part in shut
    )


def test_an_acl_without_lines_denies_everything():
    asked = Traffic("tcp", net("0.0.0.0/0"), Ports(443, 443))
    assert [(d.traffic, d.entry) for d in decide([], asked)] == [(asked, None)]
