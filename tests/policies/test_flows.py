"""Whether ACLs fit what security groups allow: one change to a network that is right, and the exact words for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.flows import PASSED, SURPLUS

from .bags import ABSENT, UNKNOWN, UnknownValueError, not_evaluated, stack_faults
from .estate import ANYWHERE, APP, DATA, DECLARATIONS, PUBLIC, Ref, estate, line

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])

VPC = "10.20.0.0/16"
ACLS = ("public-acl", "app-acl", "data-acl")


def lines(acl, way, number, **changes):
    """``acl`` with the line of that number changed; with ``gone=True`` without it."""
    gone = changes.pop("gone", False)
    kept = DECLARATIONS[acl][1][way]
    changed = [{**one, **changes} if one["ruleNo"] == number else one for one in kept]
    return {acl: {way: [one for one in changed if not (gone and one["ruleNo"] == number)]}}


@both_modes
@pytest.mark.parametrize("rule", [PASSED, SURPLUS], ids=lambda rule: rule.id)
def test_the_estate_passes(rule, preview):
    assert stack_faults(rule, *estate(preview=preview)) == []


@both_modes
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lines("public-acl", "ingress", 100, gone=True),
            "The ACL refuses inbound tcp 443 from 0.0.0.0/0, which rule edge-https of a security group lets pass.",
        ),
        (
            lines("public-acl", "ingress", 120, cidrBlock="198.51.100.0/25"),
            "The ACL refuses inbound tcp 22 from 198.51.100.0/24, which rule bastion-ssh of a security group lets "
            "pass.",
        ),
        (
            lines("public-acl", "ingress", 140, toPort=32767),
            "The ACL refuses inbound tcp 3390-65535 from 10.20.64.0/20, which rule edge-app of a security group lets "
            "pass.",
        ),
        (
            lines("public-acl", "egress", 130, fromPort=10240),
            "The ACL refuses outbound tcp 1024-3388 to 0.0.0.0/0, which rule edge-https of a security group lets pass.",
        ),
        (
            lines("app-acl", "egress", 100, fromPort=4430, toPort=4430),
            "The ACL refuses outbound tcp 443 to 0.0.0.0/0, which rule app-https of a security group lets pass.",
        ),
        (
            lines("app-acl", "egress", 100, action="deny"),
            "The ACL refuses outbound tcp 443 to 0.0.0.0/0, which rule app-https of a security group lets pass.",
        ),
        (
            lines("app-acl", "ingress", 130, cidrBlock="10.20.0.0/20"),
            "The ACL refuses inbound tcp 443 from 10.20.64.0/20, which rule endpoint-https of a security group lets "
            "pass.",
        ),
        (
            lines("app-acl", "ingress", 100, gone=True),
            "The ACL has no line but that for replies for inbound tcp 8080 from 10.20.0.0/20, which rule edge-app of a "
            "security group lets pass.",
        ),
        (
            lines("public-acl", "egress", 110, gone=True),
            "The ACL has no line but that for replies for outbound tcp 8080 to 10.20.64.0/20, which rule edge-app of a "
            "security group lets pass.",
        ),
        (
            lines("app-acl", "egress", 110, gone=True),
            "The ACL has no line but that for replies for outbound tcp 5432 to 10.20.128.0/20, which rule app-database "
            "of a security group lets pass.",
        ),
    ],
)
def test_an_acl_that_stops_what_a_group_allows_is_named(change, said, preview):
    (acl,) = change
    assert (said, acl) in stack_faults(PASSED, *estate(change, preview=preview))


@both_modes
def test_what_a_nat_gateway_forwards_has_to_pass_its_own_acl(preview):
    change = lines("public-acl", "ingress", 100, cidrBlock="10.20.128.0/18")
    found = [said for said, _ in stack_faults(PASSED, *estate(change, preview=preview))]
    assert (
        "The ACL refuses inbound tcp 443 from 10.20.64.0/20, which rule app-https of a security group lets pass."
        in found
    )


@both_modes
@pytest.mark.parametrize(
    "change",
    [
        # The second lock stays shut where a group is opened by mistake, and where only the inside is denied.
        {"bastion-ssh": {"cidrIpv4": ANYWHERE}},
        {
            "app-acl": {
                "egress": [line(50, "192.168.0.0/16", 443, action="deny"), *DECLARATIONS["app-acl"][1]["egress"]]
            }
        },
        # Without a route nothing leaves.
        {"app-out": {"natGatewayId": ABSENT, "destinationCidrBlock": "192.0.2.0/24"}},
    ],
)
def test_what_is_no_connection_need_not_pass(change, preview):
    assert stack_faults(PASSED, *estate(change, preview=preview)) == []


@both_modes
def test_the_refusals_of_a_database_are_left_to_their_own_rule(preview):
    change = lines("data-acl", "ingress", 100, gone=True)
    assert stack_faults(PASSED, *estate(change, preview=preview)) == []


@both_modes
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lines("app-acl", "ingress", 100, cidrBlock=ANYWHERE),
            "Line 100 (inbound) lets tcp 8080 pass from 0.0.0.0/0, and no security group asks for that beyond the VPC.",
        ),
        (
            lines("app-acl", "ingress", 130, cidrBlock=ANYWHERE),
            "Line 130 (inbound) lets tcp 443 pass from 0.0.0.0/0, and no security group asks for that beyond the VPC.",
        ),
        (
            lines("app-acl", "egress", 120, cidrBlock=ANYWHERE),
            "Line 120 (outbound) lets tcp 1024-65535 pass to 0.0.0.0/0, and no security group asks for that beyond the "
            "VPC.",
        ),
        (
            lines("public-acl", "ingress", 120, cidrBlock="198.51.0.0/16"),
            "Line 120 (inbound) lets tcp 22 pass from 198.51.0.0/16, and no security group asks for that beyond the "
            "VPC.",
        ),
        (
            lines("data-acl", "ingress", 100, fromPort=22, toPort=22),
            f"Line 100 (inbound) lets tcp 22 pass from {APP}, and no security group asks for that.",
        ),
        (
            lines("app-acl", "egress", 110, protocol="udp"),
            f"Line 110 (outbound) lets udp 5432 pass to {DATA}, and no security group asks for that.",
        ),
        (
            lines("app-acl", "ingress", 100, cidrBlock=DATA),
            f"Line 100 (inbound) lets tcp 8080 pass from {DATA}, and no security group asks for that.",
        ),
        (
            {"public-acl": {"egress": [*DECLARATIONS["public-acl"][1]["egress"], line(200, ANYWHERE, 80)]}},
            f"Line 200 (outbound) lets tcp 80 pass to {ANYWHERE}, and no security group asks for that.",
        ),
    ],
)
def test_a_line_that_no_group_asks_for_is_named(change, said, preview):
    (acl,) = change
    assert stack_faults(SURPLUS, *estate(change, preview=preview)) == [(said, acl)]


@both_modes
@pytest.mark.parametrize(
    "change",
    [
        lines("app-acl", "ingress", 100, action="deny"),
        lines("app-acl", "ingress", 100, cidrBlock=VPC),
        # Said by other rules: what is no line for one port or for replies, and the world before a database.
        lines("app-acl", "ingress", 100, fromPort=80, toPort=8080),
        lines("app-acl", "ingress", 100, protocol="-1"),
        lines("data-acl", "ingress", 100, cidrBlock=ANYWHERE),
    ],
)
def test_what_somebody_asks_for_or_others_judge_passes(change, preview):
    assert stack_faults(SURPLUS, *estate(change, preview=preview)) == []


@both_modes
def test_an_acl_in_front_of_nothing_is_not_judged(preview):
    empty = ("aws:ec2/networkAcl:NetworkAcl", {"vpcId": Ref("main"), "ingress": [line(100, ANYWHERE, 9999)]})
    assert stack_faults(SURPLUS, *estate(extra={"empty": empty}, preview=preview)) == []


@both_modes
def test_a_group_that_nothing_has_yet_may_come_to_stand_anywhere(preview):
    assert stack_faults(SURPLUS, *estate({"database": {"vpcSecurityGroupIds": ABSENT}}, preview=preview)) == []


@both_modes
def test_a_line_is_not_called_idle_while_some_rule_of_a_group_is_unknown(preview):
    change = {"app-edge": {"fromPort": UNKNOWN}, "edge-app": {"fromPort": UNKNOWN}}
    with pytest.raises(UnknownValueError):
        stack_faults(SURPLUS, *estate({**change, **lines("app-acl", "ingress", 100, cidrBlock=DATA)}, preview=preview))


@both_modes
def test_an_unknown_rule_of_a_group_does_not_hide_what_another_one_misses(preview):
    change = {"edge-https": {"fromPort": UNKNOWN}, **lines("app-acl", "egress", 100, fromPort=4430, toPort=4430)}
    found, _ = not_evaluated(PASSED, *estate(change, preview=preview))
    assert "app-acl" in {name for _, name in found}


@given(
    acl=st.sampled_from(ACLS),
    way=st.sampled_from(["ingress", "egress"]),
    cidr=st.sampled_from([ANYWHERE, VPC, PUBLIC, APP, DATA, "192.0.2.0/24"]),
    ports=st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted),
)
def test_one_more_line_never_stops_a_connection(acl, way, cidr, ports):
    more = [*DECLARATIONS[acl][1][way], line(999, cidr, *ports)]
    assert stack_faults(PASSED, *estate({acl: {way: more}})) == []


@given(
    acl=st.sampled_from(["public-acl", "app-acl"]),
    cidr=st.sampled_from(["192.0.2.0/24", "203.0.113.0/28"]),
    port=st.integers(1, 65535).filter(lambda port: port not in (22, 80, 443)),
)
def test_a_service_for_strangers_that_no_group_offers_is_always_named(acl, cidr, port):
    more = [*DECLARATIONS[acl][1]["ingress"], line(999, cidr, port)]
    assert [name for _, name in stack_faults(SURPLUS, *estate({acl: {"ingress": more}}))] == [acl]


@given(
    numbers=st.permutations([100, 110, 120, 130]),
)
def test_the_order_of_lines_that_all_allow_decides_nothing(numbers):
    kept = DECLARATIONS["app-acl"][1]["ingress"]
    shuffled = [{**one, "ruleNo": number} for one, number in zip(kept, numbers, strict=True)]
    changed = estate({"app-acl": {"ingress": shuffled}})
    assert stack_faults(PASSED, *changed) == stack_faults(SURPLUS, *changed) == []
