"""Where subnets go and what ACLs let through."""

from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.network import plan

VPC = IPv4Network("10.20.0.0/16")
ADMIN = IPv4Network("198.51.100.0/28")
WORLD = IPv4Network("0.0.0.0/0")

letters = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)
ranges = st.integers(8, 24).flatmap(
    lambda length: st.integers(0, 2**length - 1).map(lambda n: IPv4Network((n << (32 - length), length)))
)


def zones(of: list[str]) -> list[str]:
    return [f"us-east-1{letter}" for letter in of]


def traffic(bastion_tier: plan.Tier = "public") -> plan.Traffic:
    return plan.Traffic(app_port=8080, database_port=5432, admin_cidrs=(ADMIN,), bastion_tier=bastion_tier)


def lines(tier: plan.Tier, direction: str, bastion_tier: plan.Tier = "public") -> set[tuple[str, tuple[int, int]]]:
    return {
        (str(entry.cidr), entry.ports)
        for entry in plan.acl_entries(tier, VPC, traffic(bastion_tier))
        if entry.direction == direction
    }


@given(cidr=ranges, there=letters)
def test_subnets_lie_inside_the_range_and_never_overlap(cidr, there):
    planned = plan.plan_subnets(cidr, zones(there))
    assert len(planned) == 3 * len(there)
    assert all(subnet.cidr.subnet_of(cidr) for subnet in planned)
    ordered = sorted(subnet.cidr for subnet in planned)
    assert all(a.broadcast_address < b.network_address for a, b in pairwise(ordered))


@given(cidr=ranges, there=letters, more=letters)
def test_a_new_zone_moves_no_subnet(cidr, there, more):
    both = list(dict.fromkeys(there + more))
    assert set(plan.plan_subnets(cidr, zones(there))) <= set(plan.plan_subnets(cidr, zones(both)))


@given(cidr=ranges, there=letters)
def test_a_tier_s_range_holds_its_subnets_and_no_other_s(cidr, there):
    for subnet in plan.plan_subnets(cidr, zones(there)):
        homes = [tier for tier in plan.TIERS if subnet.cidr.subnet_of(plan.tier_cidr(cidr, tier))]
        assert homes == [subnet.tier]


def test_a_range_too_small_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/25 is too small; .* a /24 or larger\."):
        plan.plan_subnets(IPv4Network("10.0.0.0/25"), ["us-east-1a"])


def test_a_zone_without_a_slot_is_refused():
    with pytest.raises(ValueError, match=r"Zone 'us-east-1e' has no slot; the zones a to d have one\."):
        plan.plan_subnets(VPC, ["us-east-1e"])


@pytest.mark.parametrize(
    ("nat", "expected"),
    [("none", ()), ("one", ("us-east-1a",)), ("per-zone", ("us-east-1a", "us-east-1b"))],
)
def test_nat_gateways_stand_where_the_setting_says(nat, expected):
    assert plan.nat_zones(nat, ("us-east-1a", "us-east-1b")) == expected


def test_without_nat_every_service_an_instance_calls_has_an_endpoint():
    managed = {"ssm", "ssmmessages", "ec2messages"}
    assert set(plan.interface_endpoints("one")) == managed
    assert set(plan.interface_endpoints("none")) == managed | {"ec2", "kms", "logs", "monitoring", "secretsmanager"}


def test_the_public_tier_admits_the_web_administrators_and_replies():
    assert lines("public", "ingress") == {
        ("0.0.0.0/0", (443, 443)),
        ("0.0.0.0/0", (80, 80)),
        ("198.51.100.0/28", (22, 22)),
        ("0.0.0.0/0", (1024, 3388)),
        ("0.0.0.0/0", (3390, 65535)),
    }
    assert lines("public", "egress") == {
        ("0.0.0.0/0", (443, 443)),
        ("10.20.64.0/18", (8080, 8080)),
        ("10.20.128.0/18", (5432, 5432)),
        ("0.0.0.0/0", (1024, 65535)),
    }


