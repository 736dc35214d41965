"""The rules on how machines reach the services of AWS: one change to a network that is right, and the exact words."""

from __future__ import annotations

import pytest

from policies.rulebook.endpoints import PRIVATE_ENDPOINTS, SERVICES_ALLOWED

from .bags import ABSENT, UNKNOWN, UnknownValueError, not_evaluated, stack_faults
from .estate import Ref, estate

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])

OTHERS = "ec2, kms, logs, monitoring and secretsmanager"


def said(changes=None, **options):
    return stack_faults(PRIVATE_ENDPOINTS, *estate(changes, **options))


def of_both(sentence):
    """The sentence about the subnets that the machines stand in."""
    return [(sentence, "app-a"), (sentence, "app-b")]


@both_modes
class TestPrivateEndpoints:
    def test_working_endpoints_and_a_way_out_pass(self, preview):
        assert said(preview=preview) == []

    def test_a_way_to_the_internet_needs_no_endpoint(self, preview):
        machines = {"machines": {"vpcZoneIdentifiers": [Ref("public-a")]}}
        assert said(machines, without=["ssm", "ssmmessages", "ec2messages", "s3"], preview=preview) == []

    @pytest.mark.parametrize(
        ("without", "change", "missing", "why"),
        [
            (["ssm"], {}, "ssm", "there is no endpoint"),
            (["ssm", "ec2messages"], {}, "ec2messages and ssm", "there is no endpoint"),
            ([], {"ssm": {"vpcId": "vpc-of-others"}}, "ssm", "there is no endpoint"),
            ([], {"ssm": {"serviceName": ABSENT}}, "ssm", "there is no endpoint"),
            ([], {"ssm": {"privateDnsEnabled": ABSENT}}, "ssm", "the endpoint has no private DNS"),
            ([], {"ssm": {"privateDnsEnabled": False}}, "ssm", "the endpoint has no private DNS"),
            (
                [],
                {"s3": {"routeTableIds": [Ref("data-table")]}},
                "s3",
                "the endpoint is not in the subnet's route table",
            ),
            ([], {"s3": {"routeTableIds": ABSENT}}, "s3", "the endpoint is not in the subnet's route table"),
            ([], {"s3": {"routeTableIds": []}}, "s3", "the endpoint is not in the subnet's route table"),
            ([], {"ssm": {"vpcEndpointType": ABSENT}}, "ssm", "the endpoint is not in the subnet's route table"),
        ],
    )
    def test_an_endpoint_that_does_not_work_is_named(self, without, change, missing, why, preview):
        sentence = f"The subnet's machines have no private way to {missing}: {why}."
        assert said(change, without=without, preview=preview) == of_both(sentence)

    @pytest.mark.parametrize("change", [{"subnetIds": [Ref("app-a")]}, {"subnetIds": [Ref("app-a"), Ref("public-a")]}])
    def test_each_zone_needs_one_of_its_own(self, change, preview):
        sentence = (
            "The subnet's machines have no private way to ssm: the endpoint stands in no subnet of zone eu-west-1b."
        )
        assert said({"ssm": change}, preview=preview) == [(sentence, "app-b")]

    @pytest.mark.parametrize("change", [{"subnetIds": ABSENT}, {"subnetIds": []}])
    def test_one_that_stands_nowhere_is_named_for_each_zone(self, change, preview):
        sentence = (
            "The subnet's machines have no private way to ssm: the endpoint stands in no subnet of zone eu-west-1"
        )
        assert said({"ssm": change}, preview=preview) == [(f"{sentence}a.", "app-a"), (f"{sentence}b.", "app-b")]

    @pytest.mark.parametrize(
        "change",
        [
            {"ssm": {"securityGroupIds": ABSENT}},
            {"ssm": {"securityGroupIds": []}},
            {"ssm": {"securityGroupIds": [Ref("data-group")]}},
        ],
    )
    def test_its_groups_have_to_admit_the_subnet(self, change, preview):
        sentence = (
            "The subnet's machines have no private way to ssm: no security group of the endpoint admits {} to port 443."
        )
        assert said(change, preview=preview) == [
            (sentence.format("10.20.64.0/20"), "app-a"),
            (sentence.format("10.20.80.0/20"), "app-b"),
        ]

    def test_its_groups_may_admit_the_groups_of_what_stands_there(self, preview):
        source = {"cidrIpv4": ABSENT, "referencedSecurityGroupId": Ref("app-group")}
        assert said({"endpoint-https": source}, preview=preview) == []

    def test_another_group_is_not_what_stands_there(self, preview):
        source = {"cidrIpv4": ABSENT, "referencedSecurityGroupId": Ref("bastion-group")}
        assert len(said({"endpoint-https": source}, preview=preview)) == 2

    @pytest.mark.parametrize(
        "change", [{"enableDnsHostnames": ABSENT}, {"enableDnsHostnames": False}, {"enableDnsSupport": False}]
    )
    def test_the_vpc_has_to_answer_private_names(self, change, preview):
        sentence = (
            "The subnet's machines have no private way to ec2messages, ssm and ssmmessages: VPC main answers no "
            "private names (enableDnsSupport and enableDnsHostnames)."
        )
        assert said({"main": change}, preview=preview) == of_both(sentence)

    def test_without_a_way_out_every_service_needs_an_endpoint(self, preview):
        sentence = f"The subnet's machines have no private way to {OTHERS}: no endpoint and no NAT."
        assert said(without=["app-out"], preview=preview) == of_both(sentence)

    def test_the_route_tables_of_s3_may_be_associated_one_by_one(self, preview):
        association = (
            "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
            {"vpcEndpointId": Ref("s3"), "routeTableId": Ref("app-table")},
        )
        assert said({"s3": {"routeTableIds": ABSENT}}, extra={"x": association}, preview=preview) == []

    def test_functions_in_the_vpc_are_machines_too(self, preview):
        function = ("aws:lambda/function:Function", {"vpcConfig": {"subnetIds": [Ref("data-a")]}})
        assert [name for _, name in said(extra={"f": function}, preview=preview)] == ["data-a"] * 2

    @pytest.mark.parametrize("prop", ["serviceName", "privateDnsEnabled", "vpcEndpointType"])
    def test_what_is_unknown_of_an_endpoint_is_not_evaluated(self, prop, preview):
        with pytest.raises(UnknownValueError):
            said({"ssm": {prop: UNKNOWN}}, preview=preview)


