"""The rules on routes, gateways and addresses: one change to a network that is right, and the exact words for it."""

from __future__ import annotations

import pytest

from policies.rulebook.ways import ADDRESS_USED, IN_A_VPC, OWN_TABLES, RULES, WAYS_OUT

from .bags import ABSENT, UNKNOWN, UnknownValueError, stack_faults
from .estate import Ref, estate

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])


@both_modes
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_estate_passes(rule, preview):
    assert stack_faults(rule, *estate(preview=preview)) == []


@both_modes
class TestOwnTables:
    SAID = "The subnet has no route table of the stack, so its VPC's main one holds, which nobody looks at."

    @pytest.mark.parametrize(
        "options",
        [
            {"without": ["app-b-in-table"]},
            {"changes": {"app-b-in-table": {"subnetId": ABSENT}}},
            {"changes": {"app-b-in-table": {"routeTableId": "rtb-of-others"}}},
        ],
    )
    def test_a_subnet_without_one_is_named(self, options, preview):
        assert stack_faults(OWN_TABLES, *estate(**options, preview=preview)) == [(self.SAID, "app-b")]

    def test_a_declared_main_table_will_do(self, preview):
        main = (
            "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
            {"vpcId": Ref("main"), "routeTableId": Ref("app-table")},
        )
        changed = estate(without=["app-b-in-table"], extra={"main-table": main}, preview=preview)
        assert stack_faults(OWN_TABLES, *changed) == []

    def test_an_unknown_target_is_not_evaluated(self, preview):
        main = (
            "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
            {"vpcId": Ref("main"), "routeTableId": Ref("app-table")},
        )
        route = (
            "aws:ec2/route:Route",
            {"routeTableId": Ref("app-table"), "destinationCidrBlock": "192.0.2.0/24", "gatewayId": UNKNOWN},
        )
        changed = estate(without=["app-b-in-table"], extra={"main-table": main, "odd": route}, preview=preview)
        with pytest.raises(UnknownValueError):
            stack_faults(OWN_TABLES, *changed)


@both_modes
class TestInAVpc:
    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("app-group", "The group names no VPC, so it is made in the region's default one."),
            ("gateway", "The internet gateway is attached to no VPC."),
        ],
    )
    def test_what_names_none_is_named(self, name, sentence, preview):
        assert stack_faults(IN_A_VPC, *estate({name: {"vpcId": ABSENT}}, preview=preview)) == [(sentence, name)]

    def test_a_gateway_may_be_attached_by_a_resource_of_its_own(self, preview):
        attachment = (
            "aws:ec2/internetGatewayAttachment:InternetGatewayAttachment",
            {"internetGatewayId": Ref("gateway"), "vpcId": Ref("main")},
        )
        changed = estate({"gateway": {"vpcId": ABSENT}}, extra={"attached": attachment}, preview=preview)
        assert stack_faults(IN_A_VPC, *changed) == []

    def test_an_unknown_vpc_is_one(self, preview):
        assert stack_faults(IN_A_VPC, *estate({"app-group": {"vpcId": UNKNOWN}}, preview=preview)) == []


@both_modes
class TestWaysOut:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"app-out": {"natGatewayId": ABSENT}}, ("The route leads to nothing.", "app-out")),
            ({"public-out": {"gatewayId": ABSENT}}, ("The route leads to nothing.", "public-out")),
            ({"nat": {"allocationId": ABSENT}}, ("The NAT gateway has no public address.", "nat")),
            (
                {"nat": {"subnetId": Ref("app-a")}},
                ("The NAT gateway is in subnet app-a, which has no route to an internet gateway.", "nat"),
            ),
        ],
    )
    def test_what_leads_nowhere_is_named(self, change, said, preview):
        assert said in stack_faults(WAYS_OUT, *estate(change, preview=preview))

    def test_the_public_route_gone_is_said_of_the_gateway(self, preview):
        assert stack_faults(WAYS_OUT, *estate(without=["public-out"], preview=preview)) == [
            ("The NAT gateway is in subnet public-a, which has no route to an internet gateway.", "nat")
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"connectivityType": "private", "subnetId": Ref("app-a")},
            {"availabilityMode": "regional", "subnetId": ABSENT, "vpcId": Ref("main")},
        ],
    )
    def test_private_and_regional_gateways_have_no_address_of_their_own(self, change, preview):
        assert stack_faults(WAYS_OUT, *estate({"nat": {"allocationId": ABSENT, **change}}, preview=preview)) == []

    def test_an_unknown_kind_of_gateway_is_not_evaluated(self, preview):
        with pytest.raises(UnknownValueError):
            stack_faults(WAYS_OUT, *estate({"nat": {"connectivityType": UNKNOWN}}, preview=preview))


@both_modes
class TestAddressUsed:
    def test_one_that_nothing_names_is_named(self, preview):
        changed = estate({"nat": {"allocationId": ABSENT}}, preview=preview)
        assert stack_faults(ADDRESS_USED, *changed) == [("The address belongs to nothing.", "address")]

    @pytest.mark.parametrize("props", [{"instance": Ref("bastion")}, {"networkInterface": "eni-1"}])
    def test_one_that_names_its_owner_passes(self, props, preview):
        extra = {"own": ("aws:ec2/eip:Eip", {"domain": "vpc", **props})}
        assert stack_faults(ADDRESS_USED, *estate(extra=extra, preview=preview)) == []

    def test_one_may_be_given_by_an_association(self, preview):
        extra = {
            "own": ("aws:ec2/eip:Eip", {"domain": "vpc"}),
            "given": ("aws:ec2/eipAssociation:EipAssociation", {"allocationId": Ref("own"), "instanceId": "i-1"}),
        }
        assert stack_faults(ADDRESS_USED, *estate(extra=extra, preview=preview)) == []

    def test_a_machine_of_others_is_named(self, preview):
        extra = {"own": ("aws:ec2/eip:Eip", {"instance": "i-elsewhere"})}
        assert stack_faults(ADDRESS_USED, *estate(extra=extra, preview=preview)) == [
            ("The address belongs to i-elsewhere, which this stack does not declare.", "own")
        ]

    def test_an_unknown_machine_is_not_evaluated(self, preview):
        extra = {"own": ("aws:ec2/eip:Eip", {"instance": UNKNOWN})}
        with pytest.raises(UnknownValueError):
            stack_faults(ADDRESS_USED, *estate(extra=extra, preview=preview))
