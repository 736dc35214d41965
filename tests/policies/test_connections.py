"""The rules on groups that belong together: one change to a network that is right, and the exact words for it."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from policies.rulebook.connections import BALANCER_ADMITS, BASTION_REACHED, HALVES, RULES
from policies.rulebook.resource import Context

from .bags import ABSENT, UNKNOWN, UnknownValueError, not_evaluated, stack_faults
from .estate import ANYWHERE, Ref, estate

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])

ADMINS = Context(admin_cidrs=(IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.0/28")))
LISTENER = ("aws:lb/listener:Listener", {"loadBalancerArn": Ref("balancer", "arn"), "port": 443})


@both_modes
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_estate_passes(rule, preview):
    assert stack_faults(rule, *estate(preview=preview)) == []


@both_modes
class TestHalves:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (
                {"without": ["app-edge"]},
                ("Group edge-group may send tcp 8080 to group app-group, which does not admit it.", "edge-app"),
            ),
            (
                {"without": ["edge-app"]},
                ("Group app-group admits tcp 8080 from group edge-group, which may not send it.", "app-edge"),
            ),
            (
                {"changes": {"app-edge": {"fromPort": 8081, "toPort": 8081}}},
                ("Group edge-group may send tcp 8080 to group app-group, which does not admit it.", "edge-app"),
            ),
            (
                {"changes": {"app-edge": {"ipProtocol": "udp"}}},
                ("Group edge-group may send tcp 8080 to group app-group, which does not admit it.", "edge-app"),
            ),
            (
                {"changes": {"app-edge": {"referencedSecurityGroupId": Ref("bastion-group")}}},
                ("Group app-group admits tcp 8080 from group bastion-group, which may not send it.", "app-edge"),
            ),
            (
                {"changes": {"app-https": {"cidrIpv4": ABSENT}}},
                ("The rule names nobody: no range, no group and no prefix list.", "app-https"),
            ),
            (
                {"without": ["endpoint-https"]},
                ("The group has no rule, so whatever has it can talk to nobody.", "endpoint-group"),
            ),
        ],
    )
    def test_half_a_connection_is_named(self, options, said, preview):
        assert said in stack_faults(HALVES, *estate(**options, preview=preview))

    @pytest.mark.parametrize("cidr", [ANYWHERE, "10.20.0.0/16", "10.20.0.0/20"])
    def test_a_range_that_the_other_stands_in_is_the_other_half(self, cidr, preview):
        changed = estate({"app-edge": {"referencedSecurityGroupId": ABSENT, "cidrIpv4": cidr}}, preview=preview)
        assert stack_faults(HALVES, *changed) == []

    def test_a_range_beside_it_is_not(self, preview):
        source = {"referencedSecurityGroupId": ABSENT, "cidrIpv4": "10.20.160.0/20"}
        assert [name for _, name in stack_faults(HALVES, *estate({"app-edge": source}, preview=preview))] == [
            "edge-app"
        ]

    def test_the_connections_of_a_database_are_left_to_their_own_rule(self, preview):
        assert stack_faults(HALVES, *estate(without=["data-app"], preview=preview)) == []

    def test_an_unknown_port_is_not_evaluated_and_hides_no_other_group(self, preview):
        changed = estate({"app-edge": {"fromPort": UNKNOWN}}, without=["endpoint-https"], preview=preview)
        found, _ = not_evaluated(HALVES, *changed)
        assert found == [("The group has no rule, so whatever has it can talk to nobody.", "endpoint-group")]


@both_modes
class TestBastionReached:
    def test_each_range_of_the_administrators_is_admitted(self, preview):
        assert stack_faults(BASTION_REACHED, *estate(preview=preview), context=ADMINS) == [
            ("Administrators in 203.0.113.0/28 do not reach port 22 of the bastion.", "bastion")
        ]
        both = {"extra": {"second": estate_ssh("203.0.113.0/28")}}
        assert stack_faults(BASTION_REACHED, *estate(**both, preview=preview), context=ADMINS) == []

    @pytest.mark.parametrize("change", [{"associatePublicIpAddress": False}, {"associatePublicIpAddress": ABSENT}])
    def test_one_without_a_public_address_is_entered_otherwise(self, change, preview):
        changed = estate({"bastion": change}, without=["bastion-ssh"], preview=preview)
        assert stack_faults(BASTION_REACHED, *changed, context=ADMINS) == []

    def test_an_unknown_address_is_not_evaluated(self, preview):
        changed = estate({"bastion": {"associatePublicIpAddress": UNKNOWN}}, preview=preview)
        with pytest.raises(UnknownValueError):
            stack_faults(BASTION_REACHED, *changed, context=ADMINS)


def estate_ssh(cidr):
    return (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "securityGroupId": Ref("bastion-group"),
            "ipProtocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "cidrIpv4": cidr,
        },
    )


@both_modes
class TestBalancerAdmits:
    def said(self, changes=None, preview=False, **options):
        return stack_faults(BALANCER_ADMITS, *estate(changes, extra={"https": LISTENER}, preview=preview, **options))

    def test_a_port_that_somebody_is_admitted_to_passes(self, preview):
        assert self.said(preview=preview) == []

    @pytest.mark.parametrize("options", [{"without": ["edge-https"]}, {"changes": {"edge-https": {"toPort": 442}}}])
    def test_a_port_that_nobody_is_admitted_to_is_named(self, options, preview):
        assert self.said(**options, preview=preview) == [
            ("Nobody is admitted to port 443, on which listener https waits.", "balancer")
        ]

    def test_a_balancer_without_groups_is_left_to_another_rule(self, preview):
        assert self.said({"balancer": {"securityGroups": ABSENT}}, preview=preview) == []

    def test_an_unknown_port_is_not_evaluated(self, preview):
        with pytest.raises(UnknownValueError):
            self.said({"edge-https": {"toPort": UNKNOWN}}, preview=preview)