@both_modes
class TestServicesAllowed:
    @pytest.mark.parametrize(
        "change", [{}, {"app-https": {"cidrIpv4": ABSENT, "referencedSecurityGroupId": Ref("endpoint-group")}}]
    )
    def test_a_way_out_on_443_passes_wherever_it_leads(self, change, preview):
        assert stack_faults(SERVICES_ALLOWED, *estate(change, preview=preview)) == []

    @pytest.mark.parametrize(
        ("options", "group", "machine"),
        [
            ({"without": ["app-https"]}, "app-group", "machines"),
            ({"changes": {"app-https": {"fromPort": 80, "toPort": 80}}}, "app-group", "machines"),
            ({"changes": {"app-https": {"ipProtocol": "udp"}}}, "app-group", "machines"),
            ({"without": ["bastion-https"]}, "bastion-group", "bastion"),
        ],
    )
    def test_a_machine_without_one_is_named(self, options, group, machine, preview):
        sentence = (
            f"No rule of security group {group} lets the machine out to port 443, so it reaches no service of AWS."
        )
        assert stack_faults(SERVICES_ALLOWED, *estate(**options, preview=preview)) == [(sentence, machine)]

    def test_a_function_without_one_is_named(self, preview):
        config = {"subnetIds": [Ref("app-a")], "securityGroupIds": [Ref("data-group")]}
        function = ("aws:lambda/function:Function", {"vpcConfig": config})
        found = stack_faults(SERVICES_ALLOWED, *estate(extra={"f": function}, preview=preview))
        assert [name for _, name in found] == ["f"]

    def test_an_unknown_port_is_not_evaluated_and_hides_no_other_machine(self, preview):
        changed = estate({"app-https": {"toPort": UNKNOWN}}, without=["bastion-https"], preview=preview)
        found, _ = not_evaluated(SERVICES_ALLOWED, *changed)
        assert [name for _, name in found] == ["bastion"]