def test_a_machine_with_the_maintenance_page_is_reached_by_administrators_and_by_the_balancer():
    traffic = plan.Traffic(
        app_port=8080, database_port=5432, admin_cidrs=(ADMIN,), bastion_tier="app", public_machine=True
    )
    entries = plan.acl_entries("public", VPC, traffic)
    found = {(one.direction, str(one.cidr), one.ports) for one in entries}
    assert {("ingress", str(ADMIN), (22, 22)), ("egress", str(VPC), (80, 80))} <= found


def test_without_a_bastion_in_it_the_public_tier_knows_neither_ssh_nor_the_database():
    assert ("198.51.100.0/28", (22, 22)) not in lines("public", "ingress", "app")
    assert ("10.20.128.0/18", (5432, 5432)) not in lines("public", "egress", "app")


def test_the_app_tier_admits_the_balancer_endpoints_and_replies():
    assert lines("app", "ingress") == {
        ("10.20.0.0/18", (8080, 8080)),
        ("10.20.0.0/16", (443, 443)),
        ("0.0.0.0/0", (1024, 3388)),
        ("0.0.0.0/0", (3390, 65535)),
    }
    assert lines("app", "egress") == {
        ("0.0.0.0/0", (443, 443)),
        ("10.20.128.0/18", (5432, 5432)),
        ("10.20.0.0/16", (1024, 65535)),
    }


def test_a_bastion_in_the_app_tier_asks_the_application_across_zones():
    beside = ("10.20.64.0/18", (8080, 8080))
    for direction in ("ingress", "egress"):
        assert beside in lines("app", direction, "app")
        assert beside not in lines("app", direction)


def test_the_data_tier_admits_the_database_s_clients_and_answers_nobody_else():
    assert lines("data", "ingress") == {("10.20.0.0/18", (5432, 5432)), ("10.20.64.0/18", (5432, 5432))}
    assert lines("data", "egress") == {("10.20.0.0/18", (1024, 65535)), ("10.20.64.0/18", (1024, 65535))}
    assert lines("data", "ingress", "app") == {("10.20.64.0/18", (5432, 5432))}


@given(port=st.integers(1, 65535), bastion=st.sampled_from(["public", "app"]))
def test_no_acl_lets_the_world_reach_an_administrator_s_port(port, bastion):
    open_to_world = {
        span
        for tier in plan.TIERS
        for entry in plan.acl_entries(tier, VPC, traffic(bastion))
        if entry.direction == "ingress" and entry.cidr == WORLD
        for span in [entry.ports]
    }
    admitted = any(low <= port <= high for low, high in open_to_world)
    assert not (admitted and port in (22, 3389))


@pytest.mark.parametrize("bastion", ["public", "app"])
@pytest.mark.parametrize("tier", plan.TIERS)
def test_entry_numbers_are_unique_within_a_direction(tier, bastion):
    entries = plan.acl_entries(tier, VPC, traffic(bastion))
    numbers = [(entry.direction, entry.number) for entry in entries]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= entry.number <= 32766 for entry in entries)


def _matches(pattern: str, record: str) -> bool:
    """A space-delimited filter pattern, as far as it is used: names, and names with a value."""
    terms = pattern.removeprefix("[").removesuffix("]").split(", ")
    fields = record.split(" ")
    if len(terms) != len(fields):
        return False
    wanted = [term.partition("=") for term in terms]
    return all(not sign or value.strip('"') == field for (_, sign, value), field in zip(wanted, fields, strict=True))


@given(
    action=st.sampled_from(["ACCEPT", "REJECT"]),
    host=st.integers(0, 2**32 - 1).map(lambda n: str(IPv4Address(n))),
    port=st.integers(0, 65535),
)
def test_the_filter_pattern_counts_just_the_refused_records_of_the_format(action, host, port):
    values = {"action": action, "srcaddr": host, "dstport": str(port)}
    record = plan.flow_format()
    for field in plan.FLOW_FIELDS:
        record = record.replace(f"${{{field}}}", values.get(field, "-"))
    assert _matches(plan.reject_pattern(), record) == (action == "REJECT")
